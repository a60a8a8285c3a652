//! The values of registered claims: captured on their way to the user's type, and replayed to it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{
    BorrowedStrDeserializer, MapAccessDeserializer, SeqDeserializer, StrDeserializer,
};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use crate::NumericDate;
use crate::strict_json::NameSeed;

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

    pub(super) fn date(&self) -> Option<NumericDate> {
        match *self {
            Self::Number(Number::Unsigned(seconds)) => NumericDate::from_u64(seconds),
            Self::Number(Number::Float(seconds)) => NumericDate::from_f64(seconds),
            Self::Number(Number::Signed(0)) => Some(NumericDate::EPOCH),
            _ => None,
        }
    }
}

impl<'de> Captured<'de> {
    pub(super) fn into_text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Captures a value: a string, a number, or an array of strings; refuses all else.
pub(super) struct CaptureSeed;

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
    /// comes as a map around its digits.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let map = MapAccessDeserializer::new(map);
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
pub(super) struct Replay<'a, 'de, E> {
    value: ReplayValue<'a, 'de>,
    error: PhantomData<E>,
}

enum ReplayValue<'a, 'de> {
    Text(&'a Cow<'de, str>),
    Texts(&'a [Cow<'de, str>]),
    Number(Number),
}

impl<'a, 'de, E> Replay<'a, 'de, E> {
    pub(super) fn text(text: &'a Cow<'de, str>) -> Self {
        Self { value: ReplayValue::Text(text), error: PhantomData }
    }

    pub(super) fn new(captured: &'a Captured<'de>) -> Self {
        let value = match captured {
            Captured::Text(text) => ReplayValue::Text(text),
            Captured::Texts(texts) => ReplayValue::Texts(texts),
            Captured::Number(number) => ReplayValue::Number(*number),
        };
        Self { value, error: PhantomData }
    }
}

impl<'de, E: Error> Deserializer<'de> for Replay<'_, 'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            ReplayValue::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            ReplayValue::Text(Cow::Owned(text)) => visitor.visit_str(text),
            ReplayValue::Texts(texts) => {
                let mut texts = SeqDeserializer::new(texts.iter().map(Self::text));
                let value = visitor.visit_seq(&mut texts)?;
                texts.end()?;
                Ok(value)
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
