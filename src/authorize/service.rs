use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::authorize::future::AuthorizeFuture;
use crate::authorize::layer::Gate;
use crate::claims::RegisteredClaims;
use crate::extensions::{MissingLayer, NoToken};
use crate::rejection::response::unwritten;
use crate::rejection::{EmptyBody, Rejection, ResponseForRejection};
use crate::verify::VerifiedToken;

/// The service of an [`AuthorizeLayer`](crate::AuthorizeLayer).
///
/// The inner service must be `Clone`, as for [`JwtAuth`](crate::JwtAuth): after a refusal a clone replaces the
/// instance that was polled ready, so that a resource that the instance reserved is released at once. The
/// response body must be `Default`, since a refusal has an empty body.
pub struct AuthorizeService<S, C = RegisteredClaims> {
    inner: S,
    gate: Arc<Gate<C>>,
}

/// Why a request is not forwarded.
enum Stop {
    Refused(Rejection),
    MissingLayer(MissingLayer),
}

impl<C: Send + Sync + 'static> Gate<C> {
    /// Decides about one request.
    fn authorize(&self, head: &Parts) -> Result<(), Stop> {
        let missing = match VerifiedToken::<C>::from_extensions(&head.extensions) {
            Ok(token) => {
                return self.rule.authorize(token, head).map_err(Stop::Refused);
            }
            Err(missing) => missing,
        };
        if self.rule.permits_without_token(head) {
            return Ok(());
        }
        Err(match head.extensions.get::<NoToken<C>>() {
            Some(_) => Stop::Refused(self.no_token.clone()),
            None => Stop::MissingLayer(missing),
        })
    }
}

impl Stop {
    fn into_response<B>(self) -> Response<B>
    where
        EmptyBody: ResponseForRejection<B>,
    {
        let body = EmptyBody.empty_body();
        match self {
            Self::Refused(rejection) => unwritten(rejection, body),
            Self::MissingLayer(missing) => {
                missing.log();
                let mut response = Response::new(body);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}

impl<S, C> AuthorizeService<S, C> {
    pub(super) fn new(inner: S, gate: Arc<Gate<C>>) -> Self {
        Self { inner, gate }
    }
}

impl<S, C, ReqB, ResB> Service<Request<ReqB>> for AuthorizeService<S, C>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    C: Send + Sync + 'static,
    EmptyBody: ResponseForRejection<ResB>,
{
    type Response = Response<ResB>;
    type Error = S::Error;
    type Future = AuthorizeFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let (head, body) = request.into_parts();
        match self.gate.authorize(&head) {
            Ok(()) => AuthorizeFuture::forward(self.inner.call(Request::from_parts(head, body))),
            Err(stop) => {
                // Drops the instance that was polled ready, which releases what it reserved.
                let clone = self.inner.clone();
                drop(mem::replace(&mut self.inner, clone));
                AuthorizeFuture::refuse(stop.into_response())
            }
        }
    }
}

impl<S: Clone, C> Clone for AuthorizeService<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), gate: Arc::clone(&self.gate) }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for AuthorizeService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
