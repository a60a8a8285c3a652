//! Thumbprints of public keys (RFC 7638).

use crate::crypto::digest::sha256;

/// The required members of the public keys of each type, in lexicographic order (RFC 7638 section 3.2, RFC 8037
/// appendix A.3, RFC 9964 section 6).
const MEMBERS: [(&str, &[&str]); 4] = [
    ("AKP", &["alg", "kty", "pub"]),
    ("EC", &["crv", "kty", "x", "y"]),
    ("OKP", &["crv", "kty", "x"]),
    ("RSA", &["e", "kty", "n"]),
];

/// The thumbprint with SHA-256, in base64url, of the JWK whose members `text` returns; `None` for a secret, and if a
/// member is missing.
///
/// The values are taken as they are: names and base64url, for which JSON needs no escapes.
pub(crate) fn thumbprint<T: AsRef<str>>(
    text: impl Fn(&'static str) -> Option<T>,
) -> Option<String> {
    let key_type = text("kty")?;
    let (_, names) = MEMBERS.iter().find(|(known, _)| *known == key_type.as_ref())?;
    let members: Vec<String> = names
        .iter()
        .map(|name| Some(format!(r#""{name}":"{}""#, text(name)?.as_ref())))
        .collect::<Option<_>>()?;
    let json = format!("{{{}}}", members.join(","));
    Some(base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(&[json.as_bytes()])))
}
