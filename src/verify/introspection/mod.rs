//! Token introspection (RFC 7662): the authorization server says whether a token is active.

mod answer;
mod client_authentication;
mod describe;
mod endpoint;
mod flights;
mod remembered;
mod setters;
mod signed;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use http::HeaderValue;
use http::request::Parts;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use self::answer::{Active, AnswerRules, Refused};
pub use self::client_authentication::ClientAuthentication;
use self::endpoint::Endpoint;
use self::flights::{Flights, Joined, Outcome};
use self::remembered::{CacheSettings, Remembered};
use self::signed::SignedResponses;
use crate::claims::RegisteredClaims;
use crate::config_error::ConfigError;
use crate::extract::{PresentedToken, RawBearer};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::HttpFetch;
use crate::key_source::{Fetch, FetchUrl, HttpHosts, KeySourceError, Poster, wait_until};
use crate::rejection::{Rejection, RejectionKind};
use crate::summary::Summary;
use crate::token::Limits;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer, Rules};
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::VerifyToken;

/// Verifies tokens by token introspection (RFC 7662): it asks the authorization server about each token, and reads the
/// claims of the answer into `C`. Use it for opaque tokens, and for tokens that can be revoked before they expire.
///
/// | case | what happens |
/// |---|---|
/// | `active` is `true`, and the claims pass the rules below | the token is accepted |
/// | `active` is `false`, or the endpoint does not know tokens of this kind (400 `unsupported_token_type`) | 401 `invalid_token`, without further detail ([`InactiveToken`](RejectionKind::InactiveToken)) |
/// | the endpoint cannot be reached, responds later than 5 seconds or with another status than 200, or the answer is malformed or longer than 64 KiB | 503, never 401. `Retry-After` of 429 and 503 is respected, up to 60 seconds: until then the endpoint gets no request |
/// | the endpoint refuses our credentials (401, or 400 `invalid_client`) | 503, and no request in the next second; then one request at a time tries again, until one succeeds. This failure, like every other one, causes a `warn` event (feature `tracing`), at most one a minute |
/// | several requests with the same token at the same time | one request to the endpoint. It goes on as long as one of them waits |
/// | a token that was accepted before | is not asked about for [30 seconds](Self::with_cache_age), and never after its `exp` |
/// | a token that was refused before | is refused again for 5 seconds at most, whichever layer asks. These tokens are in a cache of their own, so they evict no accepted token |
/// | more tokens at once than the [endpoint gets](Self::with_max_concurrent_requests) (32) | wait their turn for 2.5 seconds at most, and those that were accepted lately wait before the others; of more than 1024 tokens, the others get 503 at once |
///
/// The rules for the answer:
///
/// | claim | default | setter |
/// |---|---|---|
/// | `iss` | if present, must be the expected issuer | [`ExpectedIssuer::dangerous_any`] |
/// | `aud` | required | [`dangerous_allow_missing_audience`](Self::dangerous_allow_missing_audience) |
/// | `exp`, `nbf`, `iat` | if present, are compared with the clock | [`with_leeway`](Self::with_leeway), [`with_clock`](Self::with_clock) |
/// | `token_type` | required if no `aud` was compared, since refresh tokens often lack both; if present, must be `Bearer`, or `DPoP` with a `jkt` in `cnf`, in any case | |
/// | `token_use`, `typ`, `at_hash` and others that mark refresh tokens, ID tokens and events | the token is refused | |
/// | token bound to its sender (`cnf`) | refused; checked by a [`SenderConstrained`](crate::SenderConstrained) around the verifier | [`dangerous_ignore_confirmation`](Self::dangerous_ignore_confirmation) |
/// | other claims | not required | [`add_required_claim`](Self::add_required_claim) |
/// | `scope` | becomes the [scope](VerifiedToken::scope) of the token | [`with_scope_hierarchy`](Self::with_scope_hierarchy) |
///
/// A member that is `null` counts as absent. [Rules](crate::Rule) read scopes and claims from the answer. The token has
/// no [header](VerifiedToken::header). Requests with the same token share its claims. A clone is cheap and shares the
/// caches; a setter makes new ones. The future runs on the tokio runtime of the requests, which needs timers and, for
/// the HTTP client of the crate, I/O.
///
/// # Example: opaque tokens
///
/// ```
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{ClientAuthentication, ConfigError, Introspection, JwtAuthLayer};
///
/// fn layer(secret: &str) -> Result<JwtAuthLayer, ConfigError> {
///     let client = ClientAuthentication::client_secret_basic("orders-api", secret)?;
///     let verifier = Introspection::new(
///         "https://issuer.example",
///         "https://api.example",
///         "https://issuer.example/introspect",
///         client,
///     )?;
///     Ok(JwtAuthLayer::new(verifier))
/// }
/// # let _ = layer;
/// # }
/// ```
pub struct Introspection<C = RegisteredClaims> {
    endpoint: Arc<Endpoint>,
    rules: Arc<AnswerRules>,
    signed: Option<SignedResponses>,
    cache: CacheSettings,
    remembered: Arc<Remembered<C>>,
    flights: Arc<Flights<C>>,
}

impl Introspection {
    /// Creates a verifier that asks the introspection endpoint at `url` (https, or http to `localhost` or a loopback
    /// address) about tokens from `issuer`, for `audience`. The crate's HTTP client sends the requests; for another
    /// client see [`with_client`](Self::with_client) and [`new_with`](Self::new_with).
    ///
    /// # Errors
    ///
    /// When the issuer or the audience is an empty string or list, or a list with an empty string; when `url` is not an
    /// absolute URL of at most 2048 bytes; when it is neither https nor http to `localhost` or a loopback address; or
    /// when it has a user name, a password or a fragment.
    #[cfg(feature = "reqwest-0_13")]
    pub fn new(
        issuer: impl Into<ExpectedIssuer>,
        audience: impl Into<ExpectedAudience>,
        url: &str,
        client: ClientAuthentication,
    ) -> Result<Self, ConfigError> {
        Self::new_with(issuer, audience, url, client, HttpFetch::default())
    }

    /// Like [`new`](Self::new), but `fetch` sends the requests. See [`Fetch`].
    ///
    /// # Errors
    ///
    /// Like [`new`](Self::new).
    ///
    /// # Example: a mock endpoint in a test
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::Response;
    /// use tower_jwt_auth::{ClientAuthentication, Fetch, FetchFuture, FetchRequest, Introspection};
    ///
    /// #[derive(Debug)]
    /// struct NothingIsActive;
    ///
    /// impl Fetch for NothingIsActive {
    ///     fn fetch(&self, _: FetchRequest) -> FetchFuture {
    ///         Box::pin(async { Ok(Response::new(Bytes::from_static(br#"{"active": false}"#))) })
    ///     }
    /// }
    /// let client = ClientAuthentication::client_secret_basic("orders-api", "s3cret")?;
    /// let url = "https://issuer.example/introspect";
    /// let verifier = Introspection::new_with(
    ///     "https://issuer.example",
    ///     "https://api.example",
    ///     url,
    ///     client,
    ///     NothingIsActive,
    /// )?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn new_with(
        issuer: impl Into<ExpectedIssuer>,
        audience: impl Into<ExpectedAudience>,
        url: &str,
        client: ClientAuthentication,
        fetch: impl Fetch,
    ) -> Result<Self, ConfigError> {
        let url = FetchUrl::parse(url, &HttpHosts::default())?;
        Self::at(url, Rules::new(issuer.into(), audience.into())?, client, fetch)
    }

    fn at(
        url: FetchUrl,
        rules: Rules,
        client: ClientAuthentication,
        fetch: impl Fetch,
    ) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::new(Poster::new(url, fetch), client, Endpoint::DEFAULT_SLOTS);
        let rules = AnswerRules { rules, allows_missing_audience: false };
        let cache = CacheSettings::new()?;
        Ok(Self::from_parts(Arc::new(endpoint), Arc::new(rules), None, cache))
    }
}

impl<C> Introspection<C> {
    /// The time for the request to the endpoint, with the wait for a slot and the keys of a signed response.
    const TIMEOUT: Duration = Duration::from_secs(5);
    /// The part of it that may pass before the request is sent. The rest is for the request: one that was sent late
    /// would otherwise end without an answer, and an endpoint that is overloaded would work for nobody.
    const LONGEST_WAIT: Duration = Duration::from_millis(2500);

    fn from_parts(
        endpoint: Arc<Endpoint>,
        rules: Arc<AnswerRules>,
        signed: Option<SignedResponses>,
        cache: CacheSettings,
    ) -> Self {
        let remembered = Arc::new(Remembered::new(cache));
        Self { endpoint, rules, signed, cache, remembered, flights: Arc::default() }
    }

    fn admission(&self) -> Admission {
        let ignores_confirmation = self.rules.rules.ignore_confirmation;
        Admission { ignores_confirmation, defers_confirmation: false }
    }

    fn limits(&self) -> Limits {
        self.rules.rules.limits
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Introspection<C> {
    /// Verifies a token without a request, such as one from a queue: the text without `Bearer`.
    ///
    /// # Errors
    ///
    /// When the token is refused, or the text is not a `token68`. The kind is [`RejectionKind::Unavailable`] when the
    /// endpoint gives no answer: then the token may be active.
    ///
    /// # Example: a message of a queue
    ///
    /// ```
    /// use tower_jwt_auth::{Introspection, Rejection};
    ///
    /// async fn sender(verifier: &Introspection, token: &str) -> Result<Option<String>, Rejection> {
    ///     Ok(verifier.verify(token).await?.sub.clone())
    /// }
    /// # let _ = sender;
    /// ```
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        let token = PresentedToken::bearer(token)?;
        let outcome = match self.begin(&token) {
            Joined::Landed(outcome) => outcome,
            Joined::Flying(flight) => flight.await,
            Joined::Full => Err(self.too_many()),
        };
        self.admission().admit(outcome).map(Accepted::into_token)
    }

    fn verify_presented(&self, token: &PresentedToken, admission: Admission) -> Verification<C> {
        token.note_issuer(|| self.rules.rules.issuer().display());
        match self.begin(token) {
            Joined::Landed(outcome) => Verification::ready(admission.admit(outcome)),
            Joined::Flying(flight) => {
                Verification::pending(async move { admission.admit(flight.await) })
            }
            Joined::Full => Verification::ready(Err(self.too_many())),
        }
    }

    fn begin(&self, token: &PresentedToken) -> Joined<C> {
        if token.as_bytes().len() > self.limits().token {
            let limit = format!("at most {} bytes", self.limits().token).into();
            let rejection = Rejection::from(RejectionKind::TokenTooLong).with_expected(&limit);
            return Joined::Landed(Err(rejection));
        }
        let clock = &*self.rules.rules.context.clock;
        let known = || self.remembered.find(token, clock);
        if let Some(outcome) = known() {
            return Joined::Landed(outcome);
        }
        let most = match self.remembered.was_accepted(token) {
            true => Flights::<C>::MOST + Flights::<C>::MORE,
            false => Flights::<C>::MOST,
        };
        self.flights.join(token.as_bytes(), most, known, || self.clone().ask(token.clone()))
    }

    fn too_many(&self) -> Rejection {
        let error = "the introspection endpoint is asked about too many tokens";
        let error = KeySourceError::new(error).with_retry_after(Duration::from_secs(1));
        self.endpoint.report(&error);
        error.into()
    }

    /// Asks the endpoint, and keeps the answer.
    async fn ask(self, token: PresentedToken) -> Outcome<C> {
        let asked_at = Instant::now();
        let answer = AssertUnwindSafe(self.answer(&token, asked_at)).catch_unwind();
        let outcome = answer.await.unwrap_or_else(|_| {
            let error = KeySourceError::new("the request to the introspection endpoint panicked");
            self.endpoint.report(&error);
            Err(error.into())
        });
        self.remembered.keep(&token, asked_at, &outcome);
        outcome.map(|active| active.token)
    }

    async fn answer(
        &self,
        token: &PresentedToken,
        asked_at: Instant,
    ) -> Result<Active<C>, Rejection> {
        let until = asked_at.checked_add(Self::TIMEOUT).unwrap_or(asked_at);
        let text = wait_until(self.response(token, asked_at), until).await;
        let text = text.and_then(|text| {
            text.unwrap_or_else(|| Err(KeySourceError::new("no complete response in time")))
        });
        let read = |text: String| self.rules.read(&text);
        let error = match text.map(|text| text.map(read)) {
            Ok(Some(Ok(active))) => return Ok(active),
            Ok(Some(Err(Refused::Token(rejection)))) => return Err(rejection),
            Ok(None) => return Err(RejectionKind::InactiveToken.into()),
            Ok(Some(Err(Refused::Answer(reason)))) => {
                KeySourceError::new("the answer cannot be used").with_source(reason)
            }
            Err(error) => error,
        };
        self.endpoint.report(&error);
        Err(error.into())
    }

    /// The JSON of the answer; `None` if the server cannot handle such a token.
    async fn response(
        &self,
        token: &PresentedToken,
        asked_at: Instant,
    ) -> Result<Option<String>, KeySourceError> {
        const JSON: HeaderValue = HeaderValue::from_static("application/json");

        let until = asked_at.checked_add(Self::LONGEST_WAIT).unwrap_or(asked_at);
        let slot = self.endpoint.slot(self.remembered.was_accepted(token), until).await?;
        let Some(signed) = &self.signed else { return slot.ask(token.as_str(), JSON).await };
        let sent_at = self.rules.rules.context.clock.now();
        let text = slot.ask(token.as_str(), SignedResponses::ACCEPT).await?;
        let Some(text) = text else { return Ok(None) };
        let client_id = self.endpoint.client_id();
        signed.open(&text, sent_at, &self.rules.rules, client_id).await.map(Some)
    }
}

/// What depends on the request, beside the answer: whether somebody checks to whom the token is bound.
#[derive(Clone, Copy)]
struct Admission {
    ignores_confirmation: bool,
    defers_confirmation: bool,
}

impl Admission {
    fn admit<C>(self, outcome: Outcome<C>) -> Result<Accepted<C>, Rejection> {
        let verified = outcome?;
        if VerifiedToken::confirmation(&verified).is_none() || self.defers_confirmation {
            return Ok(verified.into());
        }
        if self.ignores_confirmation {
            return Ok(verified.without_confirmation().into());
        }
        let rejection = Rejection::from(RejectionKind::UnconfirmedSender);
        Err(rejection.with_expected(&Arc::from("cnf")))
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> VerifyToken<C> for Introspection<C> {
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        self.verify_presented(token, self.admission())
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, _: &Parts) -> Verification<C> {
        let admission = Admission { defers_confirmation: true, ..self.admission() };
        token.noted(self.verify_presented(token.token(), admission))
    }

    fn describe(&self) -> Option<Summary> {
        Some(self.summary())
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.issued_by()
    }

    fn has_token_cache(&self) -> bool {
        self.remembered.is_on()
    }

    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        let clock = &*self.rules.rules.context.clock;
        let verified = self.remembered.find_raw(token, clock)?;
        VerifiedToken::confirmation(&verified).is_none().then(|| verified.into())
    }
}

impl<C> Clone for Introspection<C> {
    fn clone(&self) -> Self {
        Self {
            endpoint: Arc::clone(&self.endpoint),
            rules: Arc::clone(&self.rules),
            signed: self.signed.clone(),
            cache: self.cache,
            remembered: Arc::clone(&self.remembered),
            flights: Arc::clone(&self.flights),
        }
    }
}
