//! The claims that the rules check.

use std::borrow::Cow;

use crate::claims::NumericDate;
use crate::strict_json::NameSet;
use crate::verify::jwt::captured::{Texts, Value};

/// The claims that the rules check, with their types checked.
#[derive(Debug, Default)]
pub(in crate::verify) struct Registered<'de> {
    pub(in crate::verify) issuer: Option<Cow<'de, str>>,
    pub(in crate::verify) audience: Option<Texts<'de>>,
    pub(in crate::verify) expires_at: Option<NumericDate>,
    pub(in crate::verify) not_before: Option<NumericDate>,
    pub(in crate::verify) issued_at: Option<NumericDate>,
    /// The claim that is compared in place of `aud`, if the verifier has one.
    pub(super) in_place_of_audience: Option<Cow<'de, str>>,
    /// The kind in `token_use`, if that is a string.
    pub(super) token_use: Option<Kind>,
    /// The kind in `typ`, if that is a string.
    pub(super) kind: Option<Kind>,
    /// Whether `events` is an object.
    pub(super) is_event: bool,
    /// The [bits](Claim::bit) of the claims that are present.
    seen: u32,
    /// The names of the claims without a bit.
    names: NameSet<'de>,
    /// Claims without a value; only filled if claims are [required](Wanted::presence).
    blank: Vec<Cow<'de, str>>,
}

impl Registered<'_> {
    /// Whether the token has a claim of this name, with any value.
    #[inline]
    pub(super) fn has(&self, name: &str) -> bool {
        match Claim::of(name).bit() {
            0 => self.names.contains(name),
            bit => self.seen & bit != 0,
        }
    }

    /// Like [`has`](Self::has), for a claim that is known by name.
    #[inline]
    pub(super) fn has_known(&self, claim: Claim) -> bool {
        self.seen & claim.bit() != 0
    }

    /// Whether the token has a claim of this name with a value: see [`is_blank`].
    pub(in crate::verify) fn has_value(&self, name: &str) -> bool {
        let names_nobody = |audience: &Texts<'_>| audience.iter().all(str::is_empty);
        self.has(name)
            && !self.blank.iter().any(|blank| blank == name)
            && !(name == "aud" && self.audience.as_ref().is_some_and(names_nobody))
    }
}

/// The type of a token by its claim `token_use` or `typ`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Access,
    Id,
    Refresh,
    Offline,
    Logout,
    Other,
}

impl Kind {
    pub(super) fn of(name: &str) -> Self {
        const KINDS: [(&str, Kind); 4] = [
            ("id", Kind::Id),
            ("refresh", Kind::Refresh),
            ("offline", Kind::Offline),
            ("logout", Kind::Logout),
        ];
        match KINDS.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name)) {
            Some((_, kind)) => *kind,
            None if name == "access" => Self::Access,
            None => Self::Other,
        }
    }
}

/// The claims that are read besides those that are always read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::verify) struct Wanted {
    /// The claims of RFC 9068.
    pub(super) rfc9068: bool,
    /// The claim that is compared in place of `aud`.
    pub(super) in_place_of_audience: Option<&'static str>,
    /// `token_use`, which must be a string.
    pub(super) token_use: bool,
    /// Whether a claim besides `iss`, `aud` and `exp` is required.
    pub(super) presence: bool,
}

impl Wanted {
    /// Whether this claim is compared in place of `aud`.
    fn is_in_place_of_audience(self, claim: Claim) -> bool {
        match claim {
            Claim::Party => self.in_place_of_audience == Some("azp"),
            Claim::Client => self.in_place_of_audience == Some("client_id"),
            _ => false,
        }
    }

    /// Whether the value of this claim has to be of its type.
    pub(super) fn is_typed(self, claim: Claim) -> bool {
        match claim {
            Claim::Issuer | Claim::Subject | Claim::Audience => true,
            Claim::Expires | Claim::NotBefore | Claim::IssuedAt => true,
            Claim::Party => self.is_in_place_of_audience(claim),
            Claim::Client => self.rfc9068 || self.is_in_place_of_audience(claim),
            Claim::Id | Claim::Scope => self.rfc9068,
            Claim::TokenUse => self.token_use,
            Claim::Kind | Claim::Events | Claim::Confirmation => false,
            Claim::AccessTokenHash | Claim::CodeHash | Claim::Other => false,
        }
    }
}

/// A claim that a rule checks, or that most tokens have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claim {
    Issuer,
    Subject,
    Audience,
    Expires,
    NotBefore,
    IssuedAt,
    /// `azp` and `client_id`, which can be compared in place of `aud`.
    Party,
    Client,
    /// `jti`.
    Id,
    /// A string, or an array of strings as some issuers write it.
    Scope,
    TokenUse,
    /// `typ`.
    Kind,
    Events,
    /// `cnf`, `at_hash` and `c_hash`: a rule only checks whether they are present.
    Confirmation,
    AccessTokenHash,
    CodeHash,
    Other,
}

impl Claim {
    #[inline]
    pub(super) fn of(name: &str) -> Self {
        match name {
            "iss" => Self::Issuer,
            "sub" => Self::Subject,
            "aud" => Self::Audience,
            "exp" => Self::Expires,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "azp" => Self::Party,
            "jti" => Self::Id,
            "client_id" => Self::Client,
            "scope" => Self::Scope,
            "token_use" => Self::TokenUse,
            "typ" => Self::Kind,
            "events" => Self::Events,
            "cnf" => Self::Confirmation,
            "at_hash" => Self::AccessTokenHash,
            "c_hash" => Self::CodeHash,
            _ => Self::Other,
        }
    }

    /// The bit of a claim that is known by name, so that its name is not put into a set; 0 for the others.
    #[inline]
    fn bit(self) -> u32 {
        match self {
            Self::Other => 0,
            known => 1 << (known as u32),
        }
    }

    /// The name of a claim whose type is checked, for the operator's log.
    pub(super) fn name(self, wanted: Wanted) -> Option<&'static str> {
        let name = match self {
            Self::Issuer => "iss",
            Self::Subject => "sub",
            Self::Audience => "aud",
            Self::Expires => "exp",
            Self::NotBefore => "nbf",
            Self::IssuedAt => "iat",
            Self::Party => "azp",
            Self::Id => "jti",
            Self::Client => "client_id",
            Self::Scope => "scope",
            Self::TokenUse => "token_use",
            Self::Kind | Self::Events | Self::Confirmation => return None,
            Self::AccessTokenHash | Self::CodeHash | Self::Other => return None,
        };
        wanted.is_typed(self).then_some(name)
    }
}

impl<'de> Registered<'de> {
    /// Records the name of a claim; `false` if it is a duplicate.
    #[inline]
    pub(super) fn note_name(&mut self, claim: Claim, name: Cow<'de, str>) -> bool {
        match claim.bit() {
            0 => self.names.insert(name),
            bit => {
                let is_new = self.seen & bit == 0;
                self.seen |= bit;
                is_new
            }
        }
    }

    /// Records a claim without a value.
    pub(super) fn note_blank(&mut self, name: Cow<'de, str>, value: &Value<'_>) {
        if is_blank(&name, value) {
            self.blank.push(name);
        }
    }

    /// The field of a claim that is a date.
    pub(super) fn date(&mut self, claim: Claim) -> &mut Option<NumericDate> {
        match claim {
            Claim::NotBefore => &mut self.not_before,
            Claim::IssuedAt => &mut self.issued_at,
            _ => &mut self.expires_at,
        }
    }

    /// Stores a claim; `None` if its value has the wrong type.
    pub(super) fn write_down(
        &mut self,
        claim: Claim,
        value: Value<'de>,
        wanted: Wanted,
    ) -> Option<()> {
        let is_typed = wanted.is_typed(claim);
        match claim {
            Claim::Issuer => self.issuer = Some(value.text()?),
            Claim::Audience => self.audience = Some(value.texts()?),
            Claim::Expires | Claim::NotBefore | Claim::IssuedAt => {
                *self.date(claim) = Some(value.number()?.date()?);
            }
            Claim::Party | Claim::Client if wanted.is_in_place_of_audience(claim) => {
                self.in_place_of_audience = Some(value.text()?);
            }
            Claim::Subject => drop(value.text()?),
            Claim::Party | Claim::Id | Claim::Client if is_typed => drop(value.text()?),
            Claim::Scope if is_typed => drop(value.texts()?),
            Claim::TokenUse if is_typed => self.token_use = Some(Kind::of(&value.text()?)),
            Claim::TokenUse => self.token_use = value.text().map(|name| Kind::of(&name)),
            Claim::Kind => self.kind = value.text().map(|name| Kind::of(&name)),
            Claim::Events => self.is_event = value.is_object(),
            Claim::Party | Claim::Id | Claim::Client | Claim::Scope => {}
            Claim::Confirmation | Claim::AccessTokenHash | Claim::CodeHash | Claim::Other => {}
        }
        Some(())
    }
}

/// Whether a claim has no value: `null`, or an empty name of a party or a token.
fn is_blank(name: &str, value: &Value<'_>) -> bool {
    value.is_null()
        || value.is_empty_text() && matches!(name, "iss" | "sub" | "client_id" | "azp" | "jti")
}

#[cfg(test)]
impl Registered<'_> {
    /// What the rules see, as a text.
    pub(super) fn without_names(&self) -> String {
        let Self { issuer, audience, expires_at, not_before, issued_at, .. } = self;
        let Self { in_place_of_audience, token_use, kind, is_event, seen, blank, .. } = self;
        let audience: Option<Vec<&str>> = audience.as_ref().map(|names| names.iter().collect());
        let dates = [expires_at, not_before, issued_at];
        let others = (in_place_of_audience, token_use, kind, is_event, seen, blank);
        format!("{issuer:?} {audience:?} {dates:?} {others:?}")
    }
}
