//! The setters of a verifier.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::key::AlgorithmSet;
use crate::{Algorithm, Clock, ConfigError, ConfigErrorKind, JwtVerifier};

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
        JwtVerifier { keys: self.keys, rules: self.rules, claims: PhantomData }
    }

    /// Narrows the algorithms; those of the keys by default, and never more than those.
    ///
    /// # Errors
    ///
    /// When none is given.
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
    /// let exact = verifier.with_leeway(Duration::ZERO)?;
    /// # let _ = exact;
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

    /// Refuses tokens that were issued, by their `iat`, longer ago than this, in whole seconds; any
    /// age by default. The claim is then required.
    ///
    /// # Errors
    ///
    /// When it is less than a second.
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

    /// Replaces the clock; [`SystemClock`](crate::SystemClock) by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.rules_mut().clock = Arc::new(clock);
        self
    }

    /// Asks for access tokens by RFC 9068: `typ` must be `at+jwt`, and `iss`, `exp`, `aud`, `sub`,
    /// `client_id`, `iat` and `jti` must be there (sections 2.2 and 4). Off by default, when tokens
    /// without a `typ`, or with `JWT`, are accepted too.
    ///
    /// Goes with [`AccessTokenClaims`](crate::AccessTokenClaims).
    #[must_use]
    pub fn require_rfc9068(mut self) -> Self {
        self.rules_mut().rfc9068 = true;
        self
    }

    /// Refuses a token that is for others as well; by default it is enough to be among its
    /// audiences.
    #[must_use]
    pub fn exclusive_audience(mut self) -> Self {
        self.rules_mut().exclusive_audience = true;
        self
    }

    /// Asks for one more claim, of any value; by default `exp`, `iss` and `aud` are all that a token
    /// must have.
    #[must_use]
    pub fn add_required_claim(mut self, name: impl Into<String>) -> Self {
        self.rules_mut().required.push(name.into());
        self
    }

    /// Accepts tokens that are bound to their sender (`cnf`, RFC 7800) as if they were not.
    ///
    /// Whoever steals such a token can then use it. They are refused by default, since nothing here
    /// checks the binding (RFC 9449 section 7.1).
    #[must_use]
    pub fn dangerous_ignore_confirmation(mut self) -> Self {
        self.rules_mut().ignore_confirmation = true;
        self
    }

    /// Accepts ID tokens (known by `at_hash` and `c_hash`) and security events (`events`) as if they
    /// were access tokens.
    ///
    /// They tell a client who logged in, and were never meant to open an API. Refused by default
    /// (RFC 8725 section 3.12).
    #[must_use]
    pub fn dangerous_accept_id_tokens(mut self) -> Self {
        self.rules_mut().accept_id_tokens = true;
        self
    }

    fn rules_mut(&mut self) -> &mut super::Rules {
        Arc::make_mut(&mut self.rules)
    }
}
