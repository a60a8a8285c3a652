//! The claims, read in one pass: every value goes to the user's `Deserialize`, and those that the
//! rules are about are written down on the way.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

use super::captured::{CaptureSeed, Captured, Replay};
use crate::strict_json::{self, NameSeed, NameSet};
use crate::{NumericDate, RejectionKind};

/// The claims that the rules are about, of their right types.
#[derive(Debug, Default)]
pub(super) struct Registered<'de> {
    pub(super) issuer: Option<Cow<'de, str>>,
    pub(super) audience: Option<Captured<'de>>,
    pub(super) expires_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued_at: Option<NumericDate>,
    /// Only where it is [`Wanted`].
    pub(super) client_id: Option<Cow<'de, str>>,
    /// Only where it is [`Wanted`].
    pub(super) token_use: Option<Cow<'de, str>>,
    names: NameSet<'de>,
    /// A name stood twice, or a value had the wrong type. Kept apart from the error that says so,
    /// since a user's `Deserialize` may swallow errors.
    faulty: bool,
}

impl Registered<'_> {
    /// Whether there is a claim of this name, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// Which claims are read beside those that always are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Those of RFC 9068.
    pub(super) rfc9068: bool,
    /// Those that Amazon Cognito has in place of `aud`.
    pub(super) cognito: bool,
}

/// The claims did not fit the user's type.
#[derive(Debug)]
pub(super) struct Mismatch {
    /// The claim that the type has and the token has not, if that is what was wrong.
    pub(super) missing: Option<Arc<str>>,
}

impl Mismatch {
    /// Of what `serde` says, the name of a missing field alone, which is a word of the type's. The
    /// rest may quote the token.
    fn new(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let name = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
        Self { missing: name.map(|(name, _)| name.into()) }
    }
}

/// Reads the claims from a payload.
///
/// When they do not fit `C`, a second pass still reads the registered ones: a mismatch must not
/// hide that the token has expired or is for somebody else.
pub(super) fn read<C: DeserializeOwned>(
    payload: &[u8],
    wanted: Wanted,
) -> Result<(Registered<'_>, Result<C, Mismatch>), RejectionKind> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    let mismatch = match pass::<C>(text, wanted) {
        Ok((registered, claims)) => return Ok((registered, Ok(claims))),
        Err(mismatch) => mismatch,
    };
    match pass::<IgnoredAny>(text, wanted) {
        Ok((registered, _)) => Ok((registered, Err(mismatch))),
        Err(_) => Err(RejectionKind::MalformedClaims),
    }
}

fn pass<'de, C: Deserialize<'de>>(
    text: &'de str,
    wanted: Wanted,
) -> Result<(Registered<'de>, C), Mismatch> {
    let mut registered = Registered::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let tee = Tee { json: &mut json, registered: &mut registered, wanted };
    let claims = C::deserialize(tee).map_err(|error| Mismatch::new(&error))?;
    json.end().map_err(|error| Mismatch::new(&error))?;
    match registered.faulty {
        true => Err(Mismatch { missing: None }),
        false => Ok((registered, claims)),
    }
}

/// Stands between the JSON and the user's type, at the top level only.
struct Tee<'a, D, R> {
    json: D,
    registered: &'a mut R,
    wanted: Wanted,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, D, Registered<'de>> {
    type Error = D::Error;

    /// Claims are an object: whatever the type asks for, it gets a map.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { json, registered, wanted } = self;
        json.deserialize_map(Tee { json: visitor, registered, wanted })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tee<'_, V, Registered<'de>> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let Self { json: visitor, registered, wanted } = self;
        visitor.visit_map(TeeMap { map, registered, wanted, claim: None })
    }
}

/// A claim that is written down.
#[derive(Clone, Copy)]
enum Claim {
    Issuer,
    Audience,
    ExpiresAt,
    NotBefore,
    IssuedAt,
    ClientId,
    TokenUse,
    /// A string by its definition, and nothing more is asked of it.
    Text,
    /// A string by its definition, an array of strings with some issuers, likewise.
    Scope,
}

impl Claim {
    fn of(name: &str, wanted: Wanted) -> Option<Self> {
        let Wanted { rfc9068, cognito } = wanted;
        Some(match name {
            "iss" => Self::Issuer,
            "aud" => Self::Audience,
            "exp" => Self::ExpiresAt,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "sub" => Self::Text,
            "client_id" if cognito => Self::ClientId,
            "token_use" if cognito => Self::TokenUse,
            "jti" | "client_id" if rfc9068 => Self::Text,
            "scope" if rfc9068 => Self::Scope,
            _ => return None,
        })
    }
}

struct TeeMap<'a, 'de, A> {
    map: A,
    registered: &'a mut Registered<'de>,
    wanted: Wanted,
    /// Whose value comes next.
    claim: Option<Claim>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TeeMap<'_, 'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(name) = self.map.next_key_seed(NameSeed)? else { return Ok(None) };
        self.claim = Claim::of(&name, self.wanted);
        let key = seed.deserialize(Replay::text(&name))?;
        if !self.registered.names.insert(name) {
            return Err(self.registered.fault("a name stands twice"));
        }
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.claim.take() {
            Some(claim) => {
                let registered = &mut *self.registered;
                self.map.next_value_seed(ValueTee { inner: seed, claim, registered })
            }
            None => self.map.next_value_seed(seed),
        }
    }
}

/// Stands between the JSON and the user's type, at the value of a registered claim.
struct ValueTee<'a, 'de, D> {
    inner: D,
    claim: Claim,
    registered: &'a mut Registered<'de>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for ValueTee<'_, 'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<S::Value, D::Error> {
        let Self { inner: seed, claim, registered } = self;
        seed.deserialize(ValueTee { inner: json, claim, registered })
    }
}

impl<'de, D: Deserializer<'de>> ValueTee<'_, 'de, D> {
    /// Captures the value, hands it on, and writes it down.
    fn replay<T>(
        self,
        hand_on: impl FnOnce(Replay<'_, 'de, D::Error>) -> Result<T, D::Error>,
    ) -> Result<T, D::Error> {
        let Ok(captured) = CaptureSeed.deserialize(self.inner) else {
            return Err(self.registered.fault("a registered claim of the wrong type"));
        };
        let handed_on = hand_on(Replay::new(&captured));
        match self.registered.write_down(self.claim, captured) {
            Some(()) => handed_on,
            None => Err(self.registered.fault("a registered claim of the wrong type")),
        }
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for ValueTee<'_, 'de, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.replay(|value| value.deserialize_any(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.replay(|value| value.deserialize_option(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        if !name.starts_with(SERDE_JSON_PRIVATE) {
            return self.replay(|value| value.deserialize_newtype_struct(name, visitor));
        }
        // A type of `serde_json`'s that wants the text itself.
        let text = <&RawValue>::deserialize(self.inner)?.get();
        let captured = CaptureSeed.deserialize(&mut serde_json::Deserializer::from_str(text)).ok();
        if captured.and_then(|value| self.registered.write_down(self.claim, value)).is_none() {
            return Err(self.registered.fault("a registered claim of the wrong type"));
        }
        serde_json::Deserializer::from_str(text)
            .deserialize_newtype_struct(name, visitor)
            .map_err(D::Error::custom)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.replay(|value| value.deserialize_enum(name, variants, visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// How the names of `serde_json`'s own types begin, such as that of `RawValue`.
const SERDE_JSON_PRIVATE: &str = "$serde_json::private::";

impl<'de> Registered<'de> {
    /// Writes a claim down; `None` when its value has the wrong type.
    fn write_down(&mut self, claim: Claim, value: Captured<'de>) -> Option<()> {
        let is_number = matches!(value, Captured::Number(_));
        match claim {
            Claim::Issuer => self.issuer = Some(value.into_text()?),
            Claim::Audience if !is_number => self.audience = Some(value),
            Claim::ExpiresAt => self.expires_at = Some(value.date()?),
            Claim::NotBefore => self.not_before = Some(value.date()?),
            Claim::IssuedAt => self.issued_at = Some(value.date()?),
            Claim::ClientId => self.client_id = Some(value.into_text()?),
            Claim::TokenUse => self.token_use = Some(value.into_text()?),
            Claim::Text => drop(value.into_text()?),
            Claim::Scope if !is_number => {}
            Claim::Audience | Claim::Scope => return None,
        }
        Some(())
    }

    fn fault<E: Error>(&mut self, what: &'static str) -> E {
        self.faulty = true;
        E::custom(what)
    }
}
