//! The setters of a verifier.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::token::Limits;
use crate::verify::jwt::token_types::TokenTypes;
use crate::verify::jwt::{JwtVerifier, Rules};
use crate::verify::rule_context::RuleContext;

/// The maximum leeway. A larger one would hide a clock that is wrong.
const MAX_LEEWAY: Duration = Duration::from_secs(RuleContext::MAX_LEEWAY);

impl<C> JwtVerifier<C> {
    /// Replaces the type of the claims; [`RegisteredClaims`](crate::RegisteredClaims) by default.
    ///
    /// `D` is any type that `serde` can deserialize from an object, also with `flatten`, or a
    /// `serde_json::Map<String, Value>`. Use an `Option` or `#[serde(default)]` for a claim that a token may
    /// lack. Handlers then take `VerifiedToken<D>`.
    ///
    /// A token whose claims cannot be deserialized is refused as
    /// [`UnexpectedClaims`](crate::RejectionKind::UnexpectedClaims), if no other rule refuses it.
    /// [`Rejection::expected`](crate::Rejection::expected) then names the claim; it is `None` if the claim is not
    /// known, for example with `flatten`. The registered claims are checked even if the type does not have them.
    ///
    /// An integer field can take a whole number in any spelling (`1700000000.0`, `1.7e9`). The fields of a nested
    /// or flattened type cannot rely on that: use [`NumericDate`](crate::NumericDate) for times.
    ///
    /// # Example: custom claims
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_jwt_auth::{Algorithm, JwtVerifier, VerificationKey};
    ///
    /// #[derive(Deserialize)]
    /// struct MyClaims {
    ///     sub: String,
    ///     tenant: u32,
    /// }
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let verifier: JwtVerifier<MyClaims> =
    ///     JwtVerifier::new("https://issuer.example", "https://api.example", key)?.with_claims();
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_claims<D>(self) -> JwtVerifier<D> {
        JwtVerifier {
            keys: self.keys,
            rules: self.rules.with_claims(),
            is_quiet: self.is_quiet,
            read_claims: None,
        }
    }

    /// Restricts the algorithms (RFC 8725 section 3.1); by default all algorithms of the keys are allowed. An
    /// algorithm that no key has is still refused. A second call replaces the list.
    ///
    /// # Errors
    ///
    /// When the list is empty.
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, ConfigError> {
        let algorithms: AlgorithmSet = algorithms.into_iter().collect();
        if algorithms.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                "no algorithm was given: name at least one",
            ));
        }
        self.rules_mut().algorithms = Some(algorithms);
        Ok(self)
    }

    /// Replaces the leeway for clocks that differ, in whole seconds (a fraction is dropped); 30 s by default (RFC
    /// 7519 section 4.1.4). A token is accepted before its `exp` plus the leeway, and from its `nbf` and `iat`
    /// minus the leeway on. The leeway also applies to the [maximum age](Self::with_max_age) and to
    /// [`Rule::max_age`](crate::Rule::max_age).
    ///
    /// # Errors
    ///
    /// When the leeway is more than 5 minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        self.context_mut().leeway = checked_leeway(leeway)?;
        Ok(self)
    }

    /// Refuses tokens whose `iat` is this long ago or longer (RFC 7519 section 4.1.6); by default any age is
    /// accepted. The leeway is added to the maximum age, which counts in whole seconds: a fraction is dropped.
    /// With this setting `iat` is required.
    ///
    /// # Errors
    ///
    /// When the maximum age is less than a second.
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, ConfigError> {
        if max_age < Duration::from_secs(1) {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "the maximum age must be at least one second",
            ));
        }
        self.rules_mut().max_age = Some(max_age.as_secs());
        Ok(self)
    }

    /// Replaces the clock for `exp`, `nbf` and `iat` (RFC 7519 section 4.1), for [`with_max_age`](Self::with_max_age)
    /// and for [`Rule::max_age`](crate::Rule::max_age); [`SystemClock`](crate::SystemClock) by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.context_mut().clock = Arc::new(clock);
        self
    }

    /// Accepts only access tokens in the format of RFC 9068: `typ` in the header must be `at+jwt` (in any case,
    /// also with `application/` before it), and `iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti` must be
    /// present and not empty (sections 2.2 and 4). By default tokens without a `typ`, or with `JWT`, are accepted
    /// too, and only `iss`, `exp` and `aud` are required.
    ///
    /// This setting replaces the types of [`with_token_type`](Self::with_token_type).
    ///
    /// Use [`AccessTokenClaims`](crate::AccessTokenClaims) to read these claims. Do not combine this setting
    /// with a claim [in place of the audience](crate::ExpectedAudience): the RFC requires `aud`, so all
    /// tokens would be refused.
    ///
    /// # Example: a JWT that is not an access token of RFC 9068
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{AccessTokenClaims, RejectionKind};
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().require_rfc9068().with_claims::<AccessTokenClaims>();
    /// assert_eq!(verifier.verify_now(&issuer.token().build()).unwrap().client_id, "test-client");
    ///
    /// let rejection = verifier.verify_now(&issuer.token().header("typ", "JWT").build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongTokenType);
    /// let rejection = verifier.verify_now(&issuer.token().without("jti").build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::MissingClaim);
    /// # }
    /// ```
    #[must_use]
    pub fn require_rfc9068(mut self) -> Self {
        self.rules_mut().types = TokenTypes::Rfc9068;
        self
    }

    /// Refuses tokens whose `aud` also contains an audience that is not expected. By default one expected
    /// audience is enough (RFC 7519 section 4.1.3).
    ///
    /// This setting has no effect with [any audience](crate::ExpectedAudience::dangerous_any), or with
    /// another claim [in place of `aud`](crate::ExpectedAudience).
    #[must_use]
    pub fn exclusive_audience(mut self) -> Self {
        self.rules_mut().exclusive_audience = true;
        self
    }

    /// Requires one more claim (RFC 7519 section 4). By default `exp`, `iss` and `aud` are required. The name is
    /// that of a claim at the top level, compared exactly: a dot in it is not a path.
    ///
    /// A claim that is `null` counts as missing; so does an empty `iss`, `sub`, `aud`, `client_id`, `azp` or
    /// `jti`. Any other value is accepted.
    #[must_use]
    pub fn add_required_claim(mut self, name: impl Into<String>) -> Self {
        self.rules_mut().required.push(name.into());
        self
    }

    /// Accepts tokens that are bound to their sender (they have a claim `cnf`, RFC 7800) as if they were bearer
    /// tokens. By default they are refused.
    ///
    /// A client that steals such a token can then use it: the verifier does not check the binding to a key
    /// (DPoP, RFC 9449 section 7.1) or to a client certificate (mutual TLS, RFC 8705 section 3). Call this
    /// method only if another part of the system checks the binding, such as a proxy. A
    /// [`SenderConstrained`](crate::SenderConstrained) around this verifier checks each binding all the same. But the
    /// setting holds for all other calls, such as [`verify`](Self::verify) and those of a custom verifier in between.
    #[must_use]
    pub fn dangerous_ignore_confirmation(mut self) -> Self {
        self.rules_mut().ignore_confirmation = true;
        self
    }

    /// Accepts tokens with `at_hash` or `c_hash`. By default they are refused, since these are claims of ID
    /// tokens (OpenID Connect Core 1.0 section 3.3.2.11).
    ///
    /// Use this setting for issuers such as Dex, whose access tokens have an `at_hash`. Tokens that are marked
    /// as ID tokens (by the claim `token_use` or `typ`) stay refused. Other ID tokens for the same audience are
    /// then accepted.
    #[must_use]
    pub fn allow_at_hash(mut self) -> Self {
        self.rules_mut().allow_at_hash = true;
        self
    }

    /// Replaces the maximum length of a token, in bytes; 16384 by default.
    ///
    /// A longer token is refused as [`TokenTooLong`](crate::RejectionKind::TokenTooLong), before it is
    /// decoded. A server limits header fields too: with hyper, all fields of an HTTP/2 request can have 16
    /// KiB by default. A token longer than 16384 bytes costs an allocation.
    ///
    /// # Errors
    ///
    /// When the length is less than 128 or more than 65536.
    pub fn with_max_token_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.rules_mut().limits.token = checked_token_length(bytes)?;
        Ok(self)
    }

    /// Replaces the maximum length of a token's header segment, in bytes of base64url; 4096 by default. A token
    /// with a longer header is refused as [`TokenTooLong`](crate::RejectionKind::TokenTooLong), before it is
    /// decoded.
    ///
    /// # Errors
    ///
    /// When the length is less than 128 or more than 16384.
    pub fn with_max_header_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.rules_mut().limits.header = length(
            bytes,
            Limits::LARGEST.header,
            "the maximum length of a header must be 128 to 16384 bytes",
        )?;
        Ok(self)
    }

    /// Accepts tokens whose claims mark them as ID tokens or security events. By default a token is refused if it has
    /// `at_hash` or `c_hash` (OpenID Connect Core 1.0 section 3.3.2.11), a `token_use` of `id`, a claim `typ` of `ID`,
    /// or an object as `events` (RFC 8417 section 2.2; RFC 8725 section 3.12). This setting turns these four checks
    /// off, and no other check.
    ///
    /// An ID token tells a client who logged in, and is not meant for an API. Still refused is a token with a
    /// `token_use` of `refresh`, with a claim `typ` of `Refresh`, `Offline` or `Logout`, or with a header `typ` other
    /// than `JWT` and `at+jwt`, such as `logout+jwt` or `secevent+jwt`. **A logout token without these marks is
    /// accepted.**
    #[must_use]
    pub fn dangerous_accept_id_tokens(mut self) -> Self {
        let rules = self.rules_mut();
        rules.accept_id_tokens = true;
        rules.accept_events = true;
        self
    }

    pub(super) fn rules_mut(&mut self) -> &mut Rules {
        self.rules.change()
    }
}

/// The leeway in seconds.
pub(in crate::verify) fn checked_leeway(leeway: Duration) -> Result<u64, ConfigError> {
    match leeway > MAX_LEEWAY {
        false => Ok(leeway.as_secs()),
        true => Err(ConfigError::new(
            ConfigErrorKind::Duration,
            "the leeway must be at most 5 minutes (300 seconds)",
        )),
    }
}

pub(in crate::verify) fn checked_token_length(bytes: usize) -> Result<usize, ConfigError> {
    let fault = "the maximum length of a token must be 128 to 65536 bytes";
    length(bytes, Limits::LARGEST.token, fault)
}

fn length(bytes: usize, longest: usize, fault: &'static str) -> Result<usize, ConfigError> {
    match (128..=longest).contains(&bytes) {
        true => Ok(bytes),
        false => Err(ConfigError::new(ConfigErrorKind::Length, fault)),
    }
}
