//! The deserializers from which the user's type reads a claim: a name, text or number that was read already,
//! or the JSON of one value.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use crate::verify::jwt::captured::{Number, Source};

/// The prefix of the names of `serde_json`'s own types, such as `RawValue`.
const SERDE_JSON_PRIVATE: &str = "$serde_json::private::";

/// Deserializes the user's type from one JSON value.
pub(super) struct Json<'de>(pub(super) &'de str);

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

/// Integers: a whole number is accepted, also if it is written with a fraction or an exponent.
macro_rules! integers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, serde_json::Error> {
            match self.whole_number() {
                Some(Number::Unsigned(number)) => visitor.visit_u64(number),
                Some(Number::Signed(number)) => visitor.visit_i64(number),
                _ => serde_json::Deserializer::from_str(self.0).$method(visitor),
            }
        }
    )+};
}

impl Json<'_> {
    /// The integer, if the JSON is a whole number that is written with a fraction or an exponent.
    fn whole_number(&self) -> Option<Number> {
        let is_number = self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let is_float = is_number && self.0.contains(['.', 'e', 'E']);
        let number = is_float.then(|| self.0.parse().ok())??;
        match Number::Float(number).as_integer() {
            Number::Float(_) => None,
            integer => Some(integer),
        }
    }
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = serde_json::Error;

    /// Skips nothing: the value was read already.
    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, serde_json::Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, serde_json::Error> {
        match self.0 {
            "null" => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, serde_json::Error> {
        match name.starts_with(SERDE_JSON_PRIVATE) {
            true => {
                serde_json::Deserializer::from_str(self.0).deserialize_newtype_struct(name, visitor)
            }
            false => visitor.visit_newtype_struct(self),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    forward! {
        deserialize_any() deserialize_bool() deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string() deserialize_bytes()
        deserialize_byte_buf() deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier()
    }
}

/// Deserializes the user's type from a name, text or number, with the same result as from the JSON.
pub(super) struct Replay<'a, 'de, E> {
    value: ReplayValue<'a, 'de>,
    /// For the types of `serde_json` that need the JSON itself.
    source: Option<Source<'de>>,
    error: PhantomData<E>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ReplayValue<'a, 'de> {
    Borrowed(&'de str),
    Owned(&'a str),
    Number(Number),
}

impl<'de> ReplayValue<'static, 'de> {
    /// A text that is a slice of the claims' JSON.
    pub(super) fn borrowed(text: &Cow<'de, str>) -> Option<Self> {
        match *text {
            Cow::Borrowed(text) => Some(Self::Borrowed(text)),
            Cow::Owned(_) => None,
        }
    }
}

impl<'a, 'de, E> Replay<'a, 'de, E> {
    pub(super) fn value(value: ReplayValue<'a, 'de>, source: Source<'de>) -> Self {
        Self { value, source: Some(source), error: PhantomData }
    }

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
