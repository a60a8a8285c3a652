use std::fmt;
use std::task::{Context, Poll};

use http::Request;
use tower_service::Service;

use crate::claims::RegisteredClaims;
use crate::extensions::NoToken;
use crate::upstream::layer::ClaimHeadersLayer;
use crate::verify::VerifiedToken;

/// The service of a [`ClaimHeadersLayer`].
pub struct ClaimHeaders<S, C = RegisteredClaims> {
    inner: S,
    headers: ClaimHeadersLayer<C>,
}

impl<S, C> ClaimHeaders<S, C> {
    pub(super) fn new(inner: S, headers: ClaimHeadersLayer<C>) -> Self {
        Self { inner, headers }
    }
}

impl<S, C, B> Service<Request<B>> for ClaimHeaders<S, C>
where
    S: Service<Request<B>>,
    C: Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let (mut head, body) = request.into_parts();
        let token = match VerifiedToken::<C>::from_extensions(&head.extensions) {
            Ok(token) => Some(token),
            Err(missing) => {
                if head.extensions.get::<NoToken<C>>().is_none() {
                    missing.log();
                }
                None
            }
        };
        self.headers.write(token, &mut head.headers);
        self.inner.call(Request::from_parts(head, body))
    }
}

impl<S: Clone, C> Clone for ClaimHeaders<S, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), headers: self.headers.clone() }
    }
}

impl<S: fmt::Debug, C> fmt::Debug for ClaimHeaders<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimHeaders")
            .field("inner", &self.inner)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
