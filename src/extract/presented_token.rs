use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use http::{Extensions, HeaderMap, HeaderValue};

use crate::crypto::constant_time;
use crate::extensions::{LayerOutside, MissingLayer, PassedWithoutToken};
use crate::extract::authorization::{self, Token68};
use crate::extract::verifier_note::VerifierNote;
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::{Schemes, TokenScheme};

/// A token as the client sent it, not yet verified: its text, its [scheme](TokenScheme), and its
/// [source](TokenSource).
///
/// The text is a non-empty `token68` (RFC 6750 section 2.1, RFC 9110 section 11.2). Clones share the header
/// value. `Debug` does not show the token.
///
/// # Example: a token for the test of a custom verifier
///
/// ```
/// use tower_jwt_auth::{PresentedToken, TokenScheme};
///
/// let token = PresentedToken::bearer("demo-key-alice")?;
/// assert_eq!(token.as_str(), "demo-key-alice");
/// assert_eq!(token.scheme(), TokenScheme::Bearer);
/// assert!(!format!("{token:?}").contains("alice"));
/// # Ok::<(), tower_jwt_auth::Rejection>(())
/// ```
#[derive(Clone)]
pub struct PresentedToken {
    /// The range contains visible ASCII only, which the constructors check; or the layer, if its verifier refuses
    /// the token.
    value: HeaderValue,
    range: Range<usize>,
    scheme: TokenScheme,
    source: TokenSource,
    /// `None` if no observer reads it.
    note: Option<VerifierNote>,
}

/// The token that the innermost layer with sources has found, in the extensions of the request: the head may no longer
/// contain it.
#[derive(Clone)]
pub(crate) struct FoundToken(pub(crate) PresentedToken);

/// The part of a request that contained a token.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenSource {
    /// The `Authorization` header (RFC 9110 section 11.6.2).
    AuthorizationHeader,
    /// Another header: see [`Source::header`](crate::Source::header).
    Header,
    /// A cookie: see [`Source::cookie`](crate::Source::cookie).
    Cookie,
    /// A sub-protocol of a WebSocket handshake: see
    /// [`Source::websocket_protocol`](crate::Source::websocket_protocol).
    WebSocketProtocol,
    /// A parameter of the query: see `Source::dangerous_query`, which needs the feature `query-token`.
    Query,
}

impl PresentedToken {
    pub(super) fn from_header(
        value: HeaderValue,
        range: Range<usize>,
        scheme: TokenScheme,
    ) -> Self {
        Self::found(value, range, scheme, TokenSource::AuthorizationHeader)
    }

    #[inline]
    pub(super) fn found(
        value: HeaderValue,
        range: Range<usize>,
        scheme: TokenScheme,
        source: TokenSource,
    ) -> Self {
        Self { value, range, scheme, source, note: None }
    }

    /// Creates a bearer token without a request, as if it came from an `Authorization: Bearer` header. Use this
    /// function in tests, and for calls of [`verify_token`](crate::VerifyToken::verify_token).
    ///
    /// # Errors
    ///
    /// When the text is not a `token68`: [`RejectionKind::MalformedCredentials`].
    pub fn bearer(token: &str) -> Result<Self, Rejection> {
        Self::in_authorization(token, TokenScheme::Bearer)
    }

    /// Like [`bearer`](Self::bearer), as if the token came from an `Authorization: DPoP` header.
    ///
    /// # Errors
    ///
    /// When the text is not a `token68`: [`RejectionKind::MalformedCredentials`].
    pub fn dpop(token: &str) -> Result<Self, Rejection> {
        Self::in_authorization(token, TokenScheme::DPoP)
    }

    fn in_authorization(token: &str, scheme: TokenScheme) -> Result<Self, Rejection> {
        match HeaderValue::from_str(token) {
            Ok(mut value) if authorization::is_token68(token.as_bytes()) => {
                value.set_sensitive(true);
                Ok(Self::from_header(value, 0..token.len(), scheme))
            }
            _ => Err(RejectionKind::MalformedCredentials.into()),
        }
    }

    /// Returns the token that the layer around this service has verified, to forward it to another service. `None` if
    /// the layer forwarded the request without a token. If layers are nested, the innermost one counts. axum handlers
    /// can extract the token instead.
    ///
    /// If the layer has no [sources](crate::JwtAuthLayer::with_sources) of its own, the token is read from the
    /// `Authorization` header, so no service in between may change that header.
    ///
    /// # Errors
    ///
    /// When no layer, with any claims type, is around this service.
    ///
    /// # Example: the credentials of a tonic call
    ///
    /// ```
    /// use tonic::{Request, Status};
    /// use tower_jwt_auth::PresentedToken;
    ///
    /// fn token<T>(request: &Request<T>) -> Result<PresentedToken, Status> {
    ///     PresentedToken::from_request(request.metadata().as_ref(), request.extensions())
    ///         .map_err(|missing| Status::internal(missing.to_string()))?
    ///         .ok_or_else(|| Status::unauthenticated("no token"))
    /// }
    /// # let _ = token::<()>;
    /// ```
    pub fn from_request(
        headers: &HeaderMap,
        extensions: &Extensions,
    ) -> Result<Option<Self>, MissingLayer> {
        if extensions.get::<PassedWithoutToken>().is_some() {
            Ok(None)
        } else if let Some(FoundToken(token)) = extensions.get() {
            Ok(Some(token.clone()))
        } else if extensions.get::<LayerOutside>().is_some() {
            Ok(authorization::extract(headers, Schemes::ALL, Token68::First).ok())
        } else {
            Err(MissingLayer::for_presented_token())
        }
    }

    /// The text of the token. The text is a secret of the client: do not log it. To compare it with a secret,
    /// use [`matches`](Self::matches), not `==`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The scheme of the token.
    pub fn scheme(&self) -> TokenScheme {
        self.scheme
    }

    /// The part of the request that contained the token.
    pub fn source(&self) -> TokenSource {
        self.source
    }

    /// Whether the token equals this secret, in constant time.
    ///
    /// The SHA-256 hashes of token and secret are compared, so the time reveals at most the length of the
    /// secret, in steps of 64 bytes. An empty secret matches no token. Use a random secret: the comparison does
    /// not slow down an attacker who guesses.
    ///
    /// # Example: one API key
    ///
    /// ```
    /// use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Rejection, verify_fn};
    ///
    /// fn layer(api_key: String) -> JwtAuthLayer<&'static str> {
    ///     JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| match token.matches(&api_key) {
    ///         true => Ok("the batch job"),
    ///         false => Err(Rejection::invalid_token()),
    ///     }))
    /// }
    /// ```
    pub fn matches(&self, secret: impl AsRef<[u8]>) -> bool {
        constant_time::are_equal(self.as_bytes(), secret.as_ref())
    }

    /// The same token with a copy of its text, without the rest of the header's buffer.
    #[cfg(feature = "token-cache")]
    pub(crate) fn with_text(&self, mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        let range = 0..value.len();
        let Self { scheme, source, .. } = *self;
        Self { value, range, scheme, source, note: None }
    }

    /// Sets where the verifier of the token records what it finds out.
    pub(crate) fn take_note(&mut self, note: VerifierNote) {
        self.note = Some(note);
    }

    /// Records the issuer whose verifier verifies the token, as configured, for observers.
    pub(crate) fn note_issuer<'i>(&self, issuer: impl FnOnce() -> Option<&'i Arc<str>>) {
        if let Some(note) = &self.note {
            note.set_issuer(issuer());
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.value.as_bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for PresentedToken {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken")
            .field("scheme", &self.scheme)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
