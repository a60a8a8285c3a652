//! The value of a claim: read by the rules, and handed on to the user's type.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use crate::NumericDate;
use crate::strict_json::NameSeed;

/// How the names of `serde_json`'s own types begin, such as that of `RawValue`.
const SERDE_JSON_PRIVATE: &str = "$serde_json::private::";

/// The value of a claim, as its JSON. It is known to be valid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'de> {
    json: &'de str,
    /// The text of a string without escapes.
    plain: Option<&'de str>,
}

impl<'de> Value<'de> {
    pub(super) fn new(json: &'de str) -> Self {
        let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let plain = inner.filter(|inner| memchr::memchr(b'\\', inner.as_bytes()).is_none());
        Self { json, plain }
    }

    pub(super) fn is_null(self) -> bool {
        self.json == "null"
    }

    pub(super) fn is_object(self) -> bool {
        self.json.starts_with('{')
    }

    pub(super) fn is_empty_text(self) -> bool {
        self.plain.is_some_and(str::is_empty)
    }

    /// The text of a string.
    pub(super) fn text(self) -> Option<Cow<'de, str>> {
        match self.plain {
            Some(text) => Some(Cow::Borrowed(text)),
            None if self.json.starts_with('"') => self.read(NameSeed),
            None => None,
        }
    }

    /// A string or an array of strings.
    pub(super) fn texts(self) -> Option<Texts<'de>> {
        match self.text() {
            Some(text) => Some(Texts::One(text)),
            None if self.json.starts_with('[') => self.read(TextsSeed).map(Texts::Many),
            None => None,
        }
    }

    pub(super) fn number(self) -> Option<Number> {
        match self.json.parse() {
            Ok(number) => Some(Number::Unsigned(number)),
            Err(_) => self.read(NumberSeed),
        }
    }

    fn read<S: DeserializeSeed<'de>>(self, seed: S) -> Option<S::Value> {
        seed.deserialize(&mut serde_json::Deserializer::from_str(self.json)).ok()
    }

    /// Hands the value on to the user's type, which gets a reader of this value alone: whatever it
    /// does with it, the claims after this one are read as they are.
    ///
    /// A `number` that the rules have read is handed on as they read it.
    pub(super) fn hand_on<S: DeserializeSeed<'de>>(
        self,
        seed: S,
        number: Option<Number>,
    ) -> Result<S::Value, serde_json::Error> {
        let value = match (self.plain, number) {
            (Some(text), _) => ReplayValue::Borrowed(text),
            (None, Some(number)) => ReplayValue::Number(number),
            (None, None) => {
                return seed.deserialize(&mut serde_json::Deserializer::from_str(self.json));
            }
        };
        seed.deserialize(Replay { value, json: Some(self.json), error: PhantomData })
    }
}

/// One string, or several.
#[derive(Debug)]
pub(super) enum Texts<'de> {
    One(Cow<'de, str>),
    Many(Vec<Cow<'de, str>>),
}

impl Texts<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts.as_slice(),
        }
        .iter()
        .map(AsRef::as_ref)
    }
}

/// A number, as the JSON has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    pub(super) fn date(self) -> Option<NumericDate> {
        match self {
            Self::Unsigned(seconds) => NumericDate::from_u64(seconds),
            Self::Float(seconds) => NumericDate::from_f64(seconds),
            Self::Signed(0) => Some(NumericDate::EPOCH),
            Self::Signed(_) => None,
        }
    }

    /// A whole number is an integer, however it is written (`1e3`, `1000.0`).
    fn as_integer(self) -> Self {
        match self {
            Self::Float(number)
                if number.fract() == 0.0
                    && (0.0..9_223_372_036_854_775_808.0).contains(&number) =>
            {
                Self::Unsigned(number as u64)
            }
            number => number,
        }
    }
}

struct TextsSeed;

impl<'de> DeserializeSeed<'de> for TextsSeed {
    type Value = Vec<Cow<'de, str>>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TextsSeed {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element_seed(NameSeed)? {
            texts.push(text);
        }
        Ok(texts)
    }
}

struct NumberSeed;

impl<'de> DeserializeSeed<'de> for NumberSeed {
    type Value = Number;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Number, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NumberSeed {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number::Unsigned(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Signed(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number::Float(number))
    }

    /// With `serde_json/arbitrary_precision`, which any crate of the user's may turn on, a number
    /// comes as a map around its digits.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Number, A::Error> {
        let number = serde_json::Number::deserialize(MapAccessDeserializer::new(map))?;
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => Ok(Number::Unsigned(number)),
            (_, Some(number), _) => Ok(Number::Signed(number)),
            (.., Some(number)) => Ok(Number::Float(number)),
            _ => Err(A::Error::custom("a number out of range")),
        }
    }
}

/// Hands a name, a text or a number on to the user's type, as the JSON would have.
pub(super) struct Replay<'a, 'de, E> {
    value: ReplayValue<'a, 'de>,
    /// For the types of `serde_json` that ask for the JSON itself.
    json: Option<&'de str>,
    error: PhantomData<E>,
}

enum ReplayValue<'a, 'de> {
    Borrowed(&'de str),
    Owned(&'a str),
    Number(Number),
}

impl<'a, 'de, E> Replay<'a, 'de, E> {
    pub(super) fn name(name: &'a Cow<'de, str>) -> Self {
        let value = match name {
            Cow::Borrowed(name) => ReplayValue::Borrowed(name),
            Cow::Owned(name) => ReplayValue::Owned(name),
        };
        Self { value, json: None, error: PhantomData }
    }
}

impl<'de, E: Error> Deserializer<'de> for Replay<'_, 'de, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            ReplayValue::Borrowed(text) => visitor.visit_borrowed_str(text),
            ReplayValue::Owned(text) => visitor.visit_str(text),
            ReplayValue::Number(number) => match number.as_integer() {
                Number::Unsigned(number) => visitor.visit_u64(number),
                Number::Signed(number) => visitor.visit_i64(number),
                Number::Float(number) => visitor.visit_f64(number),
            },
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        match self.json {
            Some(json) if name.starts_with(SERDE_JSON_PRIVATE) => {
                serde_json::Deserializer::from_str(json)
                    .deserialize_newtype_struct(name, visitor)
                    .map_err(E::custom)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        match self.value {
            ReplayValue::Borrowed(text) => {
                BorrowedStrDeserializer::new(text).deserialize_enum(name, variants, visitor)
            }
            ReplayValue::Owned(text) => {
                let text: StrDeserializer<'_, E> = text.into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            ReplayValue::Number(_) => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
