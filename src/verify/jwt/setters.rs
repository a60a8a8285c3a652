//! The setters of a verifier.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::token::Limits;
use crate::verify::jwt::JwtVerifier;

/// More than this hides a clock that is wrong.
const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);

impl<C> JwtVerifier<C> {
    /// Reads the claims into another type; [`RegisteredClaims`](crate::RegisteredClaims) by default.
    ///
    /// Any type that `serde` can deserialize from an object, `flatten` and
    /// `serde_json::Map<String, Value>` among them. A token whose claims do not fit is refused as
    /// [`UnexpectedClaims`](crate::RejectionKind::UnexpectedClaims), unless it is refused for a
    /// graver reason. The registered claims are checked whether the type has them or not.
    ///
    /// Handlers then take `VerifiedToken<D>`, of the same type. A claim that a token may lack is an
    /// `Option` or `#[serde(default)]`. [`Rejection::expected`](crate::Rejection::expected) names the
    /// claim that was missing, or that did not fit.
    ///
    /// The times that are checked (`exp`, `nbf`, `iat`) fit an integer when they are whole, however
    /// the issuer writes them (`1700000000.0`, `1.7e9`). Other numbers are read as they are written:
    /// use [`NumericDate`](crate::NumericDate) for further times.
    ///
    /// # Example: a tenant
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
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
    ///     .with_claims::<MyClaims>();
    /// # let _ = verifier;
    /// # let _ = |claims: MyClaims| (claims.sub, claims.tenant);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_claims<D>(self) -> JwtVerifier<D> {
        JwtVerifier {
            keys: self.keys,
            rules: self.rules,
            is_quiet: self.is_quiet,
            claims: PhantomData,
        }
    }

    /// Narrows the algorithms; those of the keys by default, and never more than those (RFC 8725
    /// section 3.1). A further call replaces them.
    ///
    /// # Errors
    ///
    /// When none is given.
    ///
    /// # Example: RSA alone
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{Algorithm, RejectionKind};
    ///
    /// let issuer = TestIssuer::new(); // It signs with ES256.
    /// assert!(issuer.verifier().with_algorithms([]).is_err());
    ///
    /// let verifier = issuer.verifier().with_algorithms([Algorithm::RS256, Algorithm::PS256])?;
    /// let rejection = verifier.verify_now(&issuer.token().build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::UnsupportedAlgorithm);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, ConfigError> {
        let algorithms: AlgorithmSet = algorithms.into_iter().collect();
        if algorithms.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                "no algorithm is allowed: name at least one",
            ));
        }
        self.rules_mut().algorithms = Some(algorithms);
        Ok(self)
    }

    /// Replaces the leeway, in whole seconds, that `exp`, `nbf`, `iat` and the maximum age are
    /// given for clocks that do not agree; 30 s by default (RFC 7519 section 4.1.4).
    ///
    /// # Errors
    ///
    /// When it is more than 5 minutes.
    ///
    /// # Example: none at all
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Algorithm, JwtVerifier, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?;
    /// assert!(verifier.clone().with_leeway(Duration::from_secs(301)).is_err());
    /// assert!(verifier.with_leeway(Duration::ZERO).is_ok());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        if leeway > MAX_LEEWAY {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "a leeway is at most 5 minutes (300 seconds)",
            ));
        }
        self.rules_mut().leeway = leeway.as_secs();
        Ok(self)
    }

    /// Refuses tokens that were issued, by their `iat` (RFC 7519 section 4.1.6), longer ago than
    /// this, in whole seconds; any age by default. The claim is then required. The leeway is added.
    ///
    /// # Errors
    ///
    /// When it is less than a second.
    ///
    /// # Example: ten minutes
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use std::time::Duration;
    /// use tower_jwt_auth::test_util::{ManualClock, TestIssuer};
    /// use tower_jwt_auth::{NumericDate, RejectionKind};
    ///
    /// let clock = ManualClock::new(NumericDate::from_unix_seconds(1_700_000_000));
    /// let issuer = TestIssuer::new().with_clock(clock.clone());
    /// let verifier = issuer.verifier().with_max_age(Duration::from_secs(600))?;
    /// let token = issuer.token().build();
    /// assert!(verifier.verify_now(&token).is_ok());
    ///
    /// clock.advance(Duration::from_secs(600 + 30)); // The leeway is 30 s.
    /// let rejection = verifier.verify_now(&token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::TooOld);
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, ConfigError> {
        if max_age < Duration::from_secs(1) {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "a maximum age is at least one second",
            ));
        }
        self.rules_mut().max_age = Some(max_age.as_secs());
        Ok(self)
    }

    /// Replaces the clock by which `exp`, `nbf`, `iat` and the maximum age are judged (RFC 7519
    /// section 4.1); [`SystemClock`](crate::SystemClock) by default.
    ///
    /// # Example: as of the year 2100
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{FixedClock, NumericDate, RejectionKind};
    ///
    /// let issuer = TestIssuer::new();
    /// let in_2100 = FixedClock(NumericDate::from_unix_seconds(4_102_444_800));
    /// let verifier = issuer.verifier().with_clock(in_2100);
    /// let rejection = verifier.verify_now(&issuer.token().build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
    /// # }
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.rules_mut().clock = Arc::new(clock);
        self
    }

    /// Asks for access tokens by RFC 9068: `typ` must be `at+jwt`, and `iss`, `exp`, `aud`, `sub`,
    /// `client_id`, `iat` and `jti` must be there and not empty (sections 2.2 and 4). Off by default, when tokens
    /// without a `typ`, or with `JWT`, are accepted too.
    ///
    /// Goes with [`AccessTokenClaims`](crate::AccessTokenClaims). It does not go with a claim
    /// [in place of the audience](crate::ExpectedAudience), since the RFC requires `aud`: all tokens
    /// are then refused.
    ///
    /// # Example: a JWT that is no access token by the RFC
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
        self.rules_mut().rfc9068 = true;
        self
    }

    /// Refuses a token that is for others as well; by default it is enough to be among its
    /// audiences (`aud`, RFC 7519 section 4.1.3).
    ///
    /// Nothing changes where [any audience](crate::ExpectedAudience::dangerous_any) will do, or where
    /// another claim is compared [in its place](crate::ExpectedAudience).
    ///
    /// # Example: a token for two
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.token().audience(["https://api.test", "https://other.test"]).build();
    /// assert!(issuer.verifier().verify_now(&token).is_ok());
    ///
    /// let rejection = issuer.verifier().exclusive_audience().verify_now(&token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongAudience);
    /// # }
    /// ```
    #[must_use]
    pub fn exclusive_audience(mut self) -> Self {
        self.rules_mut().exclusive_audience = true;
        self
    }

    /// Requires one more claim; by default `exp`, `iss` and `aud` are all that a token must have.
    /// Which claims must be there is left to the application (RFC 7519 section 4).
    ///
    /// A claim that is `null` is missing; so is an empty `iss`, `sub`, `aud`, `client_id`, `azp` or
    /// `jti`. Any other value will do.
    ///
    /// # Example: a tenant
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().add_required_claim("tenant");
    /// assert!(verifier.verify_now(&issuer.token().claim("tenant", 7).build()).is_ok());
    ///
    /// let rejection = verifier.verify_now(&issuer.token().build()).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::MissingClaim);
    /// # }
    /// ```
    #[must_use]
    pub fn add_required_claim(mut self, name: impl Into<String>) -> Self {
        self.rules_mut().required.push(name.into());
        self
    }

    /// Accepts tokens that are bound to their sender (`cnf`, RFC 7800) as if they were not.
    ///
    /// Whoever steals such a token can then use it. They are refused by default, since nothing here
    /// checks the binding: to a key (DPoP, RFC 9449 section 7.1) or to a client's certificate
    /// (mutual TLS, RFC 8705 section 3).
    ///
    /// # Example: bound to a certificate
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use serde_json::json;
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let thumbprint = json!({"x5t#S256": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA"});
    /// let token = issuer.token().claim("cnf", thumbprint).build();
    /// let rejection = issuer.verifier().verify_now(&token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::UnconfirmedSender);
    ///
    /// // Behind a proxy that compares the certificate itself:
    /// assert!(issuer.verifier().dangerous_ignore_confirmation().verify_now(&token).is_ok());
    /// # }
    /// ```
    #[must_use]
    pub fn dangerous_ignore_confirmation(mut self) -> Self {
        self.rules_mut().ignore_confirmation = true;
        self
    }

    /// Allows access tokens to carry `at_hash` and `c_hash`; by default they are refused, since these
    /// claims are those of an ID token (OpenID Connect Core 1.0 section 3.3.2.11).
    ///
    /// For issuers such as Dex, whose access tokens have an `at_hash`. Tokens that name themselves ID
    /// tokens (claim `token_use` or `typ`) stay refused. An ID token without such a claim is then
    /// accepted like an access token, where it is for the same audience.
    #[must_use]
    pub fn allow_at_hash(mut self) -> Self {
        self.rules_mut().allow_at_hash = true;
        self
    }

    /// Replaces the longest token that is read, in bytes; 16384 by default.
    ///
    /// A longer one is refused as [`TokenTooLong`](crate::RejectionKind::TokenTooLong), before it is
    /// decoded. A server's own limit on header fields comes first: hyper's is 16 KiB for all fields
    /// over HTTP/2, unless it is raised. A token beyond the default costs an allocation.
    ///
    /// # Errors
    ///
    /// When it is less than 128 or more than 65536.
    pub fn with_max_token_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.rules_mut().limits.token =
            length(bytes, Limits::LARGEST.token, "a token's longest length is 128 to 65536 bytes")?;
        Ok(self)
    }

    /// Replaces the longest header segment of a token that is read, in bytes of base64url; 4096 by
    /// default. A longer one is refused as [`TokenTooLong`](crate::RejectionKind::TokenTooLong),
    /// before it is decoded.
    ///
    /// # Errors
    ///
    /// When it is less than 128 or more than 16384.
    pub fn with_max_header_length(mut self, bytes: usize) -> Result<Self, ConfigError> {
        self.rules_mut().limits.header = length(
            bytes,
            Limits::LARGEST.header,
            "a header's longest length is 128 to 16384 bytes",
        )?;
        Ok(self)
    }

    /// Accepts ID tokens and security events as if they were access tokens: tokens with `at_hash` or
    /// `c_hash` (OpenID Connect Core 1.0 section 3.3.2.11), with a `token_use` of `id` or a claim
    /// `typ` of `ID`, and with an object as `events` (RFC 8417 section 2.2).
    ///
    /// They tell a client who logged in, and were never meant to open an API. Refused by default
    /// (RFC 8725 section 3.12). Tokens that name themselves refresh, offline or logout tokens stay
    /// refused.
    ///
    /// # Example: known by its hash
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let id_token = issuer.token().header("typ", "JWT").claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ").build();
    /// let rejection = issuer.verifier().verify_now(&id_token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongTokenType);
    ///
    /// assert!(issuer.verifier().dangerous_accept_id_tokens().verify_now(&id_token).is_ok());
    /// # }
    /// ```
    #[must_use]
    pub fn dangerous_accept_id_tokens(mut self) -> Self {
        let rules = self.rules_mut();
        rules.accept_id_tokens = true;
        rules.accept_events = true;
        self
    }

    fn rules_mut(&mut self) -> &mut crate::verify::jwt::claim_rules::Rules {
        Arc::make_mut(&mut self.rules)
    }
}

fn length(bytes: usize, longest: usize, fault: &'static str) -> Result<usize, ConfigError> {
    match (128..=longest).contains(&bytes) {
        true => Ok(bytes),
        false => Err(ConfigError::new(ConfigErrorKind::Length, fault)),
    }
}
