//! Which requests pass without a token.

use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{HeaderValue, Method};
use tower_jwt_auth::{Algorithm, JwtAuthLayer, RejectionKind, VerifiedToken};

use super::{echo, outcome};
use crate::support::key;
use crate::support::requests::{bearer, reached, refusal, request, send};

use RejectionKind::{
    MalformedCredentials, MissingCredentials, MultipleCredentials, UnsupportedScheme,
};

#[test]
fn optional_passes_those_without_a_bearer_token_and_nobody_else() {
    let layer = echo().optional();
    for authorization in [&[][..], &["Basic YTpi"], &["Negotiate"], &["DPoP abc"]] {
        let response = send(&layer, request(authorization));
        assert_eq!(response.status(), 204, "{authorization:?}");
        let head = reached(&response).unwrap();
        assert!(VerifiedToken::<String>::from_extensions(&head.extensions).is_err());
    }
    for (value, kind) in [
        ("Bearer", MalformedCredentials),
        ("Bearer a b", MalformedCredentials),
        ("", MalformedCredentials),
        ("Basic YTpi, Bearer abc", MultipleCredentials),
    ] {
        assert_eq!(refusal(&send(&layer, request([value]))), Some(kind), "{value:?}");
    }
    assert_eq!(outcome(&send(&layer, bearer("abc"))).as_deref(), Ok("abc"));
    let strict = JwtAuthLayer::new(key(Algorithm::HS256).verifier()).optional();
    let response = send(&strict, bearer("no-jwt"));
    assert_eq!(refusal(&response), Some(RejectionKind::MalformedToken), "bad ones do not pass");
}

#[test]
fn exempt_skips_the_layer_by_the_head() {
    let layer = echo()
        .exempt(|_| true)
        .exempt(|head| head.uri.path() == "/health" && head.method == Method::GET);
    let at = |path: &str, authorization: &[&str]| {
        let mut request = request(authorization);
        *request.uri_mut() = path.parse().unwrap();
        send(&layer, request)
    };
    // Altogether: nothing is looked at, and nothing is verified.
    for authorization in [&[][..], &["Bearer abc"], &["Bearer"], &["Bearer a", "Bearer b"]] {
        let response = at("/health?full", authorization);
        assert_eq!(response.status(), 204, "{authorization:?}");
        let head = reached(&response).unwrap();
        assert!(VerifiedToken::<String>::from_extensions(&head.extensions).is_err());
    }
    for path in ["/healthz", "/health/", "//health", "/health%2f", "/health;x=y", "/Health", "/"] {
        assert_eq!(at(path, &[]).status(), 401, "{path}");
    }
    let mut request = request([""; 0]);
    *request.uri_mut() = "/health".parse().unwrap();
    *request.method_mut() = Method::POST;
    assert_eq!(send(&layer, request).status(), 401, "the last predicate holds");
}

#[test]
fn no_options_request_passes_without_a_token() {
    let origin = (ORIGIN, "https://app.example");
    let asks = (ACCESS_CONTROL_REQUEST_METHOD, "POST");
    let asks_headers = (ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
    for fields in [
        vec![],
        vec![origin.clone()],
        vec![asks.clone()],
        // As browsers send it.
        vec![origin.clone(), asks.clone()],
        vec![origin, asks, asks_headers],
    ] {
        let options = |authorization: &[&str]| {
            let mut request = request(authorization);
            *request.method_mut() = Method::OPTIONS;
            for (name, value) in &fields {
                request.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            send(&echo(), request)
        };
        assert_eq!(outcome(&options(&[])), Err(MissingCredentials), "{fields:?}");
        assert_eq!(outcome(&options(&["Basic YTpi"])), Err(UnsupportedScheme), "{fields:?}");
        assert_eq!(outcome(&options(&["Bearer"])), Err(MalformedCredentials), "{fields:?}");
        assert_eq!(outcome(&options(&["Bearer abc"])).as_deref(), Ok("abc"), "{fields:?}");
    }
}
