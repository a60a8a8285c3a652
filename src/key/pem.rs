//! Public keys in PEM (RFC 7468).

use pkcs1::pem;

use crate::key::der;
use crate::key::material::KeyMaterial;
use crate::{ConfigError, ConfigErrorKind};

/// How each PEM block begins.
pub(crate) const BEGIN: &[u8] = b"-----BEGIN ";

/// How each PEM block ends.
const END: &[u8] = b"-----END ";

/// The DER inside of a PEM file, with what its label says it is.
pub(crate) enum PublicKeyDer {
    SubjectPublicKeyInfo(Vec<u8>),
    RsaPublicKey(Vec<u8>),
}

impl PublicKeyDer {
    /// Takes the one public key out of a PEM file. Text around the block is ignored, as RFC 7468
    /// section 2 asks for.
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, ConfigError> {
        let starts = find_all(text, BEGIN);
        let blocks = starts.iter().filter_map(|start| text.get(*start..));
        let labels: Vec<&[u8]> = blocks.clone().map(label).collect();

        if labels.iter().any(|label| label.ends_with(b"PRIVATE KEY")) {
            return Err(der::private_key());
        }
        if labels.iter().any(|label| label.ends_with(b"CERTIFICATE")) {
            return Err(der::certificate());
        }
        let mut blocks = blocks;
        match (labels.as_slice(), blocks.next()) {
            ([b"PUBLIC KEY"], Some(block)) => Ok(Self::SubjectPublicKeyInfo(decode(block)?)),
            ([b"RSA PUBLIC KEY"], Some(block)) => Ok(Self::RsaPublicKey(decode(block)?)),
            ([_], _) => Err(ConfigError::new(
                ConfigErrorKind::Key,
                "this PEM block is neither a `PUBLIC KEY` nor an `RSA PUBLIC KEY`",
            )),
            ([], _) => Err(no_block(text)),
            _ => Err(ConfigError::new(
                ConfigErrorKind::Key,
                format!("there are {} PEM blocks here, give one key at a time", labels.len()),
            )),
        }
    }

    pub(crate) fn key(&self) -> Result<KeyMaterial<'_>, ConfigError> {
        match self {
            Self::SubjectPublicKeyInfo(der) => der::subject_public_key_info(der),
            Self::RsaPublicKey(der) => der::rsa_public_key(der),
        }
    }
}

fn no_block(text: &[u8]) -> ConfigError {
    let message = if !find_all(text, b"BEGIN SSH2").is_empty() || text.starts_with(b"ssh-") {
        "this is a public key in a format of SSH: `ssh-keygen -e -m PKCS8 -f FILE` prints its PEM"
    } else if der::der_kind(text).is_some() {
        "this is DER, not PEM: use `VerificationKey::from_der`"
    } else if text.trim_ascii_start().starts_with(b"{") {
        "this is JSON, not PEM: use `VerificationKey::from_jwk` or `JwkSet::from_json`"
    } else {
        "there is no PEM block here"
    };
    ConfigError::new(ConfigErrorKind::Key, message)
}

/// The octets inside of a block. White space around its lines and text behind it are tolerated
/// (RFC 7468 section 2).
pub(crate) fn decode(block: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let mut lines = Vec::with_capacity(block.len());
    for line in block.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii) {
        if !line.is_empty() {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
        if line.starts_with(END) {
            break;
        }
    }
    let mut der = Vec::new();
    pem::Decoder::new_detect_wrap(&lines)
        .and_then(|mut decoder| decoder.decode_to_end(&mut der).map(|_| ()))
        .map_err(|error| {
            // A key from an environment variable often has its line breaks spelled out.
            let message = if find_all(block, br"\n").is_empty() {
                "the PEM block cannot be read"
            } else {
                r"the PEM block cannot be read: it holds the two characters `\n` for a line break"
            };
            ConfigError::new(ConfigErrorKind::Key, message).with_source(error)
        })?;
    Ok(der)
}

/// The label of a block that begins here.
pub(crate) fn label(block: &[u8]) -> &[u8] {
    let rest = block.strip_prefix(BEGIN).unwrap_or_default();
    let end = find_all(rest, b"-----").first().copied().unwrap_or_default();
    rest.get(..end).unwrap_or_default()
}

/// Where a text contains another one.
pub(crate) fn find_all(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    memchr::memmem::find_iter(text, wanted).collect()
}
