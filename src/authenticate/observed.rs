//! The setters of a layer for those who observe it.

#[cfg(feature = "tracing")]
use std::sync::Arc;

use crate::authenticate::JwtAuthLayer;
use crate::observe::Outcome;
use crate::summary::Summary;

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Adds an observer: a closure that is called with the outcome of each request. None by default; then
    /// nothing is measured.
    ///
    /// The layer calls it once when it accepts a token, refuses a request, or lets one pass without a token:
    /// before it calls the inner service, and before it writes a refusal. If a service inside of the layer
    /// refuses a request later (for a missing scope, for example), that is a second outcome, without a
    /// [duration](Outcome::duration). The refusal of an inner authentication layer that has observers is for
    /// these alone. Several observers are called in the order in which they were added.
    ///
    /// It runs in the task of the request, so it should be quick: count, or send to a channel. A panic in it
    /// is not caught: the request ends, as with a panic of a handler.
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

    /// Counts and measures requests with the `metrics` facade; off by default. [The page on
    /// logging](crate::docs::logging) lists the names. A further call changes nothing.
    ///
    /// Install the recorder first: this call gives it the descriptions of the metrics. Fetches of keys are
    /// measured without this call.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.policy_mut().observers.add_metrics();
        self
    }

    /// Records a text of each accepted token in the current tracing span, in a field that the span declares;
    /// none by default. A further call adds a field.
    ///
    /// Nothing is recorded if the span has no such field, or the closure returns `None`. The current span is
    /// that of an outer layer, such as tower-http's `TraceLayer`. A subject is often personal data.
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
                tracing::Span::current().record(field, value);
            }
        };
        self.policy_mut().span_fields.push(Arc::new(record));
        self
    }
}

impl<C: 'static, R> JwtAuthLayer<C, R> {
    /// What the layer accepts, in one line: issuers, audiences, algorithms, and each `dangerous_…` in force.
    ///
    /// With feature `tracing`, it is also one `info` event when the layer makes its first service.
    pub fn describe(&self) -> Summary {
        self.policy().describe()
    }
}
