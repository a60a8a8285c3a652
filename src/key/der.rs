//! Keys in DER: SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) and, for RSA, PKCS#1 (RFC 8017
//! appendix A.1.1).

use spki::der::asn1::{AnyRef, ObjectIdentifier};
use spki::der::{Decode, Reader, SliceReader, Tag, Tagged};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfoRef};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{KeyMaterial, KeyType};
use crate::key::pem;

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
// RFC 9881 section 2.
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");

/// The probable kind of a DER document, by the types of its outermost elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DerKind {
    /// SubjectPublicKeyInfo.
    PublicKey,
    /// PKCS#1 RSAPublicKey.
    RsaPublicKey,
    /// PKCS#8, encrypted or not, PKCS#1 or SEC 1.
    PrivateKey,
    /// X.509.
    Certificate,
}

/// Returns the probable kind of a DER document, if it is a kind that holds a key.
pub(crate) fn der_kind(der: &[u8]) -> Option<DerKind> {
    let tags: Vec<Tag> = elements(der)?.iter().map(Tagged::tag).collect();
    match tags.as_slice() {
        [Tag::Sequence, Tag::BitString] => Some(DerKind::PublicKey),
        [Tag::Integer, Tag::Integer] => Some(DerKind::RsaPublicKey),
        [Tag::Integer, Tag::Sequence | Tag::OctetString | Tag::Integer, ..]
        | [Tag::Sequence, Tag::OctetString] => Some(DerKind::PrivateKey),
        [Tag::Sequence, Tag::Sequence, Tag::BitString] => Some(DerKind::Certificate),
        _ => None,
    }
}

/// The elements of a document that consists of one sequence.
pub(crate) fn elements(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let document = AnyRef::from_der(der).ok()?;
    if document.tag() != Tag::Sequence {
        return None;
    }
    let mut reader = SliceReader::new(document.value()).ok()?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(elements)
}

/// Reads a public key in either form.
pub(crate) fn public_key(der: &[u8]) -> Result<KeyMaterial<'_>, ConfigError> {
    match der_kind(der) {
        Some(DerKind::PublicKey) => subject_public_key_info(der),
        Some(DerKind::RsaPublicKey) => rsa_public_key(der),
        Some(DerKind::PrivateKey) => Err(private_key()),
        Some(DerKind::Certificate) => Err(certificate()),
        None => Err(ConfigError::new(
            ConfigErrorKind::Key,
            if !pem::find_all(der, pem::BEGIN).is_empty() {
                "this is PEM, not DER: use `VerificationKey::from_pem`"
            } else if pem::base64_kind(der).is_some() {
                "this is base64, not DER: decode it first"
            } else {
                "this is not a public key in DER (SubjectPublicKeyInfo, or PKCS#1 for RSA)"
            },
        )),
    }
}

pub(crate) fn subject_public_key_info(der: &[u8]) -> Result<KeyMaterial<'_>, ConfigError> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Key, "the SubjectPublicKeyInfo cannot be read")
            .with_source(error)
    })?;
    let key = info.subject_public_key.as_bytes().ok_or_else(|| {
        ConfigError::new(ConfigErrorKind::Key, "the public key is not a whole number of bytes")
    })?;
    match key_type(&info.algorithm)? {
        KeyType::Ed25519 => KeyMaterial::ed25519(key),
        curve @ (KeyType::P256 | KeyType::P384 | KeyType::P521) => {
            KeyMaterial::ec_point(curve, key)
        }
        ml_dsa @ (KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87) => {
            KeyMaterial::ml_dsa(ml_dsa, key)
        }
        KeyType::Rsa | KeyType::Secret => rsa_public_key(key),
    }
}

/// The type of a key, from its AlgorithmIdentifier (RFC 5280 section 4.1.1.2).
pub(crate) fn key_type(
    algorithm: &AlgorithmIdentifier<AnyRef<'_>>,
) -> Result<KeyType, ConfigError> {
    if algorithm.oid == RSA_ENCRYPTION {
        if algorithm.parameters.is_some_and(|parameters| !parameters.is_null()) {
            return Err(unexpected_parameters());
        }
        Ok(KeyType::Rsa)
    } else if algorithm.oid == EC_PUBLIC_KEY {
        named_curve(algorithm)
    } else if let Some(key_type) = without_parameters(algorithm.oid) {
        if algorithm.parameters.is_some() {
            return Err(unexpected_parameters());
        }
        Ok(key_type)
    } else if algorithm.oid == RSASSA_PSS {
        Err(ConfigError::new(
            ConfigErrorKind::Key,
            "an RSA key marked as RSASSA-PSS (`id-RSASSA-PSS`) is not supported, \
             one marked as `rsaEncryption` serves PS256 to PS512 too",
        ))
    } else {
        Err(ConfigError::new(
            ConfigErrorKind::Key,
            format!("a key of the type with OID {} is not supported", algorithm.oid),
        ))
    }
}

/// The types whose AlgorithmIdentifier has no parameters (RFC 8410 section 3, RFC 9881 section 2).
fn without_parameters(oid: ObjectIdentifier) -> Option<KeyType> {
    match oid {
        ED25519 => Some(KeyType::Ed25519),
        ML_DSA_44 => Some(KeyType::MlDsa44),
        ML_DSA_65 => Some(KeyType::MlDsa65),
        ML_DSA_87 => Some(KeyType::MlDsa87),
        _ => None,
    }
}

pub(crate) fn rsa_public_key(der: &[u8]) -> Result<KeyMaterial<'_>, ConfigError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(der).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Key, "the RSA public key cannot be read")
            .with_source(error)
    })?;
    KeyMaterial::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
}

/// The error for a private key where a public key is expected.
pub(crate) fn private_key() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        "this is a private key, but verifying tokens needs only the public key: \
         `openssl pkey -pubout` prints it",
    )
}

/// The error for a certificate where a public key is expected.
pub(crate) fn certificate() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        "this is a certificate, and this crate does not check certificates: \
         `openssl x509 -pubkey -noout` prints its public key",
    )
}

fn named_curve(algorithm: &AlgorithmIdentifier<AnyRef<'_>>) -> Result<KeyType, ConfigError> {
    let curve =
        algorithm.parameters.and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    match curve {
        Some(P256) => Ok(KeyType::P256),
        Some(P384) => Ok(KeyType::P384),
        Some(P521) => Ok(KeyType::P521),
        _ => Err(ConfigError::new(
            ConfigErrorKind::Key,
            "the EC key is not on one of the named curves P-256, P-384 and P-521",
        )),
    }
}

fn unexpected_parameters() -> ConfigError {
    ConfigError::new(ConfigErrorKind::Key, "the key has parameters that its type does not allow")
}
