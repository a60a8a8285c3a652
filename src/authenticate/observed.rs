//! The setters of a layer for observers, metrics, spans and logs.

#[cfg(feature = "tracing")]
use std::sync::Arc;

use crate::authenticate::JwtAuthLayer;
use crate::observe::Outcome;
use crate::summary::Summary;

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Adds an observer: a closure that the layer calls with the outcome of each request. By default there is
    /// none, and nothing is measured.
    ///
    /// The layer calls the observer once for each request that it accepts, refuses, or forwards without a
    /// token. The call happens before the layer calls the inner service or writes the refusal. If a service
    /// inside of the layer refuses the request later (for a missing scope, for example), the observer is called
    /// with a second outcome, which has no [duration](Outcome::duration). If an inner authentication layer has
    /// observers, only these are called with its refusals. Several observers are called in the order in which
    /// they were added.
    ///
    /// The observer runs in the task of the request, so it should be quick: for example, count, or send to a
    /// channel. If the observer panics, the panic is not caught: the request ends like after a panic of a
    /// handler.
    ///
    /// # Example: an audit log of refusals
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, Outcome};
    ///
    /// fn layer(verifier: JwtVerifier, audit: mpsc::Sender<Outcome>) -> JwtAuthLayer {
    ///     JwtAuthLayer::new(verifier).on_outcome(move |outcome| {
    ///         if outcome.is_refused() {
    ///             // The receiver is gone at shutdown.
    ///             audit.send(outcome.clone()).ok();
    ///         }
    ///     })
    /// }
    /// # let key = tower_jwt_auth::VerificationKey::from_secret(&[7; 32], tower_jwt_auth::Algorithm::HS256)?;
    /// # layer(JwtVerifier::new("https://issuer.example", "https://api.example", key)?, mpsc::channel().0);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn on_outcome(mut self, observer: impl Fn(&Outcome) + Send + Sync + 'static) -> Self {
        self.policy_mut().observers.add(observer);
        self
    }

    /// Records metrics about requests with the `metrics` facade; off by default. [The page on
    /// logging](crate::docs::logging) lists the metrics. A further call changes nothing.
    ///
    /// Install the recorder before this call, which gives the descriptions of the metrics to it. Fetches of
    /// keys are measured even without this call.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.policy_mut().observers.add_metrics();
        self
    }

    /// Records a text from the claims of each accepted token in a field of the current tracing span; none by
    /// default. A further call adds a field.
    ///
    /// The span must declare the field when it is created. If it does not, or if the closure returns `None`,
    /// nothing is recorded. The current span is usually that of an outer layer, such as tower-http's
    /// `TraceLayer`. A text of more than 256 bytes is cut off. Note that a subject is often personal data.
    ///
    /// **Do not name the field `message`.** `tracing-subscriber` writes that field as it is, without quotes or
    /// escapes, so a line break in a claim would begin a new line of the log.
    ///
    /// # Example: the subject in the span of the request
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier};
    /// use tracing::{Span, field::Empty, info_span};
    ///
    /// /// For `TraceLayer::make_span_with`, outside of the layer.
    /// fn span(request: &http::Request<()>) -> Span {
    ///     info_span!("request", path = request.uri().path(), subject = Empty)
    /// }
    ///
    /// fn layer(verifier: JwtVerifier) -> JwtAuthLayer {
    ///     JwtAuthLayer::new(verifier).record_in_span("subject", |claims| claims.sub.as_deref())
    /// }
    /// # let key = tower_jwt_auth::VerificationKey::from_secret(&[7; 32], tower_jwt_auth::Algorithm::HS256)?;
    /// # layer(JwtVerifier::new("https://issuer.example", "https://api.example", key)?);
    /// # span(&http::Request::new(()));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn record_in_span<F>(mut self, field: &'static str, read: F) -> Self
    where
        F: for<'a> Fn(&'a C) -> Option<&'a str> + Send + Sync + 'static,
    {
        let record = move |claims: &C| {
            if let Some(value) = read(claims) {
                tracing::Span::current().record(field, cut_off(value));
            }
        };
        self.policy_mut().span_fields.push(Arc::new(record));
        self
    }
}

impl<C: 'static, R> JwtAuthLayer<C, R> {
    /// Describes what the layer accepts, in one line: issuers, audiences, algorithms, and each `dangerous_…`
    /// setting in force.
    ///
    /// With feature `tracing`, the layer also writes this line in one `info` event, when it makes its first
    /// service.
    pub fn describe(&self) -> Summary {
        self.policy().describe()
    }
}

/// The most bytes of a text of a token that are recorded in a span.
#[cfg(feature = "tracing")]
const LONGEST_RECORDED: usize = 256;

/// The text, or as much of it as is recorded, without a part of a character.
#[cfg(feature = "tracing")]
fn cut_off(text: &str) -> &str {
    let ends = (0..=LONGEST_RECORDED).rev();
    ends.into_iter().find_map(|end| text.get(..end.min(text.len()))).unwrap_or_default()
}
