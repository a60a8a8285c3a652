use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use crate::config_error::{ConfigError, ConfigErrorKind};

/// The `scope` claim: a list of case-sensitive strings (RFC 6749 section 3.3, RFC 9068
/// section 2.2.3).
///
/// The standard form is one string with single spaces between the values; further spaces are ignored. An array of
/// strings, as some issuers write it, is read too. An element of an array is one value. A space within an element
/// does not separate values: it is replaced with U+FFFD, which no valid scope contains. So `["read write"]` grants
/// neither `read` nor `write`. `==` compares the texts ([`as_str`](Self::as_str)), so the order of the values
/// matters.
///
/// # Example: granted values
///
/// ```
/// use tower_jwt_auth::Scope;
///
/// let scope: Scope = serde_json::from_str(r#""orders:read orders:write""#)?;
/// assert!(scope.contains("orders:read"));
/// assert!(!scope.contains("orders"));
/// assert_eq!(scope.iter().collect::<Vec<_>>(), ["orders:read", "orders:write"]);
///
/// let scope: Scope = ["orders:read", "orders:write"].into_iter().collect();
/// assert_eq!(scope.as_str(), "orders:read orders:write");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(String);

impl Scope {
    /// Whether `value` is one of the values; the comparison is exact and case-sensitive. So the result is `false`
    /// for a text with several values.
    pub fn contains(&self, value: &str) -> bool {
        self.iter().any(|one| one == value)
    }

    /// The values in order, without empty ones.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|value| !value.is_empty())
    }

    /// One string with the values separated by spaces. A scope that was made from a string returns that string
    /// unchanged.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits a text in the standard form into its values, for a rule or a challenge.
    ///
    /// # Errors
    ///
    /// When the text has no value, or a value contains a character that is not allowed in a scope.
    pub(crate) fn checked(values: &str) -> Result<Vec<&str>, ConfigError> {
        let values: Vec<&str> = values.split(' ').filter(|value| !value.is_empty()).collect();
        match values.is_empty() {
            true => Err(ConfigError::new(
                ConfigErrorKind::Rule,
                "no scope was given: name at least one",
            )),
            false => {
                values.iter().try_for_each(|value| Self::check_value(value))?;
                Ok(values)
            }
        }
    }

    /// Checks that a text is one valid scope value: `1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749 section 3.3).
    ///
    /// # Errors
    ///
    /// When the text is empty or contains another character, such as a space.
    pub(crate) fn check_value(value: &str) -> Result<(), ConfigError> {
        match Self::is_value(value) {
            true => Ok(()),
            false => Err(ConfigError::new(
                ConfigErrorKind::Rule,
                format!(
                    "{value:?} is not one scope: it is empty, or contains a space or another \
                     character that a scope cannot contain"
                ),
            )),
        }
    }

    pub(crate) const fn is_value(value: &str) -> bool {
        let mut rest = value.as_bytes();
        let is_empty = rest.is_empty();
        while let [byte, others @ ..] = rest {
            if !matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e) {
                return false;
            }
            rest = others;
        }
        !is_empty
    }

    /// Without unused memory.
    pub(crate) fn shrunk(mut self) -> Self {
        self.0.shrink_to_fit();
        self
    }

    /// Adds one value. A space in the value must not separate values, so it is replaced with
    /// U+FFFD: no valid scope contains this character (RFC 6749 section 3.3).
    fn push(&mut self, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        self.0.extend(value.chars().map(|c| if c == ' ' { '\u{fffd}' } else { c }));
    }
}

impl From<&str> for Scope {
    /// Converts the standard form: one string with the values separated by spaces.
    fn from(values: &str) -> Self {
        Self(values.to_owned())
    }
}

impl<'a> FromIterator<&'a str> for Scope {
    /// Builds a scope from single values. A space within a value does not separate values; it is replaced with
    /// U+FFFD.
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        values.into_iter().fold(Self::default(), |mut scope, value| {
            scope.push(value);
            scope
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopeVisitor)
    }
}

struct ScopeVisitor;

impl<'de> Visitor<'de> for ScopeVisitor {
    type Value = Scope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of values separated by spaces, or an array of strings")
    }

    fn visit_str<E>(self, values: &str) -> Result<Scope, E> {
        Ok(Scope::from(values))
    }

    fn visit_string<E>(self, values: String) -> Result<Scope, E> {
        Ok(Scope(values))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Scope, A::Error> {
        let mut scope = Scope::default();
        while let Some(value) = values.next_element::<String>()? {
            scope.push(&value);
        }
        Ok(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_is_split_by_single_spaces() {
        let scope: Scope = serde_json::from_str(r#""read  write""#).unwrap();
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["read", "write"]);
        let scope: Scope = serde_json::from_str(r#""read\twrite""#).unwrap();
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["read\twrite"]);
        let scope: Scope = serde_json::from_str(r#"["read", "write"]"#).unwrap();
        assert_eq!(scope.as_str(), "read write");
        assert_eq!(Scope::default().iter().count(), 0);
    }

    #[test]
    fn a_space_within_an_element_separates_nothing() {
        for json in [r#"["read write"]"#, r#"["read\u0020write"]"#] {
            let scope: Scope = serde_json::from_str(json).unwrap();
            assert!(!scope.contains("read") && !scope.contains("write"), "{json}");
            assert_eq!(scope.iter().count(), 1, "{json}");
            let again: Scope =
                serde_json::from_str(&serde_json::to_string(&scope).unwrap()).unwrap();
            assert_eq!(again, scope);
        }
        let scope: Scope = serde_json::from_str(r#"["admin delete", "read", " ", ""]"#).unwrap();
        assert!(scope.contains("read"));
        assert!(!["admin", "delete", "admin delete", ""].iter().any(|value| scope.contains(value)));
        // Nobody can satisfy a required scope that was made from such a value.
        let required: Scope = ["read write"].into_iter().collect();
        let granted = Scope::from("read write");
        assert!(!required.iter().all(|value| granted.contains(value)));
    }
}
