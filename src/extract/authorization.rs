//! Finds the token in `Authorization: Bearer` (RFC 6750 section 2.1) or `Authorization: DPoP` (RFC 9449 section 7.1),
//! which must occur exactly once.

#[cfg(feature = "token-cache")]
use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::extract::presented_token::PresentedToken;
use crate::rejection::RejectionKind;
use crate::scheme::{Schemes, TokenScheme};

const BEARER: &[u8] = b"Bearer";
const DPOP: &[u8] = b"DPoP";

/// The longest value that is read: the longest token that a verifier can be configured to accept (64 KiB), the
/// scheme and some spaces.
pub(super) const MAX_VALUE: usize = 65 * 1024;

/// At most this many commas, quotation marks and backslashes are examined in one value. Credentials of `Digest`
/// have about thirty.
const MAX_MARKS: usize = 256;

/// When a token is checked to be a `token68`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token68 {
    /// Before it is verified.
    First,
    /// If it is refused, by [`malformed`]: for a verifier that accepts only a JWS in compact serialization, which
    /// is always a `token68`. A token longer than [`MAX_UNCHECKED`] is checked first all the same.
    IfRefused,
}

/// The longest token that is verified before it is checked to be a `token68`. It is below all default limits, so
/// that a verifier decodes all of a token or nothing.
const MAX_UNCHECKED: usize = 4 * 1024;

/// Returns the only token of a request, if its scheme is one of `schemes`; otherwise the reason of the refusal.
///
/// - No credentials, or credentials of another scheme: the challenge has no error (RFC 6750 section 3.1).
/// - Two field lines, two credentials in one line, an empty value, or one that is not a `token68`: a malformed
///   request.
/// - A value longer than [`MAX_VALUE`]: a token that is too long if the scheme is `Bearer` or a `DPoP` of `schemes`,
///   else a malformed request.
pub(crate) fn extract(
    headers: &HeaderMap,
    schemes: Schemes,
    token68: Token68,
) -> Result<PresentedToken, RejectionKind> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(RejectionKind::MissingCredentials)?;
    if values.next().is_some() {
        return Err(RejectionKind::MultipleCredentials);
    }
    extract_from(value, schemes, token68)
}

/// Like [`extract`], and marks the values as sensitive.
pub(crate) fn extract_and_mark(
    headers: &mut HeaderMap,
    schemes: Schemes,
    token68: Token68,
) -> Result<PresentedToken, RejectionKind> {
    mark_proofs(headers, schemes);
    // No field is there twice: one look-up does both.
    if headers.len() == headers.keys_len() {
        let value = headers.get_mut(AUTHORIZATION).ok_or(RejectionKind::MissingCredentials)?;
        value.set_sensitive(true);
        return extract_from(value, schemes, token68);
    }
    let found = extract(headers, schemes, token68);
    mark_sensitive(headers, found.as_ref().err().copied());
    found
}

/// Marks all `Authorization` values as sensitive, like [`extract_and_mark`], without reading them.
#[cfg(feature = "token-cache")]
pub(crate) fn mark(headers: &mut HeaderMap) {
    let has_a_field_twice = headers.len() != headers.keys_len();
    mark_sensitive(headers, has_a_field_twice.then_some(RejectionKind::MultipleCredentials));
}

/// Marks all proofs as sensitive, if the layer accepts DPoP (RFC 9449), so that `Debug` hides them.
#[inline]
pub(crate) fn mark_proofs(headers: &mut HeaderMap, schemes: Schemes) {
    if schemes.contains(TokenScheme::DPoP) {
        mark_all_proofs(headers);
    }
}

#[cold]
fn mark_all_proofs(headers: &mut HeaderMap) {
    const PROOF: HeaderName = HeaderName::from_static("dpop");

    if headers.contains_key(PROOF) {
        let proofs = headers.iter_mut().filter(|(name, _)| **name == PROOF);
        proofs.for_each(|(_, value)| value.set_sensitive(true));
    }
}

/// Marks all `Authorization` values as sensitive, valid or not, of any scheme, so that `Debug` hides them.
fn mark_sensitive(headers: &mut HeaderMap, refusal: Option<RejectionKind>) {
    let mark = |value: &mut HeaderValue| value.set_sensitive(true);
    match refusal {
        Some(RejectionKind::MissingCredentials) => {}
        Some(RejectionKind::MultipleCredentials) => headers
            .iter_mut()
            .filter(|(name, _)| **name == AUTHORIZATION)
            .for_each(|(_, value)| mark(value)),
        _ => {
            headers.get_mut(AUTHORIZATION).map(mark);
        }
    }
}

/// Like [`extract`], from the only value of the field.
fn extract_from(
    value: &HeaderValue,
    schemes: Schemes,
    token68: Token68,
) -> Result<PresentedToken, RejectionKind> {
    let bytes = value.as_bytes();
    let is_readable = bytes.len() <= MAX_VALUE;
    let (scheme, rest) = if let Some(rest) = after_bearer(bytes) {
        (TokenScheme::Bearer, rest)
    } else if schemes.contains(TokenScheme::DPoP)
        && let Some(rest) = after_scheme(bytes, DPOP)
    {
        (TokenScheme::DPoP, rest)
    } else {
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
    match after_spaces(rest) {
        Some(token)
            if token68 == Token68::IfRefused && token.len() <= MAX_UNCHECKED
                || is_token68(token) =>
        {
            if !schemes.contains(scheme) {
                return Err(RejectionKind::UnsupportedScheme);
            }
            let start = bytes.len().saturating_sub(token.len());
            Ok(PresentedToken::from_header(value.clone(), start..bytes.len(), scheme))
        }
        _ => Err(malformed_rest(rest)),
    }
}

/// Why a token that was verified first and refused is not a `token68`; `None` if it is one.
#[cold]
pub(crate) fn malformed(token: &PresentedToken) -> Option<RejectionKind> {
    let token = token.as_bytes();
    (token.len() <= MAX_UNCHECKED && !is_token68(token)).then(|| malformed_rest(token))
}

pub(super) fn malformed_rest(rest: &[u8]) -> RejectionKind {
    second_credential(rest).unwrap_or(RejectionKind::MalformedCredentials)
}

/// The text after `Bearer ` in the head of a request, for a cache, which knows the tokens that it holds.
#[cfg(feature = "token-cache")]
pub struct RawBearer<'h>(&'h mut HeaderMap);

#[cfg(feature = "token-cache")]
impl<'h> RawBearer<'h> {
    pub(crate) fn new(headers: &'h mut HeaderMap) -> Self {
        Self(headers)
    }

    /// The text, where [`extract`] finds a token with exactly these bytes if they are a `token68`. It is not looked
    /// for in a request that has any field twice. The value is marked as sensitive, as it is on every other path: so
    /// it is looked up once.
    pub(crate) fn text(&mut self) -> Option<&[u8]> {
        if self.0.len() != self.0.keys_len() {
            return None;
        }
        let value = self.0.get_mut(AUTHORIZATION)?;
        value.set_sensitive(true);
        let value = Some(value.as_bytes()).filter(|value| value.len() <= MAX_VALUE)?;
        after_spaces(after_bearer(value)?)
    }
}

#[cfg(feature = "token-cache")]
impl fmt::Debug for RawBearer<'_> {
    /// Without the headers: the token may not be marked as sensitive yet.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawBearer").finish_non_exhaustive()
    }
}

/// The rest after one space or more, which separate the scheme and the token.
pub(super) fn after_spaces(rest: &[u8]) -> Option<&[u8]> {
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    rest.get(spaces..).filter(|_| spaces > 0)
}

/// The rest of the value after the scheme, if the scheme is `Bearer`.
#[inline]
pub(super) fn after_bearer(value: &[u8]) -> Option<&[u8]> {
    after_scheme(value, BEARER)
}

/// The scheme of the token in a header, without a check of the token; `None` for another scheme.
pub(crate) fn scheme_in(headers: &HeaderMap) -> Option<TokenScheme> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    match after_bearer(value) {
        Some(_) => Some(TokenScheme::Bearer),
        None => after_scheme(value, DPOP).map(|_| TokenScheme::DPoP),
    }
}

#[inline(always)]
fn after_scheme<'v>(value: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    let (scheme, rest) = value.split_at_checked(name.len())?;
    // As nearly all clients write it.
    if scheme == name && rest.first() == Some(&b' ') {
        return Some(rest);
    }
    let ends = !rest.first().is_some_and(|byte| is_token_char(*byte));
    (ends && scheme.eq_ignore_ascii_case(name)).then_some(rest)
}

/// `token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 9110
/// section 11.2).
pub(crate) fn is_token68(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|&&octet| octet == b'=').count();
    let length = value.len().saturating_sub(padding);
    let Some(value) = value.get(..length) else { return false };
    // No early exit within a chunk, so that the compiler emits vector instructions.
    let strays = |chunk: &[u8]| chunk.iter().fold(0, |strays, octet| strays | stray(*octet));
    !value.is_empty() && value.chunks(64).all(|chunk| strays(chunk) == 0)
}

/// Not 0 for a byte outside of the alphabet of `token68`.
#[inline]
fn stray(octet: u8) -> u8 {
    // `-`, `.`, `/` and the digits are adjacent; setting one bit makes letters lower case.
    let digit_or_mark = octet.wrapping_sub(b'-') <= b'9' - b'-';
    let letter = (octet | 0x20).wrapping_sub(b'a') <= b'z' - b'a';
    u8::from(!(digit_or_mark | letter | (octet == b'_') | (octet == b'+') | (octet == b'~')))
}

/// `tchar`, a character of a scheme's name (RFC 9110 section 5.6.2).
pub(super) fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// The refusal of a value that contains a second set of credentials after a comma, or more marks than
/// [`MAX_MARKS`].
///
/// The comma must be outside of quoted strings. After it, a scheme and a space begin credentials; a name and an
/// equals sign are a parameter of the first scheme, such as `Digest`.
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
            // A backslash escapes the next character.
            _ => rest = tail.get(1..).unwrap_or_default(),
        }
    }
    Some(RejectionKind::MalformedCredentials)
}

/// The first of the two marks, and the text after it.
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
