//! Public keys in PEM (RFC 7468).

use std::borrow::Cow;

use pkcs1::pem;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::KeyMaterial;
use crate::key::der;
use crate::key::der::DerKind;
use crate::key::secret_check::{BOM, lenient_base64, without_nuls};

/// The start of each PEM block.
pub(crate) const BEGIN: &[u8] = b"-----BEGIN ";

/// The start of the last line of each PEM block.
const END: &[u8] = b"-----END ";

/// The DER in a PEM file, with the kind that its label names.
pub(crate) enum PublicKeyDer {
    SubjectPublicKeyInfo(Vec<u8>),
    RsaPublicKey(Vec<u8>),
}

impl PublicKeyDer {
    /// Reads the single public key in a PEM file. Text around the block is ignored (RFC 7468
    /// section 2).
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
                format!("the text has {} PEM blocks: give one key at a time", labels.len()),
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
        "this is a public key in an SSH format: `ssh-keygen -e -m PKCS8 -f FILE` prints its PEM"
    } else if der::der_kind(text).is_some() {
        "this is DER, not PEM: use `VerificationKey::from_der`"
    } else if text.trim_ascii_start().starts_with(b"{") {
        "this is JSON, not PEM: use `VerificationKey::from_jwk` or `JwkSet::from_json`"
    } else {
        match base64_kind(text) {
            Some(DerKind::PrivateKey) => return der::private_key(),
            Some(DerKind::Certificate) => return der::certificate(),
            Some(DerKind::RsaPublicKey) => {
                "this is the base64 of an RSA public key without its PEM lines: put \
                 `-----BEGIN RSA PUBLIC KEY-----` before it and `-----END RSA PUBLIC KEY-----` \
                 after it"
            }
            Some(DerKind::PublicKey) => {
                "this is the base64 of a public key without its PEM lines: put \
                 `-----BEGIN PUBLIC KEY-----` before it and `-----END PUBLIC KEY-----` after it"
            }
            None => why_no_block(text),
        }
    };
    ConfigError::new(ConfigErrorKind::Key, message)
}

/// The kind of key in a base64 text without PEM lines, if it is one.
pub(crate) fn base64_kind(text: &[u8]) -> Option<DerKind> {
    der::der_kind(&lenient_base64(unquoted(text))?)
}

/// Why a text has no PEM block, if the cause can be recognised.
pub(crate) fn why_no_block(text: &[u8]) -> &'static str {
    const FILES: [&[u8]; 6] = [b".pem", b".key", b".pub", b".crt", b".cer", b".der"];

    let has_begin = |text: Vec<u8>| !find_all(&text, BEGIN).is_empty();
    let text = unquoted(text);
    if text.is_empty() {
        "the text is empty and has no PEM block"
    } else if without_nuls(text).is_some_and(has_begin) {
        "this PEM is in UTF-16: save it as UTF-8"
    } else if lenient_base64(text).is_some_and(has_begin) {
        "this is the base64 of a PEM text: decode it first"
    } else if !find_all(text, b"BEGIN ").is_empty() {
        "the text has no PEM block: the line `-----BEGIN ...-----` has five hyphens at each end"
    } else if FILES.iter().any(|ending| text.to_ascii_lowercase().ends_with(ending)) {
        "this looks like the name of a file: give the content of the file"
    } else {
        "the text has no PEM block"
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(BOM).unwrap_or(text).trim_ascii();
    match text {
        [b'"', inside @ .., b'"'] | [b'\'', inside @ .., b'\''] => inside.trim_ascii(),
        _ => text,
    }
}

/// The bytes in a block. Any line breaks, white space around the lines and text after the block are
/// accepted (RFC 7468 section 2).
pub(crate) fn decode(block: &[u8]) -> Result<Vec<u8>, ConfigError> {
    let mut lines = Vec::with_capacity(block.len());
    for line in block.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii) {
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
            ConfigError::new(ConfigErrorKind::Key, why_unreadable(&lines)).with_source(error)
        })?;
    Ok(der)
}

/// What an environment variable or a configuration file may have done to the lines of a block.
fn why_unreadable(lines: &[u8]) -> Cow<'static, str> {
    let has = |text: &[u8]| !find_all(lines, text).is_empty();
    let mut faults = Vec::new();
    if has(br"\n") {
        faults.push(r"it has the two characters `\n` instead of a line break");
    } else if find_all(lines, b"\n").len() < 3 && has(END) {
        faults.push(
            "it is on one line, but needs a line break after the `BEGIN` line and before the \
             `END` line",
        );
    }
    if has(b"\"") || has(b"'") {
        faults.push("it is in quotation marks");
    }
    match &*faults {
        [] => "the PEM block cannot be read".into(),
        faults => format!("the PEM block cannot be read: {}", faults.join(", and ")).into(),
    }
}

/// The label of a block that starts here.
pub(crate) fn label(block: &[u8]) -> &[u8] {
    let rest = block.strip_prefix(BEGIN).unwrap_or_default();
    let end = find_all(rest, b"-----").first().copied().unwrap_or_default();
    rest.get(..end).unwrap_or_default()
}

/// All positions of one text in another.
pub(crate) fn find_all(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    memchr::memmem::find_iter(text, wanted).collect()
}
