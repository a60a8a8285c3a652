//! axum: extractors of the verified and the presented token, and refusals as responses.

use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::extensions::{MissingLayer, NoToken};
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RejectionKind, response};
use crate::verify::VerifiedToken;

/// The axum rejection of the extractors [`VerifiedToken`], [`PresentedToken`](crate::PresentedToken) and
/// [`Authorized`](crate::Authorized). The rejection of `Option<VerifiedToken<C>>` and
/// `Option<PresentedToken>` is [`MissingLayer`].
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum ExtractorRejection {
    /// The layer is missing, or has another claims type: 500. In debug builds, the body has a hint for the
    /// developer.
    MissingLayer(MissingLayer),
    /// The layer forwarded the request without a token ([`optional`](crate::JwtAuthLayer::optional),
    /// [`exempt`](crate::JwtAuthLayer::exempt)): 401. Or the token lacks a scope of
    /// [`Authorized`](crate::Authorized): 403. The response has the challenge of the layer.
    Rejection(Rejection),
}

impl fmt::Display for ExtractorRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLayer(missing) => missing.fmt(f),
            Self::Rejection(rejection) => rejection.fmt(f),
        }
    }
}

impl std::error::Error for ExtractorRejection {}

impl IntoResponse for ExtractorRejection {
    fn into_response(self) -> Response {
        match self {
            Self::MissingLayer(missing) => missing.into_response(),
            Self::Rejection(rejection) => rejection.into_response(),
        }
    }
}

impl IntoResponse for MissingLayer {
    /// Responds with 500, since the client is not at fault. In debug builds the body names the missing type. In
    /// release builds it does not; with feature `tracing` it then refers to the log, which has one `error`
    /// event for each missing type.
    fn into_response(self) -> Response {
        self.log();
        let body = self.body(cfg!(debug_assertions));
        (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
    }
}

impl IntoResponse for Rejection {
    /// Makes a response that the outermost authentication layer replaces with its own refusal: see [Refusals
    /// from below](crate::JwtAuthLayer#refusals-from-below).
    ///
    /// Without a layer, the response has the status of the rejection, a challenge with the default realm
    /// (except for 503), and an empty body.
    ///
    /// # Example: a handler refuses
    ///
    /// ```
    /// use axum::response::IntoResponse;
    /// use tower_jwt_auth::{Rejection, Scope};
    ///
    /// let response = Rejection::insufficient_scope(Scope::from("orders:write")).into_response();
    /// assert_eq!(response.status(), 403);
    /// assert!(response.headers()["www-authenticate"].to_str()?.contains("insufficient_scope"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn into_response(self) -> Response {
        response::unwritten(self, Body::empty())
    }
}

/// Extracts the verified token, from a layer with the same claims type `C`. Otherwise the response is a 401 or a
/// 500: see [`ExtractorRejection`].
///
/// # Example: the claims in a handler
///
/// ```
/// use axum::{Router, routing::get};
/// use serde::Deserialize;
/// use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, VerifiedToken};
///
/// #[derive(Deserialize)]
/// struct Claims {
///     sub: String,
/// }
///
/// async fn me(token: VerifiedToken<Claims>) -> String {
///     token.sub.clone()
/// }
///
/// fn app(verifier: JwtVerifier) -> Router {
///     let auth = JwtAuthLayer::new(verifier.with_claims::<Claims>());
///     Router::new().route("/me", get(me)).route_layer(auth)
/// }
/// ```
impl<S, C> FromRequestParts<S> for VerifiedToken<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = ExtractorRejection;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, ExtractorRejection> {
        let missing = match Self::from_extensions(&head.extensions) {
            Ok(token) => return Ok(token.clone()),
            Err(missing) => missing,
        };
        Err(match head.extensions.get::<NoToken<C>>() {
            Some(_) => ExtractorRejection::Rejection(RejectionKind::MissingCredentials.into()),
            None => ExtractorRejection::MissingLayer(missing),
        })
    }
}

/// Extracts the verified token, or `None` if the layer forwarded the request without one
/// ([`optional`](crate::JwtAuthLayer::optional), [`exempt`](crate::JwtAuthLayer::exempt)). Without a layer of this
/// claims type, the response is a 500: see [`MissingLayer`].
///
/// # Example: with or without a token
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
/// async fn greet(token: Option<VerifiedToken<Claims>>) -> String {
///     match token {
///         Some(token) => format!("hello, {}", token.sub),
///         None => "hello, guest".into(),
///     }
/// }
/// ```
impl<S, C> OptionalFromRequestParts<S> for VerifiedToken<C>
where
    S: Send + Sync,
    C: Send + Sync + 'static,
{
    type Rejection = MissingLayer;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, MissingLayer> {
        match Self::from_extensions(&head.extensions) {
            Ok(token) => Ok(Some(token.clone())),
            Err(_) if head.extensions.get::<NoToken<C>>().is_some() => Ok(None),
            Err(missing) => Err(missing),
        }
    }
}

/// Extracts the text of the verified token, to forward it to another service. The extractor needs a layer, with
/// any claims type, around the handler: otherwise the response is a 500. If that layer forwarded the request
/// without a token, it is a 401.
///
/// If the layer has no [sources](crate::JwtAuthLayer::with_sources) of its own, the extractor reads the text from
/// the `Authorization` header, so no service between the layer and the handler may change that header.
impl<S: Send + Sync> FromRequestParts<S> for PresentedToken {
    type Rejection = ExtractorRejection;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ExtractorRejection> {
        let found = <Self as OptionalFromRequestParts<S>>::from_request_parts(head, state).await;
        found
            .map_err(ExtractorRejection::MissingLayer)?
            .ok_or_else(|| ExtractorRejection::Rejection(RejectionKind::MissingCredentials.into()))
    }
}

/// Extracts the text of the verified token, or `None` if the layer forwarded the request without one. If layers
/// are nested, the innermost one counts.
///
/// # Example: the header for a call of another service
///
/// ```
/// use tower_jwt_auth::PresentedToken;
///
/// async fn authorization(token: Option<PresentedToken>) -> String {
///     token.map(|token| format!("Bearer {}", token.as_str())).unwrap_or_default()
/// }
/// ```
impl<S: Send + Sync> OptionalFromRequestParts<S> for PresentedToken {
    type Rejection = MissingLayer;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, MissingLayer> {
        Self::from_request(&head.headers, &head.extensions)
    }
}
