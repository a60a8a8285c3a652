//! Requests through a layer, without a server: what comes back, and what the inner service saw.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{JwtAuthLayer, RejectionKind, ResponseForRejection, VerifiedToken};

pub(crate) use tower_jwt_auth::Rejection;

/// A body that is none of `http_body`'s.
pub(crate) type Body = Vec<u8>;

/// The head of the request that reached the inner service, in the extensions of its response.
#[derive(Clone)]
pub(crate) struct Reached(pub(crate) Parts);

/// A request with these `Authorization` field lines.
pub(crate) fn request<V: AsRef<[u8]>>(authorization: impl IntoIterator<Item = V>) -> Request<()> {
    let mut request = Request::new(());
    for value in authorization {
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        request.headers_mut().append(AUTHORIZATION, value);
    }
    request
}

pub(crate) fn bearer(token: &str) -> Request<()> {
    request([format!("Bearer {token}")])
}

/// Sends a request through the layer to a service that answers 204. The verdict must be known at
/// once.
pub(crate) fn send<C, R>(layer: &JwtAuthLayer<C, R>, request: Request<()>) -> Response<Body>
where
    C: Send + Sync + 'static,
    R: ResponseForRejection<Body>,
{
    send_later(layer, request).now_or_never().expect("a verdict at once")
}

/// The same, where the verdict may take its time.
pub(crate) async fn send_later<C, R>(
    layer: &JwtAuthLayer<C, R>,
    request: Request<()>,
) -> Response<Body>
where
    C: Send + Sync + 'static,
    R: ResponseForRejection<Body>,
{
    let inner = service_fn(async |request: Request<()>| {
        let mut response = Response::new(Body::new());
        *response.status_mut() = http::StatusCode::NO_CONTENT;
        response.extensions_mut().insert(Reached(request.into_parts().0));
        Ok::<_, Infallible>(response)
    });
    layer.layer(inner).oneshot(request).await.unwrap_or_else(|never| match never {})
}

/// The head that the inner service saw; `None` when it was not called.
pub(crate) fn reached(response: &Response<Body>) -> Option<&Parts> {
    response.extensions().get::<Reached>().map(|reached| &reached.0)
}

/// The reason in the response's extensions; `None` when the inner service answered.
pub(crate) fn refusal(response: &Response<Body>) -> Option<RejectionKind> {
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

/// The claims of the token that the inner service was called with, or the reason why it was not called.
pub(crate) fn claims_or_refusal<C: Clone + Send + Sync + 'static>(
    response: &Response<Body>,
) -> Result<C, RejectionKind> {
    match refusal(response) {
        Some(kind) => {
            assert!(reached(response).is_none(), "refused, and the inner service was called");
            Err(kind)
        }
        None => {
            let head = reached(response).expect("neither refused nor forwarded");
            Ok(VerifiedToken::<C>::from_extensions(&head.extensions).unwrap().claims().clone())
        }
    }
}

/// A field that stands in the response once at most.
pub(crate) fn field<'a, B>(response: &'a Response<B>, name: &str) -> Option<&'a str> {
    let mut values = response.headers().get_all(name).iter();
    let value = values.next()?;
    assert!(values.next().is_none(), "{name} stands in the response twice");
    Some(value.to_str().unwrap())
}

pub(crate) fn challenge<B>(response: &Response<B>) -> Option<&str> {
    field(response, WWW_AUTHENTICATE.as_str())
}

/// Polls a future once; nobody is woken.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
