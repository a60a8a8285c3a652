use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::{fmt, iter};

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use crate::claims::RegisteredClaims;
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RequestSummary};
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted::Extras;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::issuer_set::IssuerSet;
use crate::verify::jwt::JwtVerifier;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::{Verification, VerificationState};
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::{VerifyToken, verify_text};

/// A verifier with additional asynchronous checks. [`VerifyToken::with_check`] creates it.
///
/// After the verifier accepted a token, the checks run in the order in which they were added. The first check
/// that fails refuses the request. The checks run for every request whose token is accepted, also from a cache.
/// If the client disconnects, the running check is dropped. A `WithChecks` is cheap to clone.
///
/// The checks belong to this value: a clone of the inner verifier runs none of them. For tokens without a
/// request, use [`verify`](Self::verify).
///
/// Each request allocates the futures of the checks, and clones the inner service. A check that never waits
/// costs less as a [`Verification::and_then`] in a custom [`VerifyToken`].
///
/// # Example: disabled users
///
/// ```
/// use std::sync::Arc;
/// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, Rejection};
///
/// # struct Database;
/// # impl Database {
/// #     async fn is_disabled(&self, _: Option<&str>) -> Result<bool, std::io::Error> { Ok(false) }
/// # }
/// fn layer(verifier: JwtVerifier, database: Arc<Database>) -> JwtAuthLayer {
///     JwtAuthLayer::new(verifier.with_check(async move |token, _request| {
///         match database.is_disabled(token.sub.as_deref()).await {
///             Ok(false) => Ok(()),
///             Ok(true) => Err(Rejection::invalid_token()),
///             Err(error) => Err(Rejection::unavailable(error)),
///         }
///     }))
/// }
/// # let _ = layer;
/// ```
pub struct WithChecks<C = RegisteredClaims> {
    verifier: Arc<dyn VerifyToken<C>>,
    checks: Arc<[Arc<dyn Check<C>>]>,
}

/// A check, without its type.
trait Check<C>: Send + Sync {
    fn check(&self, token: VerifiedToken<C>, request: RequestSummary) -> CheckFuture;
}

type CheckFuture = Pin<Box<dyn Future<Output = Result<Checked, Rejection>> + Send>>;

impl<C, F, Fut, T> Check<C> for F
where
    F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync,
    Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
    T: IntoChecked,
{
    fn check(&self, token: VerifiedToken<C>, request: RequestSummary) -> CheckFuture {
        let result = self.clone()(token, request);
        Box::pin(async move { result.await.map(T::into_checked) })
    }
}

impl<C: Send + Sync + 'static> WithChecks<C> {
    pub(super) fn new<F, Fut, T>(verifier: impl VerifyToken<C>, check: F) -> Self
    where
        F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
        T: IntoChecked,
    {
        Self { verifier: Arc::new(verifier), checks: Arc::new([Arc::new(check)]) }
    }

    /// Adds one more check, which runs after the others: see [`VerifyToken::with_check`].
    #[must_use]
    pub fn with_check<F, Fut, T>(self, check: F) -> Self
    where
        F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
        T: IntoChecked,
    {
        let last: Arc<dyn Check<C>> = Arc::new(check);
        let checks = self.checks.iter().cloned().chain(iter::once(last)).collect();
        Self { checks, ..self }
    }

    /// Verifies a bearer token that is not in a header, such as one from a queue or a WebSocket, and runs the
    /// checks.
    ///
    /// `head` is what the verifier and the checks see as the request: that of the handshake of a WebSocket, or
    /// one that says where the token came from. What the checks add to the request and its response is dropped.
    ///
    /// # Errors
    ///
    /// When the verifier or a check refuses the token, or the text is not a `token68` (for example, since it
    /// begins with `Bearer `), or the verifier accepts no bearer tokens.
    ///
    /// # Example: a message of a queue
    ///
    /// ```
    /// use http::Request;
    /// use tower_jwt_auth::{Rejection, VerifiedToken, WithChecks};
    ///
    /// async fn sender(verifier: &WithChecks, token: &str) -> Result<VerifiedToken, Rejection> {
    ///     let (mut head, ()) = Request::new(()).into_parts();
    ///     head.uri = http::Uri::from_static("/queues/orders");
    ///     verifier.verify(token, &head).await
    /// }
    /// # let _ = sender;
    /// ```
    pub async fn verify(&self, token: &str, head: &Parts) -> Result<VerifiedToken<C>, Rejection> {
        verify_text(self, token, head).await
    }
}

impl<C: Send + Sync + 'static> WithChecks<C> {
    /// Runs the checks of an accepted token.
    fn check(&self, verification: Verification<C>, head: &Parts) -> Verification<C> {
        if let VerificationState::Ready(Err(_)) = &verification.0 {
            return verification;
        }
        let (checks, request) = (Arc::clone(&self.checks), RequestSummary::from(head));
        Verification::pending(async move {
            let mut accepted = verification.await?;
            for check in checks.iter() {
                let checked = check.check(accepted.token().clone(), request.clone()).await?;
                accepted = accepted.with_extras(checked.extras);
            }
            Ok(accepted)
        })
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for WithChecks<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        self.check(self.verifier.verify_token(token, head), head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.check(self.verifier.verify_unconfirmed(token, head), head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.verifier.schemes()
    }

    fn confirms_sender(&self) -> bool {
        self.verifier.confirms_sender()
    }

    fn describe(&self) -> Option<Summary> {
        self.verifier.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.verifier.accepted_tokens()
    }
}

// The same method as in the trait, so that users need not import the trait.
impl<C: DeserializeOwned + Send + Sync + 'static> JwtVerifier<C> {
    /// Adds an asynchronous check, which runs after the verification of each token: see
    /// [`VerifyToken::with_check`].
    #[must_use]
    pub fn with_check<F, Fut, T>(self, check: F) -> WithChecks<C>
    where
        F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
        T: IntoChecked,
    {
        WithChecks::new(self, check)
    }
}

// The same method as in the trait, so that users need not import the trait.
impl<C: DeserializeOwned + Send + Sync + 'static> IssuerSet<C> {
    /// Adds an asynchronous check, which runs after the verification of each token: see
    /// [`VerifyToken::with_check`].
    #[must_use]
    pub fn with_check<F, Fut, T>(self, check: F) -> WithChecks<C>
    where
        F: FnOnce(VerifiedToken<C>, RequestSummary) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<T, Rejection>> + Send + 'static,
        T: IntoChecked,
    {
        WithChecks::new(self, check)
    }
}

impl<C> Clone for WithChecks<C> {
    fn clone(&self) -> Self {
        Self { verifier: Arc::clone(&self.verifier), checks: Arc::clone(&self.checks) }
    }
}

impl<C> fmt::Debug for WithChecks<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithChecks").field("checks", &self.checks.len()).finish_non_exhaustive()
    }
}

/// The result of a [check](VerifyToken::with_check) that passed: what it adds to the request and to the
/// response.
///
/// # Example: the user that the check has loaded
///
/// ```
/// use tower_jwt_auth::{Checked, RegisteredClaims, Rejection, RequestSummary, VerifiedToken};
///
/// #[derive(Clone)]
/// struct User {
///     name: String,
/// }
///
/// # async fn load(_: &str) -> Result<Option<User>, std::io::Error> { Ok(None) }
/// async fn load_user(
///     token: VerifiedToken<RegisteredClaims>,
///     _: RequestSummary,
/// ) -> Result<Checked, Rejection> {
///     let id = token.sub.as_deref().ok_or_else(Rejection::invalid_token)?;
///     let user = load(id).await.map_err(Rejection::unavailable)?;
///     // Handlers find it in the extensions of the request.
///     Ok(Checked::new().with_request_extension(user.ok_or_else(Rejection::invalid_token)?))
/// }
/// # let _ = load_user;
/// # let _ = |user: User| user.name;
/// ```
#[derive(Clone, Default)]
pub struct Checked {
    extras: Option<Box<Extras>>,
}

impl Checked {
    /// Creates a result that adds nothing, like `()`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to the extensions of the request, for the inner service; none by default. It replaces an
    /// existing value of the same type.
    #[must_use]
    pub fn with_request_extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extras.get_or_insert_default().extensions.insert(value);
        self
    }

    /// Adds a header to the response of the inner service; none by default. If the inner service sets a header of
    /// the same name, the response has both. If a later check refuses the request, the header is not added.
    #[must_use]
    pub fn with_response_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.extras.get_or_insert_default().add_header(name, value);
        self
    }
}

impl fmt::Debug for Checked {
    /// Without the values of extensions and headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked").finish_non_exhaustive()
    }
}

/// The types that a [check](VerifyToken::with_check) can return in `Ok`: `()`, and [`Checked`].
#[diagnostic::on_unimplemented(
    message = "a check cannot return `Ok({Self})`",
    label = "`Ok` must hold `()` or a `Checked`",
    note = "return `Ok(())`; to hand a value to the handlers, return \
            `Ok(Checked::new().with_request_extension(value))`"
)]
pub trait IntoChecked {
    /// Returns what the check adds to the request and to the response.
    fn into_checked(self) -> Checked;
}

impl IntoChecked for () {
    fn into_checked(self) -> Checked {
        Checked::new()
    }
}

impl IntoChecked for Checked {
    fn into_checked(self) -> Checked {
        self
    }
}
