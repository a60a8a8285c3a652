//! The verifier of one issuer's JWTs: from text to trusted claims.

mod captured;
mod claim_rules;
mod expected;
mod key_status;
mod read_claims;
mod registered;
mod replay;
mod setters;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use serde::de::DeserializeOwned;

pub(super) use self::claim_rules::Rules;
pub(super) use self::expected::Expected;
pub use self::expected::{ExpectedAudience, ExpectedIssuer};
use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::PresentedToken;
use crate::key::{KeyCandidates, VerificationKey};
use crate::key_source::{KeyQuery, KeySource, KeySourceError, LookupState};
use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits, Scratch, TokenHeader};
use crate::verify::accepted::Accepted;
use crate::verify::jwt::registered::Registered;
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::{Verification, VerifyToken};

/// Verifies signed JSON Web Tokens of one issuer (RFC 7519, RFC 8725) and reads their claims
/// into `C`.
///
/// Cheap to clone. Whom the tokens must be from and whom they must be for are arguments of
/// [`new`](JwtVerifier::new): both claims are then required, and compared exactly. Every other rule
/// has a safe default, and a setter.
///
/// | rule | default | setter |
/// |---|---|---|
/// | key | by `kid`; without it by `x5t#S256` or `x5t`; without any, the only key that fits | |
/// | algorithms | those of the keys | [`with_algorithms`](Self::with_algorithms) narrows them |
/// | `exp` | required | |
/// | `nbf`, `iat` | must not lie in the future | |
/// | leeway | 30 s | [`with_leeway`](Self::with_leeway) |
/// | age by `iat` | any | [`with_max_age`](Self::with_max_age) |
/// | `typ` | absent, `JWT` or `at+jwt` | [`require_rfc9068`](Self::require_rfc9068) |
/// | further audiences | allowed | [`exclusive_audience`](Self::exclusive_audience) |
/// | further claims | none required | [`add_required_claim`](Self::add_required_claim) |
/// | tokens bound to their sender (`cnf`) | refused | [`dangerous_ignore_confirmation`](Self::dangerous_ignore_confirmation) |
/// | `at_hash`, `c_hash`, as in ID tokens | refused | [`allow_at_hash`](Self::allow_at_hash) |
/// | tokens that name themselves ID tokens (claim `token_use` or `typ`), and events (`events` that is an object) | refused | [`dangerous_accept_id_tokens`](Self::dangerous_accept_id_tokens) |
/// | tokens that name themselves refresh, offline or logout tokens (claim `token_use` or `typ`) | refused | |
/// | clock | the system's | [`with_clock`](Self::with_clock) |
/// | length of a token | at most 16384 bytes | [`with_max_token_length`](Self::with_max_token_length) |
/// | length of its header segment | at most 4096 bytes | [`with_max_header_length`](Self::with_max_header_length) |
/// | nesting of JSON | at most 64 levels | |
///
/// An ID token that does not name its kind in any of these ways, and that is for the same audience,
/// is accepted. Two settings keep every ID token out: an audience that is the API's own and not a
/// client's, and [`require_rfc9068`](Self::require_rfc9068) where the issuer writes `at+jwt`.
///
/// # Example: without a request
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtVerifier, RejectionKind, VerificationKey};
///
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 octets", Algorithm::HS256)?;
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
///
/// let message = match verifier.verify_now("ey.not-a-token.x") {
///     Ok(token) => format!("hello, {:?}", token.sub),
///     Err(rejection) if rejection.kind() == RejectionKind::ExpiredToken => "log in again".into(),
///     Err(rejection) => rejection.to_string(),
/// };
/// assert_eq!(message, "the token is malformed");
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct JwtVerifier<C = RegisteredClaims> {
    pub(super) keys: Arc<dyn KeySource>,
    pub(super) rules: Arc<Rules>,
    /// The name of the issuer may have been made up by an untrusted client.
    is_quiet: bool,
    claims: PhantomData<fn() -> C>,
}

impl JwtVerifier {
    /// A verifier of tokens from `issuer`, for `audience`, signed by one of `keys`.
    ///
    /// Both may be one string, or several of which any will do; see [`ExpectedIssuer`] and
    /// [`ExpectedAudience`].
    ///
    /// # Errors
    ///
    /// When the issuer or the audience is an empty string or an empty list, or when the keys are those
    /// of [another issuer](KeySource::issuer).
    ///
    /// # Example: the keys of an issuer, from its JWK set
    ///
    /// ```
    /// use tower_jwt_auth::{JwkSet, JwtVerifier};
    ///
    /// let keys = JwkSet::from_json(r#"{"keys": [{
    ///     "kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    /// }]}"#)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
    /// # let _ = verifier;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn new(
        issuer: impl Into<ExpectedIssuer>,
        audience: impl Into<ExpectedAudience>,
        keys: impl KeySource,
    ) -> Result<Self, ConfigError> {
        let rules = Rules::new(issuer.into(), audience.into())?;
        Self::with_rules(rules, Arc::new(keys))
    }

    pub(super) fn with_rules(rules: Rules, keys: Arc<dyn KeySource>) -> Result<Self, ConfigError> {
        if let (Some(issuer), Expected::OneOf { values, display }) = (keys.issuer(), rules.issuer())
            && !values.iter().any(|name| name == issuer)
        {
            let message = format!("the keys are those of {issuer}, and not of {display}");
            return Err(ConfigError::new(ConfigErrorKind::Issuer, message));
        }
        Ok(Self::from_parts(rules, keys))
    }

    /// From rules and keys that are known to fit.
    pub(super) fn from_parts(rules: Rules, keys: Arc<dyn KeySource>) -> Self {
        Self { keys, rules: Arc::new(rules), is_quiet: false, claims: PhantomData }
    }
}

impl<C> JwtVerifier<C> {
    /// For an issuer that an unverified token has named: see [`KeyQuery::quiet`].
    pub(crate) fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }
}

/// What a first look at a token leads to: a verdict, or keys to wait for.
pub(super) enum Step<C> {
    Done(Result<VerifiedToken<C>, Rejection>),
    Wait(PendingKeys),
}

pub(super) type PendingKeys =
    Pin<Box<dyn Future<Output = Result<KeyCandidates, KeySourceError>> + Send>>;

#[derive(Clone, Copy)]
pub(super) enum MayWait {
    Yes,
    No,
}

impl<C: DeserializeOwned> JwtVerifier<C> {
    /// Verifies a token that did not come with a request: from a queue, a WebSocket, a test.
    ///
    /// Waits only where the source of keys does.
    ///
    /// # Errors
    ///
    /// A [`Rejection`] whose [`kind`](Rejection::kind) tells an expired token from an invalid one.
    ///
    /// # Example: from a queue
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{JwtVerifier, Rejection};
    ///
    /// async fn subject(verifier: &JwtVerifier, message: &str) -> Result<Option<String>, Rejection> {
    ///     Ok(verifier.verify(message).await?.sub.clone())
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let issuer = TestIssuer::new();
    /// let (good, expired) = (issuer.token().build(), issuer.token().expired().build());
    /// assert_eq!(subject(&issuer.verifier(), &good).await.unwrap().as_deref(), Some("alice"));
    /// assert!(subject(&issuer.verifier(), &expired).await.is_err());
    /// # });
    /// # }
    /// ```
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        match self.begin(token.as_bytes(), MayWait::Yes) {
            Step::Done(verdict) => verdict,
            Step::Wait(keys) => {
                let found = keys.await;
                self.resume(token.as_bytes(), found)
            }
        }
    }

    /// Verifies a token with the keys that are in memory, without waiting.
    ///
    /// Keys that should be fetched anew are used as they are, until they end. A fetch that is due is
    /// started in the background, but none that only an unknown `kid` asks for.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); and [`RejectionKind::Unavailable`] when the keys would have
    /// to be waited for.
    ///
    /// # Example: with claims of a type of one's own
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use serde::Deserialize;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// #[derive(Deserialize)]
    /// struct Claims {
    ///     tenant: u32,
    /// }
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().with_claims::<Claims>();
    /// let token = issuer.token().claim("tenant", 7).build();
    /// assert_eq!(verifier.verify_now(&token).unwrap().tenant, 7);
    /// # }
    /// ```
    pub fn verify_now(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        match self.begin(token.as_bytes(), MayWait::No) {
            Step::Done(verdict) => verdict,
            Step::Wait(_) => Err(RejectionKind::Unavailable.into()),
        }
    }

    /// The way of a token, as far as it goes without waiting.
    pub(super) fn begin(&self, token: &[u8], may_wait: MayWait) -> Step<C> {
        let mut scratch = Scratch::new();
        match self.parse(token, &mut scratch) {
            Ok(jws) => self.begin_parsed(&jws, may_wait),
            Err(rejection) => Step::Done(Err(rejection)),
        }
    }

    /// As `begin`, for a token that an issuer set has parsed.
    pub(super) fn begin_parsed(&self, jws: &CompactJws<'_>, may_wait: MayWait) -> Step<C> {
        if let Err(kind) = self.check_algorithm(jws) {
            return Step::Done(Err(kind.into()));
        }
        let query = KeyQuery::new(jws.header.key_hint()).quiet(self.is_quiet);
        let query = match may_wait {
            MayWait::Yes => query,
            MayWait::No => query.without_waiting(),
        };
        match self.keys.find_key(&query).0 {
            LookupState::Ready(found) => Step::Done(self.conclude(jws, found)),
            LookupState::Pending(keys) => Step::Wait(keys),
        }
    }

    /// The rest of the way, once the keys are there.
    pub(super) fn resume(
        &self,
        token: &[u8],
        found: Result<KeyCandidates, KeySourceError>,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let mut scratch = Scratch::new();
        let jws = self.parse(token, &mut scratch)?;
        self.check_algorithm(&jws)?;
        self.conclude(&jws, found)
    }

    fn parse<'a>(
        &self,
        token: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<CompactJws<'a>, Rejection> {
        let limits = self.rules.limits;
        CompactJws::parse(token, limits, scratch).map_err(|kind| match kind {
            RejectionKind::TokenTooLong => too_long(limits),
            kind => kind.into(),
        })
    }

    /// Whether a token that an issuer set has parsed is as long as this verifier allows.
    pub(super) fn check_length(&self, token: &[u8]) -> Result<(), Rejection> {
        let limits = self.rules.limits;
        limits.allow(token).then_some(()).ok_or_else(|| too_long(limits))
    }

    fn check_algorithm(&self, jws: &CompactJws<'_>) -> Result<(), RejectionKind> {
        let is_allowed = self.rules.allows(jws.header.algorithm);
        is_allowed.then_some(()).ok_or(RejectionKind::UnsupportedAlgorithm)
    }

    /// Did the issuer sign it? Is it for us, now? Only then are its claims anybody's business.
    fn conclude(
        &self,
        jws: &CompactJws<'_>,
        found: Result<KeyCandidates, KeySourceError>,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let candidates = found.map_err(Rejection::from)?;
        let key = signing_key(&candidates, jws)?;
        let mut registered = Registered::default();
        let claims = read_claims::read::<C>(jws.payload, self.rules.wanted(), &mut registered)?;
        let expires_at = self.rules.check(&registered, jws.header.typ.as_deref())?;
        let claims = claims.map_err(|mismatch| {
            let rejection = Rejection::from(RejectionKind::UnexpectedClaims);
            match &mismatch.claim {
                Some(claim) => rejection.with_expected(claim),
                None => rejection,
            }
        })?;
        let header = TokenHeader::new(&jws.header, key.kid_arc());
        Ok(VerifiedToken::new(claims, Some(header), Some(expires_at)))
    }
}

/// The operator is told the limits.
fn too_long(Limits { token, header }: Limits) -> Rejection {
    let limits = format!("at most {token} bytes, {header} of them in the header");
    Rejection::from(RejectionKind::TokenTooLong).with_expected(&limits.into())
}

/// The candidate whose signature it is.
fn signing_key<'k>(
    candidates: &'k KeyCandidates,
    jws: &CompactJws<'_>,
) -> Result<&'k VerificationKey, RejectionKind> {
    if candidates.is_empty() {
        return Err(RejectionKind::UnknownKey);
    }
    candidates
        .iter()
        .find(|key| key.verify(jws.header.algorithm, jws.message, jws.signature))
        .ok_or(RejectionKind::InvalidSignature)
}

impl<C> VerifyToken<C> for JwtVerifier<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        match self.begin(token.as_bytes(), MayWait::Yes) {
            Step::Done(result) => Verification::ready(result.map(Accepted::from)),
            Step::Wait(keys) => {
                let (verifier, token) = (self.clone(), token.clone());
                Verification::pending(async move {
                    let found = keys.await;
                    verifier.resume(token.as_bytes(), found).map(Accepted::from)
                })
            }
        }
    }
}

impl<C> Clone for JwtVerifier<C> {
    fn clone(&self) -> Self {
        Self {
            keys: Arc::clone(&self.keys),
            rules: Arc::clone(&self.rules),
            is_quiet: self.is_quiet,
            claims: PhantomData,
        }
    }
}

impl<C> fmt::Debug for JwtVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("keys", &self.keys)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
