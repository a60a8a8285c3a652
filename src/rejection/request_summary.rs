use std::fmt;

use http::request::Parts;
use http::uri::PathAndQuery;
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
    target: Target,
}

/// The usual URI is a path and a query. These alone cost an accepted request less than a `Uri`.
#[derive(Clone)]
enum Target {
    Path(PathAndQuery),
    Uri(Uri),
}

impl RequestSummary {
    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path of the [URI](Self::uri), without the query.
    pub fn path(&self) -> &str {
        match &self.target {
            Target::Path(path) => path.path(),
            Target::Uri(uri) => uri.path(),
        }
    }

    /// The URI of the request, as the layer sees it: inside of axum's `Router::nest` the path lacks
    /// the prefix (see [the page on layer order](crate::docs::layer_order)).
    pub fn uri(&self) -> Uri {
        match &self.target {
            Target::Path(path) => Uri::from(path.clone()),
            Target::Uri(uri) => uri.clone(),
        }
    }
}

/// Copies the method and the URI. This allocates nothing for the methods that HTTP defines and for
/// a URI that a server parsed.
impl From<&Parts> for RequestSummary {
    #[inline(always)]
    fn from(head: &Parts) -> Self {
        let target = match (head.uri.path_and_query(), head.uri.authority(), head.uri.scheme()) {
            (Some(path), None, None) => Target::Path(path.clone()),
            _ => Target::Uri(head.uri.clone()),
        };
        Self { method: head.method.clone(), target }
    }
}

impl fmt::Debug for RequestSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSummary")
            .field("method", &self.method)
            .field("path", &self.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_has_the_uri_of_the_request_in_each_of_its_forms() {
        let uris = [
            "/",
            "/a?b=c",
            "*",
            "https://api.example/a?b=c",
            "https://api.example",
            "api.example:443",
        ];
        for uri in uris {
            let (head, ()) = http::Request::options(uri).body(()).unwrap().into_parts();
            let summary = RequestSummary::from(&head);
            assert_eq!(summary.uri(), head.uri, "{uri}");
            assert_eq!(summary.path(), head.uri.path(), "{uri}");
            assert_eq!(summary.method(), Method::OPTIONS);
        }
    }
}
