use std::fmt;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use crate::claims::{NumericDate, Scope};
use crate::extract::OnResponse;
use crate::rejection::{Rejection, RejectionKind};
use crate::replay_store::RecordedUses;
use crate::verify::confirmation::Confirmation;
use crate::verify::verified_token::VerifiedToken;

/// The result of a [`VerifyToken`](crate::VerifyToken) that accepts a token: the claims, and what the layer
/// adds to the request and the response.
///
/// Create it from claims with [`new`](Self::new), or from the [`VerifiedToken`] of another verifier with
/// `Accepted::from`.
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

/// What the layer adds to the request and to its response, and what it needs to know.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    /// Whether the request comes from the sender to whom the token is bound.
    pub(crate) is_confirmed: bool,
    pub(crate) extensions: Extensions,
    pub(crate) headers: HeaderMap,
    pub(crate) on_response: Vec<OnResponse>,
}

impl Extras {
    /// The same for another request or another binding.
    fn unconfirmed(mut self: Box<Self>) -> Box<Self> {
        self.is_confirmed = false;
        self.extensions.remove::<RecordedUses>();
        self
    }

    pub(super) fn add_header(&mut self, name: HeaderName, value: HeaderValue) {
        append(&mut self.headers, name, value);
    }
}

impl<C> Accepted<C> {
    /// Accepts a token with these claims. The token has no header, and its expiry and scopes are not known.
    pub fn new(claims: C) -> Self {
        VerifiedToken::new(claims).into()
    }

    /// Replaces the expiry of the token, which [`VerifiedToken::expires_at`] returns. By default it is not known,
    /// or it is that of the [`VerifiedToken`] from which this value was created. The layer does not check it. No leeway
    /// is added, also for a JWT: see [`VerifiedToken::refused_from`].
    #[must_use]
    pub fn with_expires_at(self, expires_at: NumericDate) -> Self {
        Self { token: self.token.with_expires_at(expires_at), ..self }
    }

    /// Replaces the scopes of the token, for [rules](crate::Rule) and for [`VerifiedToken::scope`]. By default,
    /// the scopes of a JWT are those of its claims, and the scopes of other tokens are not known.
    ///
    /// For a JWT, the scopes that these scopes include are added, by the verifier's [scope
    /// hierarchy](crate::JwtVerifier::with_scope_hierarchy). For other tokens, call
    /// [`ScopeHierarchy::expand`](crate::ScopeHierarchy::expand) first.
    ///
    /// # Example: an API key
    ///
    /// ```
    /// use tower_jwt_auth::{Accepted, Scope, VerifiedToken};
    ///
    /// let accepted = Accepted::new("the batch job").with_scope(Scope::from("orders:read"));
    /// assert!(VerifiedToken::scope(accepted.token()).unwrap().contains("orders:read"));
    /// ```
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { token: self.token.with_scope(scope), ..self }
    }

    /// Replaces the binding of the token to its sender; none by default. Call it for each token whose issuer names a
    /// binding, such as the `cnf` of a response of token introspection (RFC 9449 section 6.2, RFC 8705 section 3.2).
    ///
    /// This method checks nothing: the verifier must be inside of a
    /// [`SenderConstrained`](crate::SenderConstrained), which checks the binding. Otherwise the token is refused as
    /// [`UnconfirmedSender`](RejectionKind::UnconfirmedSender).
    #[must_use]
    pub fn with_confirmation(self, confirmation: Confirmation) -> Self {
        let extras = self.extras.map(Extras::unconfirmed);
        Self { token: self.token.with_confirmation(confirmation), extras }
    }

    /// Records that the request comes from the sender to whom the token is bound.
    pub(super) fn confirmed(mut self) -> Self {
        self.extras().is_confirmed = true;
        self
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.is_confirmed)
    }

    /// Adds a value to the extensions of the request, for the inner service; none by default. It replaces an
    /// existing value of the same type.
    #[must_use]
    pub fn with_request_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extras().extensions.insert(value);
        self
    }

    /// Adds a header to the response of the inner service, for example the next nonce of DPoP (RFC 9449 section
    /// 8.2); none by default. If the inner service sets a header of the same name, the response has both.
    #[must_use]
    pub fn with_response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.extras().add_header(name, value);
        self
    }

    /// Adds further additions to the request and the response.
    pub(super) fn with_extras(mut self, added: Option<Box<Extras>>) -> Self {
        if let Some(added) = added {
            let extras = self.extras();
            extras.extensions.extend(added.extensions);
            for (name, value) in &added.headers {
                extras.add_header(name.clone(), value.clone());
            }
        }
        self
    }

    /// Sets the changes of the response that the sources of the layer need.
    pub(crate) fn with_on_response(mut self, changes: Vec<OnResponse>) -> Self {
        self.extras().on_response = changes;
        self
    }

    /// The accepted token, which the layer puts into the request's extensions.
    pub fn token(&self) -> &VerifiedToken<C> {
        &self.token
    }

    /// Returns the accepted token, without the additions to the request and the response.
    pub fn into_token(self) -> VerifiedToken<C> {
        self.token
    }

    /// Converts the claims with a function. The header, the expiry and the scopes of the token do not change,
    /// and the additions to the request and the response are kept.
    #[must_use]
    pub fn map_claims<D>(self, map: impl FnOnce(&C) -> D) -> Accepted<D> {
        Accepted { token: self.token.map_claims(map), extras: self.extras }
    }

    /// The token, and what is added to the request and the response. A token that is bound to a sender whom nobody has
    /// confirmed is refused.
    #[inline]
    pub(crate) fn admitted(self) -> Result<(VerifiedToken<C>, Option<Box<Extras>>), Rejection> {
        match VerifiedToken::confirmation(&self.token).is_some() && !self.is_confirmed() {
            true => Err(RejectionKind::UnconfirmedSender.into()),
            false => Ok((self.token, self.extras)),
        }
    }

    pub(super) fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }
}

/// Appends a header. If the map is full (32,768 headers), the header is left out.
pub(crate) fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let _is_full = headers.try_append(name, value);
}

impl<C> From<VerifiedToken<C>> for Accepted<C> {
    fn from(token: VerifiedToken<C>) -> Self {
        Self { token, extras: None }
    }
}

impl<C> Clone for Accepted<C> {
    /// A clone of a bound token may be for another request, so its sender is not confirmed: a layer refuses it.
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), extras: self.extras.clone().map(Extras::unconfirmed) }
    }
}

impl<C> fmt::Debug for Accepted<C> {
    /// Omits the claims, which are personal data, and the values of extensions and headers.
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
