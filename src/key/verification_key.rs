use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "precomputed-tables")]
use crate::crypto::HotKey;
use crate::crypto::{Algorithm, AlgorithmSet, KeyMaterial, KeyType, ParsedKey, material};
use crate::key::jwk::{JwkReader, without_bom};
use crate::key::key_hint::Thumbprints;
use crate::key::pem::PublicKeyDer;
use crate::key::per_algorithm::PerAlgorithm;
use crate::key::{der, generation, secret_check};
use crate::trace;

/// A key that verifies tokens, bound to its algorithms.
///
/// The key is parsed and checked once, when it is loaded: RSA keys have 2048 to 8192 bits, points
/// are on their curve, Ed25519 keys are not of small order, secrets are at least as long as the
/// hash of their algorithm. There is no default algorithm (RFC 8725 section 3.1): a JWK can contain
/// its algorithm, and for every other format the caller names one. Clones share the key. `Debug`
/// shows only the algorithms and the key ID.
///
/// # Example: the public key of an issuer
///
/// ```
/// use tower_jwt_auth::{Algorithm, VerificationKey};
///
/// let pem = b"-----BEGIN PUBLIC KEY-----
/// MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
/// -----END PUBLIC KEY-----
/// ";
/// let key = VerificationKey::from_pem(pem, Algorithm::EdDSA)?;
/// assert!(key.algorithms().eq([Algorithm::EdDSA]));
/// assert_eq!(key.kid(), None);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: text is not silently used as a secret
///
/// ```compile_fail
/// let key: tower_jwt_auth::VerificationKey = "correct horse battery staple".into();
/// ```
#[derive(Clone)]
pub struct VerificationKey(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kid: Option<Arc<str>>,
    thumbprints: Thumbprints,
    identity: Arc<[u8]>,
    parsed: PerAlgorithm<ParsedKey>,
    /// Shared by all clones, whatever their names and algorithms are.
    #[cfg(feature = "precomputed-tables")]
    hot: Option<Arc<HotKey>>,
    generation: NonZeroU64,
}

impl VerificationKey {
    /// Loads a secret that is shared with the issuer, for HS256, HS384 or HS512 (RFC 7518 section
    /// 3.2).
    ///
    /// The bytes are used unchanged. For a secret in base64, use
    /// [`from_base64_secret`](Self::from_base64_secret). A line break at the end, as most editors
    /// write it at the end of a file, is part of the secret. With feature `tracing`, one `warn`
    /// event reports such a line break if the secret is text, since the issuer's copy may not have it.
    ///
    /// # Errors
    ///
    /// When the secret is shorter than the hash (32, 48 or 64 bytes), when the algorithm does not
    /// use secrets, or when the secret is a public key, a private key or a certificate (PEM, DER,
    /// base64 of either, JWK, OpenSSH): with a public key as the secret, anyone could sign tokens.
    pub fn from_secret(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        let key = Self::from_bytes(secret, algorithm)?;
        if secret_check::is_text_with_line_break(secret) {
            trace::secret_ends_in_line_break();
        }
        Ok(key)
    }

    fn from_bytes(secret: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        secret_check::check(secret)?;
        Self::from_material(&KeyMaterial::secret(secret, algorithm)?, algorithm.into())
    }

    /// Loads a secret that is encoded in base64: the standard or the URL-safe alphabet, with or
    /// without padding (RFC 4648 sections 4 and 5).
    ///
    /// # Errors
    ///
    /// When the text is not strict base64 (white space, line breaks, incomplete padding and a mix of
    /// both alphabets are errors), and when [`from_secret`](Self::from_secret) refuses the decoded
    /// bytes.
    ///
    /// # Example: a secret from the environment
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, VerificationKey};
    ///
    /// let text = "qL8R4QIcQ_ZsRqOAbeRfcZhilN_MksRtDaErMA-RPVw"; // std::env::var("JWT_SECRET")?
    /// let key = VerificationKey::from_base64_secret(text, Algorithm::HS256)?;
    /// assert!(key.algorithms().eq([Algorithm::HS256]));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_base64_secret(secret: &str, algorithm: Algorithm) -> Result<Self, ConfigError> {
        secret_check::check(secret.as_bytes())?;
        let decoded = decode_base64(secret).ok_or_else(|| {
            ConfigError::new(
                ConfigErrorKind::Key,
                "the secret is not base64 in one alphabet and without white space",
            )
        })?;
        Self::from_bytes(&decoded, algorithm)
    }

    /// Loads a public key from a PEM text: a `PUBLIC KEY` (SubjectPublicKeyInfo, RFC 7468 section
    /// 13) or an `RSA PUBLIC KEY` (PKCS#1). Text around the PEM block is ignored.
    ///
    /// # Errors
    ///
    /// When there is not exactly one PEM block, when it is not such a key (for a private key or a
    /// certificate, the error names the command that prints the public key), when the key is too
    /// weak, or when its type (for EC also its curve) does not match the algorithm.
    pub fn from_pem(pem: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        Self::for_algorithm(&PublicKeyDer::from_pem(pem)?.key()?, algorithm)
    }

    /// Loads a public key from DER: a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) or, for RSA,
    /// also PKCS#1.
    ///
    /// # Errors
    ///
    /// When the bytes are not such a key, when the key is too weak, or when its type (for EC
    /// also its curve) does not match the algorithm.
    pub fn from_der(der: &[u8], algorithm: Algorithm) -> Result<Self, ConfigError> {
        asymmetric(algorithm)?;
        Self::for_algorithm(&der::public_key(der)?, algorithm)
    }

    /// Loads a key from a JWK (RFC 7517 section 4).
    ///
    /// The `alg` of the JWK is the only algorithm of the key. Without `alg`, an EC key has the
    /// algorithm of its curve, an Ed25519 key has `EdDSA` and `Ed25519`, and an RSA key has RS256
    /// to RS512 and PS256 to PS512. Unknown members and members that are `null` are ignored.
    ///
    /// # Errors
    ///
    /// When the text is not one JSON object, when a member is missing, duplicated or has a bad value,
    /// when `use` is present and not `sig`, when `key_ops` is present without `verify` or contradicts
    /// `use`, when `alg` is not a supported algorithm for this type of key, when a symmetric key
    /// (`oct`) has no `alg` or its secret is itself a key or a certificate, when the key is a private
    /// key, or when it is too weak.
    ///
    /// # Example: a key with its algorithm and its ID
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, VerificationKey};
    ///
    /// let key = VerificationKey::from_jwk(
    ///     r#"{"kty": "OKP", "crv": "Ed25519", "kid": "2026-01", "use": "sig", "alg": "EdDSA",
    ///         "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    /// )?;
    /// assert!(key.algorithms().eq([Algorithm::EdDSA]));
    /// assert_eq!(key.kid(), Some("2026-01"));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn from_jwk(json: &str) -> Result<Self, ConfigError> {
        JwkReader::default().parse(without_bom(json))
    }

    /// Replaces the key ID. By default a key from a JWK has the `kid` of the JWK, and a key that is
    /// loaded from another format has none.
    ///
    /// A key with an ID is not used for a token with another `kid` (RFC 7515 section 4.1.4). If it is
    /// the only key, it is used for a token without `kid` too. For several keys see
    /// [`JwkSet`](crate::JwkSet).
    #[must_use]
    pub fn with_kid(mut self, kid: impl Into<String>) -> Self {
        let inner = Arc::make_mut(&mut self.0);
        inner.kid = Some(kid.into().into());
        inner.generation = generation::next();
        self
    }

    /// The key ID, if the key has one.
    pub fn kid(&self) -> Option<&str> {
        self.0.kid.as_deref()
    }

    /// The algorithms that the key is bound to: at least one.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.parsed.algorithms()
    }

    pub(crate) fn kid_arc(&self) -> Option<&Arc<str>> {
        self.0.kid.as_ref()
    }

    /// The thumbprints of a JWK; other keys have none.
    pub(crate) fn thumbprints(&self) -> &Thumbprints {
        &self.0.thumbprints
    }

    pub(crate) fn with_thumbprints(mut self, thumbprints: Thumbprints) -> Self {
        if !thumbprints.is_empty() {
            let inner = Arc::make_mut(&mut self.0);
            inner.thumbprints = thumbprints;
            inner.generation = generation::next();
        }
        self
    }

    /// Whether both keys have the same key material, under any name.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.0.identity == other.0.identity
    }

    pub(crate) fn algorithm_set(&self) -> AlgorithmSet {
        self.algorithms().collect()
    }

    /// The key without some of its algorithms; `None` if no algorithm is left.
    pub(crate) fn without(mut self, algorithms: AlgorithmSet) -> Option<Self> {
        let inner = Arc::make_mut(&mut self.0);
        inner.parsed.retain(|algorithm| !algorithms.contains(algorithm));
        inner.generation = generation::next();
        (!self.algorithm_set().is_empty()).then_some(self)
    }

    pub(crate) fn generation(&self) -> NonZeroU64 {
        self.0.generation
    }

    /// Whether the key is bound to this algorithm.
    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.0.parsed.get(algorithm).is_some()
    }

    /// Whether the key signed the message, with an algorithm that it is bound to.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.parsed.get(algorithm).is_some_and(|key| {
            #[cfg(feature = "precomputed-tables")]
            if let Some(hot) = &self.0.hot {
                return hot.verify(message, signature, || key.verify(message, signature));
            }
            key.verify(message, signature)
        })
    }

    #[cfg(all(test, feature = "precomputed-tables"))]
    pub(crate) fn hot_key(&self) -> Option<&HotKey> {
        self.0.hot.as_deref()
    }

    /// Prepares a public key for the one algorithm that the user named.
    pub(crate) fn for_algorithm(
        key: &KeyMaterial<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, ConfigError> {
        if key.key_type() != algorithm.key_type() {
            return Err(material::mismatch(algorithm, key.key_type()));
        }
        Self::from_material(key, algorithm.into())
    }

    /// Prepares a key for algorithms of its type.
    pub(crate) fn from_material(
        key: &KeyMaterial<'_>,
        algorithms: AlgorithmSet,
    ) -> Result<Self, ConfigError> {
        let parsed = algorithms
            .iter()
            .map(|algorithm| Ok((algorithm, ParsedKey::parse(key, algorithm)?)))
            .collect::<Result<_, ConfigError>>()?;
        let identity = key.identity(algorithms).into();
        Ok(Self(Arc::new(Inner {
            kid: None,
            thumbprints: Thumbprints::default(),
            identity,
            parsed,
            #[cfg(feature = "precomputed-tables")]
            hot: HotKey::new(key).map(Arc::new),
            generation: generation::next(),
        })))
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("kid", &self.kid())
            .field("algorithms", &self.algorithms().collect::<AlgorithmSet>())
            .finish_non_exhaustive()
    }
}

/// Refuses HMAC algorithms: a public key is never a secret.
fn asymmetric(algorithm: Algorithm) -> Result<(), ConfigError> {
    if algorithm.key_type() != KeyType::Secret {
        return Ok(());
    }
    Err(ConfigError::new(
        ConfigErrorKind::Algorithm,
        format!(
            "{algorithm} needs a secret, and PEM and DER contain none: use \
             `VerificationKey::from_secret`, or name the algorithm of this key"
        ),
    ))
}

/// Decodes strict base64 in one of its two alphabets. Padding is complete or absent.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let url_safe = text.contains(['-', '_']);
    let padded = text.ends_with('=');
    match (url_safe, padded) {
        (false, false) => base64_simd::STANDARD_NO_PAD,
        (false, true) => base64_simd::STANDARD,
        (true, false) => base64_simd::URL_SAFE_NO_PAD,
        (true, true) => base64_simd::URL_SAFE,
    }
    .decode_to_vec(text)
    .ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::key::test_keys::{SigningKey, backend_supports, supported};

    const MESSAGE: &[u8] = b"header.payload";

    fn load(key: &SigningKey, algorithm: Algorithm) -> VerificationKey {
        match key {
            SigningKey::Secret(secret) => VerificationKey::from_secret(secret, algorithm),
            _ => VerificationKey::from_der(&key.spki(), algorithm),
        }
        .unwrap()
    }

    #[test]
    fn a_key_verifies_by_its_own_algorithm_alone() {
        for algorithm in supported() {
            let signer = SigningKey::new(algorithm);
            let signature = signer.sign(algorithm, MESSAGE);
            let key = load(&signer, algorithm);

            assert!(key.allows(algorithm));
            assert!(key.verify(algorithm, MESSAGE, &signature), "{algorithm}");
            assert!(!key.verify(algorithm, b"header.other", &signature), "{algorithm}");
            assert!(!key.verify(algorithm, MESSAGE, b""), "{algorithm}");

            for &other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
                assert!(!key.allows(other));
                assert!(!key.verify(other, MESSAGE, &signature), "{algorithm} as {other}");
                if other.key_type() == algorithm.key_type()
                    && signer.sign(other, MESSAGE) != signature
                {
                    let signature = signer.sign(other, MESSAGE);
                    assert!(!key.verify(algorithm, MESSAGE, &signature), "{other} as {algorithm}");
                }
            }
        }
    }

    #[test]
    fn a_jwk_without_alg_verifies_by_all_of_its_type() {
        for algorithm in supported().filter(|a| a.key_type() != KeyType::Secret) {
            let signer = SigningKey::new(algorithm);
            let key = VerificationKey::from_jwk(&signer.jwk().to_string()).unwrap();
            assert!(key.verify(algorithm, MESSAGE, &signer.sign(algorithm, MESSAGE)));

            let jwk = signer.jwk_with(&json!({"alg": algorithm.name()})).to_string();
            let key = VerificationKey::from_jwk(&jwk).unwrap();
            assert!(key.algorithms().eq([algorithm]));
            assert!(key.verify(algorithm, MESSAGE, &signer.sign(algorithm, MESSAGE)));
        }
    }

    #[test]
    fn signatures_of_a_wrong_length_are_wrong() {
        for (algorithm, length) in [
            (Algorithm::ES256, 64),
            (Algorithm::ES384, 96),
            (Algorithm::ES512, 132),
            (Algorithm::Ed25519, 64),
            (Algorithm::HS256, 32),
            (Algorithm::RS256, 256),
            (Algorithm::PS256, 256),
        ] {
            if !backend_supports(algorithm) {
                continue;
            }
            let signer = SigningKey::new(algorithm);
            let key = load(&signer, algorithm);
            let signature = signer.sign(algorithm, MESSAGE);
            assert_eq!(signature.len(), length, "{algorithm}");

            let padded_front = [&[0][..], &signature].concat();
            let padded_back = [&signature[..], &[0]].concat();
            let doubled = signature.repeat(2);
            let huge = vec![1; 10_000];
            for wrong in [
                &signature[1..],
                &signature[..length - 1],
                &padded_front,
                &padded_back,
                &doubled,
                &huge,
            ] {
                assert!(!key.verify(algorithm, MESSAGE, wrong), "{algorithm}, {}", wrong.len());
            }
        }
    }

    #[test]
    fn psychic_signatures_are_wrong() {
        // The order of P-256.
        const N: [u8; 32] = [
            0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2,
            0xfc, 0x63, 0x25, 0x51,
        ];
        let signer = SigningKey::new(Algorithm::ES256);
        let key = load(&signer, Algorithm::ES256);
        let good = signer.sign(Algorithm::ES256, MESSAGE);
        let (r, s) = good.split_at(32);
        for (r, s) in [(&[0; 32][..], &[0; 32][..]), (&[0; 32], s), (r, &[0; 32]), (&N, s), (r, &N)]
        {
            assert!(!key.verify(Algorithm::ES256, MESSAGE, &[r, s].concat()));
        }
        assert!(!key.verify(Algorithm::ES256, MESSAGE, &[0x30, 6, 2, 1, 0, 2, 1, 0]));
    }

    #[test]
    fn a_non_canonical_s_is_wrong() {
        // The order of the group, little-endian; s + order is another encoding of the same number.
        const ORDER: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let signer = SigningKey::new(Algorithm::Ed25519);
        let key = load(&signer, Algorithm::Ed25519);
        let mut signature = signer.sign(Algorithm::Ed25519, MESSAGE);
        let mut carry = 0;
        for (digit, more) in signature[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*digit) + u16::from(more) + carry;
            *digit = sum as u8;
            carry = sum >> 8;
        }
        assert!(!key.verify(Algorithm::Ed25519, MESSAGE, &signature));
    }

    #[test]
    fn a_new_kid_does_not_reach_the_clones() {
        let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
        let named = key.clone().with_kid("a");
        assert_eq!((key.kid(), named.kid()), (None, Some("a")));
        assert_eq!(named.kid_arc().map(|kid| &**kid), Some("a"));
        let signature = SigningKey::Secret(vec![7; 32]).sign(Algorithm::HS256, MESSAGE);
        assert!(named.verify(Algorithm::HS256, MESSAGE, &signature));
    }

    #[test]
    fn base64_of_either_alphabet_is_read_strictly() {
        for good in ["+/8=", "+/8", "-_8=", "-_8"] {
            assert_eq!(decode_base64(good).unwrap(), [0xfb, 0xff], "{good}");
        }
        for bad in ["+_8=", "-/8", "+/9=", "+/8==", "+/8=\n", " +/8", "+/8==="] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
    }
}
