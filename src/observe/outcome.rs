use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::extract::TokenScheme;
use crate::observe::observation::Observation;
use crate::rejection::RejectionKind;

/// What a layer decided about a request, for an [observer](crate::JwtAuthLayer::on_outcome).
///
/// It contains nothing that the client sent: no token, no claim, no path. The issuer is text of the
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
            duration: observation.and_then(Observation::decide),
        }
    }

    /// Why the request is refused; `None` when it is not.
    pub fn kind(&self) -> Option<RejectionKind> {
        match self.decided {
            Decided::Refused(kind) => Some(kind),
            Decided::Accepted | Decided::Anonymous | Decided::Exempt => None,
        }
    }

    /// Whether the layer verified a token.
    pub fn is_accepted(&self) -> bool {
        self.decided == Decided::Accepted
    }

    /// Whether the request is refused, by the layer or by a service inside of it.
    pub fn is_refused(&self) -> bool {
        self.kind().is_some()
    }

    /// Whether the request passed without a token because the layer is
    /// [optional](crate::JwtAuthLayer::optional).
    pub fn is_anonymous(&self) -> bool {
        self.decided == Decided::Anonymous
    }

    /// Whether the request passed without a look at its token because it is
    /// [exempt](crate::JwtAuthLayer::exempt).
    pub fn is_exempt(&self) -> bool {
        self.decided == Decided::Exempt
    }

    /// One of `accepted`, `refused`, `anonymous` and `exempt`: for a label.
    pub fn as_str(&self) -> &'static str {
        match self.decided {
            Decided::Accepted => "accepted",
            Decided::Refused(_) => "refused",
            Decided::Anonymous => "anonymous",
            Decided::Exempt => "exempt",
        }
    }

    /// The issuer whose verifier took the token, as configured: `a or b` for a verifier that expects one of
    /// two, and the text of the template for an issuer of an [`IssuerTemplate`](crate::IssuerTemplate). It is
    /// verified only if the token was accepted.
    ///
    /// `None` without a token, for an issuer that is not in the [`IssuerSet`](crate::IssuerSet), and for a
    /// custom rule.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The scheme of the token; `None` without one that could be read.
    pub fn scheme(&self) -> Option<TokenScheme> {
        self.scheme
    }

    /// The time from the call of the layer to its decision, including waits for keys and checks, by the
    /// monotonic clock.
    ///
    /// `None` if a service inside of the layer refuses the request: the decision of the layer was an outcome
    /// before.
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
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}
