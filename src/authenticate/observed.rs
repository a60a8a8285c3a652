//! The setters of a layer for those who observe it.

#[cfg(feature = "tracing")]
use std::sync::Arc;

use crate::authenticate::JwtAuthLayer;
use crate::observe::Outcome;
use crate::summary::Summary;

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Adds an observer: a closure that is told what became of each request. None by default, when nothing
    /// is measured.
    ///
    /// It is called once when the layer accepts a token, refuses a request, or lets it pass without a
    /// token: before the inner service is called, and before a refusal is written. When a part within the
    /// layer refuses a request that the layer has let in (a missing scope, say), that is a further outcome,
    /// without a [duration](Outcome::duration). Several observers are called in the order in which they were
    /// added.
    ///
    /// It runs in the task of the request, so it should be quick: count, or send to a channel. A panic in
    /// it goes on to the server as one of a handler does, and the request gets no further.
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

    /// Counts and measures requests by the `metrics` facade; off by default. [The page on
    /// logging](crate::docs::logging) has the names.
    ///
    /// Install the recorder before: what each metric is about is told to it by this call. Fetches of keys
    /// and their age are measured without it.
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn with_metrics(mut self) -> Self {
        self.policy_mut().observers.add_metrics();
        self
    }

    /// Records a value of each accepted token in the current tracing span, in a field that the application
    /// has declared there; none by default. A further call adds a field.
    ///
    /// Nothing is recorded where the span has no such field, or the closure returns `None`. The current
    /// span is that of a layer outside, such as tower-http's `TraceLayer`. A subject is personal data in
    /// many places.
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
    /// What the layer accepts, in one line: issuers, audiences, algorithms, and each weakening in force.
    ///
    /// With feature `tracing`, it is one `info` event when a first service is made of the layer.
    pub fn describe(&self) -> Summary {
        self.policy().describe()
    }
}
