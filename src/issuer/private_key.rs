//! Private keys in DER and PEM: PKCS#8 (RFC 5958), PKCS#1 for RSA (RFC 8017 appendix A.1.2) and
//! SEC 1 for curves (RFC 5915).

use spki::AlgorithmIdentifier;
use spki::der::{AnyRef, Tag, Tagged};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyMaterial, KeyType, material};
use crate::key::der::DerKind;
use crate::key::{der, pem};

/// A private key whose format is recognised and which is not yet parsed.
pub(super) enum PrivateKeyDer<'a> {
    Pkcs8 { key_type: KeyType, key: &'a [u8], whole: &'a [u8] },
    Pkcs1(&'a [u8]),
    Sec1(&'a [u8]),
}

impl<'a> PrivateKeyDer<'a> {
    pub(super) fn from_der(der: &'a [u8]) -> Result<Self, ConfigError> {
        let elements = der::elements(der).unwrap_or_default();
        let tags: Vec<Tag> = elements.iter().map(Tagged::tag).collect();
        match (tags.as_slice(), elements.as_slice()) {
            ([Tag::Integer, Tag::Sequence, Tag::OctetString, ..], [_, algorithm, key, ..]) => {
                Ok(Self::Pkcs8 { key_type: key_type(algorithm)?, key: key.value(), whole: der })
            }
            ([Tag::Integer, Tag::Integer, Tag::Integer, ..], _) => Ok(Self::Pkcs1(der)),
            ([Tag::Integer, Tag::OctetString, ..], _) => Ok(Self::Sec1(der)),
            ([Tag::Sequence, Tag::OctetString], _) => Err(encrypted()),
            _ => Err(match der::der_kind(der) {
                Some(DerKind::PublicKey | DerKind::RsaPublicKey) => public_key(),
                Some(DerKind::Certificate) => certificate(),
                _ => ConfigError::new(
                    ConfigErrorKind::Key,
                    "this is not a private key in DER (PKCS#8, PKCS#1 for RSA, SEC 1 for curves)",
                ),
            }),
        }
    }

    /// Checks what does not need the crypto backend, whose errors have few details.
    pub(super) fn check(&self, algorithm: Algorithm) -> Result<(), ConfigError> {
        let wanted = algorithm.key_type();
        let found = match self {
            Self::Pkcs8 { key_type, .. } => *key_type,
            Self::Pkcs1(_) => KeyType::Rsa,
            // The curve is optional here, so the backend checks it.
            Self::Sec1(_) => match wanted {
                KeyType::P256 | KeyType::P384 | KeyType::P521 => wanted,
                _ => {
                    return Err(ConfigError::new(
                        ConfigErrorKind::Algorithm,
                        format!("{algorithm} does not use EC keys, but this is one"),
                    ));
                }
            },
        };
        if found != wanted {
            return Err(material::mismatch(algorithm, found));
        }
        match self {
            Self::Pkcs8 { key_type: KeyType::Rsa, key, .. } | Self::Pkcs1(key) => check_rsa(key),
            _ => Ok(()),
        }
    }
}

/// The DER of the single private key in a PEM text. Text before the block is ignored, and so are
/// the `EC PARAMETERS` that `openssl ecparam -genkey` writes before a key.
pub(super) fn decode_pem(text: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let starts = pem::find_all(text, pem::BEGIN);
    let blocks = starts.iter().filter_map(|start| text.get(*start..));
    let blocks: Vec<(&[u8], &[u8])> = blocks
        .map(|block| (pem::label(block), block))
        .filter(|(label, _)| *label != b"EC PARAMETERS")
        .collect();

    match blocks.as_slice() {
        [(b"PRIVATE KEY" | b"RSA PRIVATE KEY" | b"EC PRIVATE KEY", block)] => {
            // The old encryption of OpenSSL (RFC 1421 section 4.6.1.1).
            match pem::find_all(block, b"Proc-Type:").is_empty() {
                true => pem::decode(block),
                false => Err(encrypted()),
            }
        }
        [(b"ENCRYPTED PRIVATE KEY", _)] => Err(encrypted()),
        [(b"OPENSSH PRIVATE KEY", _)] => Err(ConfigError::new(
            ConfigErrorKind::Key,
            "this is a private key in the OpenSSH format: \
             `ssh-keygen -p -N '' -m PKCS8 -f FILE` converts it to PEM",
        )),
        [(label, _)] if label.ends_with(b"PUBLIC KEY") => Err(public_key()),
        [(label, _)] if label.ends_with(b"CERTIFICATE") => Err(certificate()),
        [_] => Err(ConfigError::new(
            ConfigErrorKind::Key,
            "this PEM block is not a `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`",
        )),
        [] if der::der_kind(text).is_some() => Err(ConfigError::new(
            ConfigErrorKind::Key,
            "this is DER, not PEM: use `SigningKey::from_der`",
        )),
        [] => Err(ConfigError::new(
            ConfigErrorKind::Key,
            match pem::base64_kind(text) {
                Some(_) => {
                    "this is the base64 of a key without its PEM lines: put \
                     `-----BEGIN PRIVATE KEY-----` before it and `-----END PRIVATE KEY-----` after \
                     it, or decode it and use `SigningKey::from_der`"
                }
                None => pem::why_no_block(text),
            },
        )),
        blocks => Err(ConfigError::new(
            ConfigErrorKind::Key,
            format!("the text has {} PEM blocks: give one key at a time", blocks.len()),
        )),
    }
}

fn key_type(algorithm: &AnyRef<'_>) -> Result<KeyType, ConfigError> {
    let algorithm: AlgorithmIdentifier<AnyRef<'_>> = algorithm.decode_as().map_err(|error| {
        ConfigError::new(ConfigErrorKind::Key, "the private key does not name its type")
            .with_source(error)
    })?;
    der::key_type(&algorithm)
}

/// Checks the bounds of modulus and exponent.
fn check_rsa(pkcs1: &[u8]) -> Result<(), ConfigError> {
    let key = pkcs1::RsaPrivateKeyRef::try_from(pkcs1).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Key, "the RSA private key cannot be read")
            .with_source(error)
    })?;
    KeyMaterial::rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes()).map(|_| ())
}

fn public_key() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        "this is a public key, but signing tokens needs the private key",
    )
}

fn certificate() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        "this is a certificate, but signing tokens needs its private key",
    )
}

fn encrypted() -> ConfigError {
    ConfigError::new(
        ConfigErrorKind::Key,
        "this private key is encrypted: `openssl pkey -in FILE` asks for its password and prints \
         the key without encryption",
    )
}
