//! What strict reading of JSON asks for beyond `serde_json`: UTF-8 throughout, bounded nesting, no
//! name twice.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

/// How deep objects and arrays may be nested.
pub(crate) const MAX_DEPTH: usize = 64;

/// The text of a JSON document; `None` when it is not UTF-8 or nested too deeply.
///
/// `serde_json` skips what nobody reads, strings without a look at their UTF-8 and nesting without
/// end: so both are checked before it starts.
pub(crate) fn text(json: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(json).ok()?;
    // Few brackets are never deep, and counting them is quick.
    (opening_brackets(json) <= MAX_DEPTH || depth(json) <= MAX_DEPTH).then_some(text)
}

fn opening_brackets(json: &[u8]) -> usize {
    // `[` and `{` differ in one bit. Chunks whose count fits an octet become vector instructions.
    json.chunks(128)
        .map(|chunk| {
            let count = |sum: u8, octet: &u8| sum.wrapping_add(u8::from(octet | 0x20 == b'{'));
            usize::from(chunk.iter().fold(0, count))
        })
        .sum()
}

fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for octet in json {
        match octet {
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

/// The names of an object's members, each once.
#[derive(Debug, Default)]
pub(crate) struct NameSet<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> NameSet<'de> {
    /// Up to here a look at each is quicker than a hash.
    const FEW: usize = 24;

    /// Adds a name; `false` when it was there already.
    pub(crate) fn insert(&mut self, name: Cow<'de, str>) -> bool {
        if self.contains(&name) {
            return false;
        }
        if self.few.len() < Self::FEW {
            if self.few.capacity() == 0 {
                self.few.reserve_exact(Self::FEW / 2);
            }
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        true
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.few.iter().any(|one| one == name)
            || (!self.many.is_empty() && self.many.contains(name))
    }
}

/// Reads a member's name, borrowed wherever no escape stands in it.
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
    fn c8_only_utf_8_is_text() {
        assert!(text(b"\"\xff\"").is_none());
        assert!(text(&[0xff, 0xfe, b'{', 0, b'}', 0]).is_none());
    }

    #[test]
    fn names_stand_once_also_when_they_are_many() {
        let mut names = NameSet::default();
        for n in 0..100 {
            assert!(names.insert(Cow::Owned(n.to_string())));
        }
        for n in 0..100 {
            assert!(!names.insert(Cow::Owned(n.to_string())), "{n}");
        }
        assert!(names.contains("99") && !names.contains("100"));
    }
}
