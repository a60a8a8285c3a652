use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::extract::TokenScheme;
use crate::observe::observation::Observation;
use crate::rejection::RejectionKind;

/// What became of a request, for an [observer](crate::JwtAuthLayer::on_outcome).
///
/// It holds nothing that the client sent: no token, no claim, no path. The issuer is the text of the
/// configuration, so each value of an outcome is one of a set that the application knows.
///
/// # Example: alarm when many signatures do not hold
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

    /// Whether the request is refused, by the layer or by a part within it.
    pub fn is_refused(&self) -> bool {
        self.kind().is_some()
    }

    /// Whether the request passed without a token, since the layer is
    /// [optional](crate::JwtAuthLayer::optional).
    pub fn is_anonymous(&self) -> bool {
        self.decided == Decided::Anonymous
    }

    /// Whether the request passed without a look at its token, since it is
    /// [exempt](crate::JwtAuthLayer::exempt).
    pub fn is_exempt(&self) -> bool {
        self.decided == Decided::Exempt
    }

    /// One of `accepted`, `refused`, `anonymous` and `exempt`: a label.
    pub fn as_str(&self) -> &'static str {
        match self.decided {
            Decided::Accepted => "accepted",
            Decided::Refused(_) => "refused",
            Decided::Anonymous => "anonymous",
            Decided::Exempt => "exempt",
        }
    }

    /// The issuer whose verifier took the token, as the configuration writes it: `a or b` for a verifier
    /// that expects one of two, and the text of the template for an issuer of an
    /// [`IssuerTemplate`](crate::IssuerTemplate). Only the token of an accepted request is proven to come
    /// from it.
    ///
    /// `None` without a token, for an issuer that is not in an [`IssuerSet`](crate::IssuerSet), and where
    /// the rule of the application knows no issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The scheme of the token; `None` without one that could be read.
    pub fn scheme(&self) -> Option<TokenScheme> {
        self.scheme
    }

    /// How long the layer took to decide, from its call on, with all that was waited for: the keys, a check
    /// of the application. By the monotonic clock.
    ///
    /// `None` when a part within the layer refuses the request: the layer has decided before, in an outcome
    /// of its own.
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
