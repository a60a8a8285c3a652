use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// What a client must know to get a token that a verifier accepts: its authorization servers.
///
/// [`VerifyToken::accepted_tokens`](crate::VerifyToken::accepted_tokens) returns it, and the metadata of the resource
/// (feature `resource-metadata`) list the servers. A clone is cheap.
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
// What a client must know about bound tokens (RFC 9449, RFC 8705) belongs here too.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AcceptedTokens(Arc<Contents>);

// `Arc` compares contents that are `Eq` by their address first.
#[derive(Clone, Default, PartialEq, Eq)]
struct Contents {
    authorization_servers: Vec<String>,
    /// The same identifiers, so that adding one more takes constant time.
    names: HashSet<String>,
    may_grow: bool,
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
        if !self.0.names.contains(&issuer) {
            let contents = Arc::make_mut(&mut self.0);
            contents.names.insert(issuer.clone());
            contents.authorization_servers.push(issuer);
        }
        self
    }

    /// Adds the authorization servers of the other value, each once. Use it in a verifier that chooses between
    /// verifiers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::default() {
            return other;
        }
        let all = match other.0.may_grow {
            true => self.that_may_grow(),
            false => self,
        };
        let others = other.0.authorization_servers.iter();
        others.fold(all, |all, issuer| all.add_authorization_server(issuer))
    }

    /// The authorization servers, in the order in which they were added.
    pub fn authorization_servers(&self) -> &[String] {
        &self.0.authorization_servers
    }

    /// The same value, for a verifier to which issuers can be added later.
    pub(super) fn that_may_grow(mut self) -> Self {
        Arc::make_mut(&mut self.0).may_grow = true;
        self
    }

    /// Whether issuers can be added to the verifier later.
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn may_grow(&self) -> bool {
        self.0.may_grow
    }
}

impl fmt::Debug for AcceptedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedTokens")
            .field("authorization_servers", &self.authorization_servers())
            .finish_non_exhaustive()
    }
}
