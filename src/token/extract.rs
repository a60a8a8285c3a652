//! Where is the token? `Authorization: Bearer` (RFC 6750 section 2.1), exactly once.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::RejectionKind;
use crate::token::BearerToken;

const SCHEME: &[u8] = b"Bearer";

/// The one bearer token of a request.
///
/// No credentials, and those of another scheme, are "missing" (RFC 6750 section 3.1: such a request
/// gets a challenge without an error). Two field lines, two credentials in one line, an empty value
/// and one outside `token68` are a malformed request.
pub(crate) fn extract(headers: &HeaderMap) -> Result<BearerToken, RejectionKind> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(RejectionKind::MissingCredentials)?;
    if values.next().is_some() {
        return Err(RejectionKind::MultipleCredentials);
    }
    let bytes = value.as_bytes();
    let scheme = bytes.iter().take_while(|&&octet| is_token_char(octet)).count();
    let (scheme, rest) = bytes.split_at_checked(scheme).unwrap_or((bytes, &[]));
    if scheme.is_empty() {
        return Err(RejectionKind::MalformedCredentials);
    }
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Err(if holds_second_credential(rest) {
            RejectionKind::MultipleCredentials
        } else {
            RejectionKind::UnsupportedScheme
        });
    }
    let spaces = rest.iter().take_while(|&&octet| octet == b' ').count();
    let start = SCHEME.len().saturating_add(spaces);
    match bytes.get(start..) {
        Some(token) if spaces > 0 && is_token68(token) => {
            Ok(BearerToken::new(value.clone(), start..bytes.len()))
        }
        _ if holds_second_credential(rest) => Err(RejectionKind::MultipleCredentials),
        _ => Err(RejectionKind::MalformedCredentials),
    }
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 9110
/// section 11.2).
pub(crate) fn is_token68(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|&&octet| octet == b'=').count();
    let length = value.len().saturating_sub(padding);
    let Some(value) = value.get(..length) else { return false };
    // No early exit within a chunk: so the compiler makes vector instructions of it.
    let strays = |chunk: &[u8]| chunk.iter().fold(0, |strays, octet| strays | stray(*octet));
    !value.is_empty() && value.chunks(64).all(|chunk| strays(chunk) == 0)
}

/// Not 0 for an octet outside the alphabet of `token68`.
#[inline]
fn stray(octet: u8) -> u8 {
    // `-`, `.`, `/` and the digits stand side by side; setting one bit folds the letters' case.
    let digit_or_mark = octet.wrapping_sub(b'-') <= b'9' - b'-';
    let letter = (octet | 0x20).wrapping_sub(b'a') <= b'z' - b'a';
    u8::from(!(digit_or_mark | letter | (octet == b'_') | (octet == b'+') | (octet == b'~')))
}

/// `tchar` of RFC 9110 section 5.6.2: what the name of a scheme is made of.
fn is_token_char(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// Whether a comma, outside a quoted string, begins further credentials: a scheme and a space,
/// where the parameter of a scheme such as `Digest` would be a name and an equals sign.
fn holds_second_credential(credentials: &[u8]) -> bool {
    let mut rest = credentials;
    let (mut quoted, mut escaped) = (false, false);
    while let [octet, tail @ ..] = rest {
        rest = tail;
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted && begins_credential(tail) => return true,
            _ => {}
        }
    }
    false
}

fn begins_credential(after_comma: &[u8]) -> bool {
    let text = after_comma.trim_ascii_start();
    let name = text.iter().take_while(|&&octet| is_token_char(octet)).count();
    let (name, rest) = text.split_at_checked(name).unwrap_or((text, &[]));
    let value = rest.trim_ascii_start();
    !name.is_empty() && value.len() < rest.len() && !matches!(value, [] | [b'=', ..])
}
