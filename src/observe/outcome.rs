use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::extract::TokenSource;
use crate::observe::observation::Observation;
use crate::rejection::RejectionKind;
use crate::scheme::TokenScheme;

/// The decision of a layer about a request: the argument of an [observer](crate::JwtAuthLayer::on_outcome).
///
/// An outcome contains nothing that the client sent: no token, no claim, no path. The issuer is a text from the
/// configuration.
///
/// # Example: count forged tokens
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, RejectionKind};
///
/// fn layer(verifier: JwtVerifier, forged: Arc<AtomicU64>) -> JwtAuthLayer {
///     JwtAuthLayer::new(verifier).on_outcome(move |outcome| {
///         if outcome.kind() == Some(RejectionKind::InvalidSignature) {
///             forged.fetch_add(1, Ordering::Relaxed);
///         }
///     })
/// }
/// # let key = tower_jwt_auth::VerificationKey::from_secret(&[7; 32], tower_jwt_auth::Algorithm::HS256)?;
/// # layer(JwtVerifier::new("https://issuer.example", "https://api.example", key)?, Arc::default());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Outcome {
    decided: Decided,
    issuer: Option<Arc<str>>,
    scheme: Option<TokenScheme>,
    source: Option<TokenSource>,
    duration: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decided {
    Accepted,
    Refused(RejectionKind),
    Anonymous,
    Exempt,
}

impl Outcome {
    pub(super) fn new(decided: Decided, observation: Option<&Observation>) -> Self {
        Self {
            decided,
            issuer: observation.and_then(Observation::issuer),
            scheme: observation.and_then(Observation::scheme),
            source: observation.and_then(Observation::source),
            duration: observation.and_then(Observation::decide),
        }
    }

    /// The reason of a refusal; `None` if the request was not refused.
    pub fn kind(&self) -> Option<RejectionKind> {
        match self.decided {
            Decided::Refused(kind) => Some(kind),
            Decided::Accepted | Decided::Anonymous | Decided::Exempt => None,
        }
    }

    /// Whether the layer accepted a token.
    pub fn is_accepted(&self) -> bool {
        self.decided == Decided::Accepted
    }

    /// Whether the request was refused: by the layer, or with a [`Rejection`](crate::Rejection) of a service inside of
    /// it, such as an [`AuthorizeLayer`](crate::AuthorizeLayer), an extractor or a handler. Any other 401 or 403 of a
    /// handler is no outcome.
    ///
    /// A request that the layer accepted and a service inside of it refused has two outcomes, in this order.
    pub fn is_refused(&self) -> bool {
        self.kind().is_some()
    }

    /// Whether the request was forwarded without a token because the layer is
    /// [optional](crate::JwtAuthLayer::optional).
    pub fn is_anonymous(&self) -> bool {
        self.decided == Decided::Anonymous
    }

    /// Whether the request was forwarded without verification because it is
    /// [exempt](crate::JwtAuthLayer::exempt).
    pub fn is_exempt(&self) -> bool {
        self.decided == Decided::Exempt
    }

    /// The decision as a word, for a metric label: `accepted`, `refused`, `anonymous` or `exempt`.
    pub fn as_str(&self) -> &'static str {
        match self.decided {
            Decided::Accepted => "accepted",
            Decided::Refused(_) => "refused",
            Decided::Anonymous => "anonymous",
            Decided::Exempt => "exempt",
        }
    }

    /// The issuer whose verifier accepted or refused the token, as configured: `a or b` for a verifier that
    /// expects one of two issuers, and the text of the template for an issuer of an
    /// [`IssuerTemplate`](crate::IssuerTemplate). If the token was refused, it need not come from this issuer.
    ///
    /// `None` if the layer extracted no token (see [`scheme`](Self::scheme)), if the
    /// [`IssuerSet`](crate::IssuerSet) found no issuer for the token, if the verifier accepts [any
    /// issuer](crate::ExpectedIssuer::dangerous_any), and for tokens of a custom verifier.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The scheme of the token. `None` if the layer extracted no token: the credentials are missing, malformed
    /// or of another scheme, or the request is exempt.
    pub fn scheme(&self) -> Option<TokenScheme> {
        self.scheme
    }

    /// The part of the request that contained the token; `None` if the layer extracted no token.
    pub fn source(&self) -> Option<TokenSource> {
        self.source
    }

    /// The time from the call of the layer to its decision, including waits for keys and checks, by the
    /// monotonic clock.
    ///
    /// `None` if a service inside of the layer refused the request: the decision of the layer was an earlier
    /// outcome.
    pub fn duration(&self) -> Option<Duration> {
        self.duration
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("outcome", &self.as_str())
            .field("kind", &self.kind())
            .field("issuer", &self.issuer)
            .field("scheme", &self.scheme)
            .field("source", &self.source)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
