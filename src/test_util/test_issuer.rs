use std::sync::{Arc, OnceLock};

use crate::clock::{Clock, SystemClock};
use crate::crypto::Algorithm;
use crate::issuer::{SigningKey, TokenIssuer};
use crate::key::JwkSet;
use crate::test_util::token_builder::TokenBuilder;
use crate::verify::JwtVerifier;

/// An issuer for tests. It makes valid and invalid tokens, and the verifier for them.
///
/// | | default | setter |
/// |---|---|---|
/// | issuer | `https://issuer.test` | [`with_issuer`](Self::with_issuer) |
/// | audience | `https://api.test` | [`with_audience`](Self::with_audience) |
/// | key | ES256, generated once per process, so that all test issuers verify each other's tokens | [`with_key`](Self::with_key) |
/// | clock | [`SystemClock`] | [`with_clock`](Self::with_clock) |
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
/// ```
#[derive(Clone, Debug)]
pub struct TestIssuer {
    issuer: String,
    audience: String,
    key: SigningKey,
    clock: Arc<dyn Clock>,
}

impl TestIssuer {
    /// Creates an issuer with the defaults in the table at [`TestIssuer`].
    ///
    /// # Panics
    ///
    /// When the ES256 key of the process cannot be generated.
    pub fn new() -> Self {
        Self {
            issuer: "https://issuer.test".to_owned(),
            audience: "https://api.test".to_owned(),
            key: process_key(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Replaces the name of the issuer, the `iss` of the tokens and verifiers;
    /// `https://issuer.test` by default.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Replaces the audience, the `aud` of the tokens and verifiers; `https://api.test` by default.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// Replaces the key; by default the ES256 key of the process.
    ///
    /// # Example: a token that is signed with another key
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let other = TestIssuer::new().with_key(SigningKey::generate(Algorithm::ES256)?);
    /// let token = other.token().build();
    /// assert!(TestIssuer::new().verifier().verify_now(&token).is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_key(mut self, key: SigningKey) -> Self {
        self.key = key;
        self
    }

    /// Replaces the clock of the tokens and verifiers; [`SystemClock`] by default.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Creates a verifier for this issuer's tokens, with the issuer's name, audience, key and
    /// clock. The other settings are the defaults of [`JwtVerifier`].
    ///
    /// # Panics
    ///
    /// When the issuer or the audience was replaced with an empty string.
    pub fn verifier(&self) -> JwtVerifier {
        JwtVerifier::new(self.issuer.as_str(), self.audience.as_str(), self.key.verification_key())
            .expect("an issuer and an audience that are not empty")
            .with_clock(Arc::clone(&self.clock))
    }

    /// Starts a valid token; see [`TokenBuilder`] for changes.
    pub fn token(&self) -> TokenBuilder {
        TokenBuilder::new(&self.issuer, &self.audience, self.key.clone(), self.clock.now())
    }

    /// The keys that verify this issuer's tokens.
    ///
    /// # Panics
    ///
    /// When the issuer was replaced with an empty string, or when the key ID of the key is empty,
    /// longer than 1,024 bytes or contains control characters.
    ///
    /// # Example: a verifier that the test builds
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
        JwkSet::from_keys([self.key.verification_key()]).expect("one key")
    }

    /// The public key as the JSON of a JWK set (RFC 7517 section 5), for a service that reads JWK
    /// sets. The set is empty if the issuer signs with a secret.
    ///
    /// # Panics
    ///
    /// When the issuer was replaced with an empty string, or when the key ID of the key is empty,
    /// longer than 1,024 bytes or contains control characters.
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

    let new = || SigningKey::generate(Algorithm::ES256).expect("a new ES256 key").with_kid("test");
    KEY.get_or_init(new).clone()
}
