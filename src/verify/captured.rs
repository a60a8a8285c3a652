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

/// The value of a claim, which has been read whole: its JSON is valid.
#[derive(Debug)]
pub(super) enum Value<'de> {
    Text(Cow<'de, str>),
    Texts(Texts<'de>),
    Number(Number),
    Json(&'de str),
}

impl<'de> Value<'de> {
    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Json("null"))
    }

    pub(super) fn is_object(&self) -> bool {
        matches!(self, Self::Json(json) if json.starts_with('{'))
    }

    pub(super) fn is_empty_text(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Json(json) => *json == "\"\"",
            Self::Texts(_) | Self::Number(_) => false,
        }
    }

    /// The text of a string.
    pub(super) fn text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(json) => match plain_text(json) {
                Some(text) => Some(Cow::Borrowed(text)),
                None if json.starts_with('"') => read(json, NameSeed),
                None => None,
            },
            Self::Texts(_) | Self::Number(_) => None,
        }
    }

    /// A string or an array of strings.
    pub(super) fn texts(self) -> Option<Texts<'de>> {
        match self {
            Self::Text(text) => Some(Texts::One(text)),
            Self::Texts(texts) => Some(texts),
            Self::Json(json) => read(json, TextsSeed),
            Self::Number(_) => None,
        }
    }

    pub(super) fn number(self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Json(json) => read(json, NumberSeed),
            Self::Text(_) | Self::Texts(_) => None,
        }
    }

    /// What the user's type gets, where it is not the JSON.
    pub(super) fn replay(&self) -> Option<ReplayValue<'static, 'de>> {
        match *self {
            Self::Text(Cow::Borrowed(text)) | Self::Texts(Texts::One(Cow::Borrowed(text))) => {
                Some(ReplayValue::Borrowed(text))
            }
            Self::Number(number) => Some(ReplayValue::Number(number)),
            Self::Json(json) => plain_text(json).map(ReplayValue::Borrowed),
            Self::Text(_) | Self::Texts(_) => None,
        }
    }
}

/// Where the JSON of a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'de> {
    Json(&'de str),
    /// In the text of the claims, after this name, which is a part of it.
    After {
        name: &'de str,
        text: &'de str,
    },
}

impl<'de> Source<'de> {
    /// Hands a value on to the user's type, which gets a reader of this value alone: whatever it
    /// does with it, the claims after this one are read as they are.
    pub(super) fn hand_on<S: DeserializeSeed<'de>>(
        self,
        value: Option<ReplayValue<'_, 'de>>,
        seed: S,
    ) -> Result<S::Value, serde_json::Error> {
        match value {
            Some(value) => {
                seed.deserialize(Replay { value, source: Some(self), error: PhantomData })
            }
            None => seed.deserialize(Json(self.json()?)),
        }
    }

    /// The JSON from the value on; more of the claims may follow.
    fn json_after(name: &str, text: &'de str) -> Option<&'de str> {
        let start = name.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
        let rest = text.get(start.checked_add(name.len())?..)?.strip_prefix('"')?;
        Some(rest.trim_ascii_start().strip_prefix(':')?.trim_ascii_start())
    }

    /// Whether the value is a string without escapes.
    pub(super) fn is_plain_text(self) -> bool {
        match self {
            Self::Json(json) => plain_text(json).is_some(),
            Self::After { name, text } => Self::json_after(name, text)
                .and_then(|json| json.as_bytes().strip_prefix(b"\""))
                .is_some_and(|rest| {
                    let end = memchr::memchr2(b'"', b'\\', rest);
                    end.and_then(|end| rest.get(end)) == Some(&b'"')
                }),
        }
    }

    fn json(self) -> Result<&'de str, serde_json::Error> {
        match self {
            Self::Json(json) => Ok(json),
            Self::After { name, text } => Self::json_after(name, text)
                .ok_or_else(|| serde_json::Error::custom("no value comes after the name")),
        }
    }
}

/// A reader of one value, for the user's type.
struct Json<'de>(&'de str);

macro_rules! forward {
    ($($method:ident($($hint:ident: $type:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($hint: $type,)*
            visitor: V,
        ) -> Result<V::Value, serde_json::Error> {
            serde_json::Deserializer::from_str(self.0).$method($($hint,)* visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = serde_json::Error;

    /// What nobody reads has been read already.
    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, serde_json::Error> {
        visitor.visit_unit()
    }

    forward! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128() deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes()
        deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
    }
}

/// The text of a string without escapes.
fn plain_text(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', text.as_bytes()).is_none().then_some(text)
}

fn read<'de, S: DeserializeSeed<'de>>(json: &'de str, seed: S) -> Option<S::Value> {
    seed.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()
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

/// Reads a string or an array of strings.
pub(super) struct TextsSeed;

impl<'de> DeserializeSeed<'de> for TextsSeed {
    type Value = Texts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Texts<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TextsSeed {
    type Value = Texts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Texts<'de>, E> {
        Ok(Texts::One(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Texts<'de>, E> {
        Ok(Texts::One(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<'de>, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element_seed(NameSeed)? {
            texts.push(text);
        }
        Ok(Texts::Many(texts))
    }
}

/// Reads a number.
pub(super) struct NumberSeed;

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
    source: Option<Source<'de>>,
    error: PhantomData<E>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ReplayValue<'a, 'de> {
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
        Self { value, source: None, error: PhantomData }
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
        match self.source {
            Some(source) if name.starts_with(SERDE_JSON_PRIVATE) => source
                .json()
                .and_then(|json| Json(json).deserialize_newtype_struct(name, visitor))
                .map_err(E::custom),
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
