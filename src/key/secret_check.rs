//! Refuses keys and certificates in any format as HMAC secrets.
//!
//! With a public key as the secret, anyone who knows that key could sign tokens (CVE-2022-29217,
//! CVE-2026-34950, CVE-2026-48526).

use memchr::memmem;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::key::der::DerKind;
use crate::key::{der, jwk};

/// Refuses a secret that is a key or a certificate: as text, in DER, or in the base64 of either.
pub(crate) fn check(secret: &[u8]) -> Result<(), ConfigError> {
    let nature = nature(secret)
        .or_else(|| nature(&lenient_base64(secret)?))
        .or_else(|| nature(&without_nuls(secret)?));
    match nature {
        None => Ok(()),
        Some(nature) => Err(ConfigError::new(
            ConfigErrorKind::Key,
            format!(
                "this is {nature}, not a secret: if the issuer signs with a private key, load the \
                 public key with `from_pem`, `from_der`, `from_jwk` or `JwkSet::from_json`"
            ),
        )),
    }
}

fn nature(secret: &[u8]) -> Option<&'static str> {
    let contains = |text: &[u8]| memmem::find(secret, text).is_some();

    if contains(b"-----BEGIN") {
        Some("a PEM text")
    } else if contains(b"---- BEGIN SSH2")
        || [&b"ssh-rsa"[..], b"ssh-dss", b"ssh-ed25519", b"ssh-ed448", b"ecdsa-sha2-"]
            .into_iter()
            .any(contains)
    {
        Some("an SSH public key")
    } else if jwk::looks_like_jwk(secret) {
        Some("a JWK or a JWK set")
    } else {
        Some(match der_kind(secret)? {
            DerKind::PublicKey | DerKind::RsaPublicKey => "a public key in DER",
            DerKind::PrivateKey => "a private key in DER",
            DerKind::Certificate => "a certificate in DER",
        })
    }
}

/// The kind of DER, also with line breaks after it, as at the end of a file. They are removed one
/// by one, since the DER itself may end in the bytes of a line break.
fn der_kind(secret: &[u8]) -> Option<DerKind> {
    const MOST_LINE_BREAKS: usize = 4;

    let mut rest = secret;
    for _ in 0..=MOST_LINE_BREAKS {
        if let Some(kind) = der::der_kind(rest) {
            return Some(kind);
        }
        match rest {
            [shorter @ .., b'\r' | b'\n' | b'\t' | b' ' | 0] => rest = shorter,
            _ => return None,
        }
    }
    None
}

/// Converts UTF-16 text, as some shells write it, to UTF-8: exact for ASCII, which is enough here.
pub(crate) fn without_nuls(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_prefix(b"\xFF\xFE").or(text.strip_prefix(b"\xFE\xFF")).unwrap_or(text);
    text.contains(&0).then(|| text.iter().copied().filter(|byte| *byte != 0).collect())
}

/// Decodes base64 of either alphabet, with or without line breaks and padding.
pub(crate) fn lenient_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(text.len());
    for byte in text.strip_prefix(BOM).unwrap_or(text) {
        match byte {
            b'-' => digits.push(b'+'),
            b'_' => digits.push(b'/'),
            b'=' => {}
            _ if byte.is_ascii_whitespace() => {}
            _ => digits.push(*byte),
        }
    }
    base64_simd::STANDARD_NO_PAD.decode_to_vec(&digits).ok()
}

/// Whether a secret is text that ends in a line break. Random bytes may end in that byte by chance.
pub(crate) fn is_text_with_line_break(secret: &[u8]) -> bool {
    let is_text = |text: &str| !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    secret.ends_with(b"\n") && str::from_utf8(secret).is_ok_and(is_text)
}

/// The byte order mark, in UTF-8.
pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";
