//! Checks of JSON that `serde_json` does not make: UTF-8 everywhere, limited nesting, no duplicate
//! names.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use foldhash::fast::SeedableRandomState;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};

use crate::hash_seed::random_state;

/// The maximum nesting of objects and arrays.
pub(crate) const MAX_DEPTH: usize = 64;

/// The text of a JSON document; `None` when it is not UTF-8 or nested too deeply.
///
/// `serde_json` does not check the UTF-8 and the nesting of values that it skips, so both are
/// checked first.
pub(crate) fn text(json: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(json).ok()?;
    // A text with few brackets cannot be deep, and counting them is fast.
    (opening_brackets(json) <= MAX_DEPTH || depth(json) <= MAX_DEPTH).then_some(text)
}

/// The fault of an object with a duplicate name, for error messages.
pub(crate) const DUPLICATE_NAME: &str = "duplicate member name";

/// Why a text is not an object with unique names.
#[derive(Debug)]
pub(crate) enum ObjectError {
    /// This name is duplicated.
    #[cfg_attr(
        not(feature = "issuer"),
        allow(dead_code, reason = "only the text of an issuer's error names it")
    )]
    DuplicateName(String),
    /// The text is not JSON, not an object, or a value has the wrong type.
    Json(serde_json::Error),
}

/// Reads the members of an object in order. A duplicate name is an error, even if it is spelled with other
/// escapes.
pub(crate) fn members<'de, V: Deserialize<'de>>(
    json: &'de str,
) -> Result<Vec<(Cow<'de, str>, V)>, ObjectError> {
    let Object { members, duplicate } = serde_json::from_str(json).map_err(ObjectError::Json)?;
    match duplicate {
        Some(name) => Err(ObjectError::DuplicateName(name)),
        None => Ok(members),
    }
}

struct Object<'de, V> {
    members: Vec<(Cow<'de, str>, V)>,
    duplicate: Option<String>,
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Object<'de, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for ObjectVisitor<V> {
    type Value = Object<'de, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = NameSet::default();
        let mut object = Object { members: Vec::new(), duplicate: None };
        while let Some(name) = map.next_key_seed(NameSeed)? {
            if names.insert(name.clone()) {
                object.members.push((name, map.next_value()?));
            } else {
                map.next_value::<IgnoredAny>()?;
                object.duplicate = Some(name.into_owned());
            }
        }
        Ok(object)
    }
}

fn opening_brackets(json: &[u8]) -> usize {
    // `[` and `{` differ in one bit. Chunks whose count fits a byte compile to vector instructions.
    json.chunks(128)
        .map(|chunk| {
            let count = |sum: u8, byte: &u8| sum.wrapping_add(u8::from(byte | 0x20 == b'{'));
            usize::from(chunk.iter().fold(0, count))
        })
        .sum()
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Up to this many names are compared without a hash set.
const FEW: usize = 16;

/// The unique names of an object's members.
///
/// A few names are compared by fingerprints of four bytes, without an allocation; only names with equal
/// fingerprints are compared in full. More names are stored in a hash set, so that the time is
/// linear in the number of names.
#[derive(Debug, Default)]
pub(crate) struct NameSet<'de> {
    prints: [u32; FEW],
    few: [&'de str; FEW],
    /// How many names there are, if there are only a few.
    count: usize,
    /// All names, if there are more than a few, or one of them has escapes.
    many: Option<HashSet<Cow<'de, str>, SeedableRandomState>>,
}

impl<'de> NameSet<'de> {
    /// Adds a name; `false` when it is a duplicate.
    #[inline]
    pub(crate) fn insert(&mut self, name: Cow<'de, str>) -> bool {
        let (None, Cow::Borrowed(name)) = (&self.many, &name) else {
            return self.insert_into_many(name);
        };
        let print = print(name);
        if self.is_among_few(print, name) {
            return false;
        }
        let (prints, few) = (self.prints.get_mut(self.count), self.few.get_mut(self.count));
        let (Some(print_slot), Some(name_slot)) = (prints, few) else {
            return self.insert_into_many(Cow::Borrowed(name));
        };
        (*print_slot, *name_slot) = (print, name);
        self.count = self.count.saturating_add(1);
        true
    }

    #[inline(never)]
    fn insert_into_many(&mut self, name: Cow<'de, str>) -> bool {
        let many = self.many.get_or_insert_with(|| {
            let mut many = HashSet::with_capacity_and_hasher(14 * FEW, random_state());
            many.extend(self.few.iter().take(self.count).copied().map(Cow::Borrowed));
            many
        });
        many.insert(name)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        match &self.many {
            Some(many) => many.contains(name),
            None => self.is_among_few(print(name), name),
        }
    }

    #[inline]
    fn is_among_few(&self, print: u32, name: &str) -> bool {
        // All at once, as vector instructions. A free slot is 0, like the fingerprints of some
        // names.
        let is_there = self.prints.iter().fold(false, |is_there, one| is_there | (*one == print));
        is_there && self.few.iter().take(self.count).any(|one| *one == name)
    }
}

/// Four bytes that differ for most different names.
fn print(name: &str) -> u32 {
    let name = name.as_bytes();
    let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
    match (name.first_chunk(), name.last_chunk()) {
        (Some(first), Some(last)) => {
            u32::from_le_bytes(*first).rotate_left(11)
                ^ u32::from_le_bytes(*last)
                ^ length.rotate_left(7)
        }
        _ => name.iter().fold(length, |print, byte| print.rotate_left(8) ^ u32::from(*byte)),
    }
}

/// Reads a member's name, borrowed if it has no escapes.
#[derive(Debug)]
pub(crate) struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn nesting_is_bounded_exactly() {
        assert!(text(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(text(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        assert!(text(nested(10_000).as_bytes()).is_none());
    }

    #[test]
    fn brackets_in_strings_and_side_by_side_do_not_count() {
        let wide = format!("[{}[]]", "[],".repeat(500));
        assert!(text(wide.as_bytes()).is_some());
        let quoted = format!(r#"["{}\"{}"]"#, "[".repeat(200), "{".repeat(200));
        assert!(text(quoted.as_bytes()).is_some());
    }

    #[test]
    fn an_object_has_each_name_once() {
        let names = |json| {
            let members: Vec<(Cow<'_, str>, u8)> = members(json)?;
            Ok(members.into_iter().map(|(name, value)| format!("{name}{value}")).collect())
        };
        assert_eq!(names(r#"{"b": 1, "a": 2}"#).unwrap(), ["b1", "a2"] as [&str; 2]);
        assert_eq!(names("{}").unwrap(), [] as [&str; 0]);
        for json in [r#"{"a": 1, "a": 1}"#, r#"{"a": 1, "b": 2, "\u0061": {}}"#] {
            let error: ObjectError = names(json).unwrap_err();
            assert!(matches!(error, ObjectError::DuplicateName(name) if name == "a"), "{json}");
        }
        for json in ["[]", r#"{"a": "x"}"#, r#"{"a": 1, "a": 1"#, "{} {}", ""] {
            let error: Result<Vec<String>, ObjectError> = names(json);
            assert!(matches!(error, Err(ObjectError::Json(_))), "{json}");
        }
    }

    #[test]
    fn only_utf_8_is_text() {
        assert!(text(b"\"\xff\"").is_none());
        assert!(text(&[0xff, 0xfe, b'{', 0, b'}', 0]).is_none());
    }

    #[test]
    fn every_name_is_inserted_once_however_many_there_are() {
        for count in [1, FEW - 1, FEW, FEW + 1, 100, 5_000] {
            let mut names = NameSet::default();
            for n in 0..count {
                assert!(names.insert(Cow::Owned(n.to_string())), "{n} of {count}");
                assert!(!names.insert(Cow::Owned(n.to_string())), "{n} of {count}");
            }
            for n in 0..count {
                assert!(names.contains(&n.to_string()), "{n} of {count}");
                assert!(!names.insert(Cow::Owned(n.to_string())), "{n} of {count}");
            }
            assert!(!names.contains("") && !names.contains(&count.to_string()));
        }
    }

    #[test]
    fn name_with_escapes_is_compared_like_the_others() {
        let mut names = NameSet::default();
        assert!(names.insert("a".into()) && names.insert(Cow::Owned("b".to_owned())));
        assert!(!names.insert("b".into()) && !names.insert(Cow::Owned("a".to_owned())));
        assert!(names.contains("a") && names.contains("b") && !names.contains("c"));
    }

    #[test]
    fn names_of_the_same_print_are_told_apart() {
        let (one, other) = ("aaaaaaaa", "`aaaaiaa");
        assert_eq!(print(one), print(other));
        assert_eq!(print(""), 0, "that of a free place");
        let mut names = NameSet::default();
        assert!(!names.contains("") && names.insert(one.into()) && !names.contains(other));
        assert!(names.insert(other.into()) && names.contains(other));
        assert!(names.insert("".into()) && names.contains("") && !names.insert("".into()));
    }
}
