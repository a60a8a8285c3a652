//! Finds the token in a sub-protocol of a WebSocket handshake.

use std::sync::Arc;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization::{self, MAX_VALUE};
use crate::extract::on_response::OnResponse;
use crate::extract::presented_token::{PresentedToken, TokenSource};
use crate::rejection::RejectionKind;
use crate::scheme::TokenScheme;

/// The form of Kubernetes, which other servers and clients use too.
const KUBERNETES: &str = "base64url.bearer.authorization.k8s.io.";

/// Sub-protocols that consist of a prefix and a token.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Protocol {
    prefix: Arc<str>,
    is_base64url: bool,
}

impl Protocol {
    pub(super) fn kubernetes() -> Self {
        Self { prefix: KUBERNETES.into(), is_base64url: true }
    }

    pub(super) fn with_prefix(prefix: &str) -> Result<Self, ConfigError> {
        match !prefix.is_empty() && prefix.bytes().all(authorization::is_token_char) {
            true => Ok(Self { prefix: prefix.into(), is_base64url: false }),
            false => Err(ConfigError::new(
                ConfigErrorKind::Source,
                format!("{prefix:?} cannot be the beginning of a sub-protocol"),
            )),
        }
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether a sub-protocol can begin with both prefixes.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.prefix.starts_with(&*other.prefix) || other.prefix.starts_with(&*self.prefix)
    }

    /// The token of the only sub-protocol with the prefix; `None` if the request is not a handshake.
    pub(super) fn find(
        &self,
        headers: &HeaderMap,
        head: &Parts,
    ) -> Option<Result<PresentedToken, RejectionKind>> {
        let mut with_prefix = protocols(headers).filter_map(|it| self.after_prefix(it));
        let token = with_prefix.next()?;
        if !is_handshake(head) {
            return None;
        }
        Some(match with_prefix.next() {
            Some(_) => Err(RejectionKind::MultipleCredentials),
            None if token.len() > MAX_VALUE => Err(RejectionKind::TokenTooLong),
            None => self.read(token).ok_or(RejectionKind::MalformedCredentials),
        })
    }

    fn read(&self, token: &[u8]) -> Option<PresentedToken> {
        let value = match self.is_base64url {
            true => HeaderValue::try_from(base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok()?),
            false => HeaderValue::from_bytes(token),
        };
        let mut value = value.ok().filter(|value| authorization::is_token68(value.as_bytes()))?;
        value.set_sensitive(true);
        let range = 0..value.len();
        let (scheme, source) = (TokenScheme::Bearer, TokenSource::WebSocketProtocol);
        Some(PresentedToken::found(value, range, scheme, source))
    }

    fn after_prefix<'p>(&self, protocol: &'p [u8]) -> Option<&'p [u8]> {
        protocol.strip_prefix(self.prefix.as_bytes())
    }
}

/// Moves these sub-protocols from a request to `removed`. If it was the only one, the response may have to select it.
pub(super) fn remove<'a>(
    head: &mut Parts,
    removed: &mut HeaderMap,
    sources: impl Iterator<Item = &'a Protocol>,
) -> Option<OnResponse> {
    let sources: Vec<&Protocol> = sources.collect();
    let is_ours = |it: &&[u8]| sources.iter().any(|source| source.after_prefix(it).is_some());
    let (tokens, rest): (Vec<_>, Vec<_>) = protocols(&head.headers).partition(is_ours);
    let first = list(tokens.get(..1)?)?;
    let (tokens, rest) = (list(&tokens)?, list(&rest)?);
    // They fit: a line was there before.
    let _ = removed.try_append(SEC_WEBSOCKET_PROTOCOL, tokens);
    head.headers.remove(SEC_WEBSOCKET_PROTOCOL);
    if !rest.is_empty() {
        let _ = head.headers.try_insert(SEC_WEBSOCKET_PROTOCOL, rest);
        return None;
    }
    is_handshake(head).then(|| OnResponse::SelectProtocol {
        protocol: first,
        is_connect: head.method == Method::CONNECT,
    })
}

/// A line with these elements, marked as sensitive.
fn list(elements: &[&[u8]]) -> Option<HeaderValue> {
    let mut line = HeaderValue::from_bytes(&elements.join(&b", "[..])).ok()?;
    line.set_sensitive(true);
    Some(line)
}

/// The sub-protocols that a request offers, in all lines.
fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    elements(headers, &SEC_WEBSOCKET_PROTOCOL)
}

/// The elements of a list (RFC 9110 section 5.6.1).
fn elements<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h [u8]> {
    let lines = headers.get_all(name).iter();
    let all = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    all.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// Whether this is a WebSocket handshake: an upgrade over HTTP/1.1 (RFC 6455 section 4.2.1), or an extended `CONNECT`
/// (RFC 8441 section 5, RFC 9220), which has a path, unlike a plain `CONNECT`.
fn is_handshake(head: &Parts) -> bool {
    let names = |name: &HeaderName, word: &str| {
        elements(&head.headers, name).any(|it| it.eq_ignore_ascii_case(word.as_bytes()))
    };
    let is_asked = match (&head.method, head.version) {
        (&Method::GET, Version::HTTP_11) => {
            names(&CONNECTION, "upgrade")
                && names(&UPGRADE, "websocket")
                && head.headers.contains_key(SEC_WEBSOCKET_KEY)
        }
        (&Method::CONNECT, Version::HTTP_2 | Version::HTTP_3) => {
            head.uri.path_and_query().is_some()
        }
        _ => false,
    };
    is_asked && elements(&head.headers, &SEC_WEBSOCKET_VERSION).eq([b"13"])
}
