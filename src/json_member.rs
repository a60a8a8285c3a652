//! Reads members of a JSON object and elements of an array, and returns the JSON of each. Nothing is copied. No
//! name is treated as one of `serde_json`'s private names, as `serde_json::Value` does.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::strict_json::NameSeed;

/// The JSON does not have the requested type, or a name is duplicated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unreadable;

impl From<serde_json::Error> for Unreadable {
    fn from(_: serde_json::Error) -> Self {
        Self
    }
}

/// The value of the member with this name; `None` when the object has none.
pub(crate) fn member<'t>(object: &'t str, name: &str) -> Result<Option<&'t str>, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(object);
    Ok(json.deserialize_map(Member(name))?)
}

/// Calls a function with each element of an array.
pub(crate) fn elements<'t>(array: &'t str, each: impl FnMut(&'t str)) -> Result<(), Unreadable> {
    let mut json = serde_json::Deserializer::from_str(array);
    Ok(json.deserialize_seq(Elements(each))?)
}

/// The number of members of an object.
pub(crate) fn count_members(object: &str) -> Result<usize, Unreadable> {
    let mut json = serde_json::Deserializer::from_str(object);
    Ok(json.deserialize_map(Count)?)
}

/// The text of a string.
pub(crate) fn text(json: &str) -> Option<std::borrow::Cow<'_, str>> {
    json.starts_with('"').then_some(())?;
    serde_json::Deserializer::from_str(json).deserialize_str(NameSeed).ok()
}

struct Member<'n>(&'n str);

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            if name != self.0 {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&RawValue>()?.get();
            if found.replace(value).is_some() {
                return Err(A::Error::custom("a name is duplicated"));
            }
        }
        Ok(found)
    }
}

struct Elements<F>(F);

impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&RawValue>()? {
            (self.0)(element.get());
        }
        Ok(())
    }
}

struct Count;

impl<'de> Visitor<'de> for Count {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<usize, A::Error> {
        let mut count = 0_usize;
        while map.next_key_seed(NameSeed)?.is_some() {
            map.next_value::<IgnoredAny>()?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_is_found_by_its_exact_name_whatever_its_value() {
        let object = r#"{"a": [1, 2], "b":{"a":"inner"}, "\u0063": "escaped", "d" : null}"#;
        assert_eq!(member(object, "a"), Ok(Some("[1, 2]")));
        assert_eq!(member(object, "b"), Ok(Some(r#"{"a":"inner"}"#)));
        assert_eq!(member(object, "c"), Ok(Some(r#""escaped""#)));
        assert_eq!(member(object, "d"), Ok(Some("null")));
        assert_eq!(member(object, "A"), Ok(None));
    }

    #[test]
    fn duplicated_name_is_unreadable_only_where_it_is_asked_for() {
        let object = r#"{"roles": ["user"], "roles": ["admin"], "other": 1}"#;
        assert_eq!(member(object, "roles"), Err(Unreadable));
        assert_eq!(member(object, "other"), Ok(Some("1")));
        assert_eq!(member(r#"{"a": 1, "\u0061": 2}"#, "a"), Err(Unreadable));
    }

    #[test]
    fn other_types_are_unreadable() {
        for json in ["[]", "1", "\"text\"", "null", "true", ""] {
            assert_eq!(member(json, "a"), Err(Unreadable), "{json}");
            assert_eq!(count_members(json), Err(Unreadable), "{json}");
        }
        for json in ["{}", "1", "\"text\"", "null"] {
            assert_eq!(elements(json, |_| ()), Err(Unreadable), "{json}");
        }
    }

    #[test]
    fn private_names_of_serde_json_are_names_like_others() {
        for private in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            let object = format!(r#"{{"{private}": "{{\"scope\":\"admin\"}}"}}"#);
            assert_eq!(member(&object, "scope"), Ok(None));
            let array = format!("[{object}]");
            let mut seen = Vec::new();
            elements(&array, |element| seen.push(element)).unwrap();
            assert_eq!(seen, [object.as_str()]);
            assert_eq!(text(&object), None);
        }
    }

    #[test]
    fn text_is_that_of_a_string_alone() {
        assert_eq!(text(r#""a\u0062""#).as_deref(), Some("ab"));
        for json in ["1", "null", "[\"a\"]", "true", ""] {
            assert_eq!(text(json), None, "{json}");
        }
    }
}
