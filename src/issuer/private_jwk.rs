//! Private keys as JWKs (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2, RFC 9964 section 3).

use zeroize::Zeroizing;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyMaterial, KeyType};
use crate::issuer::crypto::{KeyPair, RsaNumbers};
use crate::key::{JwkReader, Members, VerificationKey, without_bom};

/// A private key or a secret, read from a JWK.
pub(super) struct PrivateJwk {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// What the public members of the JWK say; the secret itself, for a symmetric key.
    pub(super) public: VerificationKey,
    pub(super) pair: KeyPair,
}

impl PrivateJwk {
    pub(super) fn parse(json: &str) -> Result<Self, ConfigError> {
        let json = without_bom(json);
        if json.trim_start().starts_with("-----BEGIN") {
            return Err(unusable("this is PEM, not a JWK: use `SigningKey::from_pem`"));
        }
        let members = Members::parse(json, "JWK")?;
        if !members.has_name("kty") && members.has_name("keys") {
            return Err(unusable("this is a JWK set, not a JWK: give one key of it"));
        }
        if !["d", "priv", "k"].into_iter().any(|name| members.has_value(name)) {
            return Err(unusable("this is a public key, but signing tokens needs the private key"));
        }
        let public = JwkReader::default().private().read(&members)?;
        let mut algorithms = public.algorithms();
        let (Some(algorithm), None) = (algorithms.next(), algorithms.next()) else {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                "a signing key has one algorithm: add `alg` to the JWK",
            ));
        };
        drop(algorithms);
        let pair = pair(&members, algorithm)?;
        Ok(Self { algorithm, kid: members.text("kid")?, public, pair })
    }
}

fn pair(members: &Members<'_>, algorithm: Algorithm) -> Result<KeyPair, ConfigError> {
    let secret = |name| members.bytes(name).map(Zeroizing::new);
    match algorithm.key_type() {
        KeyType::Secret => KeyPair::from_secret(&secret("k")?, algorithm),
        KeyType::Rsa => {
            if members.has_value("oth") {
                return Err(unusable("an RSA key with more than two primes is not supported"));
            }
            let (modulus, exponent) = (members.bytes("n")?, members.bytes("e")?);
            let private = ["d", "p", "q", "dp", "dq", "qi"].map(secret);
            let [d, p, q, dp, dq, qi] = private;
            let public = KeyMaterial::rsa(&modulus, &exponent)?;
            let numbers = RsaNumbers { d: d?, p: p?, q: q?, dp: dp?, dq: dq?, qi: qi? };
            KeyPair::from_rsa_numbers(&public, &numbers, algorithm)
        }
        curve @ (KeyType::P256 | KeyType::P384 | KeyType::P521) => {
            let (x, y) = (members.bytes("x")?, members.bytes("y")?);
            let d = secret("d")?;
            // RFC 7518 section 6.2.2.1.
            if d.len() != x.len() {
                return Err(unusable(format!(
                    "`d` of the JWK has exactly {} bytes for {curve}, this one has {}",
                    x.len(),
                    d.len()
                )));
            }
            KeyPair::from_ec_numbers(&KeyMaterial::ec(curve, &x, &y)?, &d, algorithm)
        }
        KeyType::Ed25519 => {
            let seed = seed(&secret("d")?, "d")?;
            KeyPair::from_ed25519_seed(&seed, &members.bytes("x")?, algorithm)
        }
        KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87 => {
            KeyPair::from_ml_dsa_seed(&*seed(&secret("priv")?, "priv")?, algorithm)
        }
    }
}

fn seed(bytes: &[u8], name: &str) -> Result<Zeroizing<[u8; 32]>, ConfigError> {
    bytes.try_into().map(Zeroizing::new).map_err(|_| {
        unusable(format!("`{name}` of the JWK has exactly 32 bytes, this one has {}", bytes.len()))
    })
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, message)
}
