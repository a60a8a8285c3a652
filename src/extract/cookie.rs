//! Finds the token in a cookie (RFC 6265 section 5.4), if a page of an allowed origin sent it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::header::{COOKIE, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization::{self, MAX_VALUE};
use crate::extract::presented_token::{PresentedToken, TokenSource};
use crate::rejection::RejectionKind;
use crate::scheme::TokenScheme;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A cookie with this name, and the origins of the pages that may use it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Cookie {
    name: Arc<str>,
    origins: Arc<[String]>,
}

impl Cookie {
    pub(super) fn new<I>(name: &str, origins: I) -> Result<Self, ConfigError>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let error = |message: String| Err(ConfigError::new(ConfigErrorKind::Source, message));
        if name.is_empty() || !name.bytes().all(authorization::is_token_char) {
            return error(format!("{name:?} is not the name of a cookie"));
        }
        let origins: Vec<String> = origins.into_iter().map(|it| it.as_ref().to_owned()).collect();
        if origins.is_empty() {
            return error(format!(
                "the cookie {name} needs the origin of the pages that may use it"
            ));
        }
        if let Some(wrong) = origins.iter().find(|origin| !is_origin(origin)) {
            return error(format!(
                "{wrong:?} is not an origin as browsers write it, such as https://app.example"
            ));
        }
        Ok(Self { name: name.into(), origins: origins.into() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn origins(&self) -> impl fmt::Display {
        self.origins.join(", ")
    }

    /// The only cookie with the name. A value in quotation marks is malformed: they are a part of the value.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        head: &Parts,
    ) -> Option<Result<PresentedToken, RejectionKind>> {
        let lines = headers.get_all(COOKIE).iter();
        let all = lines.flat_map(|line| pairs(line.as_bytes()).map(move |pair| (line, pair)));
        let mut cookies = all.filter(|(_, pair)| pair.name == self.name.as_bytes());
        let (line, pair) = cookies.next()?;
        Some(match (cookies.next(), self.check_origin(head)) {
            (Some(_), _) => Err(RejectionKind::MultipleCredentials),
            (None, Err(kind)) => Err(kind),
            (None, Ok(())) if pair.value.len() > MAX_VALUE => Err(RejectionKind::TokenTooLong),
            (None, Ok(())) if !authorization::is_token68(pair.value) => {
                Err(RejectionKind::MalformedCredentials)
            }
            (None, Ok(())) => {
                let range = pair.value_at..pair.value_at.saturating_add(pair.value.len());
                let (scheme, source) = (TokenScheme::Bearer, TokenSource::Cookie);
                Ok(PresentedToken::found(line.clone(), range, scheme, source))
            }
        })
    }

    /// Whether a page of an allowed origin, or the user, made the request, as the browser says.
    fn check_origin(&self, head: &Parts) -> Result<(), RejectionKind> {
        let is_same_origin =
            || only(&head.headers, &SEC_FETCH_SITE).is_ok_and(|site| is(site, "same-origin"));
        let is_allowed = match only(&head.headers, &ORIGIN) {
            // A form on a page without a referrer. From a page whose origin is opaque, the site would be `cross-site`.
            Ok(Some(origin)) if origin == "null" => is_same_origin(),
            Ok(Some(origin)) => self.origins.iter().any(|allowed| allowed == origin),
            Ok(None) => is_same_origin() || is_opened_by_the_user(head),
            Err(Twice) => false,
        };
        is_allowed.then_some(()).ok_or(RejectionKind::ForeignOrigin)
    }
}

/// Whether a user has opened a URL that is not a link on a page: it was typed, is a bookmark, or comes from another
/// program. No page can make a browser send this.
fn is_opened_by_the_user(head: &Parts) -> bool {
    let field = |name, value| only(&head.headers, &name).is_ok_and(|it| is(it, value));
    matches!(head.method, Method::GET | Method::HEAD)
        && field(SEC_FETCH_SITE, "none")
        && field(SEC_FETCH_MODE, "navigate")
}

fn is(value: Option<&HeaderValue>, expected: &str) -> bool {
    value.is_some_and(|value| value == expected)
}

/// Moves these cookies to `removed`, and removes the lines without another cookie.
pub(super) fn remove<'a>(
    headers: &mut HeaderMap,
    removed: &mut HeaderMap,
    cookies: impl Iterator<Item = &'a Cookie>,
) {
    let names: Vec<&str> = cookies.map(Cookie::name).collect();
    let is_removed = |pair: &Pair<'_>| names.iter().any(|name| name.as_bytes() == pair.name);
    if !headers.get_all(COOKIE).iter().any(|line| pairs(line.as_bytes()).any(|it| is_removed(&it)))
    {
        return;
    }
    let mut rest = Vec::new();
    for line in headers.get_all(COOKIE) {
        let (taken, kept): (Vec<_>, Vec<_>) = pairs(line.as_bytes()).partition(is_removed);
        if taken.is_empty() {
            rest.push(line.clone());
            continue;
        }
        rest.extend(cookie_line(&kept));
        // They fit: more lines were there before.
        if let Some(line) = cookie_line(&taken) {
            let _ = removed.try_append(COOKIE, line);
        }
    }
    headers.remove(COOKIE);
    for line in rest {
        let _ = headers.try_append(COOKIE, line);
    }
}

/// A line with these cookies, marked as sensitive; `None` if there is none.
fn cookie_line(pairs: &[Pair<'_>]) -> Option<HeaderValue> {
    let texts = pairs.iter().map(|pair| pair.text).filter(|text| !text.is_empty());
    let texts: Vec<&[u8]> = texts.collect();
    let mut line = HeaderValue::from_bytes(&texts.join(&b"; "[..])).ok()?;
    line.set_sensitive(true);
    (!texts.is_empty()).then_some(line)
}

/// A field occurs twice.
struct Twice;

/// The only value of a field.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        Some(_) => Err(Twice),
        None => Ok(value),
    }
}

struct Pair<'a> {
    text: &'a [u8],
    name: &'a [u8],
    value: &'a [u8],
    /// Where the value begins in the line.
    value_at: usize,
}

/// The cookies of a line.
fn pairs(line: &[u8]) -> impl Iterator<Item = Pair<'_>> {
    let mut end: usize = 0;
    line.split(|&byte| byte == b';').map(move |piece| {
        let start = end;
        end = end.saturating_add(piece.len()).saturating_add(1);
        let equals = piece.iter().position(|&byte| byte == b'=');
        let (name, rest) = match equals.and_then(|at| piece.split_at_checked(at)) {
            Some((name, rest)) => (name.trim_ascii(), rest.get(1..).unwrap_or_default()),
            None => (&[][..], &[][..]),
        };
        let value = rest.trim_ascii_start();
        let value_at = start.saturating_add(piece.len()).saturating_sub(value.len());
        Pair { text: piece.trim_ascii(), name, value: value.trim_ascii_end(), value_at }
    })
}

/// Whether this is an origin as browsers write it in `Origin` (RFC 6454 section 6.2).
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let default_port = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        // No page has such a URL, or its origin is `null`.
        "ws" | "wss" | "ftp" | "file" => return false,
        _ => None,
    };
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host) {
        Some("") => None,
        Some(rest) => match rest.strip_prefix(':').map(|port| (port, port.parse::<u16>())) {
            Some((text, Ok(port))) if text == port.to_string() => Some(port),
            _ => return false,
        },
        None => return false,
    };
    text == format!("{scheme}://{authority}")
        && !scheme.bytes().any(|byte| byte.is_ascii_uppercase())
        && is_host(host)
        && port.is_none_or(|port| Some(port) != default_port)
}

/// Whether this is a host as browsers write it: a name in lower case or in Punycode, or an address.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return address.parse().is_ok_and(|ip: Ipv6Addr| ip.to_string() == address);
    }
    let labels = || text.strip_suffix('.').unwrap_or(text).split('.');
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    labels().all(|label| !label.is_empty() && label.bytes().all(fits))
        && (!labels().next_back().is_some_and(is_number) || text.parse::<Ipv4Addr>().is_ok())
}
