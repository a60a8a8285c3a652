/// What a client must know to get a token that a verifier accepts: its authorization servers.
///
/// [`VerifyToken::accepted_tokens`](crate::VerifyToken::accepted_tokens) returns it, and the
/// [metadata of the resource](crate::ResourceMetadata) list it.
///
/// # Example: a custom verifier that asks one authorization server
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{AcceptedTokens, PresentedToken, Rejection, Verification, VerifyToken};
///
/// struct Introspection;
///
/// impl VerifyToken<String> for Introspection {
///     fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<String> {
///         # let _ = (token, head);
///         Verification::ready(Err(Rejection::invalid_token()))
///     }
///
///     fn accepted_tokens(&self) -> AcceptedTokens {
///         AcceptedTokens::new().add_authorization_server("https://issuer.example")
///     }
/// }
/// ```
// What a client must know of bound tokens (RFC 9449, RFC 8705) belongs here too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcceptedTokens {
    authorization_servers: Vec<String>,
}

impl AcceptedTokens {
    /// Creates a value that names no authorization server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an authorization server that issues these tokens, by its issuer identifier (RFC 8414 section 2). A second
    /// call with the same identifier changes nothing.
    #[must_use]
    pub fn add_authorization_server(mut self, issuer: impl Into<String>) -> Self {
        let issuer = issuer.into();
        if !self.authorization_servers.contains(&issuer) {
            self.authorization_servers.push(issuer);
        }
        self
    }

    /// Adds what the other value names, each once. Use it for a verifier that chooses between verifiers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        other.authorization_servers.into_iter().fold(self, Self::add_authorization_server)
    }

    /// The authorization servers, in the order in which they were added.
    pub fn authorization_servers(&self) -> &[String] {
        &self.authorization_servers
    }
}
