use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Extensions, Request, Response, StatusCode};
use tower_service::Service;

use crate::claims::RegisteredClaims;
use crate::end_at_expiry::body::ExpiringBody;
use crate::end_at_expiry::deadline::Deadline;
use crate::end_at_expiry::ending::Understood;
use crate::end_at_expiry::future::{EndAtExpiryFuture, Limit};
use crate::extensions::{MissingLayer, NoToken};
use crate::rejection::error_info::ErrorInfos;
use crate::verify::VerifiedToken;

/// The service of an [`EndAtExpiryLayer`](crate::EndAtExpiryLayer).
///
/// It never clones the inner service. Bodies must have [`Bytes`](bytes::Bytes) as their data, like those of axum, hyper
/// and tonic.
pub struct EndAtExpiry<S, C = RegisteredClaims> {
    inner: S,
    error_infos: Option<Arc<ErrorInfos>>,
    claims: PhantomData<fn() -> C>,
}

impl<S, C> EndAtExpiry<S, C> {
    pub(super) fn new(inner: S, error_infos: Option<Arc<ErrorInfos>>) -> Self {
        Self { inner, error_infos, claims: PhantomData }
    }
}

/// The time at which the request ends. `None` if it never ends.
fn deadline<C: Send + Sync + 'static>(
    extensions: &Extensions,
) -> Result<Option<Deadline>, MissingLayer> {
    match VerifiedToken::<C>::from_extensions(extensions) {
        Ok(token) => Ok(Deadline::of(token)),
        Err(_) if extensions.get::<NoToken<C>>().is_some() => Ok(None),
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
        let (head, body) = request.into_parts();
        let deadline = match deadline::<C>(&head.extensions) {
            Ok(deadline) => deadline,
            Err(missing) => {
                missing.log();
                let mut response = Response::new(ExpiringBody::default());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                return EndAtExpiryFuture::refuse(response);
            }
        };
        let body = match &deadline {
            Some(deadline) => ExpiringBody::of_request(body, deadline.clone()),
            None => ExpiringBody::unlimited(body),
        };
        let limit = deadline.map(|deadline| Limit {
            deadline,
            understood: Understood::by_sender(&head, self.error_infos.clone()),
        });
        EndAtExpiryFuture::forward(self.inner.call(Request::from_parts(head, body)), limit)
    }
}

impl<S: Clone, C> Clone for EndAtExpiry<S, C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.error_infos.clone())
    }
}

impl<S: fmt::Debug, C> fmt::Debug for EndAtExpiry<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndAtExpiry").field("inner", &self.inner).finish()
    }
}
