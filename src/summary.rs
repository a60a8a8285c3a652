use std::fmt;

/// Describes what a layer, a verifier or a key source accepts, in one line for the log at start-up.
///
/// [`JwtAuthLayer::describe`](crate::JwtAuthLayer::describe) returns the summary of a layer. It
/// consists of the summaries of the verifier
/// ([`VerifyToken::describe`](crate::VerifyToken::describe)) and of its key source
/// ([`KeySource::describe`](crate::KeySource::describe)). An `IssuerSet` has one text for each of
/// its issuers: [`and`](Self::and) adds such an alternative.
///
/// `Display` writes one line: at most 16 alternatives, the number of the others, and the dangers. A
/// control character becomes a space.
///
/// # Example: the summary of a layer
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, VerificationKey};
///
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
///     .dangerous_ignore_confirmation();
/// let layer = JwtAuthLayer::new(verifier);
/// assert_eq!(
///     layer.describe().to_string(),
///     "issuer https://issuer.example, audience https://api.example, algorithms of the keys, \
///      keys in memory (1: HS256); dangerous: dangerous_ignore_confirmation"
/// );
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: the summary of a custom verifier
///
/// ```
/// use tower_jwt_auth::Summary;
///
/// let summary = Summary::new("API keys of the table `keys`").with_danger("dangerous_accept_test_keys");
/// assert_eq!(summary.dangers(), ["dangerous_accept_test_keys"]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Summary {
    accepts: Vec<String>,
    dangers: Vec<String>,
}

impl Summary {
    /// The maximum number of parts in the line. Further parts are counted.
    const MAX_SHOWN: usize = 16;

    /// Creates the summary of a custom verifier: what it accepts, in a few words, such as
    /// `API keys of the table keys`; or of a custom key source: where its keys are, such as `in the vault`.
    /// The text must not contain a secret.
    pub fn new(accepts: impl Into<String>) -> Self {
        Self { accepts: vec![accepts.into()], dangers: Vec::new() }
    }

    pub(crate) fn empty() -> Self {
        Self { accepts: Vec::new(), dangers: Vec::new() }
    }

    /// Adds the name of a weakening that is in force, as in the code, such as
    /// `dangerous_accept_id_tokens`. A second call with the same name changes nothing.
    #[must_use]
    pub fn with_danger(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if !self.dangers.contains(&name) {
            self.dangers.push(name);
        }
        self
    }

    /// Adds what the other summary [accepts](Self::accepts), as further alternatives, and its
    /// [dangers](Self::dangers), each name once. Use it for a verifier that chooses between verifiers.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.accepts.extend(other.accepts);
        other.dangers.into_iter().fold(self, Self::with_danger)
    }

    /// Adds a text to each alternative, for a verifier that adds a rule to another one.
    pub(crate) fn with_suffix(mut self, suffix: &str) -> Self {
        self.accepts.iter_mut().for_each(|accepts| accepts.push_str(suffix));
        self
    }

    /// What is accepted: one text for each alternative.
    pub fn accepts(&self) -> &[String] {
        &self.accepts
    }

    /// The weakenings that are in force, by the names of their `dangerous_…` functions. A name may
    /// have its type before it or a host after it, such as `ExpectedIssuer::dangerous_any` and
    /// `dangerous_allow_http_hosts(keycloak)`.
    pub fn dangers(&self) -> &[String] {
        &self.dangers
    }

    /// The line without the dangers.
    pub(crate) fn accepts_line(&self) -> String {
        let mut line = one_line(self.accepts.iter().take(Self::MAX_SHOWN), "; ");
        match self.accepts.len().saturating_sub(Self::MAX_SHOWN) {
            0 => {}
            more => line.push_str(&format!("; {more} more")),
        }
        line
    }

    /// The dangers in one line; `None` if there are none.
    pub(crate) fn dangers_line(&self) -> Option<String> {
        (!self.dangers.is_empty()).then(|| one_line(self.dangers.iter(), ", "))
    }
}

fn one_line<'a>(parts: impl Iterator<Item = &'a String>, separator: &str) -> String {
    let line = parts.map(String::as_str).collect::<Vec<_>>().join(separator);
    match line.contains(char::is_control) {
        true => line.replace(char::is_control, " "),
        false => line,
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.accepts_line())?;
        match self.dangers_line() {
            Some(dangers) => write!(f, "; dangerous: {dangers}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary")
            .field("accepts", &self.accepts)
            .field("dangers", &self.dangers)
            .finish_non_exhaustive()
    }
}
