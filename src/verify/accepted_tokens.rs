use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::crypto::{Algorithm, AlgorithmSet};

/// What a client must know to get and to use a token that a verifier accepts: its authorization servers, and how tokens
/// are bound to their sender.
///
/// [`VerifyToken::accepted_tokens`](crate::VerifyToken::accepted_tokens) returns it. The challenges of a layer and the
/// metadata of the resource (feature `resource-metadata`) contain it. A clone is cheap.
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
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AcceptedTokens {
    issuers: Arc<Issuers>,
    binding: Binding,
}

/// How tokens are bound to their sender. Beside the shared list, so that a decorator need not copy it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Binding {
    /// The algorithms of proofs of possession; empty if none are accepted.
    dpop_algorithms: AlgorithmSet,
    requires_dpop: bool,
    has_client_certificates: bool,
}

// `Arc` compares contents that are `Eq` by their address first.
#[derive(Clone, Default, PartialEq, Eq)]
struct Issuers {
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
        if !self.issuers.names.contains(&issuer) {
            let contents = Arc::make_mut(&mut self.issuers);
            contents.names.insert(issuer.clone());
            contents.authorization_servers.push(issuer);
        }
        self
    }

    /// Accepts tokens that are bound to a key (DPoP, RFC 9449), with proofs that have these algorithms; none by default.
    #[must_use]
    pub fn with_dpop_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.binding.dpop_algorithms = algorithms.into_iter().collect();
        self
    }

    /// Requires that each token is bound to a key (DPoP); by default other tokens are accepted too.
    #[must_use]
    pub fn require_dpop(mut self) -> Self {
        self.binding.requires_dpop = true;
        self
    }

    /// Accepts tokens that are bound to a client certificate (RFC 8705 section 3); by default they are not.
    #[must_use]
    pub fn with_client_certificates(mut self) -> Self {
        self.binding.has_client_certificates = true;
        self
    }

    /// Adds what the other value accepts: its authorization servers, each once, and its ways to bind a token. DPoP is
    /// required only if both require it. Use it in a verifier that chooses between verifiers.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let binding = Binding {
            dpop_algorithms: {
                let algorithms = other.binding.dpop_algorithms.iter();
                algorithms.fold(self.binding.dpop_algorithms, AlgorithmSet::with)
            },
            requires_dpop: self.binding.requires_dpop && other.binding.requires_dpop,
            has_client_certificates: self.has_client_certificates()
                || other.has_client_certificates(),
        };
        if *self.issuers == Issuers::default() {
            return Self { binding, ..other };
        }
        let all = match other.issuers.may_grow {
            true => self.that_may_grow(),
            false => self,
        };
        let others = other.issuers.authorization_servers.iter();
        let all = others.fold(all, |all, issuer| all.add_authorization_server(issuer));
        Self { binding, ..all }
    }

    /// The authorization servers, in the order in which they were added.
    pub fn authorization_servers(&self) -> &[String] {
        &self.issuers.authorization_servers
    }

    /// The algorithms of proofs of possession (DPoP); none if such tokens are not accepted.
    pub fn dpop_algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.binding.dpop_algorithms.iter()
    }

    /// Whether each token must be bound to a key (DPoP).
    pub fn requires_dpop(&self) -> bool {
        self.binding.requires_dpop
    }

    /// Whether tokens that are bound to a client certificate are accepted.
    pub fn has_client_certificates(&self) -> bool {
        self.binding.has_client_certificates
    }

    /// The same value without proofs of possession, for a layer that such a token cannot reach.
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn without_dpop(mut self) -> Self {
        self.binding.dpop_algorithms = AlgorithmSet::EMPTY;
        self.binding.requires_dpop = false;
        self
    }

    /// The same value, for a verifier to which issuers can be added later.
    pub(super) fn that_may_grow(mut self) -> Self {
        Arc::make_mut(&mut self.issuers).may_grow = true;
        self
    }

    /// Whether issuers can be added to the verifier later.
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn may_grow(&self) -> bool {
        self.issuers.may_grow
    }
}

impl fmt::Debug for AcceptedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedTokens")
            .field("authorization_servers", &self.authorization_servers())
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}
