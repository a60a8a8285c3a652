use std::fmt;
use std::future::Future;
use std::sync::Arc;

use http::request::Parts;

use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::rejection::{Rejection, RequestSummary};
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::checks::{IntoChecked, WithChecks};
use crate::verify::map_claims::MapClaims;
use crate::verify::token_form::TokenForm;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verified_token::VerifiedToken;

/// Verifies the tokens of requests, and returns their claims as `C`. [`JwtVerifier`](crate::JwtVerifier) and
/// [`IssuerSet`](crate::IssuerSet) implement this trait. [`verify_fn`] and [`verify_async_fn`] make a verifier
/// from a closure. Implement the trait for a custom type.
///
/// The layer extracts the token of a request and calls [`verify_token`](Self::verify_token). It writes the
/// refusals of all verifiers from the table at [`RejectionKind`](crate::RejectionKind).
///
/// # Example: an additional check of a JWT
///
/// ```
/// use http::request::Parts;
/// use tower_jwt_auth::{
///     JwtVerifier, PresentedToken, RegisteredClaims, Rejection, Summary, TokenScheme, Verification,
///     VerifyToken,
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot verify tokens with claims of type `{C}`",
    label = "not a `VerifyToken<{C}>`",
    note = "use a `JwtVerifier` (whose claims type must be `DeserializeOwned + Send + Sync`), or \
            a custom verifier by `verify_fn`, `verify_async_fn` or `dangerous_any_bearer`"
)]
pub trait VerifyToken<C>: Send + Sync + 'static {
    /// Verifies one token, at once or with a future. This method must not block. `head` is the head of the
    /// request.
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C>;

    /// Verifies one token whose binding to its sender (`cnf`) the caller checks: a
    /// [`SenderConstrained`](crate::SenderConstrained) calls this method of the verifier inside of it. A verifier of this
    /// crate then accepts a bound token, and returns the binding with it.
    ///
    /// By default it calls [`verify_token`](Self::verify_token), if [`schemes`](Self::schemes) contains the scheme of the
    /// token. So a bound token is refused, unless this verifier names the binding itself, with
    /// [`Accepted::with_confirmation`].
    ///
    /// A type that wraps another verifier can override this method, to accept bound tokens: it calls the same method of
    /// the other verifier. It promises
    ///
    /// - that it accepts the token only if the other verifier does so in this call, not because of an earlier one;
    /// - that it returns the [`Accepted`] of this call, perhaps [changed](Verification::map), with its binding;
    /// - that it uses the result for nothing else: nobody has confirmed the sender yet.
    ///
    /// # Example: a wrapper that adds a check
    ///
    /// ```
    /// use http::request::Parts;
    /// use tower_jwt_auth::{
    ///     Accepted, JwtVerifier, PresentedToken, RegisteredClaims, Rejection, TokenScheme, UnconfirmedToken,
    ///     Verification, VerifyToken,
    /// };
    ///
    /// struct OnlyAlice(JwtVerifier);
    ///
    /// fn check(accepted: Accepted<RegisteredClaims>) -> Result<Accepted<RegisteredClaims>, Rejection> {
    ///     match accepted.token().sub.as_deref() {
    ///         Some("alice") => Ok(accepted),
    ///         _ => Err(Rejection::invalid_token()),
    ///     }
    /// }
    ///
    /// impl VerifyToken<RegisteredClaims> for OnlyAlice {
    ///     fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
    ///         self.0.verify_token(token, head).and_then(check)
    ///     }
    ///
    ///     fn verify_unconfirmed(
    ///         &self,
    ///         token: &UnconfirmedToken<'_>,
    ///         head: &Parts,
    ///     ) -> Verification<RegisteredClaims> {
    ///         self.0.verify_unconfirmed(token, head).and_then(check)
    ///     }
    ///
    ///     fn schemes(&self) -> &[TokenScheme] {
    ///         self.0.schemes()
    ///     }
    /// }
    /// ```
    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        match self.schemes().contains(&token.token().scheme()) {
            true => self.verify_token(token.token(), head),
            false => Verification::ready(Err(Rejection::invalid_token())),
        }
    }

    /// The schemes of the tokens that the verifier accepts; [`TokenScheme::Bearer`] by default. The layer calls
    /// this method once, when it is built. The layer refuses credentials of another scheme as
    /// [`UnsupportedScheme`](crate::RejectionKind::UnsupportedScheme); an
    /// [optional](crate::JwtAuthLayer::optional) layer forwards the request without a token.
    ///
    /// A type that wraps another verifier must forward this call too.
    fn schemes(&self) -> &[TokenScheme] {
        &[TokenScheme::Bearer]
    }

    /// The form of the tokens that the verifier accepts; any `token68` by default. The layer calls this method
    /// once, when it is built.
    #[doc(hidden)]
    fn token_form(&self) -> TokenForm {
        TokenForm::ANY
    }

    /// Whether a [`SenderConstrained`](crate::SenderConstrained) is inside: then another one around it accepts no bound
    /// token.
    #[doc(hidden)]
    fn confirms_sender(&self) -> bool {
        false
    }

    /// Describes what the verifier accepts, for the log line at start-up: see [`Summary`]. `None` by default:
    /// the line then reads `tokens by a custom verifier`. A type that wraps another verifier must
    /// forward this call too, since the line names each `dangerous_…` setting in force.
    fn describe(&self) -> Option<Summary> {
        None
    }

    /// What a client must know to get a token that the verifier accepts, for the metadata of the resource (feature
    /// `resource-metadata`). No authorization server by default. A type that wraps another verifier must forward this
    /// call too.
    fn accepted_tokens(&self) -> AcceptedTokens {
        AcceptedTokens::new()
    }

    /// Whether [`recall`](Self::recall) may return a token. The layer asks once, when it is built.
    #[cfg(feature = "token-cache")]
    #[doc(hidden)]
    fn has_token_cache(&self) -> bool {
        false
    }

    /// The token of this request, if it is in a cache and would be accepted now. The layer asks before it extracts
    /// the token. Only a verifier whose result is that of its cache answers: one that adds a check, changes the
    /// result or chooses between verifiers must not.
    #[cfg(feature = "token-cache")]
    #[doc(hidden)]
    #[inline]
    fn recall(&self, _: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        None
    }

    /// Adds an asynchronous check, which runs after each token was verified. Use it, for example, to refuse
    /// disabled users. For revoked tokens, see [`DenyList`](crate::DenyList).
    ///
    /// The check gets the token and the request's method and URI. It returns `Ok(())` to accept the request,
    /// `Ok` with a [`Checked`](crate::Checked) to also add data to the request or the response, or `Err` with a
    /// [`Rejection`] to refuse. Return [`Rejection::unavailable`] if the check cannot decide. The check runs
    /// for every request, even if the token is in a cache. To add another check, call `with_check` on the
    /// result: it runs after this one.
    ///
    /// `F` is an async function or closure that takes its arguments by value. It is cloned for each request, so
    /// its captures must be `Clone`, such as an `Arc` or a connection pool. For an example, see [`WithChecks`].
    fn with_check<F, Fut, T>(self, check: F) -> WithChecks<C>
    where
        Self: Sized,
        C: Send + Sync + 'static,
        F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
        T: IntoChecked,
    {
        WithChecks::new(self, check)
    }

    /// Converts the claims of each accepted token to another type. So verifiers with different claims types can
    /// be kinds of one [`TokenKinds`](crate::TokenKinds). The conversion cannot refuse a token: for that, use
    /// [`Verification::and_then`].
    fn map_claims<D, F>(self, map: F) -> MapClaims<D>
    where
        Self: Sized,
        C: 'static,
        D: 'static,
        F: Fn(&C) -> D + Send + Sync + 'static,
    {
        MapClaims::new(self, map)
    }
}

/// Verifies a bearer token that is not in a header. A token that is bound to a sender whom nobody has confirmed is
/// refused, as the layer does it.
pub(super) async fn verify_text<C: Send + Sync + 'static>(
    verifier: &impl VerifyToken<C>,
    token: &str,
    head: &Parts,
) -> Result<VerifiedToken<C>, Rejection> {
    let token = PresentedToken::bearer(token)?;
    if !verifier.schemes().contains(&token.scheme()) {
        return Err(Rejection::invalid_token());
    }
    let (token, _) = verifier.verify_token(&token, head).await?.admitted()?;
    Ok(token)
}

impl<C, V: VerifyToken<C> + ?Sized> VerifyToken<C> for Arc<V> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        (**self).verify_token(token, head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        (**self).verify_unconfirmed(token, head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        (**self).schemes()
    }

    fn token_form(&self) -> TokenForm {
        (**self).token_form()
    }

    fn confirms_sender(&self) -> bool {
        (**self).confirms_sender()
    }

    fn describe(&self) -> Option<Summary> {
        (**self).describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        (**self).accepted_tokens()
    }

    #[cfg(feature = "token-cache")]
    fn has_token_cache(&self) -> bool {
        (**self).has_token_cache()
    }

    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        (**self).recall(token)
    }
}

/// Creates a verifier from a closure, for API keys and other opaque tokens that can be verified without
/// waiting. Otherwise use [`verify_async_fn`].
///
/// The closure returns the claims for the [`VerifiedToken`](crate::VerifiedToken), or the [`Rejection`] that
/// refuses the request. Compare secrets with [`PresentedToken::matches`], which takes constant time, or look
/// up their hashes.
///
/// # Example: look up API keys by their hashes
///
/// ```
/// use std::collections::HashMap;
/// use tower_jwt_auth::{JwtAuthLayer, PresentedToken, Rejection, verify_fn};
///
/// # fn sha256(_: &str) -> [u8; 32] { [0; 32] }
/// fn layer(users: HashMap<[u8; 32], String>) -> JwtAuthLayer<String> {
///     JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| {
///         users.get(&sha256(token.as_str())).cloned().ok_or_else(Rejection::invalid_token)
///     }))
/// }
/// ```
pub fn verify_fn<C, F>(verify: F) -> VerifyFn<F>
where
    F: Fn(&PresentedToken) -> Result<C, Rejection> + Send + Sync + 'static,
{
    VerifyFn(verify)
}

/// Creates a verifier from an async function or closure, for opaque tokens that are verified by a database or
/// another service.
///
/// The function takes the token by value, since its future outlives the call. The layer calls it for each
/// request, so it must be `Fn`. An async closure (`async move |token| …`) is not, if it owns anything that it
/// captures: use a plain closure that clones what the future needs and returns an `async move` block, as in the
/// example.
///
/// # Example: look up tokens in a database
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
/// ```
pub fn verify_async_fn<C, F, Fut>(verify: F) -> VerifyAsyncFn<F>
where
    F: Fn(PresentedToken) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<C, Rejection>> + Send + 'static,
{
    VerifyAsyncFn(verify)
}

/// The verifier that [`verify_fn`] creates.
///
/// # Example: name the type for a function
///
/// ```
/// use tower_jwt_auth::{PresentedToken, Rejection, VerifyFn, verify_fn};
///
/// type Verify = fn(&PresentedToken) -> Result<String, Rejection>;
///
/// fn refuse_all(_: &PresentedToken) -> Result<String, Rejection> {
///     Err(Rejection::invalid_token())
/// }
/// fn verifier() -> VerifyFn<Verify> {
///     verify_fn(refuse_all as Verify)
/// }
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

/// The verifier that [`verify_async_fn`] creates. To name its type, use a function pointer as in the example of
/// [`VerifyFn`], to a function that returns a boxed future: the future of an `async fn` has no name.
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
