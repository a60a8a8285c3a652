//! The keys of a verifier, for whoever operates it.

#[cfg(feature = "jwks-url")]
use std::time::Duration;

#[cfg(feature = "jwks-url")]
use tokio::time::Instant;

#[cfg(feature = "oidc-discovery")]
use crate::config_error::ConfigError;
#[cfg(feature = "jwks-url")]
use crate::key_source::wait_until;
#[cfg(feature = "oidc-discovery")]
use crate::key_source::{Fetch, OidcDiscovery};
use crate::key_source::{KeySourceError, KeyStatus};
use crate::verify::jwt::JwtVerifier;
#[cfg(feature = "oidc-discovery")]
use crate::verify::jwt::expected::ExpectedAudience;

#[cfg(feature = "oidc-discovery")]
impl JwtVerifier {
    /// A verifier of tokens from `issuer`, for `audience`, with the keys that the issuer's metadata
    /// lead to: see [`OidcDiscovery`]. The issuer is written once.
    ///
    /// The metadata and the keys are fetched by the HTTP client that comes with the crate (feature
    /// `reqwest-0_13`); for another client see [`discover_with`](Self::discover_with).
    ///
    /// Nothing is fetched yet, and a server can start while its issuer is away. The three ways to
    /// start:
    ///
    /// | | |
    /// |---|---|
    /// | lazily | just this: the first request waits for the keys |
    /// | wait, so long at most | [`ready`](Self::ready) |
    /// | fail fast | [`refresh`](Self::refresh) |
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to this very machine), or the audience is an
    /// empty string or list. For an issuer that is fetched from another address, or by plain http in a
    /// closed network, give an [`OidcDiscovery`] to [`new`](Self::new).
    ///
    /// # Example: whoever the token is from
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier};
    ///
    /// let verifier = JwtVerifier::discover("https://issuer.example", "https://api.example")?;
    /// let layer = JwtAuthLayer::new(verifier);
    /// # let _ = layer;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn discover(
        issuer: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        Self::new(issuer, audience, OidcDiscovery::new(issuer)?)
    }

    /// A verifier of tokens from `issuer`, for `audience`, with the keys that the issuer's metadata
    /// lead to, fetched by this client: [`discover`](Self::discover) without the feature
    /// `reqwest-0_13`. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// As [`discover`](Self::discover).
    ///
    /// # Example: an issuer in memory
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::JwtVerifier;
    /// use tower_jwt_auth::test_util::MockIssuer;
    ///
    /// let issuer = MockIssuer::new();
    /// let verifier = JwtVerifier::discover_with(issuer.issuer(), "https://api.test", issuer.clone())?;
    /// # let _ = verifier;
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn discover_with(
        issuer: &str,
        audience: impl Into<ExpectedAudience>,
        fetch: impl Fetch,
    ) -> Result<Self, ConfigError> {
        Self::new(issuer, audience, OidcDiscovery::new_with(issuer, fetch)?)
    }
}

impl<C> JwtVerifier<C> {
    /// Waits until there are keys to verify with, so long at most. Keys in memory are there.
    ///
    /// # Errors
    ///
    /// When the time is over; the message is that of the last fetch.
    ///
    /// # Example: half a minute, and then serve all the same
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{JwtVerifier, KeySourceError};
    ///
    /// async fn start(verifier: &JwtVerifier) {
    ///     if let Err(error) = verifier.ready(Duration::from_secs(30)).await {
    ///         eprintln!("no keys yet, requests get 503 until then: {error}");
    ///     }
    /// }
    /// # let _ = start;
    /// ```
    #[cfg(feature = "jwks-url")]
    pub async fn ready(&self, at_most: Duration) -> Result<(), KeySourceError> {
        const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

        let now = Instant::now();
        let until = now.checked_add(at_most.min(FOREVER)).unwrap_or(now);
        wait_until(self.keys.until_ready(), until).await?.unwrap_or_else(|| {
            Err(KeySourceError::new(match self.key_status().last_error() {
                Some(error) => format!("no keys in time: {error}"),
                None => "no keys in time".to_owned(),
            }))
        })
    }

    /// Fetches the keys anew, now, and waits for the end of that fetch. Keys in memory are left as
    /// they are.
    ///
    /// For the start of a server that should fail without its issuer, and for an operator who knows
    /// that keys have changed; a rotation needs no help.
    ///
    /// # Errors
    ///
    /// When the fetch failed; keys that were there stay.
    pub async fn refresh(&self) -> Result<(), KeySourceError> {
        self.keys.refresh().await
    }

    /// What is known of the keys: for a readiness probe. It starts to fetch them, where nothing has
    /// yet, so that a server that gets no requests before it is ready becomes so.
    ///
    /// # Example: a probe
    ///
    /// ```
    /// use http::StatusCode;
    /// use tower_jwt_auth::JwtVerifier;
    ///
    /// fn readyz(verifier: &JwtVerifier) -> StatusCode {
    ///     match verifier.key_status().is_ready() {
    ///         true => StatusCode::OK,
    ///         false => StatusCode::SERVICE_UNAVAILABLE,
    ///     }
    /// }
    /// # let _ = readyz;
    /// ```
    pub fn key_status(&self) -> KeyStatus {
        self.keys.status()
    }
}
