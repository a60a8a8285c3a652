use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;

use crate::{Accepted, BearerToken, Rejection, VerifiedToken};

/// Judges bearer tokens: a [`JwtVerifier`](crate::JwtVerifier), [`dangerous_any_bearer`], a closure
/// ([`verify_fn`], [`verify_async_fn`]), or a type of one's own.
///
/// The layer finds the one well-formed token of a request and asks; whatever the rule, refusals are
/// answered from the same table.
///
/// # Example: a rule that looks at the request too
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{Accepted, BearerToken, Rejection, Verification, VerifyToken};
///
/// /// A token for each path.
/// #[derive(Debug)]
/// struct PathTokens;
///
/// impl VerifyToken<()> for PathTokens {
///     fn verify_bearer(&self, token: &BearerToken, head: &Parts) -> Verification<()> {
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
    /// Judges one token, at once or later. Blocking work does not belong here.
    fn verify_bearer(&self, token: &BearerToken, head: &Parts) -> Verification<C>;
}

impl<C, V: VerifyToken<C> + ?Sized> VerifyToken<C> for Arc<V> {
    fn verify_bearer(&self, token: &BearerToken, head: &Parts) -> Verification<C> {
        (**self).verify_bearer(token, head)
    }
}

/// The verdict on a token: now, or later.
///
/// # Example: known at once, or asked elsewhere
///
/// ```
/// use tower_jwt_auth::{Accepted, BearerToken, Rejection, Verification};
///
/// # async fn ask(_: BearerToken) -> Result<Accepted<String>, Rejection> { Err(Rejection::invalid_token()) }
/// fn verify(token: &BearerToken) -> Verification<String> {
///     match token.matches("demo-key") {
///         true => Verification::ready(Ok(Accepted::new("alice".into()))),
///         false => Verification::pending(ask(token.clone())),
///     }
/// }
/// # let _ = verify;
/// ```
pub struct Verification<C>(pub(crate) VerificationState<C>);

pub(crate) enum VerificationState<C> {
    Ready(Result<VerifiedToken<C>, Rejection>),
    Pending(PendingVerdict<C>),
}

pub(crate) type PendingVerdict<C> =
    Pin<Box<dyn Future<Output = Result<VerifiedToken<C>, Rejection>> + Send>>;

impl<C> Verification<C> {
    /// The verdict is known.
    ///
    /// # Example: a token without claims
    ///
    /// ```
    /// use tower_jwt_auth::{Accepted, BearerToken, Rejection, Verification};
    ///
    /// fn verify(token: &BearerToken) -> Verification<()> {
    ///     let known = token.matches("demo-key");
    ///     Verification::ready(known.then(|| Accepted::new(())).ok_or_else(Rejection::invalid_token))
    /// }
    /// # let _ = verify;
    /// ```
    pub fn ready(verdict: Result<Accepted<C>, Rejection>) -> Self {
        Self::verified(verdict.map(VerifiedToken::new))
    }

    /// The verdict takes time; the request waits for it. When the client goes away, the future is
    /// dropped.
    ///
    /// # Example: introspection, with an end (RFC 7662)
    ///
    /// ```
    /// use tower_jwt_auth::{Accepted, BearerToken, NumericDate, Rejection, Verification};
    ///
    /// # async fn introspect(_: &str) -> Option<(String, i64)> { None }
    /// fn verify(token: &BearerToken) -> Verification<String> {
    ///     let token = token.clone();
    ///     Verification::pending(async move {
    ///         let active = introspect(token.as_str()).await;
    ///         let (subject, exp) = active.ok_or_else(Rejection::invalid_token)?;
    ///         Ok(Accepted::new(subject).with_expires_at(NumericDate::from_unix_seconds(exp)))
    ///     })
    /// }
    /// # let _ = verify;
    /// ```
    pub fn pending(
        verdict: impl Future<Output = Result<Accepted<C>, Rejection>> + Send + 'static,
    ) -> Self {
        Self::verified_later(async move { verdict.await.map(VerifiedToken::new) })
    }

    /// The verdict is known, and another verifier's proof goes with it: for rules that add to one.
    ///
    /// # Example: not everybody's token
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_jwt_auth::{
    ///     BearerToken, JwtVerifier, RegisteredClaims, Rejection, Verification, VerifyToken,
    /// };
    ///
    /// struct OnlyAlice(JwtVerifier);
    ///
    /// impl VerifyToken<RegisteredClaims> for OnlyAlice {
    ///     fn verify_bearer(&self, token: &BearerToken, _: &Parts) -> Verification<RegisteredClaims> {
    ///         let verified = self.0.verify_now(token.as_str());
    ///         Verification::verified(verified.and_then(|token| match token.sub.as_deref() {
    ///             Some("alice") => Ok(token),
    ///             _ => Err(Rejection::invalid_token()),
    ///         }))
    ///     }
    /// }
    /// # let _ = |verifier| OnlyAlice(verifier);
    /// ```
    pub fn verified(verdict: Result<VerifiedToken<C>, Rejection>) -> Self {
        Self(VerificationState::Ready(verdict))
    }

    /// As [`verified`](Self::verified), for a verdict that takes time.
    ///
    /// # Example: a token may have been revoked
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_jwt_auth::{BearerToken, JwtVerifier, Rejection, Verification, VerifyToken};
    ///
    /// # async fn is_revoked(_: &str) -> bool { false }
    /// struct NotRevoked(JwtVerifier);
    ///
    /// impl VerifyToken<tower_jwt_auth::RegisteredClaims> for NotRevoked {
    ///     fn verify_bearer(
    ///         &self,
    ///         token: &BearerToken,
    ///         _: &Parts,
    ///     ) -> Verification<tower_jwt_auth::RegisteredClaims> {
    ///         let (verifier, token) = (self.0.clone(), token.clone());
    ///         Verification::verified_later(async move {
    ///             let verified = verifier.verify(token.as_str()).await?;
    ///             // What has no name cannot be revoked.
    ///             let id = verified.jti.as_deref().ok_or_else(Rejection::invalid_token)?;
    ///             match is_revoked(id).await {
    ///                 true => Err(Rejection::invalid_token()),
    ///                 false => Ok(verified),
    ///             }
    ///         })
    ///     }
    /// }
    /// # let _ = |verifier| NotRevoked(verifier);
    /// ```
    pub fn verified_later(
        verdict: impl Future<Output = Result<VerifiedToken<C>, Rejection>> + Send + 'static,
    ) -> Self {
        Self(VerificationState::Pending(Box::pin(verdict)))
    }
}

impl<C> fmt::Debug for Verification<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            VerificationState::Ready(verdict) => f.debug_tuple("Ready").field(verdict).finish(),
            VerificationState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}

/// A rule of one's own as a closure: for API keys and other opaque tokens that can be judged at
/// once.
///
/// What the closure returns becomes the claims of a [`VerifiedToken`]. Compare secrets by
/// [`BearerToken::matches`], which takes constant time, or look up their hashes.
///
/// # Example: API keys, by their hashes
///
/// ```
/// use std::collections::HashMap;
/// use tower_jwt_auth::{BearerToken, JwtAuthLayer, Rejection, verify_fn};
///
/// # fn sha256(_: &str) -> [u8; 32] { [0; 32] }
/// let users: HashMap<[u8; 32], String> = HashMap::from([(sha256("demo-key"), "alice".into())]);
/// let layer = JwtAuthLayer::new(verify_fn(move |token: &BearerToken| {
///     users.get(&sha256(token.as_str())).cloned().ok_or_else(Rejection::invalid_token)
/// }));
/// # let _ = layer;
/// ```
pub fn verify_fn<C, F>(verify: F) -> VerifyFn<F>
where
    F: Fn(&BearerToken) -> Result<C, Rejection> + Send + Sync + 'static,
{
    VerifyFn(verify)
}

/// A rule of one's own as an async closure or function: for tokens that a database or another
/// service knows.
///
/// It takes the token by value, since its future outlives the call.
///
/// # Example: a look-up that waits
///
/// ```
/// use tower_jwt_auth::{BearerToken, JwtAuthLayer, Rejection, verify_async_fn};
///
/// # async fn find_user(_: &str) -> Result<Option<String>, std::io::Error> { Ok(None) }
/// async fn verify(token: BearerToken) -> Result<String, Rejection> {
///     let user = find_user(token.as_str()).await.map_err(Rejection::unavailable)?;
///     user.ok_or_else(Rejection::invalid_token)
/// }
/// let layer = JwtAuthLayer::new(verify_async_fn(verify));
/// # let _ = layer;
/// ```
pub fn verify_async_fn<C, F, Fut>(verify: F) -> VerifyAsyncFn<F>
where
    F: Fn(BearerToken) -> Fut + Send + Sync + 'static,
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
/// use tower_jwt_auth::{BearerToken, Rejection, VerifyFn, verify_fn};
///
/// fn nobody(_: &BearerToken) -> Result<String, Rejection> {
///     Err(Rejection::invalid_token())
/// }
/// let rule: VerifyFn<fn(&BearerToken) -> Result<String, Rejection>> = verify_fn(nobody as fn(&_) -> _);
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct VerifyFn<F>(F);

impl<C, F> VerifyToken<C> for VerifyFn<F>
where
    F: Fn(&BearerToken) -> Result<C, Rejection> + Send + Sync + 'static,
{
    fn verify_bearer(&self, token: &BearerToken, _: &Parts) -> Verification<C> {
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
/// use tower_jwt_auth::{BearerToken, Rejection, VerifyAsyncFn, verify_async_fn};
///
/// type Verdict = Ready<Result<String, Rejection>>;
///
/// fn nobody(_: BearerToken) -> Verdict {
///     ready(Err(Rejection::invalid_token()))
/// }
/// let rule: VerifyAsyncFn<fn(BearerToken) -> Verdict> = verify_async_fn(nobody as fn(_) -> _);
/// # let _ = rule;
/// ```
#[derive(Clone)]
pub struct VerifyAsyncFn<F>(F);

impl<C, F, Fut> VerifyToken<C> for VerifyAsyncFn<F>
where
    F: Fn(BearerToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Rejection>> + Send + 'static,
{
    fn verify_bearer(&self, token: &BearerToken, _: &Parts) -> Verification<C> {
        let verdict = (self.0)(token.clone());
        Verification::pending(async move { verdict.await.map(Accepted::new) })
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
    fn verify_bearer(&self, _: &BearerToken, _: &Parts) -> Verification<()> {
        Verification::ready(Ok(Accepted::new(())))
    }
}
