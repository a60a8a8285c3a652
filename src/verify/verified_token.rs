use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use http::Extensions;

use crate::claims::{NumericDate, RegisteredClaims, Scope};
use crate::extensions::MissingLayer;
use crate::json_member::member;
use crate::rejection::{Rejection, RejectionKind};
use crate::token::TokenHeader;
use crate::verify::by_name::ByName;
use crate::verify::confirmation::Confirmation;
use crate::verify::rule_context::RuleContext;
use crate::verify::token_ids::TokenIds;

/// The proof that a token was verified, with its claims.
///
/// The layer puts it into the request's extensions. Only a verifier creates it: one of this crate, or a custom one
/// with [`Accepted`](crate::Accepted). A clone copies one or two `Arc`s.
///
/// It dereferences to the claims: `token.sub`. The methods [`claims`](Self::claims), [`header`](Self::header)
/// and [`expires_at`](Self::expires_at) hide methods of the claims type with the same name. No later version
/// adds a method: all other functions are associated functions, such as
/// [`VerifiedToken::into_claims(token)`](Self::into_claims).
///
/// # Example: read the claims without axum
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
/// # Example: claims, expiry and header
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
    /// Outside of the `Arc`, so that a custom verifier can replace it in a shared token.
    expiry: Expiry,
    /// Outside of the `Arc` for the same reason. `None` for most tokens.
    added: Option<Arc<Added>>,
}

/// What few tokens have, or what a custom verifier sets.
#[derive(Clone, Default)]
struct Added {
    /// Replaces the scopes of the claims.
    scope: Option<Scope>,
    confirmation: Option<Confirmation>,
}

#[derive(Clone, Copy)]
enum Expiry {
    Unknown,
    /// The `exp` of a JWT. The verifier may refuse the token earlier, or later by its leeway.
    Claim(NumericDate),
    /// The time that a custom verifier set.
    Set(NumericDate),
}

struct Verified<C> {
    claims: C,
    header: Option<TokenHeader>,
    by_name: ByName,
}

// No further method takes `self`: it would hide a method of the user's claims with the same name. Later
// additions are associated functions, as with `Arc`.
impl<C> VerifiedToken<C> {
    /// A token that is not a JWT.
    pub(super) fn new(claims: C) -> Self {
        Self::with_parts(claims, None, ByName::default(), Expiry::Unknown)
    }

    pub(super) fn of_jwt(
        claims: C,
        header: TokenHeader,
        by_name: ByName,
        expires_at: NumericDate,
    ) -> Self {
        Self::with_parts(claims, Some(header), by_name, Expiry::Claim(expires_at))
    }

    /// The same token with the binding in its claims, which have a `cnf`. Few tokens have one, so it is read apart.
    #[cold]
    #[inline(never)]
    pub(super) fn bound_by_claims(self, payload: &[u8]) -> Result<Self, Rejection> {
        Ok(self.with_confirmation(Confirmation::of_claims(payload)?))
    }

    /// A token that the authorization server has told about.
    #[cfg(feature = "introspection")]
    pub(super) fn of_answer(claims: C, by_name: ByName, expires_at: Option<NumericDate>) -> Self {
        let expiry = expires_at.map_or(Expiry::Unknown, Expiry::Claim);
        Self::with_parts(claims, None, by_name, expiry)
    }

    fn with_parts(claims: C, header: Option<TokenHeader>, by_name: ByName, expiry: Expiry) -> Self {
        Self { verified: Arc::new(Verified { claims, header, by_name }), expiry, added: None }
    }

    /// The claims of the token.
    pub fn claims(&self) -> &C {
        &self.verified.claims
    }

    /// The token's header (RFC 7515 section 4); `None` if a custom verifier made the token from claims
    /// ([`Accepted::new`](crate::Accepted::new)).
    pub fn header(&self) -> Option<&TokenHeader> {
        self.verified.header.as_ref()
    }

    /// The expiry of the token: the `exp` of a JWT (RFC 7519 section 4.1.4), without the leeway, or the time from
    /// [`Accepted::with_expires_at`](crate::Accepted::with_expires_at); `None` if the expiry is not known.
    pub fn expires_at(&self) -> Option<NumericDate> {
        match self.expiry {
            Expiry::Unknown => None,
            Expiry::Claim(expires_at) | Expiry::Set(expires_at) => Some(expires_at),
        }
    }

    /// Returns the time from which the verifier refuses the token, by the verifier's clock. This is `exp` plus the
    /// leeway, or `iat` plus the [maximum age](crate::JwtVerifier::with_max_age) and the leeway, if that is earlier.
    /// For a token with [`Accepted::with_expires_at`](crate::Accepted::with_expires_at) it is that time, without a
    /// leeway. `None` if the expiry is not known.
    ///
    /// A connection that lives longer than its request, such as a WebSocket, should end at this time. This is an
    /// associated function: `VerifiedToken::refused_from(&token)`.
    pub fn refused_from(token: &Self) -> Option<NumericDate> {
        Self::end(token).map(|(at, _)| at)
    }

    /// The time from which the verifier refuses the token, and the reason.
    pub(crate) fn end(token: &Self) -> Option<(NumericDate, RejectionKind)> {
        match token.expiry {
            Expiry::Unknown => None,
            Expiry::Set(at) => Some((at, RejectionKind::ExpiredToken)),
            Expiry::Claim(expires_at) => {
                let leeway = Self::rule_context(token)?.leeway;
                let at = token.verified.by_name.refused_from()?;
                Some(match at < expires_at.saturating_add(leeway) {
                    true => (at, RejectionKind::TooOld),
                    false => (at, RejectionKind::ExpiredToken),
                })
            }
        }
    }

    /// The first time at which no verifier accepts this token, with any settings, and no request with it is still being
    /// verified: `exp` plus the greatest leeway and a margin. If a custom verifier set a later time, the same from that.
    /// `None` if the expiry is not known.
    pub(super) fn refused_by_all_from(token: &Self) -> Option<NumericDate> {
        /// Between a verifier's look at the clock and that of a store.
        const MARGIN: u64 = 60;
        let claimed = match token.expiry {
            Expiry::Claim(expires_at) => Some(expires_at),
            Expiry::Set(_) => Self::claimed_expiry(token),
            Expiry::Unknown => None,
        };
        let expires_at = claimed.max(token.expires_at())?;
        Some(expires_at.saturating_add(RuleContext::MAX_LEEWAY + MARGIN))
    }

    /// The `exp` in the claims, for which a custom verifier set another time.
    fn claimed_expiry(token: &Self) -> Option<NumericDate> {
        serde_json::from_str(member(Self::payload(token)?, "exp").ok()??).ok()
    }

    /// Takes the claims out of the token. They are cloned if other clones of the token remain, such as the
    /// one in the extensions of a request.
    ///
    /// This is an associated function: `VerifiedToken::into_claims(token)`.
    pub fn into_claims(token: Self) -> C
    where
        C: Clone,
    {
        match Arc::try_unwrap(token.verified) {
            Ok(verified) => verified.claims,
            Err(shared) => shared.claims.clone(),
        }
    }

    /// The scopes of the token, with any claims type: the values of the claims `scope` (RFC 8693 section 4.2) and
    /// `scp`, each a string or an array, or the scopes of [`Accepted::with_scope`](crate::Accepted::with_scope).
    /// Scopes that these include by the verifier's [scope hierarchy](crate::JwtVerifier::with_scope_hierarchy) are
    /// added. A JWT with neither claim has no scopes: the result is an empty [`Scope`].
    ///
    /// The scopes are not known, and the result is `None`, in three cases: the token is not a JWT and its
    /// verifier did not set scopes; it was verified without a request and without
    /// [`with_claims_by_name`](crate::JwtVerifier::with_claims_by_name); or one of the two claims has another
    /// type.
    ///
    /// The first call decodes the token, with a few allocations. Later calls, also on clones, do not. This is
    /// an associated function: `VerifiedToken::scope(&token)`.
    ///
    /// # Example: a claims type without a field for the scope
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_jwt_auth::VerifiedToken;
    ///
    /// #[derive(Deserialize)]
    /// struct Claims {
    ///     sub: String,
    /// }
    ///
    /// fn may_read(token: &VerifiedToken<Claims>) -> bool {
    ///     VerifiedToken::scope(token).is_some_and(|scope| scope.contains("orders:read"))
    /// }
    /// # let _ = (may_read, |claims: Claims| claims.sub);
    /// ```
    pub fn scope(token: &Self) -> Option<&Scope> {
        let replaced = token.added.as_ref().and_then(|added| added.scope.as_ref());
        replaced.or_else(|| token.verified.by_name.scope())
    }

    /// The key or certificate to which the token is bound: the claim `cnf` of a JWT (RFC 7800), or the value of
    /// [`Accepted::with_confirmation`](crate::Accepted::with_confirmation). `None` if the token is not bound, or if its
    /// verifier ignores the binding.
    ///
    /// This is an associated function: `VerifiedToken::confirmation(&token)`.
    pub fn confirmation(token: &Self) -> Option<&Confirmation> {
        token.added.as_ref()?.confirmation.as_ref()
    }

    /// The claims as JSON; `None` if the text of the token was not kept, or the token is not a JWT.
    pub(crate) fn payload(token: &Self) -> Option<&str> {
        token.verified.by_name.payload()
    }

    /// What identifies the token, decoded once; `None` where [`payload`](Self::payload) is. The error is the name of a
    /// malformed claim.
    pub(super) fn ids(token: &Self) -> Option<Result<&TokenIds, &'static str>> {
        token.verified.by_name.ids()
    }

    /// The text in this claim, as an ID; `None` where [`payload`](Self::payload) is. The error is the name of the
    /// malformed claim.
    pub(super) fn id_in<'n>(
        token: &Self,
        claim: &'n str,
    ) -> Option<Result<Option<Box<str>>, &'n str>> {
        Self::payload(token).map(|claims| TokenIds::read_id(claims, claim))
    }

    pub(crate) fn rule_context(token: &Self) -> Option<&RuleContext> {
        token.verified.by_name.context()
    }

    pub(super) fn with_scope(self, scope: Scope) -> Self {
        let scope = self.verified.by_name.expand(scope);
        self.with_added(|added| added.scope = Some(scope))
    }

    pub(super) fn with_confirmation(self, confirmation: Confirmation) -> Self {
        self.with_added(|added| added.confirmation = Some(confirmation))
    }

    /// For a request of which nobody checks the binding.
    #[cfg(feature = "introspection")]
    pub(super) fn without_confirmation(self) -> Self {
        self.with_added(|added| added.confirmation = None)
    }

    fn with_added(mut self, add: impl FnOnce(&mut Added)) -> Self {
        add(Arc::make_mut(self.added.get_or_insert_default()));
        self
    }

    pub(super) fn with_expires_at(self, expires_at: NumericDate) -> Self {
        Self { expiry: Expiry::Set(expires_at), ..self }
    }

    /// The same token with other claims.
    pub(super) fn map_claims<D>(self, map: impl FnOnce(&C) -> D) -> VerifiedToken<D> {
        let Verified { claims, header, by_name } = &*self.verified;
        let (claims, header, by_name) = (map(claims), header.clone(), by_name.again());
        let mapped = VerifiedToken::with_parts(claims, header, by_name, self.expiry);
        VerifiedToken { added: self.added, ..mapped }
    }
}

impl<C: Send + Sync + 'static> VerifiedToken<C> {
    /// Returns the token that the layer put into a request's extensions.
    ///
    /// # Errors
    ///
    /// When there is no token with this claims type: the layer is missing, has another claims type, or forwarded
    /// the request without a token, because the layer is [optional](crate::JwtAuthLayer::optional) or the request
    /// is exempt. The error does not tell these cases apart.
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
        Self {
            verified: Arc::clone(&self.verified),
            expiry: self.expiry,
            added: self.added.clone(),
        }
    }
}

impl<C> fmt::Debug for VerifiedToken<C> {
    /// Omits the claims, which are personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("header", &self.header())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
