use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::resource_metadata::future::ResourceMetadataFuture;
use crate::resource_metadata::layer::Endpoint;

/// The service of a [`ResourceMetadataLayer`](crate::ResourceMetadataLayer).
///
/// The response body must implement `From<Bytes>`, as axum's body, `http-body-util`'s `Full` and `Vec<u8>` do. Map
/// other bodies to one of them (see [the page on layer order](crate::docs::layer_order)). The inner service must be
/// `Clone`: after a request for the metadata, a clone replaces the instance that was polled ready, so that what this
/// instance reserved (such as a permit) is released at once.
#[derive(Clone)]
pub struct ResourceMetadataService<S> {
    inner: S,
    endpoint: Arc<Endpoint>,
}

impl<S> ResourceMetadataService<S> {
    pub(super) fn new(inner: S, endpoint: Arc<Endpoint>) -> Self {
        Self { inner, endpoint }
    }
}

impl<S, ReqB, ResB> Service<Request<ReqB>> for ResourceMetadataService<S>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    ResB: From<Bytes>,
{
    type Response = Response<ResB>;
    type Error = S::Error;
    type Future = ResourceMetadataFuture<S::Future, ResB>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqB>) -> Self::Future {
        match self.endpoint.answer(request.method(), request.uri().path()) {
            None => ResourceMetadataFuture::forward(self.inner.call(request)),
            Some(response) => {
                // Drops the instance that was polled ready, which releases what it reserved.
                let clone = self.inner.clone();
                drop(mem::replace(&mut self.inner, clone));
                ResourceMetadataFuture::answer(response.map(ResB::from))
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for ResourceMetadataService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceMetadataService")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}
