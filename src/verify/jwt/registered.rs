//! The claims that the rules check.

use std::borrow::Cow;

use crate::claims::NumericDate;
use crate::strict_json::NameSet;
use crate::verify::jwt::captured::{Texts, Value};

/// The claims that the rules check, with their types checked.
#[derive(Debug, Default)]
pub(super) struct Registered<'de> {
    pub(super) issuer: Option<Cow<'de, str>>,
    pub(super) audience: Option<Texts<'de>>,
    pub(super) expires_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued_at: Option<NumericDate>,
    /// The claim that is compared in place of `aud`, if the verifier has one.
    pub(super) in_place_of_audience: Option<Cow<'de, str>>,
    /// The kind in `token_use`, if that is a string.
    pub(super) token_use: Option<Kind>,
    /// The kind in `typ`, if that is a string.
    pub(super) kind: Option<Kind>,
    /// Whether `events` is an object.
    pub(super) is_event: bool,
    /// The [bits](Claim::bit) of the claims that are present.
    seen: u16,
    /// The names of the claims without a bit.
    names: NameSet<'de>,
    /// Claims without a value; only filled if claims are [required](Wanted::presence).
    blank: Vec<Cow<'de, str>>,
}

impl Registered<'_> {
    /// Whether the token has a claim of this name, with any value.
    #[inline]
    pub(super) fn has(&self, name: &str) -> bool {
        match Claim::of(name, Wanted::default()).bit() {
            0 => self.names.contains(name),
            bit => self.seen & bit != 0,
        }
    }

    /// Whether the token has a claim of this name with a value: see [`is_blank`].
    pub(super) fn has_value(&self, name: &str) -> bool {
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
    fn of(name: &str) -> Self {
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// The claims of RFC 9068.
    pub(super) rfc9068: bool,
    /// The claim that is compared in place of `aud`.
    pub(super) in_place_of_audience: Option<&'static str>,
    /// `token_use`, which must be a string.
    pub(super) token_use: bool,
    /// Whether a claim besides `iss`, `aud` and `exp` is required.
    pub(super) presence: bool,
}

/// A claim that a rule checks.
#[derive(Clone, Copy)]
pub(super) enum Claim {
    Issuer,
    Subject,
    Audience,
    /// `azp` or `client_id` in place of `aud`.
    PartyForAudience,
    ClientForAudience,
    Expires,
    NotBefore,
    IssuedAt,
    /// `jti`, `client_id`: only checked to be a string.
    Id,
    Client,
    /// Only checked to be a string, or an array of strings as some issuers write it.
    Scope,
    TokenUse,
    /// `token_use` that must be a string.
    TypedTokenUse,
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
    pub(super) fn of(name: &str, wanted: Wanted) -> Self {
        match name {
            "iss" => Self::Issuer,
            "sub" => Self::Subject,
            "aud" => Self::Audience,
            "exp" => Self::Expires,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "azp" if wanted.in_place_of_audience == Some("azp") => Self::PartyForAudience,
            "client_id" if wanted.in_place_of_audience == Some("client_id") => {
                Self::ClientForAudience
            }
            "jti" if wanted.rfc9068 => Self::Id,
            "client_id" if wanted.rfc9068 => Self::Client,
            "scope" if wanted.rfc9068 => Self::Scope,
            "token_use" if wanted.token_use => Self::TypedTokenUse,
            "token_use" => Self::TokenUse,
            "typ" => Self::Kind,
            "events" => Self::Events,
            "cnf" => Self::Confirmation,
            "at_hash" => Self::AccessTokenHash,
            "c_hash" => Self::CodeHash,
            _ => Self::Other,
        }
    }

    /// The bit of a claim that most tokens have, or that a rule looks for in every token: so its name is not
    /// put into a set. 0 for the other claims.
    fn bit(self) -> u16 {
        match self {
            Self::Issuer => 1,
            Self::Subject => 1 << 1,
            Self::Audience => 1 << 2,
            Self::Expires => 1 << 3,
            Self::NotBefore => 1 << 4,
            Self::IssuedAt => 1 << 5,
            Self::Confirmation => 1 << 6,
            Self::AccessTokenHash => 1 << 7,
            Self::CodeHash => 1 << 8,
            _ => 0,
        }
    }

    /// The name of a claim whose type is checked, for the operator's log.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Issuer => Some("iss"),
            Self::Subject => Some("sub"),
            Self::Audience => Some("aud"),
            Self::Expires => Some("exp"),
            Self::NotBefore => Some("nbf"),
            Self::IssuedAt => Some("iat"),
            Self::PartyForAudience => Some("azp"),
            Self::Id => Some("jti"),
            Self::Client | Self::ClientForAudience => Some("client_id"),
            Self::Scope => Some("scope"),
            Self::TypedTokenUse => Some("token_use"),
            Self::TokenUse | Self::Kind | Self::Events | Self::Confirmation => None,
            Self::AccessTokenHash | Self::CodeHash | Self::Other => None,
        }
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
    pub(super) fn write_down(&mut self, claim: Claim, value: Value<'de>) -> Option<()> {
        match claim {
            Claim::Issuer => self.issuer = Some(value.text()?),
            Claim::Subject | Claim::Id | Claim::Client => drop(value.text()?),
            Claim::Audience => self.audience = Some(value.texts()?),
            Claim::PartyForAudience | Claim::ClientForAudience => {
                self.in_place_of_audience = Some(value.text()?);
            }
            Claim::Expires | Claim::NotBefore | Claim::IssuedAt => {
                *self.date(claim) = Some(value.number()?.date()?);
            }
            Claim::Scope => drop(value.texts()?),
            Claim::TypedTokenUse => self.token_use = Some(Kind::of(&value.text()?)),
            Claim::TokenUse => self.token_use = value.text().map(|name| Kind::of(&name)),
            Claim::Kind => self.kind = value.text().map(|name| Kind::of(&name)),
            Claim::Events => self.is_event = value.is_object(),
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
