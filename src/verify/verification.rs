//! The result of a verification.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use crate::rejection::Rejection;
use crate::verify::accepted::Accepted;

/// The result of the verification of a token: ready, or pending.
///
/// [`and_then`](Self::and_then) adds a check that does not wait, [`map`](Self::map) changes an accepted result.
/// For an asynchronous check, use [`VerifyToken::with_check`](crate::VerifyToken::with_check). A `Verification`
/// is also a future, so a custom verifier can await it: `verifier.verify_token(token, head).await`.
///
/// # Example: a check for revoked tokens
///
/// [`DenyList`](crate::DenyList) is a complete one.
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{
///     JwtVerifier, PresentedToken, RegisteredClaims, Rejection, Summary, TokenScheme, Verification,
///     VerifyToken,
/// };
///
/// # async fn is_revoked(_: &str) -> bool { false }
/// struct NotRevoked(JwtVerifier);
///
/// impl VerifyToken<RegisteredClaims> for NotRevoked {
///     fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
///         let verification = self.0.verify_token(token, head);
///         Verification::pending(async move {
///             let accepted = verification.await?;
///             // Without `jti` a revocation could not be found.
///             let id = accepted.token().jti.as_deref().ok_or_else(Rejection::invalid_token)?;
///             match is_revoked(id).await {
///                 true => Err(Rejection::invalid_token()),
///                 false => Ok(accepted),
///             }
///         })
///     }
///
///     fn schemes(&self) -> &[TokenScheme] {
///         self.0.schemes()
///     }
///
///     fn describe(&self) -> Option<Summary> {
///         self.0.describe()
///     }
/// }
/// ```
#[must_use = "a dropped `Verification` neither accepts nor refuses the token"]
pub struct Verification<C>(pub(crate) VerificationState<C>);

pub(crate) enum VerificationState<C> {
    Ready(Result<Accepted<C>, Rejection>),
    Pending(PendingVerdict<C>),
}

pub(crate) type PendingVerdict<C> =
    Pin<Box<dyn Future<Output = Result<Accepted<C>, Rejection>> + Send>>;

impl<C> Verification<C> {
    /// Creates a verification whose result is known now. It costs no allocation, and if the token is accepted,
    /// no clone of the inner service.
    pub fn ready(result: Result<Accepted<C>, Rejection>) -> Self {
        Self(VerificationState::Ready(result))
    }

    /// Creates a verification whose result comes later, from a future. The request waits for the future, without a
    /// time limit. The future is boxed, and is dropped if the client disconnects.
    ///
    /// # Example: token introspection (RFC 7662)
    ///
    /// ```
    /// use tower_jwt_auth::{Accepted, NumericDate, PresentedToken, Rejection, Verification};
    ///
    /// # async fn introspect(_: &str) -> Option<(String, i64)> { None }
    /// fn verify(token: &PresentedToken) -> Verification<String> {
    ///     let token = token.clone();
    ///     Verification::pending(async move {
    ///         let active = introspect(token.as_str()).await;
    ///         let (subject, exp) = active.ok_or_else(Rejection::invalid_token)?;
    ///         Ok(Accepted::new(subject).with_expires_at(NumericDate::from_unix_seconds(exp)))
    ///     })
    /// }
    /// ```
    pub fn pending<F>(result: F) -> Self
    where
        F: Future<Output = Result<Accepted<C>, Rejection>> + Send + 'static,
    {
        Self(VerificationState::Pending(Box::pin(result)))
    }
}

impl<C: 'static> Verification<C> {
    /// Adds a check of an accepted token; a refusal is not changed.
    ///
    /// A ready result stays ready, without an allocation. The future of a pending result is boxed again.
    pub fn and_then<D, F>(self, check: F) -> Verification<D>
    where
        F: FnOnce(Accepted<C>) -> Result<Accepted<D>, Rejection> + Send + 'static,
    {
        match self.0 {
            VerificationState::Ready(result) => Verification::ready(result.and_then(check)),
            VerificationState::Pending(result) => {
                Verification::pending(async move { result.await.and_then(check) })
            }
        }
    }

    /// Changes an accepted result, for example with [`Accepted::map_claims`]; a refusal is not changed. The
    /// cost is that of [`and_then`](Self::and_then).
    pub fn map<D, F>(self, map: F) -> Verification<D>
    where
        F: FnOnce(Accepted<C>) -> Accepted<D> + Send + 'static,
    {
        self.and_then(|accepted| Ok(map(accepted)))
    }
}

impl<C: Send + Sync + 'static> Verification<C> {
    /// Adds a check of an accepted token that may wait; a refusal is not changed. If both are ready, so is the result.
    pub(crate) fn then<D, F>(self, check: F) -> Verification<D>
    where
        D: Send + Sync + 'static,
        F: FnOnce(Accepted<C>) -> Verification<D> + Send + 'static,
    {
        match self.0 {
            VerificationState::Ready(Ok(accepted)) => check(accepted),
            VerificationState::Ready(Err(rejection)) => Verification::ready(Err(rejection)),
            VerificationState::Pending(result) => {
                Verification::pending(async move { check(result.await?).await })
            }
        }
    }
}

impl<C: 'static> Future for Verification<C> {
    type Output = Result<Accepted<C>, Rejection>;

    /// After the result was returned, a further poll returns `Pending`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.0 {
            VerificationState::Pending(result) => Some(ready!(result.as_mut().poll(cx))),
            VerificationState::Ready(_) => None,
        };
        // Polled again, it waits forever. The future has size zero: the box does not allocate.
        let never = VerificationState::Pending(Box::pin(std::future::pending()));
        match (mem::replace(&mut self.0, never), result) {
            (VerificationState::Ready(result), _) | (_, Some(result)) => Poll::Ready(result),
            (VerificationState::Pending(_), None) => Poll::Pending,
        }
    }
}

impl<C> fmt::Debug for Verification<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            VerificationState::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            VerificationState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
