use std::fmt;
use std::sync::Arc;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};
use tower_layer::Layer;

use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::header::checked_name;
use crate::upstream::service::ClaimHeaders;
use crate::verify::VerifiedToken;

/// A layer that writes claims of the verified token into headers of the request, for services that do not verify
/// tokens themselves, such as those behind a gateway.
///
/// Put the layer inside of a [`JwtAuthLayer`](crate::JwtAuthLayer) with the same claims type. It first removes *every*
/// copy of its headers that came with the request, so that a client cannot write them, and their names from
/// `Connection`, so that a client cannot make a proxy remove them. It also does this for requests that passed without a
/// token ([optional](crate::JwtAuthLayer::optional), [exempt](crate::JwtAuthLayer::exempt)). Names that differ only in
/// punctuation count as equal, since many servers cannot tell `x-user` and `x_user` apart (RFC 3875 section 4.1.18).
///
/// A value is left out if it is empty, begins or ends with a space, or contains a character outside of printable ASCII,
/// such as a line break. Encode such values in the closure if you need them. The values are marked as sensitive.
///
/// Without such an authentication layer outside of this one, no request has the headers. With feature `tracing`, the
/// first request logs an `error` event, once for each claims type.
///
/// A service that trusts these headers must be reachable only through this one.
///
/// # Example: the user and the scopes
///
/// ```
/// use serde::Deserialize;
/// use tower_jwt_auth::{ClaimHeadersLayer, ConfigError, VerifiedToken};
///
/// #[derive(Deserialize)]
/// struct Claims {
///     sub: String,
/// }
///
/// fn claim_headers() -> Result<ClaimHeadersLayer<Claims>, ConfigError> {
///     ClaimHeadersLayer::<Claims>::new()
///         .with_header("x-user", |token| Some(token.sub.clone()))?
///         .with_header("x-scope", |token| VerifiedToken::scope(token).map(|it| it.to_string()))
/// }
/// # claim_headers()?;
/// # Ok::<(), ConfigError>(())
/// ```
pub struct ClaimHeadersLayer<C = RegisteredClaims> {
    headers: Arc<Vec<ClaimHeader<C>>>,
}

struct ClaimHeader<C> {
    name: HeaderName,
    read: Arc<ReadClaim<C>>,
}

type ReadClaim<C> = dyn Fn(&VerifiedToken<C>) -> Option<String> + Send + Sync;

impl<C> ClaimHeadersLayer<C> {
    /// Creates a layer without a header. Name the claims type, which the compiler cannot infer:
    /// `ClaimHeadersLayer::<Claims>::new()`.
    pub fn new() -> Self {
        Self { headers: Arc::default() }
    }

    /// Adds a header, with the text that the closure reads from the token. If it returns `None`, the request has no such
    /// header.
    ///
    /// # Errors
    ///
    /// When the name is not a header name, when the layer already has this header, or when the header has another
    /// meaning: the names that [`Source::header`](crate::Source::header) refuses.
    pub fn with_header<F>(mut self, name: &str, read: F) -> Result<Self, ConfigError>
    where
        F: Fn(&VerifiedToken<C>) -> Option<String> + Send + Sync + 'static,
    {
        let error = |message: String| ConfigError::new(ConfigErrorKind::Header, message);
        let name = checked_name(name).map_err(error)?;
        if self.headers.iter().any(|header| are_equal(&header.name, name.as_str().as_bytes())) {
            return Err(error(format!("the header {name} has a claim already")));
        }
        Arc::make_mut(&mut self.headers).push(ClaimHeader { name, read: Arc::new(read) });
        Ok(self)
    }

    /// Removes all copies of the headers from `headers`, and their names from `Connection`, then writes the headers for
    /// the token. The layer does this for each request. Call it yourself for a new request to another service.
    pub fn write(&self, token: Option<&VerifiedToken<C>>, headers: &mut HeaderMap) {
        let is_ours = |name: &[u8]| self.headers.iter().any(|it| are_equal(&it.name, name));
        let copies: Vec<HeaderName> =
            headers.keys().filter(|name| is_ours(name.as_str().as_bytes())).cloned().collect();
        for name in copies {
            headers.remove(name);
        }
        keep_end_to_end(headers, is_ours);
        let Some(token) = token else { return };
        for header in self.headers.iter() {
            if let Some(value) = (header.read)(token).and_then(|text| header_value(&text)) {
                // If the map is full (32,768 fields), the header is left out.
                let _ = headers.try_insert(header.name.clone(), value);
            }
        }
    }
}

/// The text as the value of a header; `None` if it is empty or would not arrive unchanged.
fn header_value(text: &str) -> Option<HeaderValue> {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    // A recipient would strip spaces at the ends, and get another text.
    let is_whole = !text.is_empty() && text.trim_ascii().len() == text.len();
    let mut value = HeaderValue::from_str(text).ok().filter(|_| is_printable && is_whole)?;
    value.set_sensitive(true);
    Some(value)
}

/// Removes these names from `Connection`: a proxy removes the headers that are named there (RFC 9110 section 7.6.1).
fn keep_end_to_end(headers: &mut HeaderMap, is_ours: impl Fn(&[u8]) -> bool) {
    let options = |line| HeaderValue::as_bytes(line).split(|&byte| byte == b',');
    let all = headers.get_all(CONNECTION).iter().flat_map(options).map(<[u8]>::trim_ascii);
    let (ours, others): (Vec<_>, Vec<_>) =
        all.filter(|option| !option.is_empty()).partition(|option| is_ours(option));
    if ours.is_empty() {
        return;
    }
    let line = HeaderValue::from_bytes(&others.join(&b", "[..])).ok();
    headers.remove(CONNECTION);
    if let Some(line) = line.filter(|line| !line.is_empty()) {
        // It fits: a line was there before.
        let _ = headers.try_insert(CONNECTION, line);
    }
}

/// Whether a server could treat the names as the same.
fn are_equal(name: &HeaderName, other: &[u8]) -> bool {
    let plain = |byte: u8| match byte.is_ascii_alphanumeric() {
        true => byte.to_ascii_lowercase(),
        false => b'-',
    };
    name.as_str().bytes().map(plain).eq(other.iter().copied().map(plain))
}

impl<S, C> Layer<S> for ClaimHeadersLayer<C> {
    type Service = ClaimHeaders<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        ClaimHeaders::new(inner, self.clone())
    }
}

impl<C> Default for ClaimHeadersLayer<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> Clone for ClaimHeadersLayer<C> {
    fn clone(&self) -> Self {
        Self { headers: Arc::clone(&self.headers) }
    }
}

impl<C> Clone for ClaimHeader<C> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), read: Arc::clone(&self.read) }
    }
}

impl<C> fmt::Debug for ClaimHeadersLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&HeaderName> = self.headers.iter().map(|header| &header.name).collect();
        f.debug_struct("ClaimHeadersLayer").field("headers", &names).finish_non_exhaustive()
    }
}
