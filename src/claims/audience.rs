use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// The `aud` claim: the services that a token is meant for (RFC 7519 section 4.1.3).
///
/// The claim is one string or an array of strings. Both are common.
///
/// # Example: both forms
///
/// ```
/// use tower_jwt_auth::Audience;
///
/// let one: Audience = serde_json::from_str(r#""https://api.example""#)?;
/// let many: Audience = serde_json::from_str(r#"["https://api.example", "account"]"#)?;
/// assert!(one.contains("https://api.example"));
/// assert_eq!(many.iter().collect::<Vec<_>>(), ["https://api.example", "account"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[allow(clippy::exhaustive_enums, reason = "the two forms of the RFC")]
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single string.
    One(String),
    /// An array of strings.
    Many(Vec<String>),
}

impl Audience {
    /// Whether the claim contains `audience`; the comparison is exact and case-sensitive.
    pub fn contains(&self, audience: &str) -> bool {
        self.iter().any(|one| one == audience)
    }

    /// The audiences, in the order of the claim.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

impl From<&str> for Audience {
    fn from(audience: &str) -> Self {
        Self::One(audience.to_owned())
    }
}

impl From<String> for Audience {
    fn from(audience: String) -> Self {
        Self::One(audience)
    }
}

impl<const N: usize> From<[&str; N]> for Audience {
    fn from(audiences: [&str; N]) -> Self {
        Self::Many(audiences.map(str::to_owned).into())
    }
}

impl From<Vec<String>> for Audience {
    fn from(audiences: Vec<String>) -> Self {
        Self::Many(audiences)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AudienceVisitor)
    }
}

/// Implemented by hand: a derived `untagged` would first copy the value.
struct AudienceVisitor;

impl<'de> Visitor<'de> for AudienceVisitor {
    type Value = Audience;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_str<E: Error>(self, one: &str) -> Result<Audience, E> {
        Ok(Audience::One(one.to_owned()))
    }

    fn visit_string<E: Error>(self, one: String) -> Result<Audience, E> {
        Ok(Audience::One(one))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Audience, A::Error> {
        // The size hint of the input is not trusted.
        let mut many = Vec::with_capacity(seq.size_hint().unwrap_or_default().min(16));
        while let Some(one) = seq.next_element()? {
            many.push(one);
        }
        Ok(Audience::Many(many))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_string_or_an_array_of_strings() {
        for json in [r#""a""#, r#"["a","b"]"#, "[]", r#"["\u0061"]"#] {
            let audience: Audience = serde_json::from_str(json).unwrap();
            let again = serde_json::to_string(&audience).unwrap();
            assert_eq!(again, json.replace("\\u0061", "a"));
        }
        for json in ["1", "null", "true", "{}", "[1]", r#"["a",null]"#, r#"[["a"]]"#] {
            assert!(serde_json::from_str::<Audience>(json).is_err(), "{json}");
        }
    }
}
