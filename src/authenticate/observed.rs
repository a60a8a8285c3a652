//! The setters of a layer for those who observe it.

use crate::authenticate::JwtAuthLayer;
use crate::observe::Outcome;

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
}
