use std::fmt;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::claims::NumericDate;
use crate::verify::verified_token::VerifiedToken;

/// What a [`VerifyToken`](crate::VerifyToken) returns for a token that it accepts: the token's claims, and
/// what the layer should do beside.
///
/// It is made of claims by [`new`](Self::new), or of a [`VerifiedToken`] of another verifier by `From`.
///
/// # Example: an opaque token that expires
///
/// ```
/// use tower_jwt_auth::{Accepted, NumericDate};
///
/// let accepted = Accepted::new("alice").with_expires_at(NumericDate::from_unix_seconds(4_102_444_800));
/// assert_eq!(accepted.token().expires_at().unwrap().unix_seconds(), 4_102_444_800);
/// ```
pub struct Accepted<C> {
    token: VerifiedToken<C>,
    /// Boxed, since most requests have none.
    extras: Option<Box<Extras>>,
}

/// What goes with a token, into the request and onto its response.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    pub(crate) extensions: Extensions,
    pub(crate) headers: HeaderMap,
}

impl<C> Accepted<C> {
    /// A token with these claims, of which nothing else is known.
    pub fn new(claims: C) -> Self {
        VerifiedToken::new(claims, None, None).into()
    }

    /// Replaces the time at which the token expires. By default, it is unknown, or that of the
    /// [`VerifiedToken`].
    #[must_use]
    pub fn with_expires_at(self, expires_at: NumericDate) -> Self {
        Self { token: self.token.with_expires_at(expires_at), ..self }
    }

    /// Adds a value to the extensions of the request, for the inner service; it replaces one of the same
    /// type. There are none by default.
    #[must_use]
    pub fn with_request_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extras().extensions.insert(value);
        self
    }

    /// Adds a header to the response of the inner service, beside those that it sets; for example the next
    /// nonce of DPoP (RFC 9449 section 8.2). There are none by default.
    #[must_use]
    pub fn with_response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        append(&mut self.extras().headers, name, value);
        self
    }

    /// The token, as the layer puts it into the request's extensions.
    pub fn token(&self) -> &VerifiedToken<C> {
        &self.token
    }

    /// The token alone, without what goes with it.
    pub fn into_token(self) -> VerifiedToken<C> {
        self.token
    }

    /// Replaces the claims by what a function makes of them. All else stays, including the token's header
    /// and the time at which it expires.
    #[must_use]
    pub fn map_claims<D>(self, map: impl FnOnce(&C) -> D) -> Accepted<D> {
        Accepted { token: self.token.map_claims(map), extras: self.extras }
    }

    pub(crate) fn into_parts(self) -> (VerifiedToken<C>, Option<Box<Extras>>) {
        (self.token, self.extras)
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}

/// Beyond the 32768 headers of a map, one is dropped.
pub(crate) fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let _is_full = headers.try_append(name, value);
}

impl<C> From<VerifiedToken<C>> for Accepted<C> {
    fn from(token: VerifiedToken<C>) -> Self {
        Self { token, extras: None }
    }
}

impl<C> Clone for Accepted<C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), extras: self.extras.clone() }
    }
}

impl<C> fmt::Debug for Accepted<C> {
    /// Without the claims, which are personal data, and without the values of extensions and headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self.extras.as_ref().map(|extras| &extras.headers);
        f.debug_struct("Accepted")
            .field("token", &self.token)
            .field(
                "response_headers",
                &Vec::from_iter(headers.into_iter().flat_map(HeaderMap::keys)),
            )
            .finish_non_exhaustive()
    }
}
