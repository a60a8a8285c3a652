//! The claims, read in one pass: every value goes to the user's `Deserialize`, and those that the
//! rules are about are written down on the way.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::strict_json::{self, NameSeed, NameSet};
use crate::{NumericDate, RejectionKind};

/// The claims that the rules are about, of their right types.
#[derive(Debug, Default)]
pub(super) struct Registered<'de> {
    pub(super) issuer: Option<Captured<'de>>,
    pub(super) audience: Option<Captured<'de>>,
    pub(super) expires_at: Option<NumericDate>,
    pub(super) not_before: Option<NumericDate>,
    pub(super) issued_at: Option<NumericDate>,
    names: NameSet<'de>,
}

impl Registered<'_> {
    /// Whether there is a claim of this name, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// The claims did not fit the user's type.
#[derive(Debug)]
pub(super) struct Mismatch;

/// Reads the claims from a payload.
///
/// When they do not fit `C`, a second pass still reads the registered ones: a mismatch must not
/// hide that the token has expired or is for somebody else.
pub(super) fn read<C: DeserializeOwned>(
    payload: &[u8],
    rfc9068: bool,
) -> Result<(Registered<'_>, Result<C, Mismatch>), RejectionKind> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    if let Some((registered, claims)) = pass::<C>(text, rfc9068) {
        return Ok((registered, Ok(claims)));
    }
    match pass::<IgnoredAny>(text, rfc9068) {
        Some((registered, _)) => Ok((registered, Err(Mismatch))),
        None => Err(RejectionKind::MalformedClaims),
    }
}

fn pass<'de, C: serde::Deserialize<'de>>(
    text: &'de str,
    rfc9068: bool,
) -> Option<(Registered<'de>, C)> {
    let mut registered = Registered::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let tee = Tee { json: &mut json, registered: &mut registered, rfc9068 };
    let claims = C::deserialize(tee).ok()?;
    json.end().ok()?;
    Some((registered, claims))
}

/// Stands between the JSON and the user's type, at the top level only.
struct Tee<'a, D, R> {
    json: D,
    registered: &'a mut R,
    rfc9068: bool,
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tee<'_, D, Registered<'de>> {
    type Error = D::Error;

    /// Claims are an object: whatever the type asks for, it gets a map.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Self { json, registered, rfc9068 } = self;
        json.deserialize_map(Tee { json: visitor, registered, rfc9068 })
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
        let Self { json: visitor, registered, rfc9068 } = self;
        visitor.visit_map(TeeMap { map, registered, rfc9068, claim: None })
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
    /// A string by its definition, and nothing more is asked of it.
    Text,
}

impl Claim {
    fn of(name: &str, rfc9068: bool) -> Option<Self> {
        Some(match name {
            "iss" => Self::Issuer,
            "aud" => Self::Audience,
            "exp" => Self::ExpiresAt,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "sub" => Self::Text,
            "jti" | "client_id" if rfc9068 => Self::Text,
            _ => return None,
        })
    }
}

struct TeeMap<'a, 'de, A> {
    map: A,
    registered: &'a mut Registered<'de>,
    rfc9068: bool,
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
        self.claim = Claim::of(&name, self.rfc9068);
        let key = seed.deserialize(Replay::text(&name))?;
        match self.registered.names.insert(name) {
            true => Ok(Some(key)),
            false => Err(A::Error::custom("a name stands twice")),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let Some(claim) = self.claim.take() else { return self.map.next_value_seed(seed) };
        let captured = self.map.next_value_seed(CaptureSeed)?;
        let value = seed.deserialize(Replay::new(&captured))?;
        self.registered.write_down(claim, captured).map_err(A::Error::custom)?;
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

impl<'de> Registered<'de> {
    fn write_down(&mut self, claim: Claim, value: Captured<'de>) -> Result<(), &'static str> {
        const NOT_A_TEXT: &str = "not a string";
        match claim {
            Claim::Issuer if value.is_text() => self.issuer = Some(value),
            Claim::Audience => {
                if let Captured::Number(_) = value {
                    return Err("neither a string nor an array of strings");
                }
                self.audience = Some(value);
            }
            Claim::ExpiresAt => self.expires_at = Some(value.date()?),
            Claim::NotBefore => self.not_before = Some(value.date()?),
            Claim::IssuedAt => self.issued_at = Some(value.date()?),
            Claim::Text if value.is_text() => {}
            Claim::Issuer | Claim::Text => return Err(NOT_A_TEXT),
        }
        Ok(())
    }
}

/// The value of a registered claim: nothing else is the right type for any of them.
#[derive(Debug)]
pub(super) enum Captured<'de> {
    Text(Cow<'de, str>),
    Texts(Vec<Cow<'de, str>>),
    Number(Number),
}

/// A number, as the JSON wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Captured<'_> {
    /// Its strings: one, several, or none.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Text(text) => std::slice::from_ref(text),
            Self::Texts(texts) => texts.as_slice(),
            Self::Number(_) => &[],
        }
        .iter()
        .map(AsRef::as_ref)
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn date(&self) -> Result<NumericDate, &'static str> {
        match *self {
            Self::Number(Number::Unsigned(seconds)) => NumericDate::from_u64(seconds),
            Self::Number(Number::Float(seconds)) => NumericDate::from_f64(seconds),
            _ => None,
        }
        .ok_or("not a time")
    }
}

/// Captures a value: a string, a number, or an array of strings; refuses all else.
struct CaptureSeed;

impl<'de> DeserializeSeed<'de> for CaptureSeed {
    type Value = Captured<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Captured<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CaptureSeed {
    type Value = Captured<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or an array of strings")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Captured::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Captured::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Captured::Number(Number::Unsigned(number)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Captured::Number(Number::Signed(number)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Captured::Number(Number::Float(number)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element_seed(NameSeed)? {
            texts.push(text);
        }
        Ok(Captured::Texts(texts))
    }

    /// With `serde_json/arbitrary_precision`, which any crate of the user's may turn on, a number
    /// comes as a map around its digits; a real object does not pass for one.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        use serde::Deserialize;
        let map = serde::de::value::MapAccessDeserializer::new(map);
        let number = serde_json::Number::deserialize(map)?;
        let number = match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Number::Unsigned(number),
            (_, Some(number), _) => Number::Signed(number),
            (.., Some(number)) => Number::Float(number),
            _ => return Err(A::Error::custom("a number out of range")),
        };
        Ok(Captured::Number(number))
    }
}

/// Hands a captured value on to the user's type, as the JSON would have.
struct Replay<'a, 'de, E> {
    value: ReplayValue<'a, 'de>,
    error: std::marker::PhantomData<E>,
}

enum ReplayValue<'a, 'de> {
    Text(&'a Cow<'de, str>),
    Texts(&'a [Cow<'de, str>]),
    Number(Number),
}

impl<'a, 'de, E> Replay<'a, 'de, E> {
    fn text(text: &'a Cow<'de, str>) -> Self {
        Self { value: ReplayValue::Text(text), error: std::marker::PhantomData }
    }

    fn new(captured: &'a Captured<'de>) -> Self {
        let value = match captured {
            Captured::Text(text) => ReplayValue::Text(text),
            Captured::Texts(texts) => ReplayValue::Texts(texts),
            Captured::Number(number) => ReplayValue::Number(*number),
        };
        Self { value, error: std::marker::PhantomData }
    }
}

impl<'de, E: Error> Deserializer<'de> for Replay<'_, 'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            ReplayValue::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            ReplayValue::Text(Cow::Owned(text)) => visitor.visit_str(text),
            ReplayValue::Texts(texts) => {
                let texts = texts.iter().map(Self::text);
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(texts))
            }
            ReplayValue::Number(Number::Unsigned(number)) => visitor.visit_u64(number),
            ReplayValue::Number(Number::Signed(number)) => visitor.visit_i64(number),
            ReplayValue::Number(Number::Float(number)) => visitor.visit_f64(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        match self.value {
            ReplayValue::Text(Cow::Borrowed(text)) => {
                BorrowedStrDeserializer::new(text).deserialize_enum(name, variants, visitor)
            }
            ReplayValue::Text(Cow::Owned(text)) => {
                let text: StrDeserializer<'_, E> = text.as_str().into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, E: Error> IntoDeserializer<'de, E> for Replay<'_, 'de, E> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
