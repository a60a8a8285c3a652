//! The keys of a verifier: discovery, readiness and status, for the operator.

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
    /// Creates a verifier of tokens from `issuer`, for `audience`, which finds the keys through the issuer's
    /// metadata: see [`OidcDiscovery`]. `issuer` is the `iss` of its tokens, including a final slash.
    ///
    /// The crate's HTTP client fetches the metadata and the keys. For another client see
    /// [`discover_with`](Self::discover_with). To fetch from another address than the issuer's name, or by
    /// plain http in a closed network, give an [`OidcDiscovery`] to [`new`](Self::new).
    ///
    /// Nothing is fetched yet, so a server can start while its issuer is unavailable. There are three ways to
    /// start:
    ///
    /// | start | call |
    /// |---|---|
    /// | at once; the first request waits for the keys | nothing more |
    /// | wait for the keys, up to a time limit | [`ready`](Self::ready) |
    /// | fail if the keys cannot be fetched | [`refresh`](Self::refresh) |
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to a loopback address), or has a query, a fragment, a
    /// user name or a password; or when the audience is an empty string or list, or a list with an empty string.
    ///
    /// # Example: protect a service with the issuer's keys
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier};
    ///
    /// let verifier = JwtVerifier::discover("https://issuer.example", "https://api.example")?;
    /// let layer = JwtAuthLayer::new(verifier);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[cfg(feature = "reqwest-0_13")]
    pub fn discover(
        issuer: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        Self::new(issuer, audience, OidcDiscovery::new(issuer)?)
    }

    /// Creates a verifier of tokens from `issuer`, for `audience`, with a custom HTTP client: `fetch` fetches
    /// the issuer's metadata and the keys. See [`Fetch`]. `issuer` is the `iss` of its tokens, including a final
    /// slash. This method does not need the feature `reqwest-0_13`.
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to a loopback address), or has a query, a fragment, a
    /// user name or a password; or when the audience is an empty string or list, or a list with an empty string.
    pub fn discover_with(
        issuer: &str,
        audience: impl Into<ExpectedAudience>,
        fetch: impl Fetch,
    ) -> Result<Self, ConfigError> {
        Self::new(issuer, audience, OidcDiscovery::new_with(issuer, fetch)?)
    }
}

impl<C> JwtVerifier<C> {
    /// Waits until keys are loaded, at most for this time. Starts to fetch them if necessary, and tries again
    /// after a failed fetch. Returns at once for local keys.
    ///
    /// # Errors
    ///
    /// When no keys are loaded in time: the error text contains the error of the last fetch, if one failed. Also
    /// when there is no tokio runtime with timers to wait on.
    ///
    /// # Example: wait 30 seconds, then serve in any case
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
    /// ```
    #[cfg(feature = "jwks-url")]
    pub async fn ready(&self, at_most: Duration) -> Result<(), KeySourceError> {
        const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

        let now = Instant::now();
        let until = now.checked_add(at_most.min(FOREVER)).unwrap_or(now);
        wait_until(self.keys.until_ready(), until).await?.unwrap_or_else(|| {
            Err(KeySourceError::new(match self.key_status().last_error() {
                Some(error) => format!("no keys were loaded in time: {error}"),
                None => "no keys were loaded in time".to_owned(),
            }))
        })
    }

    /// Fetches the keys now, and waits for the end of the fetch. For local keys the call does nothing.
    ///
    /// Call this method when a server starts that must not run without keys, or when an operator knows that the
    /// keys have changed. A normal key rotation does not need it.
    ///
    /// # Errors
    ///
    /// When the fetch fails, or when there is no tokio runtime to fetch on. Keys that were loaded before stay in
    /// use.
    pub async fn refresh(&self) -> Result<(), KeySourceError> {
        self.keys.refresh().await
    }

    /// The status of the keys, for a readiness probe. The call does not wait. The first call starts to fetch the
    /// keys if no request has done so. So a server that gets no requests before it is ready becomes ready.
    ///
    /// # Example: a readiness probe
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
    /// ```
    pub fn key_status(&self) -> KeyStatus {
        self.keys.status()
    }
}
