//! The value of a claim, for the rules and for the user's type.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::claims::NumericDate;
use crate::strict_json::NameSeed;
use crate::verify::jwt::replay::{Json, Replay, ReplayValue};

/// The value of a claim. It was read to its end, so its JSON is valid.
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

    /// The text, if the value is a string.
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

    /// The texts, if the value is a string or an array of strings.
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

    /// The value for the user's type; `None` if the type has to read the JSON.
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

/// The position of the JSON of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'de> {
    Json(&'de str),
    /// In the text of the claims, after this name. `name` is a slice of `text`.
    After {
        name: &'de str,
        text: &'de str,
    },
}

impl<'de> Source<'de> {
    /// Deserializes the user's type from the value. The type gets a reader of this value only, so it cannot
    /// change how the next claims are read.
    pub(super) fn hand_on<S: DeserializeSeed<'de>>(
        self,
        value: Option<ReplayValue<'_, 'de>>,
        seed: S,
    ) -> Result<S::Value, serde_json::Error> {
        match value {
            Some(value) => seed.deserialize(Replay::value(value, self)),
            None => seed.deserialize(Json(self.json()?)),
        }
    }

    /// The text from the start of the value to the end of the claims.
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

    pub(super) fn json(self) -> Result<&'de str, serde_json::Error> {
        match self {
            Self::Json(json) => Ok(json),
            Self::After { name, text } => Self::json_after(name, text)
                .ok_or_else(|| serde_json::Error::custom("no value comes after the name")),
        }
    }
}

/// The text, if the JSON is a string without escapes.
fn plain_text(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr(b'\\', text.as_bytes()).is_none().then_some(text)
}

fn read<'de, S: DeserializeSeed<'de>>(json: &'de str, seed: S) -> Option<S::Value> {
    seed.deserialize(&mut serde_json::Deserializer::from_str(json)).ok()
}

/// One string, or an array of strings.
#[derive(Debug)]
pub(in crate::verify) enum Texts<'de> {
    One(Cow<'de, str>),
    Many(Vec<Cow<'de, str>>),
}

impl Texts<'_> {
    pub(in crate::verify) fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts.as_slice(),
        }
        .iter()
        .map(AsRef::as_ref)
    }
}

/// A number of JSON.
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

    /// Converts a whole number to an integer, also from the spellings `1e3` and `1000.0`.
    pub(super) fn as_integer(self) -> Self {
        match self {
            Self::Float(number)
                if number.fract() == 0.0
                    && (0.0..9_223_372_036_854_775_808.0).contains(&number) =>
            {
                Self::Unsigned(number as u64)
            }
            Self::Float(number)
                if number.fract() == 0.0
                    && (-9_223_372_036_854_775_808.0..0.0).contains(&number) =>
            {
                Self::Signed(number as i64)
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

    /// With the feature `arbitrary_precision` of `serde_json`, which any other crate can turn on, a number is
    /// a map that contains its digits.
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
