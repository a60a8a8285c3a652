use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyType};
use crate::issuer::crypto::KeyPair;
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::issuer::private_key::PrivateKeyDer;
use crate::issuer::{crypto, private_key, public_jwk};
use crate::key::VerificationKey;

/// A key that signs tokens, with one algorithm.
///
/// It is parsed and checked once, when it is loaded, by the same rules as a
/// [`VerificationKey`]: RSA keys have 2048 to 8192 bits, secrets are as long as their hash. There
/// is no default algorithm. Cloning clones one `Arc`. `Debug` shows the algorithm and the key ID
/// alone.
///
/// Each key has a key ID, which stands in the header of what it signs and in its JWK (RFC 7515
/// section 4.1.4): by default 16 random octets in base64url, anew each time that a key is loaded.
/// Give a key that outlives the process its own by [`with_kid`](Self::with_kid), so that a restart
/// does not rename it under those who know its public half.
///
/// # Example: a new key, and the half that verifies
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtVerifier, SigningKey, TokenIssuer};
///
/// let key = SigningKey::generate_es256()?;
/// let issuer = TokenIssuer::new("https://issuer.example", key.clone())?
///     .with_audience("https://api.example")?;
/// let token = issuer.issue(&serde_json::json!({"sub": "alice"})).unwrap();
///
/// let verifier = JwtVerifier::new(
///     "https://issuer.example",
///     "https://api.example",
///     key.verification_key(),
/// )?;
/// let verified = verifier.verify_now(&token).unwrap();
/// assert_eq!(verified.sub.as_deref(), Some("alice"));
/// assert_eq!(verified.header().unwrap().kid(), Some(key.kid()));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    algorithm: Algorithm,
    pair: Arc<KeyPair>,
    kid: Arc<str>,
    verification_key: VerificationKey,
    /// Without `kid`; `None` for a secret.
    jwk: Option<Map<String, Value>>,
}

impl SigningKey {
    /// Takes a secret that is shared with those who verify, for HS256, HS384 or HS512 (RFC 7518
    /// section 3.2). The octets are used as they are.
    ///
    /// Whoever can verify can sign as well: between services that do not trust each other, take a
    /// key pair.
    ///
    /// # Errors
    ///
    /// As [`VerificationKey::from_secret`]: when the secret is shorter than the hash, when the
    /// algorithm is not one for secrets, or when the secret is in truth a key or a certificate.
    ///
    /// # Example: a password is no key
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// assert!(SigningKey::from_secret(&[7; 32], Algorithm::HS256).is_ok());
    /// assert!(SigningKey::from_secret(b"hunter2", Algorithm::HS256).is_err());
    /// ```
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        let verification_key = VerificationKey::from_secret(secret, algorithm)?;
        let pair = KeyPair::from_secret(secret, algorithm)?;
        Self::new(algorithm, pair, verification_key, None)
    }

    /// Takes a private key from a PEM text: a `PRIVATE KEY` (PKCS#8, RFC 5958), an
    /// `RSA PRIVATE KEY` (PKCS#1, RFC 8017 appendix A.1.2) or an `EC PRIVATE KEY` (SEC 1,
    /// RFC 5915).
    ///
    /// # Errors
    ///
    /// When there is not exactly one such block, when it is a public key, a certificate or an
    /// encrypted key, when the key is of another type than the algorithm wants, or too weak.
    ///
    /// # Example: a key from a file
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let pem = b"-----BEGIN PRIVATE KEY-----
    /// MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
    /// -----END PRIVATE KEY-----
    /// ";
    /// let key = SigningKey::from_pem(pem, Algorithm::EdDSA)?.with_kid("2026-01");
    /// assert_eq!(key.algorithm(), Algorithm::EdDSA);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    ///
    /// # Example: the half that does not sign
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let pem = b"-----BEGIN PUBLIC KEY-----
    /// MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
    /// -----END PUBLIC KEY-----
    /// ";
    /// let error = SigningKey::from_pem(pem, Algorithm::EdDSA).unwrap_err();
    /// assert_eq!(error.to_string(), "this is a public key, to sign tokens takes the private one");
    /// ```
    pub fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        Self::from_der(&private_key::decode_pem(pem)?, algorithm)
    }

    /// Takes a private key in DER: PKCS#8 (RFC 5958), PKCS#1 for RSA (RFC 8017 appendix A.1.2) or
    /// SEC 1 for curves (RFC 5915).
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    ///
    /// # Example: what is inside of a PEM block
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
    ///     \x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
    ///     \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
    /// assert!(SigningKey::from_der(der, Algorithm::Ed25519).is_ok());
    /// assert!(SigningKey::from_der(der, Algorithm::ES256).is_err());
    /// ```
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        let key = PrivateKeyDer::from_der(der)?;
        key.check(algorithm)?;
        Self::from_pair(algorithm, KeyPair::from_private_key(&key, algorithm)?)
    }

    /// Makes a new key pair for ES256 (RFC 7518 section 3.4), which lives as long as the process.
    ///
    /// # Errors
    ///
    /// When the system gives no random octets.
    ///
    /// # Example: no two are alike
    ///
    /// ```
    /// use tower_jwt_auth::SigningKey;
    ///
    /// assert_ne!(SigningKey::generate_es256()?.jwk(), SigningKey::generate_es256()?.jwk());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn generate_es256() -> Result<Self, ConfigError> {
        Self::from_pair(Algorithm::ES256, KeyPair::generate_es256()?)
    }

    /// Replaces the key ID; random by default.
    ///
    /// # Example: by the date
    ///
    /// ```
    /// use tower_jwt_auth::SigningKey;
    ///
    /// let key = SigningKey::generate_es256()?.with_kid("2026-01");
    /// assert_eq!(key.kid(), "2026-01");
    /// assert_eq!(key.verification_key().kid(), Some("2026-01"));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        let kid = kid.into();
        inner.verification_key = inner.verification_key.clone().with_kid(kid.as_str());
        inner.kid = kid.into();
        self
    }

    /// The key ID: `kid` of the tokens it signs, and of its JWK (RFC 7515 section 4.1.4).
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The one algorithm that the key signs with: `alg` of its tokens (RFC 7515 section 4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// What verifies the tokens that this key signs: its public half, or the secret itself, bound
    /// to the one algorithm and with the key ID.
    pub fn verification_key(&self) -> VerificationKey {
        self.0.verification_key.clone()
    }

    /// The public half as JWK (RFC 7517 section 4), with `kid`, `alg` and `use`; `None` for a
    /// secret, which is never written out.
    ///
    /// # Example: of a key pair, and of a secret
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey, VerificationKey};
    ///
    /// let jwk = SigningKey::generate_es256()?.jwk().unwrap_or_default();
    /// assert!(VerificationKey::from_jwk(&jwk)?.algorithms().eq([Algorithm::ES256]));
    ///
    /// assert_eq!(SigningKey::from_secret(&[7; 32], Algorithm::HS256)?.jwk(), None);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn jwk(&self) -> Option<String> {
        self.jwk_value().map(|jwk| jwk.to_string())
    }

    pub(super) fn jwk_value(&self) -> Option<Value> {
        let mut jwk = self.0.jwk.clone()?;
        jwk.insert("kid".to_owned(), self.kid().into());
        Some(Value::Object(jwk))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, IssueError> {
        self.0.pair.sign(self.0.algorithm, message).map_err(|error| {
            IssueError::new(IssueErrorKind::Signing, "the token could not be signed")
                .with_source(error)
        })
    }

    /// From a key pair, whose public half goes through all checks of a key that verifies.
    fn from_pair(algorithm: Algorithm, pair: KeyPair) -> Result<Self, ConfigError> {
        let (verification_key, jwk) = match pair.public_key(algorithm.key_type())? {
            Some(public) => (
                VerificationKey::for_algorithm(&public, algorithm)?,
                public_jwk::members(&public, algorithm),
            ),
            None => {
                return Err(ConfigError::new(ConfigErrorKind::Key, "the key has no public half"));
            }
        };
        Self::new(algorithm, pair, verification_key, jwk)
    }

    fn new(
        algorithm: Algorithm,
        pair: KeyPair,
        verification_key: VerificationKey,
        jwk: Option<Map<String, Value>>,
    ) -> Result<Self, ConfigError> {
        let kid = crypto::random_name().map_err(|error| {
            ConfigError::new(ConfigErrorKind::Key, "there are no random octets for the key ID")
                .with_source(error)
        })?;
        Ok(Self(Arc::new(Inner {
            algorithm,
            pair: Arc::new(pair),
            verification_key: verification_key.with_kid(kid.as_str()),
            kid: kid.into(),
            jwk,
        })))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("algorithm", &self.algorithm())
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// A file with a key never holds a secret: neither form is taken for the other.
fn asymmetric(algorithm: Algorithm) -> Result<(), ConfigError> {
    match algorithm.key_type() {
        KeyType::Secret => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            format!("{algorithm} wants a secret: use `SigningKey::from_secret`"),
        )),
        _ => Ok(()),
    }
}
