//! The ID of each request: that of the `x-request-id` of a trusted proxy, if it is short and plain, or else a random one.
//! The response has it too, and each line of the access log. A client's own could be a secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::{RequestExt, Router};
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};

use crate::client_address::is_trusted;
use crate::{Service, secret};

/// The header.
const NAME: HeaderName = HeaderName::from_static("x-request-id");
/// The longest ID that is taken over.
const MAX_LENGTH: usize = 64;

/// Gives each request an ID, and its response the same one. It needs the address of the proxy, so it is outside of what
/// replaces that by the client's.
pub(crate) fn layer(routes: Router<Arc<Service>>, service: &Arc<Service>) -> Router<Arc<Service>> {
    // The last layer is the outermost.
    routes
        .layer(PropagateRequestIdLayer::new(NAME))
        .layer(SetRequestIdLayer::new(NAME, Random))
        .layer(from_fn_with_state(Arc::clone(service), check))
}

/// Removes an ID that is not plain, or not of a trusted proxy, so that the next layer makes one.
async fn check(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let trusted = &service.settings.trusted_proxies;
    let is_of_proxy = !trusted.is_empty()
        && request
            .extract_parts::<ConnectInfo<SocketAddr>>()
            .await
            .is_ok_and(|ConnectInfo(peer)| is_trusted(peer.ip(), trusted));
    let mut ids = request.headers().get_all(&NAME).iter();
    let is_good = is_of_proxy && ids.next().is_none_or(is_plain) && ids.next().is_none();
    if !is_good {
        request.headers_mut().remove(&NAME);
    }
    next.run(request).await
}

/// Letters, digits, `-`, `_` and `.`, as in a UUID or an ID of a trace.
fn is_plain(id: &HeaderValue) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.as_bytes().iter().all(is_allowed)
}

#[derive(Clone)]
struct Random;

impl MakeRequestId for Random {
    fn make_request_id<B>(&mut self, _request: &axum::http::Request<B>) -> Option<RequestId> {
        HeaderValue::try_from(secret::random_id()).ok().map(RequestId::new)
    }
}
