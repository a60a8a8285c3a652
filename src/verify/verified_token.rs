use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::Extensions;

use crate::claims::{NumericDate, RegisteredClaims};
use crate::extensions::MissingLayer;
use crate::token::TokenHeader;

/// Proof that a token was verified, and the claims it holds.
///
/// The layer puts it into the request's extensions; only verification can build one. Cloning it
/// clones one `Arc`.
///
/// It dereferences to the claims: `token.sub`. Its methods [`claims`](Self::claims),
/// [`header`](Self::header) and [`expires_at`](Self::expires_at) hide methods of the same name of the
/// claims, and are the only ones that ever will: everything else is an associated function, as
/// [`VerifiedToken::into_claims(token)`](Self::into_claims).
///
/// # Example: in any stack
///
/// ```
/// use http::Request;
/// use tower_jwt_auth::{MissingLayer, VerifiedToken};
///
/// fn subject<B>(request: &Request<B>) -> Result<Option<&str>, MissingLayer> {
///     let token: &VerifiedToken = VerifiedToken::from_extensions(request.extensions())?;
///     Ok(token.sub.as_deref())
/// }
/// assert!(subject(&Request::new(())).is_err());
/// ```
///
/// # Example: what is known of a token
///
/// ```
/// # #[cfg(feature = "test-util")] {
/// use tower_jwt_auth::test_util::TestIssuer;
/// use tower_jwt_auth::{Algorithm, VerifiedToken};
///
/// let issuer = TestIssuer::new();
/// let token: VerifiedToken = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
/// assert_eq!(token.sub.as_deref(), Some("alice"));
/// assert_eq!(token.claims().iss.as_deref(), Some("https://issuer.test"));
/// assert_eq!(token.expires_at(), token.exp);
/// assert_eq!(token.header().unwrap().algorithm(), Algorithm::ES256);
/// # }
/// ```
pub struct VerifiedToken<C = RegisteredClaims> {
    verified: Arc<Verified<C>>,
    /// Not behind the `Arc`, so that a rule can shorten the life of a token that is shared.
    expires_at: Option<NumericDate>,
}

struct Verified<C> {
    claims: C,
    header: Option<TokenHeader>,
}

// No further method takes `self`: it would hide a method of the same name of the user's claims. What is
// added later is an associated function, as those of `Arc` are.
impl<C> VerifiedToken<C> {
    pub(crate) fn new(
        claims: C,
        header: Option<TokenHeader>,
        expires_at: Option<NumericDate>,
    ) -> Self {
        Self { verified: Arc::new(Verified { claims, header }), expires_at }
    }

    /// The claims.
    pub fn claims(&self) -> &C {
        &self.verified.claims
    }

    /// The token's header (RFC 7515 section 4); `None` for a token that is not a JWT.
    pub fn header(&self) -> Option<&TokenHeader> {
        self.verified.header.as_ref()
    }

    /// When the token expires: the `exp` of a JWT (RFC 7519 section 4.1.4), without the leeway;
    /// `None` when it is not known.
    pub fn expires_at(&self) -> Option<NumericDate> {
        self.expires_at
    }

    /// Gives the claims away: moved out of the last clone of a token, and cloned where others remain, such
    /// as the one in the extensions of a request.
    ///
    /// An associated function: `VerifiedToken::into_claims(token)`.
    pub fn into_claims(token: Self) -> C
    where
        C: Clone,
    {
        match Arc::try_unwrap(token.verified) {
            Ok(verified) => verified.claims,
            Err(shared) => shared.claims.clone(),
        }
    }

    pub(super) fn with_expires_at(self, expires_at: NumericDate) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// The same token with other claims.
    pub(super) fn map_claims<D>(self, map: impl FnOnce(&C) -> D) -> VerifiedToken<D> {
        VerifiedToken::new(map(self.claims()), self.header().cloned(), self.expires_at)
    }
}

impl<C: Send + Sync + 'static> VerifiedToken<C> {
    /// The token that the layer put into a request's extensions.
    ///
    /// # Errors
    ///
    /// When there is none with claims of this type: the layer is missing, reads other claims, or
    /// let the request pass without a token.
    ///
    /// # Example: claims of a type of one's own
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// use http::Extensions;
    /// use tower_jwt_auth::VerifiedToken;
    /// use tower_jwt_auth::test_util::verified_token;
    ///
    /// struct Tenant(u32);
    ///
    /// let mut extensions = Extensions::new();
    /// extensions.insert(verified_token(Tenant(7))); // As the layer does, for a token that is good.
    ///
    /// assert_eq!(VerifiedToken::<Tenant>::from_extensions(&extensions).unwrap().0, 7);
    /// assert!(<VerifiedToken>::from_extensions(&extensions).is_err()); // Other claims.
    /// # }
    /// ```
    pub fn from_extensions(extensions: &Extensions) -> Result<&Self, MissingLayer> {
        extensions.get().ok_or_else(MissingLayer::for_claims::<C>)
    }
}

impl<C> Deref for VerifiedToken<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.claims()
    }
}

impl<C> Clone for VerifiedToken<C> {
    fn clone(&self) -> Self {
        Self { verified: Arc::clone(&self.verified), expires_at: self.expires_at }
    }
}

impl<C> fmt::Debug for VerifiedToken<C> {
    /// Without the claims, which are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("header", &self.header())
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
