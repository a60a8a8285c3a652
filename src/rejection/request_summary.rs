use std::fmt;

use http::request::Parts;
use http::{Method, Uri};

/// The method and the URI of a refused request, for the closure of
/// [`JwtAuthLayer::with_rejection_fn`](crate::JwtAuthLayer::with_rejection_fn).
///
/// A custom [`ResponseForRejection`](crate::ResponseForRejection) can use this type as its
/// [`Remembered`](crate::ResponseForRejection::Remembered), or take other data from the head of the
/// request. `Debug` omits the query, which may contain a token.
#[derive(Clone)]
pub struct RequestSummary {
    method: Method,
    uri: Uri,
}

impl RequestSummary {
    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URI of the request, as the layer sees it: inside of axum's `Router::nest` the path lacks
    /// the prefix (see [the page on layer order](crate::docs::layer_order)).
    pub fn uri(&self) -> &Uri {
        &self.uri
    }
}

/// Copies the method and the URI. This allocates nothing for the methods that HTTP defines and for
/// a URI that a server parsed.
impl From<&Parts> for RequestSummary {
    #[inline(always)]
    fn from(head: &Parts) -> Self {
        Self { method: head.method.clone(), uri: head.uri.clone() }
    }
}

impl fmt::Debug for RequestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSummary")
            .field("method", &self.method)
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}
