use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use tower_service::Service;

use crate::claims::RegisteredClaims;
use crate::end_at_expiry::body::ExpiringBody;
use crate::end_at_expiry::deadline::Deadline;
use crate::end_at_expiry::future::EndAtExpiryFuture;
use crate::extensions::{MissingLayer, NoToken};
use crate::verify::VerifiedToken;

/// The service of an [`EndAtExpiryLayer`](crate::EndAtExpiryLayer).
///
/// It never clones the inner service. Bodies must have [`Bytes`](bytes::Bytes) as their data, like those of axum, hyper
/// and tonic.
pub struct EndAtExpiry<S, C = RegisteredClaims> {
    inner: S,
    claims: PhantomData<fn() -> C>,
}

impl<S, C> EndAtExpiry<S, C> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, claims: PhantomData }
    }
}

/// When the request ends; `None` if never.
fn deadline<C: Send + Sync + 'static, B>(
    request: &Request<B>,
) -> Result<Option<Deadline>, MissingLayer> {
    match VerifiedToken::<C>::from_extensions(request.extensions()) {
        Ok(token) => Ok(Deadline::of(token)),
        Err(_) if request.extensions().get::<NoToken<C>>().is_some() => Ok(None),
        Err(missing) => Err(missing),
    }
}

impl<S, C, ReqB, ResB> Service<Request<ReqB>> for EndAtExpiry<S, C>
where
    S: Service<Request<ExpiringBody<ReqB>>, Response = Response<ResB>>,
    C: Send + Sync + 'static,
{
    type Response = Response<ExpiringBody<ResB>>;
    type Error = S::Error;
    type Future = EndAtExpiryFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        let deadline = match deadline::<C, _>(&request) {
            Ok(deadline) => deadline,
            Err(missing) => {
                missing.log();
                let mut response = Response::new(ExpiringBody::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return EndAtExpiryFuture::refuse(response);
            }
        };
        let request = request.map(|body| match deadline.clone() {
            Some(deadline) => ExpiringBody::of_request(body, deadline),
            None => ExpiringBody::unlimited(body),
        });
        EndAtExpiryFuture::forward(self.inner.call(request), deadline)
    }
}

impl<S: Clone, C> Clone for EndAtExpiry<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone())
    }
}

impl<S: fmt::Debug, C> fmt::Debug for EndAtExpiry<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndAtExpiry").field("inner", &self.inner).finish()
    }
}
