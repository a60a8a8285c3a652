//! Finds the token in another header than `Authorization`.

use http::{HeaderMap, HeaderName};

use crate::extract::authorization::{self, MAX_VALUE};
use crate::extract::presented_token::{PresentedToken, TokenSource};
use crate::rejection::RejectionKind;
use crate::scheme::TokenScheme;

/// Headers with a meaning of their own. A proxy removes some of them, and a browser sets others.
const RESERVED: [&str; 18] = [
    "authorization",
    "client-cert",
    "client-cert-chain",
    "connection",
    "cookie",
    "dpop",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

const RESERVED_PREFIXES: [&str; 5] = ["access-control-", "content-", "grpc-", "proxy-", "sec-"];

/// The name of a header that an application may define.
///
/// # Errors
///
/// The error text, when the text is not a header name, or when the header has a meaning of its own.
pub(crate) fn checked_name(name: &str) -> Result<HeaderName, String> {
    let name: HeaderName =
        name.parse().map_err(|_| format!("{name:?} is not the name of a header"))?;
    let is_reserved = RESERVED.contains(&name.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    match is_reserved {
        true => Err(format!("the header {name} has another meaning, and cannot be used for this")),
        false => Ok(name),
    }
}

/// The token in the only line of this header, alone or after `Bearer`.
pub(super) fn find(
    headers: &HeaderMap,
    name: &HeaderName,
) -> Option<Result<PresentedToken, RejectionKind>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some(Err(RejectionKind::MultipleCredentials));
    }
    let bytes = value.as_bytes();
    if bytes.len() > MAX_VALUE {
        return Some(Err(RejectionKind::TokenTooLong));
    }
    let token = match authorization::after_bearer(bytes) {
        Some(rest) => authorization::after_spaces(rest).unwrap_or_default(),
        None => bytes,
    };
    if !authorization::is_token68(token) {
        return Some(Err(authorization::malformed_rest(token)));
    }
    let start = bytes.len().saturating_sub(token.len());
    let range = start..bytes.len();
    let (scheme, source) = (TokenScheme::Bearer, TokenSource::Header);
    Some(Ok(PresentedToken::found(value.clone(), range, scheme, source)))
}
