use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use http::request::Parts;

use crate::extract::{PresentedToken, TokenScheme};
use crate::rejection::Rejection;
use crate::verify::accepted::Accepted;

/// Verifies the tokens of requests: a [`JwtVerifier`](crate::JwtVerifier), an
/// [`IssuerSet`](crate::IssuerSet), [`dangerous_any_bearer`], a closure ([`verify_fn`],
/// [`verify_async_fn`]), or a custom type.
///
/// The layer finds the one well-formed token of a request and calls
/// [`verify_token`](Self::verify_token). Refusals are written from the same table, whatever the rule.
///
/// # Example: a JWT, and one check more
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{
///     JwtVerifier, PresentedToken, RegisteredClaims, Rejection, Verification, VerifyToken,
/// };
///
/// /// Only the tokens of Alice.
/// struct OnlyAlice(JwtVerifier);
///
/// impl VerifyToken<RegisteredClaims> for OnlyAlice {
///     fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
///         self.0.verify_token(token, head).and_then(|accepted| {
///             match accepted.token().sub.as_deref() {
///                 Some("alice") => Ok(accepted),
///                 _ => Err(Rejection::invalid_token()),
///             }
///         })
///     }
/// }
/// # let _ = |verifier| OnlyAlice(verifier);
/// ```
///
/// # Example: a rule that looks at the request too
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{Accepted, PresentedToken, Rejection, Verification, VerifyToken};
///
/// /// A token for each path.
/// struct PathTokens;
///
/// impl VerifyToken<()> for PathTokens {
///     fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<()> {
///         Verification::ready(match head.uri.path().strip_prefix('/') {
///             Some(path) if token.matches(path) => Ok(Accepted::new(())),
///             _ => Err(Rejection::invalid_token()),
///         })
///     }
/// }
/// # let _ = PathTokens;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot verify tokens with claims of type `{C}`",
    label = "not a `VerifyToken<{C}>`",
    note = "give a `JwtVerifier` (whose claims type must be `DeserializeOwned + Send + Sync`), or \
            a rule of your own by `verify_fn`, `verify_async_fn` or `dangerous_any_bearer`"
)]
pub trait VerifyToken<C>: Send + Sync + 'static {
    /// Verifies one token, at once or later. It must not block.
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C>;

    /// The schemes of the tokens that it accepts; [`TokenScheme::Bearer`] by default. The layer asks once,
    /// when it is made. A token with another scheme counts as missing: [`verify_token`](Self::verify_token)
    /// is not called.
    ///
    /// A type that wraps another verifier forwards this, too.
    fn schemes(&self) -> &[TokenScheme] {
        &[TokenScheme::Bearer]
    }
}

impl<C, V: VerifyToken<C> + ?Sized> VerifyToken<C> for Arc<V> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        (**self).verify_token(token, head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        (**self).schemes()
    }
}

/// The result of verifying a token: it is ready, or it takes time.
///
/// Results compose: [`and_then`](Self::and_then) checks more, [`map`](Self::map) changes what was accepted.
/// It is a future, too: `verifier.verify_token(token, head).await` gives the result wherever it comes
/// from, also to a rule that tries another verifier after a refusal.
///
/// # Example: a token that may have been revoked
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{
///     JwtVerifier, PresentedToken, RegisteredClaims, Rejection, Verification, VerifyToken,
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
///             // A token without an identifier cannot be revoked.
///             let id = accepted.token().jti.as_deref().ok_or_else(Rejection::invalid_token)?;
///             match is_revoked(id).await {
///                 true => Err(Rejection::invalid_token()),
///                 false => Ok(accepted),
///             }
///         })
///     }
/// }
/// # let _ = |verifier| NotRevoked(verifier);
/// ```
#[must_use = "a token is neither accepted nor refused by a `Verification` that is dropped"]
pub struct Verification<C>(pub(crate) VerificationState<C>);

pub(crate) enum VerificationState<C> {
    Ready(Result<Accepted<C>, Rejection>),
    Pending(PendingVerdict<C>),
}

pub(crate) type PendingVerdict<C> =
    Pin<Box<dyn Future<Output = Result<Accepted<C>, Rejection>> + Send>>;

impl<C> Verification<C> {
    /// The result is known. It costs no allocation, and no clone of the inner service.
    pub fn ready(result: Result<Accepted<C>, Rejection>) -> Self {
        Self(VerificationState::Ready(result))
    }

    /// The result takes time, and the request waits for it. The future is boxed; it is dropped when the
    /// client disconnects.
    ///
    /// # Example: introspection, with an expiry (RFC 7662)
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
    /// # let _ = verify;
    /// ```
    pub fn pending<F>(result: F) -> Self
    where
        F: Future<Output = Result<Accepted<C>, Rejection>> + Send + 'static,
    {
        Self(VerificationState::Pending(Box::pin(result)))
    }
}

impl<C: 'static> Verification<C> {
    /// Checks an accepted token further; a refusal stays as it is.
    ///
    /// A result that is ready stays ready, without an allocation. One that takes time is boxed once more.
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

    /// Changes what was accepted; a refusal stays as it is. The costs are those of
    /// [`and_then`](Self::and_then).
    ///
    /// # Example: claims of another type
    ///
    /// ```
    /// use tower_jwt_auth::{Accepted, RegisteredClaims, Verification};
    ///
    /// fn subject(verification: Verification<RegisteredClaims>) -> Verification<Option<String>> {
    ///     verification.map(|accepted| accepted.map_claims(|claims| claims.sub.clone()))
    /// }
    /// # let _ = subject;
    /// ```
    pub fn map<D, F>(self, map: F) -> Verification<D>
    where
        F: FnOnce(Accepted<C>) -> Accepted<D> + Send + 'static,
    {
        self.and_then(|accepted| Ok(map(accepted)))
    }
}

impl<C: 'static> Future for Verification<C> {
    type Output = Result<Accepted<C>, Rejection>;

    /// Polled again after it was ready, it stays pending.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let VerificationState::Pending(result) = &mut self.0 {
            return result.as_mut().poll(cx);
        }
        // A future without a size: the box does not allocate.
        let never = VerificationState::Pending(Box::pin(std::future::pending()));
        match mem::replace(&mut self.0, never) {
            VerificationState::Ready(result) => Poll::Ready(result),
            VerificationState::Pending(_) => Poll::Pending,
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

/// A custom rule as a closure: for API keys and other opaque tokens that can be verified at once.
///
/// What the closure returns becomes the claims of a [`VerifiedToken`](crate::VerifiedToken). Compare secrets by
/// [`PresentedToken::matches`], which takes constant time, or look up their hashes.
///
/// # Example: API keys, by their hashes
///
/// ```
/// use std::collections::HashMap;
/// use tower_jwt_auth::{PresentedToken, JwtAuthLayer, Rejection, verify_fn};
///
/// # fn sha256(_: &str) -> [u8; 32] { [0; 32] }
/// let users: HashMap<[u8; 32], String> = HashMap::from([(sha256("demo-key"), "alice".into())]);
/// let layer = JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| {
///     users.get(&sha256(token.as_str())).cloned().ok_or_else(Rejection::invalid_token)
/// }));
/// # let _ = layer;
/// ```
pub fn verify_fn<C, F>(verify: F) -> VerifyFn<F>
where
    F: Fn(&PresentedToken) -> Result<C, Rejection> + Send + Sync + 'static,
{
    VerifyFn(verify)
}

/// A custom rule as an async function or closure: for tokens that a database or another service knows.
///
/// It takes the token by value, since its future outlives the call. The closure is called for each request,
/// so it must be `Fn`: an `async move` closure that gives away what it captures is only `FnOnce`. Clone what
/// the future needs in a plain closure, which then returns an `async move` block.
///
/// # Example: a look-up in a shared database
///
/// ```
/// use std::sync::Arc;
/// use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Rejection, verify_async_fn};
///
/// # struct Database;
/// # impl Database {
/// #     async fn find_user(&self, _: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// # }
/// fn layer(database: Arc<Database>) -> JwtAuthLayer<String> {
///     JwtAuthLayer::new(verify_async_fn(move |token: PresentedToken| {
///         let database = Arc::clone(&database);
///         async move {
///             let user = database.find_user(token.as_str()).await.map_err(Rejection::unavailable)?;
///             user.ok_or_else(Rejection::invalid_token)
///         }
///     }))
/// }
/// # let _ = layer;
/// ```
pub fn verify_async_fn<C, F, Fut>(verify: F) -> VerifyAsyncFn<F>
where
    F: Fn(PresentedToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Rejection>> + Send + 'static,
{
    VerifyAsyncFn(verify)
}

/// Accepts **every** well-formed bearer token and verifies nothing: the presence of a token is all that
/// is asked for, as with FastAPI's `HTTPBearer`.
///
/// Anybody can make one up. For services that hand the token on to one that verifies it.
///
/// # Example: a token, any token
///
/// ```
/// use tower_jwt_auth::{JwtAuthLayer, dangerous_any_bearer};
///
/// let layer: JwtAuthLayer<()> = JwtAuthLayer::new(dangerous_any_bearer());
/// # let _ = layer;
/// ```
pub fn dangerous_any_bearer() -> DangerousAnyBearer {
    DangerousAnyBearer
}

/// The rule of [`verify_fn`].
///
/// # Example: its name, for a function
///
/// ```
/// use tower_jwt_auth::{PresentedToken, Rejection, VerifyFn, verify_fn};
///
/// fn nobody(_: &PresentedToken) -> Result<String, Rejection> {
///     Err(Rejection::invalid_token())
/// }
/// let rule: VerifyFn<fn(&PresentedToken) -> Result<String, Rejection>> = verify_fn(nobody as fn(&_) -> _);
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct VerifyFn<F>(F);

impl<C, F> VerifyToken<C> for VerifyFn<F>
where
    F: Fn(&PresentedToken) -> Result<C, Rejection> + Send + Sync + 'static,
{
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        Verification::ready((self.0)(token).map(Accepted::new))
    }
}

impl<F> fmt::Debug for VerifyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyFn").finish_non_exhaustive()
    }
}

/// The rule of [`verify_async_fn`].
///
/// # Example: its name, for a function
///
/// ```
/// use std::future::{Ready, ready};
/// use tower_jwt_auth::{PresentedToken, Rejection, VerifyAsyncFn, verify_async_fn};
///
/// type Lookup = Ready<Result<String, Rejection>>;
///
/// fn nobody(_: PresentedToken) -> Lookup {
///     ready(Err(Rejection::invalid_token()))
/// }
/// let rule: VerifyAsyncFn<fn(PresentedToken) -> Lookup> = verify_async_fn(nobody as fn(_) -> _);
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct VerifyAsyncFn<F>(F);

impl<C, F, Fut> VerifyToken<C> for VerifyAsyncFn<F>
where
    F: Fn(PresentedToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Rejection>> + Send + 'static,
{
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        let result = (self.0)(token.clone());
        Verification::pending(async move { result.await.map(Accepted::new) })
    }
}

impl<F> fmt::Debug for VerifyAsyncFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyAsyncFn").finish_non_exhaustive()
    }
}

/// The rule of [`dangerous_any_bearer`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct DangerousAnyBearer;

impl VerifyToken<()> for DangerousAnyBearer {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<()> {
        Verification::ready(Ok(Accepted::new(())))
    }
}
