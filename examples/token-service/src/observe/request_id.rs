//! The ID of each request: that of its `x-request-id`, if it is short and plain, or else a random one. The response has it
//! too, and each line of the access log.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tower_http::request_id::{
    MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer,
};

use crate::secret;

/// The header.
const NAME: HeaderName = HeaderName::from_static("x-request-id");
/// The longest ID that is taken over.
const MAX_LENGTH: usize = 64;

/// Gives each request an ID, and its response the same one.
pub(crate) fn layer<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    // The last layer is the outermost.
    routes
        .layer(PropagateRequestIdLayer::new(NAME))
        .layer(SetRequestIdLayer::new(NAME, Random))
        .layer(from_fn(check))
}

/// Removes an ID that is not plain, so that the next layer makes one.
async fn check(mut request: Request, next: Next) -> Response {
    let mut ids = request.headers().get_all(&NAME).iter();
    let is_good = ids.next().is_none_or(is_plain) && ids.next().is_none();
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
