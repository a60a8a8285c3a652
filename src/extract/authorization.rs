//! Where is the token? `Authorization: Bearer` (RFC 6750 section 2.1), exactly once.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::extract::presented_token::{PresentedToken, TokenScheme};
use crate::rejection::RejectionKind;

const SCHEME: &[u8] = b"Bearer";

/// The longest value that is read: the longest token that a verifier can be told to accept (64 KiB),
/// the scheme and some spaces.
const MAX_VALUE: usize = 65 * 1024;

/// So many commas, quotation marks and backslashes are looked at in one value. `Digest` and the like
/// have some thirty.
const MAX_MARKS: usize = 256;

/// The one bearer token of a request.
///
/// No credentials, and those of another scheme, are "missing" (RFC 6750 section 3.1: such a request
/// gets a challenge without an error). Two field lines, two credentials in one line, an empty value
/// and one outside `token68` are a malformed request. So is a value too long to be read, but for a
/// bearer token, which is then too long.
///
/// A token of a scheme that is not one of these is of "another scheme".
pub(crate) fn extract(
    headers: &HeaderMap,
    schemes: &[TokenScheme],
) -> Result<PresentedToken, RejectionKind> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(RejectionKind::MissingCredentials)?;
    if values.next().is_some() {
        return Err(RejectionKind::MultipleCredentials);
    }
    let bytes = value.as_bytes();
    let is_readable = bytes.len() <= MAX_VALUE;
    let Some(rest) = after_bearer(bytes) else {
        return Err(match bytes.first() {
            Some(first) if is_readable && is_token_char(*first) => {
                second_credential(bytes).unwrap_or(RejectionKind::UnsupportedScheme)
            }
            _ => RejectionKind::MalformedCredentials,
        });
    };
    if !is_readable {
        return Err(RejectionKind::TokenTooLong);
    }
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    let start = SCHEME.len().saturating_add(spaces);
    match bytes.get(start..) {
        Some(token) if spaces > 0 && is_token68(token) => {
            if !schemes.contains(&TokenScheme::Bearer) {
                return Err(RejectionKind::UnsupportedScheme);
            }
            Ok(PresentedToken::from_header(value.clone(), start..bytes.len(), TokenScheme::Bearer))
        }
        _ => Err(second_credential(rest).unwrap_or(RejectionKind::MalformedCredentials)),
    }
}

/// What follows the scheme, when it is `Bearer`.
fn after_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    let ends = !rest.first().is_some_and(|byte| is_token_char(*byte));
    (ends && scheme.eq_ignore_ascii_case(SCHEME)).then_some(rest)
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
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Why the value is refused when a comma, outside a quoted string, begins further credentials: a
/// scheme and a space, where the parameter of a scheme such as `Digest` would be a name and an equals
/// sign. Likewise when there are too many marks to tell.
fn second_credential(credentials: &[u8]) -> Option<RejectionKind> {
    let mut rest = credentials;
    let mut quoted = false;
    for _ in 0..MAX_MARKS {
        let (mark, tail) = match quoted {
            true => next_mark(b'"', b'\\', rest)?,
            false => next_mark(b'"', b',', rest)?,
        };
        rest = tail;
        match mark {
            b'"' => quoted = !quoted,
            b',' if begins_credential(tail) => return Some(RejectionKind::MultipleCredentials),
            b',' => {}
            // A backslash: the next character does not count.
            _ => rest = tail.get(1..).unwrap_or_default(),
        }
    }
    Some(RejectionKind::MalformedCredentials)
}

/// The first of the two marks, and what follows it.
fn next_mark(one: u8, other: u8, text: &[u8]) -> Option<(u8, &[u8])> {
    let (mark, tail) = text.get(memchr::memchr2(one, other, text)?..)?.split_first()?;
    Some((*mark, tail))
}

fn begins_credential(after_comma: &[u8]) -> bool {
    let text = after_comma.trim_ascii_start();
    let Some(end) = memchr::memchr3(b' ', b'\t', b',', text) else { return false };
    let (name, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    if rest.first() == Some(&b',') || matches!(rest.trim_ascii_start(), [] | [b'=', ..]) {
        return false;
    }
    // As in `is_token68`.
    let fits = |chunk: &[u8]| chunk.iter().fold(true, |fits, byte| fits & is_token_char(*byte));
    !name.is_empty() && name.chunks(64).all(fits)
}
