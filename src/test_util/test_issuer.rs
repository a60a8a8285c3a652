use std::sync::{Arc, OnceLock};

use crate::clock::{Clock, SystemClock};
use crate::issuer::{SigningKey, TokenIssuer};
use crate::key::JwkSet;
use crate::test_util::token_builder::TokenBuilder;
use crate::verify::JwtVerifier;

/// An issuer for tests: it makes right and wrong tokens, and the verifier that tells them apart.
///
/// | | default | setter |
/// |---|---|---|
/// | issuer | `https://issuer.test` | [`with_issuer`](Self::with_issuer) |
/// | audience | `https://api.test` | [`with_audience`](Self::with_audience) |
/// | key | ES256, made once for each process, so that all of them verify each other's tokens | [`with_key`](Self::with_key) |
/// | clock | the system's | [`with_clock`](Self::with_clock) |
///
/// # Example: behind the layer
///
/// ```
/// use tower_jwt_auth::JwtAuthLayer;
/// use tower_jwt_auth::test_util::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// let layer = JwtAuthLayer::new(issuer.verifier());
/// let request = http::Request::builder()
///     .uri("/orders")
///     .header("authorization", issuer.token().subject("alice").scope("read").bearer());
/// # let _ = (layer, request);
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer {
    issuer: String,
    audience: String,
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl TestIssuer {
    /// An issuer with the defaults above.
    ///
    /// # Panics
    ///
    /// When no key can be made.
    pub fn new() -> Self {
        Self {
            issuer: "https://issuer.test".to_owned(),
            audience: "https://api.test".to_owned(),
            key: process_key(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Replaces the name of the issuer, `iss`; `https://issuer.test` by default.
    ///
    /// # Example: the name that a service expects
    ///
    /// ```
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new().with_issuer("https://login.example");
    /// let token = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
    /// assert_eq!(token.iss.as_deref(), Some("https://login.example"));
    /// ```
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Replaces whom tokens are for, `aud`; `https://api.test` by default.
    ///
    /// # Example: the name that a service has
    ///
    /// ```
    /// use tower_jwt_auth::RejectionKind;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new().with_audience("https://orders.example");
    /// let token = issuer.token().build();
    /// assert!(issuer.verifier().verify_now(&token).is_ok());
    ///
    /// let rejection = TestIssuer::new().verifier().verify_now(&token).unwrap_err();
    /// assert_eq!(rejection.kind(), RejectionKind::WrongAudience);
    /// ```
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Replaces the key; by default the one ES256 key of the process.
    ///
    /// # Example: the token of a stranger
    ///
    /// ```
    /// use tower_jwt_auth::SigningKey;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let stranger = TestIssuer::new().with_key(SigningKey::generate_es256()?);
    /// let token = stranger.token().build();
    /// assert!(TestIssuer::new().verifier().verify_now(&token).is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_key(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Replaces the clock of its tokens and verifiers; [`SystemClock`] by default.
    ///
    /// # Example: the year 2001
    ///
    /// ```
    /// use tower_jwt_auth::test_util::TestIssuer;
    /// use tower_jwt_auth::{FixedClock, NumericDate};
    ///
    /// let now = NumericDate::from_unix_seconds(1_000_000_000);
    /// let issuer = TestIssuer::new().with_clock(FixedClock(now));
    /// let token = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
    /// assert_eq!(token.iat, Some(now));
    /// ```
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A verifier that accepts its tokens: the usual rules, this issuer, audience, key and clock.
    ///
    /// # Panics
    ///
    /// When the issuer or the audience was replaced by an empty string.
    ///
    /// # Example: with one more rule
    ///
    /// ```
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let verifier = issuer.verifier().add_required_claim("tenant");
    /// assert!(verifier.verify_now(&issuer.token().build()).is_err());
    /// ```
    pub fn verifier(&self) -> JwtVerifier {
        JwtVerifier::new(self.issuer.as_str(), self.audience.as_str(), self.key.verification_key())
            .expect("an issuer and an audience that are not empty")
            .with_clock(Arc::clone(&self.clock))
    }

    /// Begins a token, which is right as long as nothing else is said: see [`TokenBuilder`].
    ///
    /// # Example: for a subject
    ///
    /// ```
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.verifier().verify_now(&issuer.token().subject("bob").build()).unwrap();
    /// assert_eq!(token.sub.as_deref(), Some("bob"));
    /// ```
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(&self.issuer, &self.audience, self.key.clone(), self.clock.now())
    }

    /// What verifies its tokens.
    ///
    /// # Panics
    ///
    /// When the issuer was replaced by an empty string.
    ///
    /// # Example: for a verifier of one's own
    ///
    /// ```
    /// use tower_jwt_auth::JwtVerifier;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let keys = issuer.verification_keys();
    /// let verifier = JwtVerifier::new("https://issuer.test", "https://api.test", keys)?;
    /// assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn verification_keys(&self) -> JwkSet {
        self.token_issuer().verification_keys()
    }

    /// Its public key as JWK set (RFC 7517 section 5), for a service that reads one.
    ///
    /// # Panics
    ///
    /// When the issuer was replaced by an empty string.
    ///
    /// # Example: as it would be fetched
    ///
    /// ```
    /// use tower_jwt_auth::JwkSet;
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// assert_eq!(JwkSet::from_json(&TestIssuer::new().jwk_set())?.len(), 1);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn jwk_set(&self) -> String {
        self.token_issuer().jwk_set()
    }

    fn token_issuer(&self) -> TokenIssuer {
        TokenIssuer::new(self.issuer.as_str(), self.key.clone())
            .expect("an issuer that is not empty")
    }
}

impl Default for TestIssuer {
    fn default() -> Self {
        Self::new()
    }
}

fn process_key() -> SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();

    let new = || SigningKey::generate_es256().expect("a new ES256 key").with_kid("test");
    KEY.get_or_init(new).clone()
}
