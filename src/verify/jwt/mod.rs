//! The verifier of the JWTs of one issuer.

mod cached_rules;
mod captured;
mod claim_rules;
mod describe;
mod expected;
mod explain;
mod key_status;
#[cfg(feature = "introspection")]
mod read_answer;
mod read_claims;
mod read_registered;
mod registered;
mod remembered;
mod replay;
mod rule_setters;
mod setters;
mod stage;
mod token_types;
mod verify_token;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use self::cached_rules::CachedRules;
pub(super) use self::claim_rules::Rules;
pub(super) use self::expected::Expected;
pub use self::expected::{ExpectedAudience, ExpectedIssuer};
pub(super) use self::explain::unread;
#[cfg(feature = "introspection")]
pub(super) use self::read_answer::{AnswerClaims, Wanted, read_answer};
#[cfg(feature = "introspection")]
pub(super) use self::setters::{checked_leeway, checked_token_length};
pub(super) use self::stage::{Recorder, Stage};
use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key::{KeyCandidates, VerificationKey};
use crate::key_source::{KeyQuery, KeySource, KeySourceError, LookupState};
use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits, Scratch, TokenHeader};
use crate::verify::by_name::{ByName, Input};
use crate::verify::jwt::read_registered::ReadClaims;
use crate::verify::jwt::registered::{Claim, Registered};
use crate::verify::verified_token::VerifiedToken;

/// Verifies signed JSON Web Tokens of one issuer (RFC 7519, RFC 8725) and reads their claims into `C`.
///
/// The expected issuer and audience are arguments of [`new`](JwtVerifier::new): both claims are required and
/// compared exactly. Every other rule has a safe default, and most have a setter. A verifier is cheap to clone.
///
/// | rule | default | setter |
/// |---|---|---|
/// | key | by `kid`; without it by `x5t#S256` or `x5t`; without all three, the only key for the algorithm, or up to 4 such keys if none has a `kid` | |
/// | algorithms | those of the keys | [`with_algorithms`](Self::with_algorithms) |
/// | `exp` | required; must be in the future | |
/// | `nbf`, `iat` | may be absent; must not be in the future | |
/// | leeway | 30 s | [`with_leeway`](Self::with_leeway) |
/// | age, by `iat` | any | [`with_max_age`](Self::with_max_age) |
/// | `typ` in the header | absent, `JWT` or `at+jwt` | [`require_rfc9068`](Self::require_rfc9068), [`with_token_type`](Self::with_token_type) |
/// | other audiences in `aud` | allowed | [`exclusive_audience`](Self::exclusive_audience) |
/// | other claims | not required | [`add_required_claim`](Self::add_required_claim) |
/// | token bound to its sender (`cnf`) | refused; checked by a [`SenderConstrained`](crate::SenderConstrained) around the verifier | [`dangerous_ignore_confirmation`](Self::dangerous_ignore_confirmation) |
/// | `at_hash`, `c_hash`, as in ID tokens | refused | [`allow_at_hash`](Self::allow_at_hash) |
/// | token marked as an ID token (claim `token_use` or `typ`) or an event (`events` is an object) | refused | [`dangerous_accept_id_tokens`](Self::dangerous_accept_id_tokens) |
/// | token marked as a refresh, offline or logout token (claim `token_use` or `typ`) | refused | |
/// | clock | the system clock | [`with_clock`](Self::with_clock) |
/// | scopes that include others | none | [`with_scope_hierarchy`](Self::with_scope_hierarchy) |
/// | [rules](crate::Rule) over scopes and claims by name, for tokens without a request | refuse the token | [`with_claims_by_name`](Self::with_claims_by_name) |
/// | length of a token | at most 16384 bytes | [`with_max_token_length`](Self::with_max_token_length) |
/// | length of its header segment | at most 4096 bytes | [`with_max_header_length`](Self::with_max_header_length) |
/// | nesting of JSON | at most 64 levels | |
///
/// An ID token for the same audience is accepted if none of these claims marks it as one. Each of two settings
/// refuses all ID tokens: an audience that belongs to the API and not to a client; or
/// [`require_rfc9068`](Self::require_rfc9068), if the issuer writes `at+jwt` only into access tokens.
///
/// # Example: verify a token without a request
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtVerifier, RejectionKind, VerificationKey};
///
/// let key = VerificationKey::from_secret(b"an example of a secret: 32 bytes", Algorithm::HS256)?;
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
    pub(super) rules: CachedRules<C>,
    /// Whether an untrusted client may have invented the name of the issuer.
    is_quiet: bool,
    /// A reader of this type alone; `None` for any type.
    read_claims: Option<ReadClaims<C>>,
}

impl JwtVerifier {
    /// Creates a verifier of tokens from `issuer`, for `audience`, signed with one of `keys`.
    ///
    /// Issuer and audience can be a string or a list: see [`ExpectedIssuer`] and [`ExpectedAudience`].
    ///
    /// # Errors
    ///
    /// When the issuer or the audience is an empty string or list, or a list with an empty string; or when the
    /// keys belong to [another issuer](KeySource::issuer).
    ///
    /// # Example: keys from a JWK set
    ///
    /// ```
    /// use tower_jwt_auth::{JwkSet, JwtVerifier};
    ///
    /// let keys = JwkSet::from_json(r#"{"keys": [{
    ///     "kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA",
    ///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    /// }]}"#)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
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
            let message = format!("the keys belong to {issuer}, not to {display}");
            return Err(ConfigError::new(ConfigErrorKind::Issuer, message));
        }
        Ok(Self::from_parts(rules, keys))
    }

    /// From rules and keys of the same issuer.
    pub(super) fn from_parts(rules: Rules, keys: Arc<dyn KeySource>) -> Self {
        let read_claims = Some(read_registered::READ);
        Self { keys, rules: CachedRules::new(rules), is_quiet: false, read_claims }
    }
}

impl<C> JwtVerifier<C> {
    /// For an issuer that an unverified token names: see [`KeyQuery::quiet`].
    pub(crate) fn quiet(self) -> Self {
        Self { is_quiet: true, ..self }
    }
}

/// The first step of a verification: a result, or keys to wait for.
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
    /// Verifies a token without a request, such as one from a queue or a WebSocket: the JWT, without `Bearer`.
    ///
    /// The future waits only if the source of keys waits.
    ///
    /// # Errors
    ///
    /// When the token is refused; the [`kind`](Rejection::kind) is the reason. The kind is
    /// [`RejectionKind::Unavailable`] when the keys cannot be loaded: then the token may be valid.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        match self.begin_or_recall(Input::Text(token), MayWait::Yes) {
            Step::Done(verdict) => verdict,
            Step::Wait(keys) => {
                let found = keys.await;
                self.resume_and_keep(Input::Text(token), found)
            }
        }
    }

    /// Verifies a token with the loaded keys, without waiting.
    ///
    /// Keys that are no longer fresh are used too, as long as the source keeps them usable. A fetch that is due
    /// starts in the background, if the caller is on a tokio runtime. An unknown `kid` starts none: the kind is
    /// then [`Unavailable`](RejectionKind::Unavailable) if a fetch may load the key or the last fetch failed, and
    /// otherwise, as for local keys, [`UnknownKey`](RejectionKind::UnknownKey). For a `kid` that the issuer does
    /// not have, it may stay `Unavailable` for ever, so limit the retries.
    ///
    /// # Errors
    ///
    /// When [`verify`](Self::verify) would refuse the token. Also when the source of keys has no result yet,
    /// for example before the first fetch: then the kind is `Unavailable`, and the token may be valid.
    pub fn verify_now(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        match self.begin_or_recall(Input::Text(token), MayWait::No) {
            Step::Done(verdict) => verdict,
            Step::Wait(_) => Err(RejectionKind::Unavailable.into()),
        }
    }

    /// Verifies a token as far as possible without waiting.
    pub(super) fn begin(
        &self,
        token: Input<'_>,
        may_wait: MayWait,
        recorder: &mut impl Recorder,
    ) -> Step<C> {
        let mut scratch = Scratch::new();
        match self.parse(token.as_bytes(), &mut scratch) {
            Ok(jws) => self.begin_parsed(token, &jws, may_wait, recorder),
            Err(rejection) => Step::Done(Err(rejection)),
        }
    }

    /// Like `begin`, for a token that an issuer set has parsed.
    pub(super) fn begin_parsed(
        &self,
        token: Input<'_>,
        jws: &CompactJws<'_>,
        may_wait: MayWait,
        recorder: &mut impl Recorder,
    ) -> Step<C> {
        if let Err(kind) = self.check_algorithm(jws) {
            return Step::Done(Err(kind.into()));
        }
        recorder.passed(Stage::Algorithm);
        let query = KeyQuery::new(jws.header.key_hint()).quiet(self.is_quiet);
        let query = match may_wait {
            MayWait::Yes => query,
            MayWait::No => query.without_waiting(),
        };
        match self.keys.find_key(&query).0 {
            LookupState::Ready(found) => Step::Done(self.conclude(token, jws, found, recorder)),
            LookupState::Pending(keys) => Step::Wait(keys),
        }
    }

    /// Completes the verification after the keys were loaded.
    pub(super) fn resume(
        &self,
        token: Input<'_>,
        found: Result<KeyCandidates, KeySourceError>,
        recorder: &mut impl Recorder,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let mut scratch = Scratch::new();
        let jws = self.parse(token.as_bytes(), &mut scratch)?;
        self.check_algorithm(&jws)?;
        self.conclude(token, &jws, found, recorder)
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

    /// Checks the length of a token that an issuer set has parsed.
    pub(super) fn check_length(&self, token: &[u8]) -> Result<(), Rejection> {
        let limits = self.rules.limits;
        limits.allow(token).then_some(()).ok_or_else(|| too_long(limits))
    }

    fn check_algorithm(&self, jws: &CompactJws<'_>) -> Result<(), RejectionKind> {
        let is_allowed = self.rules.allows(jws.header.algorithm);
        is_allowed.then_some(()).ok_or(RejectionKind::UnsupportedAlgorithm)
    }

    /// Checks the signature, then the rules, and only then returns the claims.
    fn conclude(
        &self,
        token: Input<'_>,
        jws: &CompactJws<'_>,
        found: Result<KeyCandidates, KeySourceError>,
        recorder: &mut impl Recorder,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let candidates = found?;
        let key = signing_key(&candidates, jws, recorder)?;
        jws.remember_header();
        let mut registered = Registered::default();
        let claims = match self.read_claims {
            Some(read) => read(jws.payload, self.rules.wanted(), &mut registered)?,
            None => read_claims::read::<C>(jws.payload, self.rules.wanted(), &mut registered)?,
        };
        recorder.passed(Stage::Claims);
        let defers = token.defers_confirmation();
        let times = self.rules.check(&registered, jws, defers, recorder)?;
        let claims = claims?;
        let header = TokenHeader::new(&jws.header, key.kid_arc());
        let validity = times.validity(candidates.generation());
        let kept = recorder.keep(token, self.rules.copies_text, validity);
        let by_name = ByName::new(kept, Arc::clone(&self.rules.context), times.until);
        let verified = VerifiedToken::of_jwt(claims, header, by_name, times.expires_at);
        let is_bound = defers && registered.has_known(Claim::Confirmation);
        if is_bound { verified.bound_by_claims(jws.payload) } else { Ok(verified) }
    }
}

/// The refusal of a token that is too long, with the limits for the log.
fn too_long(Limits { token, header }: Limits) -> Rejection {
    let limits = format!("at most {token} bytes, {header} of them in the header");
    Rejection::from(RejectionKind::TokenTooLong).with_expected(&limits.into())
}

/// The candidate that verifies the signature.
fn signing_key<'k>(
    candidates: &'k KeyCandidates,
    jws: &CompactJws<'_>,
    recorder: &mut impl Recorder,
) -> Result<&'k VerificationKey, RejectionKind> {
    if candidates.is_empty() {
        return Err(RejectionKind::UnknownKey);
    }
    recorder.passed(Stage::Key);
    let key = candidates
        .iter()
        .find(|key| key.verify(jws.header.algorithm, jws.message, jws.signature))
        .ok_or(RejectionKind::InvalidSignature)?;
    recorder.passed(Stage::Signature);
    Ok(key)
}

impl<C> Clone for JwtVerifier<C> {
    fn clone(&self) -> Self {
        Self {
            keys: Arc::clone(&self.keys),
            rules: self.rules.clone(),
            is_quiet: self.is_quiet,
            read_claims: self.read_claims,
        }
    }
}
