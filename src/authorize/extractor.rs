use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum_core::extract::FromRequestParts;
use http::request::Parts;

use crate::axum::ExtractorRejection;
use crate::claims::{RegisteredClaims, Scope};
use crate::rejection::Rejection;
use crate::verify::VerifiedToken;

/// Names the scopes that the extractor [`Authorized`] requires. Implement it for a unit struct.
///
/// An empty list, or a name that cannot be a scope (RFC 6749 section 3.3), is a compile error where
/// [`Authorized`] is used with the type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no scopes for `Authorized<{Self}>`",
    label = "not a `RequiredScopes`",
    note = "implement it: `impl RequiredScopes for {Self} {{ const SCOPES: &'static [&'static str] = &[\"…\"]; }}`"
)]
pub trait RequiredScopes {
    /// The required scopes: a token needs all of them.
    const SCOPES: &'static [&'static str];
}

/// An axum extractor for a verified token that has all scopes of `M`, a type with [`RequiredScopes`]. `C` is the
/// claims type of the layer. The extractor dereferences to the token.
///
/// If the token lacks a scope, the response is 403, and its challenge names the missing scopes. If the
/// [scopes](VerifiedToken::scope) of the token are not known, all are missing. If the request has no token, the
/// response is 401. If the layer is missing or has another claims type, it is 500.
///
/// # Example: the scopes of a handler in its signature
///
/// ```
/// use tower_jwt_auth::{Authorized, RequiredScopes};
///
/// struct ReadOrders;
///
/// impl RequiredScopes for ReadOrders {
///     const SCOPES: &'static [&'static str] = &["orders:read"];
/// }
///
/// async fn orders(token: Authorized<ReadOrders>) -> String {
///     format!("the orders of {:?}", token.sub)
/// }
/// # let _ = orders;
/// ```
pub struct Authorized<M, C = RegisteredClaims> {
    token: VerifiedToken<C>,
    scopes: PhantomData<fn() -> M>,
}

impl<M, C> Authorized<M, C> {
    /// Returns the token, without the scopes in its type. This is an associated function:
    /// `Authorized::into_token(authorized)`.
    pub fn into_token(authorized: Self) -> VerifiedToken<C> {
        authorized.token
    }
}

impl<S, M, C> FromRequestParts<S> for Authorized<M, C>
where
    S: Send + Sync,
    M: RequiredScopes,
    C: Send + Sync + 'static,
{
    type Rejection = ExtractorRejection;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ExtractorRejection> {
        const {
            assert!(!M::SCOPES.is_empty(), "`SCOPES` must name at least one scope");
            assert!(
                are_scopes(M::SCOPES),
                "a name in `SCOPES` is not a scope (RFC 6749 section 3.3)"
            )
        };
        let token =
            <VerifiedToken<C> as FromRequestParts<S>>::from_request_parts(head, state).await?;
        check(&token, M::SCOPES).map_err(ExtractorRejection::Rejection)?;
        Ok(Self { token, scopes: PhantomData })
    }
}

fn check<C>(token: &VerifiedToken<C>, scopes: &[&str]) -> Result<(), Rejection> {
    let granted = VerifiedToken::scope(token);
    let is_missing = |scope: &&str| !granted.is_some_and(|granted| granted.contains(scope));
    let missing: Scope = scopes.iter().copied().filter(is_missing).collect();
    match missing.as_str().is_empty() {
        true => Ok(()),
        false => Err(Rejection::insufficient_scope(missing)),
    }
}

const fn are_scopes(mut scopes: &[&str]) -> bool {
    while let [first, others @ ..] = scopes {
        if !Scope::is_value(first) {
            return false;
        }
        scopes = others;
    }
    true
}

impl<M, C> Deref for Authorized<M, C> {
    type Target = VerifiedToken<C>;

    fn deref(&self) -> &VerifiedToken<C> {
        &self.token
    }
}

impl<M, C> Clone for Authorized<M, C> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), scopes: PhantomData }
    }
}

impl<M, C> fmt::Debug for Authorized<M, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authorized").field(&self.token).finish()
    }
}
