//! For axum: extractors of the verified token and of the presented token, and refusals as responses.

use std::fmt;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::extensions::{LayerOutside, MissingLayer, NoToken, PassedWithoutToken};
use crate::extract::{PresentedToken, TokenScheme, authorization};
use crate::rejection::{Rejection, RejectionKind, response};
use crate::verify::VerifiedToken;

/// Why an extractor has no token: there is no layer (500, with a hint to the developer), or the
/// layer let a request pass that bears none (401, with the layer's challenge).
///
/// # Example: it is a response
///
/// ```
/// use axum::response::IntoResponse;
/// use tower_jwt_auth::{ExtractorRejection, RejectionKind, VerifiedToken};
///
/// let rejection = ExtractorRejection::Rejection(RejectionKind::MissingCredentials.into());
/// assert_eq!(rejection.into_response().status(), 401);
///
/// let missing = <VerifiedToken>::from_extensions(&http::Extensions::new()).unwrap_err();
/// assert_eq!(ExtractorRejection::MissingLayer(missing).into_response().status(), 500);
/// ```
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum ExtractorRejection {
    /// The layer is missing, or is for other claims.
    MissingLayer(MissingLayer),
    /// The request bears no token.
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
    /// 500: it is not the client's fault. In debug builds the body says what is missing; in release
    /// builds it refers to the log, where feature `tracing` puts one `error` event for each type that a
    /// handler asked for.
    ///
    /// # Example: no layer
    ///
    /// ```
    /// use axum::response::IntoResponse;
    /// use tower_jwt_auth::VerifiedToken;
    ///
    /// let missing = <VerifiedToken>::from_extensions(&http::Extensions::new()).unwrap_err();
    /// assert_eq!(missing.into_response().status(), 500);
    /// ```
    fn into_response(self) -> Response {
        self.log();
        let body = self.body(cfg!(debug_assertions));
        (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
    }
}

impl IntoResponse for Rejection {
    /// The refusal as the outermost authentication layer writes it: with its realm, its responder, its gRPC
    /// form and its log event. See "Refusals from below" at [`JwtAuthLayer`](crate::JwtAuthLayer).
    ///
    /// Where there is no layer, it is the status and the challenge, with the default realm and an empty body.
    ///
    /// # Example: an action that the token does not permit
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

/// # Example: with a token or without
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
///         None => "hello, whoever you are".into(),
///     }
/// }
/// # let _ = greet;
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

/// The token as it came, for handing it on. It is there only behind a layer, which verified it; it is
/// read from the `Authorization` header, so nothing in between may change that header.
///
/// # Example: what came
///
/// ```
/// use tower_jwt_auth::PresentedToken;
///
/// async fn length(token: PresentedToken) -> String {
///     token.as_str().len().to_string()
/// }
/// # let _ = length;
/// ```
impl<S: Send + Sync> FromRequestParts<S> for PresentedToken {
    type Rejection = ExtractorRejection;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ExtractorRejection> {
        let found = <Self as OptionalFromRequestParts<S>>::from_request_parts(head, state).await;
        found
            .map_err(ExtractorRejection::MissingLayer)?
            .ok_or_else(|| ExtractorRejection::Rejection(RejectionKind::MissingCredentials.into()))
    }
}

/// The token as it came, or `None` where a layer let the request pass without one.
///
/// # Example: handed on where there is one
///
/// ```
/// use tower_jwt_auth::PresentedToken;
///
/// async fn authorization(token: Option<PresentedToken>) -> String {
///     token.map(|token| format!("Bearer {}", token.as_str())).unwrap_or_default()
/// }
/// # let _ = authorization;
/// ```
impl<S: Send + Sync> OptionalFromRequestParts<S> for PresentedToken {
    type Rejection = MissingLayer;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Option<Self>, MissingLayer> {
        if head.extensions.get::<PassedWithoutToken>().is_some() {
            Ok(None)
        } else if head.extensions.get::<LayerOutside>().is_some() {
            Ok(authorization::extract(&head.headers, &[TokenScheme::Bearer]).ok())
        } else {
            Err(MissingLayer::for_presented_token())
        }
    }
}
