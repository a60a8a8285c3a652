use serde::{Deserialize, Serialize};

/// The `aud` claim: whom a token is meant for (RFC 7519 section 4.1.3).
///
/// One string, or an array of strings; both are common.
///
/// # Example: either form
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single string.
    One(String),
    /// An array of strings.
    Many(Vec<String>),
}

impl Audience {
    /// Whether it names `audience`: exactly, and case-sensitively.
    pub fn contains(&self, audience: &str) -> bool {
        self.iter().any(|one| one == audience)
    }

    /// All that it names.
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
