//! The compact serialization of a token (RFC 7515 section 7.1).

use serde_json::{Map, Value};

#[cfg(feature = "test-util")]
use crate::crypto::Algorithm;
#[cfg(feature = "test-util")]
use crate::issuer::crypto;
use crate::issuer::issue_error::IssueError;
use crate::issuer::signing_key::SigningKey;

/// A JOSE header in base64url.
pub(crate) fn encode_header(header: Map<String, Value>) -> String {
    encode_object(header)
}

/// The header with the key ID and the type of the token, in base64url.
pub(super) fn header_of(key: &SigningKey, typ: &str) -> String {
    let mut header = Map::new();
    header.insert("alg".to_owned(), key.algorithm().name().into());
    header.insert("kid".to_owned(), key.kid().into());
    header.insert("typ".to_owned(), typ.into());
    encode_header(header)
}

/// Signs the header and the claims.
pub(crate) fn sign(
    encoded_header: &str,
    claims: Map<String, Value>,
    key: &SigningKey,
) -> Result<String, IssueError> {
    let mut token = format!("{encoded_header}.{}", encode_object(claims));
    let signature = signature(token.as_bytes(), key)?;
    token.push('.');
    base64_simd::URL_SAFE_NO_PAD.encode_append(signature, &mut token);
    Ok(token)
}

/// The signature of a message.
pub(crate) fn signature(message: &[u8], key: &SigningKey) -> Result<Vec<u8>, IssueError> {
    key.sign(message)
}

/// The HMAC of an algorithm for secrets, with a secret of any length, for forged tokens.
#[cfg(feature = "test-util")]
pub(crate) fn hmac(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    crypto::hmac(algorithm, secret, message)
}

fn encode_object(object: Map<String, Value>) -> String {
    // `Display` of a JSON value is its compact form, and cannot fail as a writer could.
    let json = Value::Object(object).to_string();
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(json)
}
