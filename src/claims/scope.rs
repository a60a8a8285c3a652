use std::fmt;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// The `scope` claim: a list of case-sensitive strings (RFC 6749 section 3.3, RFC 9068
/// section 2.2.3).
///
/// The standard form is one string with single spaces between the values; an array of strings, as
/// some issuers write it, is read too.
///
/// # Example: what was granted
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
    /// Whether it holds `value`: exactly, and case-sensitively.
    pub fn contains(&self, value: &str) -> bool {
        self.iter().any(|one| one == value)
    }

    /// Its values, in their order; empty ones do not count.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|value| !value.is_empty())
    }

    /// As one string, the values separated by spaces.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Scope {
    /// From the standard form, the values separated by spaces.
    fn from(values: &str) -> Self {
        Self(values.to_owned())
    }
}

impl<'a> FromIterator<&'a str> for Scope {
    fn from_iter<I: IntoIterator<Item = &'a str>>(values: I) -> Self {
        Self(values.into_iter().collect::<Vec<_>>().join(" "))
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
        let mut scope = String::new();
        while let Some(value) = values.next_element::<String>()? {
            if !scope.is_empty() {
                scope.push(' ');
            }
            scope.push_str(&value);
        }
        Ok(Scope(scope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a8_scope_is_split_by_single_spaces() {
        let scope: Scope = serde_json::from_str(r#""read  write""#).unwrap();
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["read", "write"]);
        let scope: Scope = serde_json::from_str(r#""read\twrite""#).unwrap();
        assert_eq!(scope.iter().collect::<Vec<_>>(), ["read\twrite"]);
        let scope: Scope = serde_json::from_str(r#"["read", "write"]"#).unwrap();
        assert_eq!(scope.as_str(), "read write");
        assert_eq!(Scope::default().iter().count(), 0);
    }
}
