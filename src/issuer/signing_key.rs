use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyType};
use crate::issuer::crypto::KeyPair;
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::issuer::private_jwk::PrivateJwk;
use crate::issuer::private_key::PrivateKeyDer;
use crate::issuer::private_pem::PrivatePem;
use crate::issuer::{crypto, private_key, public_jwk};
use crate::key::VerificationKey;

/// A key that signs tokens with one algorithm.
///
/// The key is parsed and checked once, when it is loaded, with the same rules as a [`VerificationKey`]: RSA keys have
/// 2048 to 8192 bits, secrets are at least as long as the hash of their algorithm. There is no default algorithm.
/// Clones share the key. `Debug` shows only the algorithm and the key ID.
///
/// Each key has a key ID, which is in the header of the tokens and in the JWK (RFC 7515 section 4.1.4). The default is
/// the [thumbprint](Self::thumbprint) of the public half, so a key has the same ID whenever it is loaded. A secret has
/// no thumbprint: its ID is 16 random bytes in base64url, new each time it is loaded. Set another one with
/// [`with_kid`](Self::with_kid).
///
/// # Example: a new key, and its public half
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtVerifier, SigningKey, TokenIssuer};
///
/// let key = SigningKey::generate(Algorithm::ES256)?;
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
    /// Loads a secret that is shared with the verifying services, for HS256, HS384 or HS512 (RFC
    /// 7518 section 3.2). The bytes are used unchanged.
    ///
    /// A service that can verify with the secret can also sign with it. Between services that do not trust each
    /// other, use a key pair.
    ///
    /// # Errors
    ///
    /// When the secret is shorter than the hash, when the algorithm does not use secrets, when the secret is a
    /// key or a certificate, or when the system has no random bytes for the key ID.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        let verification_key = VerificationKey::from_secret(secret, algorithm)?;
        let pair = KeyPair::from_secret(secret, algorithm)?;
        Self::new(algorithm, pair, verification_key, None)
    }

    /// Loads a private key from a PEM text: a `PRIVATE KEY` (PKCS#8, RFC 5958), an
    /// `RSA PRIVATE KEY` (PKCS#1, RFC 8017 appendix A.1.2) or an `EC PRIVATE KEY` (SEC 1, RFC 5915).
    ///
    /// # Errors
    ///
    /// When the text does not hold exactly one PEM block (`EC PARAMETERS` blocks are ignored), when that block is
    /// not a private key in one of these formats (such as a public key, a certificate or an encrypted key), when
    /// the key is too weak, or when its type does not match the algorithm.
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
    pub fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        Self::from_der(&private_key::decode_pem(pem)?, algorithm)
    }

    /// Loads a private key from DER: PKCS#8 (RFC 5958; for ML-DSA in each form of RFC 9881), PKCS#1 for RSA (RFC
    /// 8017 appendix A.1.2) or SEC 1 for curves (RFC 5915).
    ///
    /// # Errors
    ///
    /// When the bytes are not a private key in one of these formats (such as a public key, a certificate or
    /// an encrypted key), when the key is too weak, or when its type does not match the algorithm.
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        let key = PrivateKeyDer::from_der(der)?;
        key.check(algorithm)?;
        Self::from_pair(algorithm, KeyPair::from_private_key(&key, algorithm)?)
    }

    /// Loads a private key from a JWK (RFC 7517 section 4; RSA and EC: RFC 7518 section 6, Ed25519: RFC 8037, ML-DSA: RFC
    /// 9964), or a secret (`oct`). The `alg` of the JWK is the algorithm of the key, and its `kid` is the key ID. Only an
    /// EC key may omit `alg`, since its curve has one algorithm. Unknown members and members that are `null` are ignored.
    ///
    /// # Errors
    ///
    /// When the text is not one JSON object; when a member is missing, duplicated, or of another length than its type
    /// needs; when the public members are not those of the private key; when `use` is present and not `sig`, or
    /// `key_ops` is present without `sign`; when `alg` is not an algorithm for this type of key; when the key is a
    /// public key, too weak, or has more than two primes. The error names members, and never shows their values.
    ///
    /// # Example: the key of RFC 8037 appendix A.1
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::from_jwk(
    ///     r#"{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA",
    ///         "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert_eq!(key.algorithm(), Algorithm::EdDSA);
    /// assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"); // Its thumbprint.
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        let jwk = PrivateJwk::parse(json)?;
        let key = match jwk.algorithm.key_type() {
            KeyType::Secret => Self::new(jwk.algorithm, jwk.pair, jwk.public, None)?,
            _ => {
                let key = Self::from_pair(jwk.algorithm, jwk.pair)?;
                // The backend compares the two halves too, but not for every type.
                if !key.0.verification_key.is_same_key(&jwk.public) {
                    return Err(ConfigError::new(
                        ConfigErrorKind::Key,
                        "the public members of the JWK are not those of its private key",
                    ));
                }
                key
            }
        };
        Ok(match jwk.kid {
            Some(kid) => key.with_kid(kid),
            None => key,
        })
    }

    /// Generates a new key for this algorithm: a key pair, or a secret for HS256, HS384 and HS512. An RSA key has 2048
    /// bits: load a longer one with [`from_pem`](Self::from_pem) if your rules ask for it.
    ///
    /// The key exists only in this process, until [`private_pem`](Self::private_pem) exports it. A generated secret
    /// cannot be exported.
    ///
    /// # Errors
    ///
    /// When the system has no random bytes.
    pub fn generate(algorithm: Algorithm) -> Result<Self, ConfigError> {
        match algorithm.key_type() {
            KeyType::Secret => Self::from_secret(&crypto::random_secret(algorithm)?, algorithm),
            _ => Self::from_pair(algorithm, KeyPair::generate(algorithm)?),
        }
    }

    /// Loads a private key for ML-DSA-44, ML-DSA-65 or ML-DSA-87 from its seed: the `priv` of a JWK, decoded (RFC
    /// 9964 section 5). Keep the seed as secret as the key.
    ///
    /// # Errors
    ///
    /// When the algorithm is not one of ML-DSA.
    ///
    /// # Example: the same seed is the same key
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let seed = [0; 32]; // 32 random bytes, from a file.
    /// let key = SigningKey::from_ml_dsa_seed(&seed, Algorithm::MlDsa65)?;
    /// let same = SigningKey::from_ml_dsa_seed(&seed, Algorithm::MlDsa65)?;
    /// assert_eq!(key.jwk(), same.jwk());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_ml_dsa_seed(seed: &[u8; 32], algorithm: Algorithm) -> Result<Self, ConfigError> {
        Self::from_pair(algorithm, KeyPair::from_ml_dsa_seed(seed, algorithm)?)
    }

    /// Replaces the key ID (RFC 7515 section 4.1.4); by default the [thumbprint](Self::thumbprint), or 16 random bytes in
    /// base64url for a secret. Clones that were made before keep the old key ID. [`TokenIssuer::new`](crate::TokenIssuer::new) refuses a key ID that is
    /// empty, longer than 1,024 bytes or contains control characters.
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        let kid = kid.into();
        inner.verification_key = inner.verification_key.clone().with_kid(kid.as_str());
        inner.kid = kid.into();
        self
    }

    /// The key ID: the `kid` of the tokens that the key signs, and of its JWK (RFC 7515 section 4.1.4).
    pub fn kid(&self) -> &str {
        &self.0.kid
    }

    /// The algorithm that the key signs with: the `alg` of its tokens (RFC 7515 section 4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }

    /// The key that verifies the signatures of this key: its public half, or the secret itself. The verification key
    /// has the same algorithm and key ID.
    pub fn verification_key(&self) -> VerificationKey {
        self.0.verification_key.clone()
    }

    /// The public half of the key as the JSON of a JWK (RFC 7517 section 4), with `kid`, `alg` and a `use` of
    /// `sig`; `None` for a secret, which is never exported.
    ///
    /// # Example: of a key pair, and of a secret
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey, VerificationKey};
    ///
    /// let jwk = SigningKey::generate(Algorithm::ES256)?.jwk().unwrap_or_default();
    /// assert!(VerificationKey::from_jwk(&jwk)?.algorithms().eq([Algorithm::ES256]));
    ///
    /// assert_eq!(SigningKey::from_secret(&[7; 32], Algorithm::HS256)?.jwk(), None);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn jwk(&self) -> Option<String> {
        self.jwk_value().map(|jwk| jwk.to_string())
    }

    /// The thumbprint of the public half (RFC 7638, with SHA-256), in base64url; `None` for a secret. It is the same
    /// whenever the key is loaded, and so it is the default key ID.
    pub fn thumbprint(&self) -> Option<String> {
        public_jwk::thumbprint(self.0.jwk.as_ref()?)
    }

    /// The **private** key as a PEM text (PKCS#8, RFC 5958), to be stored where only this issuer can read it.
    /// [`from_pem`](Self::from_pem) loads it again, with the same algorithm. It does not contain the key ID: store a
    /// key ID that you have set beside it.
    ///
    /// # Errors
    ///
    /// When the key is a secret, which has no such form; or when it is a key of ML-DSA that was loaded in its expanded
    /// form, without its seed.
    ///
    /// # Example: a key for the next start
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, SigningKey};
    ///
    /// let key = SigningKey::generate(Algorithm::ES256)?;
    /// let pem = key.private_pem()?; // Into a file that only this user can read, or a secret store.
    ///
    /// let same = SigningKey::from_pem(pem.as_str().as_bytes(), Algorithm::ES256)?;
    /// assert_eq!(same.kid(), key.kid());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn private_pem(&self) -> Result<PrivatePem, ConfigError> {
        let pkcs8 = self.0.pair.to_pkcs8().map_err(|error| {
            ConfigError::new(
                ConfigErrorKind::Key,
                "this private key cannot be exported: it was loaded without its seed",
            )
            .with_source(error)
        })?;
        let pkcs8 = pkcs8.ok_or_else(|| {
            ConfigError::new(
                ConfigErrorKind::Key,
                "a secret has no PEM form: store the secret itself",
            )
        })?;
        PrivatePem::from_pkcs8(&pkcs8)
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

    /// Builds a key from a key pair. The public half goes through all checks of a verification key.
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
        let thumbprint = jwk.as_ref().and_then(public_jwk::thumbprint);
        let kid = thumbprint.map_or_else(crypto::random_name, Ok).map_err(|error| {
            ConfigError::new(ConfigErrorKind::Key, "the system has no random bytes for the key ID")
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

/// Refuses HMAC algorithms: PEM and DER never contain a secret.
fn asymmetric(algorithm: Algorithm) -> Result<(), ConfigError> {
    match algorithm.key_type() {
        KeyType::Secret => Err(ConfigError::new(
            ConfigErrorKind::Algorithm,
            format!("{algorithm} needs a secret: use `SigningKey::from_secret`"),
        )),
        _ => Ok(()),
    }
}
