//! Claims in headers, for the services behind this one.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    Accepted, ClaimHeadersLayer, ConfigErrorKind, JwtAuthLayer, PresentedToken, Scope,
    VerifiedToken, cors_exposed_headers, verify_fn,
};

use crate::support::requests::{Body, bearer, request};

/// The claims are the token, and `x-user` has them.
fn claim_headers() -> ClaimHeadersLayer<String> {
    ClaimHeadersLayer::<String>::new()
        .with_header("x-user", |token| Some(token.claims().clone()))
        .unwrap()
}

/// The headers that the inner service gets.
fn forwarded<L>(layer: &JwtAuthLayer<String>, inside: L, request: Request<()>) -> HeaderMap
where
    L: Layer<Inner>,
    L::Service: tower::Service<Request<()>, Response = Response<Body>, Error = Infallible> + Clone,
{
    let service = ServiceBuilder::new().layer(layer.clone()).layer(inside).service(inner());
    let response = service.oneshot(request).now_or_never().unwrap().unwrap();
    assert_eq!(response.status(), 200);
    response.extensions().get::<HeaderMap>().unwrap().clone()
}

type Inner = tower::util::ServiceFn<fn(Request<()>) -> std::future::Ready<Answer>>;
type Answer = Result<Response<Body>, Infallible>;

fn inner() -> Inner {
    service_fn(|request| {
        let mut response = Response::new(Body::new());
        response.extensions_mut().insert(request.headers().clone());
        std::future::ready(Ok(response))
    })
}

fn echo() -> JwtAuthLayer<String> {
    JwtAuthLayer::new(verify_fn(|token: &PresentedToken| Ok(token.as_str().to_owned())))
}

fn with_copies(mut request: Request<()>) -> Request<()> {
    for name in ["x-user", "x_user", "X-User", "x.user"] {
        let name = HeaderName::try_from(name).unwrap();
        request.headers_mut().append(name, HeaderValue::from_static("admin"));
    }
    request.headers_mut().append("x-users", HeaderValue::from_static("other"));
    request
}

fn users(headers: &HeaderMap) -> Vec<&str> {
    let ours = headers.iter().filter(|(name, _)| name.as_str().starts_with('x'));
    ours.map(|(_, value)| value.to_str().unwrap()).collect()
}

#[test]
fn header_has_the_claim_and_every_copy_of_the_client_is_removed() {
    let headers = forwarded(&echo(), claim_headers(), with_copies(bearer("alice")));
    assert_eq!(headers.get_all("x-user").iter().collect::<Vec<_>>(), ["alice"]);
    assert!(headers["x-user"].is_sensitive());
    let mut all = users(&headers);
    all.sort_unstable();
    assert_eq!(all, ["alice", "other"]);
}

#[test]
fn copies_are_removed_from_requests_without_a_token_too() {
    let none = || with_copies(request([""; 0]));
    for layer in [echo().optional(), echo().exempt(|_| true)] {
        let headers = forwarded(&layer, claim_headers(), none());
        assert_eq!(users(&headers), ["other"]);
    }
    // And where there is no authentication layer, or one for other claims.
    let service = claim_headers().layer(inner());
    let response = service.oneshot(none()).now_or_never().unwrap().unwrap();
    assert_eq!(users(response.extensions().get::<HeaderMap>().unwrap()), ["other"]);
    let other = ClaimHeadersLayer::<u8>::new()
        .with_header("x-user", |token| Some(token.to_string()))
        .unwrap();
    let headers = forwarded(&echo(), other, with_copies(bearer("alice")));
    assert_eq!(users(&headers), ["other"]);
}

#[test]
fn client_cannot_make_a_proxy_remove_a_header_by_naming_it_in_connection() {
    for (sent, expected) in [
        (&["close, x-user"][..], &["close"][..]),
        (&["x-user"], &[]),
        (&["X-User,,close ,X_USER", "keep-alive,x.user"], &["close, keep-alive"]),
        (&["x-user", "X-User"], &[]),
        // Not ours: as they were.
        (&["x-users, close", "Upgrade"], &["x-users, close", "Upgrade"]),
        (&["close"], &["close"]),
    ] {
        let mut request = bearer("alice");
        for line in sent {
            request.headers_mut().append("connection", HeaderValue::from_static(line));
        }
        let headers = forwarded(&echo(), claim_headers(), request);
        let lines: Vec<_> = headers.get_all("connection").iter().collect();
        assert_eq!(lines, expected, "{sent:?}");
        assert_eq!(headers["x-user"], "alice", "{sent:?}");
    }
}

#[cfg(feature = "tracing")]
#[test]
fn missing_layer_is_logged_once_and_a_request_without_a_token_is_not() {
    use crate::support::log_text::Log;

    // Of this test alone: the first event is that of the process.
    #[derive(Clone)]
    struct Parcel;

    let parcels = || {
        let layer = ClaimHeadersLayer::<Parcel>::new();
        layer.with_header("x-user", |_| Some("parcel".to_owned())).unwrap()
    };
    let auth = JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Ok(Parcel))).optional();
    let (log, _guard) = Log::start(tracing::Level::ERROR);
    let through =
        |service: tower::util::BoxCloneService<Request<()>, Response<Body>, Infallible>| {
            service.oneshot(request([""; 0])).now_or_never().unwrap().unwrap()
        };
    through(auth.layer(parcels().layer(inner())).boxed_clone());
    assert_eq!(log.text(), "");
    for _ in 0..3 {
        // Outside of the layer, around another claims type, and without a layer.
        through(parcels().layer(auth.layer(inner())).boxed_clone());
        through(echo().optional().layer(parcels().layer(inner())).boxed_clone());
        through(parcels().layer(inner()).boxed_clone());
    }
    assert_eq!(log.count("ERROR"), 1, "{}", log.text());
    assert_eq!(log.count("Parcel"), 1, "{}", log.text());
}

#[test]
fn claim_that_no_header_can_have_is_left_out() {
    let mut tried = 0;
    for text in [
        "",
        " ",
        " a",
        "a ",
        "a\r\nx-admin: 1",
        "a\nb",
        "a\rb",
        "a\0b",
        "a\tb",
        "a\u{7f}",
        "é",
        "日本",
        "a\u{2028}b",
    ] {
        let layer = ClaimHeadersLayer::<String>::new()
            .with_header("x-user", move |_| Some(text.to_owned()))
            .and_then(|layer| layer.with_header("x-other", |token| Some(token.claims().clone())))
            .unwrap();
        let headers = forwarded(&echo(), layer, with_copies(bearer("alice")));
        assert!(!headers.contains_key("x-user") && !headers.contains_key("x-admin"), "{text:?}");
        assert_eq!(headers["x-other"], "alice");
        tried += 1;
    }
    assert_eq!(tried, 13);
}

#[test]
fn every_printable_claim_arrives_as_it_is() {
    let printable: String = ('!'..='~').chain([' ', 'x']).collect();
    let expected = printable.clone();
    let layer = ClaimHeadersLayer::<String>::new()
        .with_header("x-user", move |_| Some(printable.clone()))
        .unwrap();
    assert_eq!(forwarded(&echo(), layer, bearer("a"))["x-user"], *expected);
}

#[test]
fn claim_that_is_absent_has_no_header_and_scopes_can_have_one() {
    let layer = ClaimHeadersLayer::<String>::new()
        .with_header("x-user", |_| None)
        .and_then(|layer| {
            layer.with_header("x-scope", |token| {
                VerifiedToken::scope(token).map(|it| it.to_string())
            })
        })
        .unwrap();
    let token =
        Accepted::new("alice".to_owned()).with_scope(Scope::from("read write")).into_token();
    let mut headers = HeaderMap::new();
    headers.insert("x-user", HeaderValue::from_static("admin"));
    layer.write(Some(&token), &mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-scope"], "read write");
    layer.write(None, &mut headers);
    assert!(headers.is_empty());
}

#[test]
fn header_with_another_meaning_or_with_two_claims_is_an_error() {
    for name in [
        "",
        "x user",
        "authorization",
        "dpop",
        "Client-Cert",
        "Cookie",
        "host",
        "connection",
        "x-user",
        "X_User",
    ] {
        let error = claim_headers().with_header(name, |_| None).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Header, "{name:?}");
    }
}

#[test]
fn debug_names_the_headers_and_nothing_else() {
    let layer = claim_headers();
    assert_eq!(format!("{layer:?}"), "ClaimHeadersLayer { headers: [\"x-user\"], .. }");
    let service = layer.layer("inner");
    assert!(format!("{service:?}").starts_with("ClaimHeaders { inner: \"inner\""));
}

#[test]
fn headers_of_a_refusal_can_be_exposed_to_pages_of_other_origins() {
    let names = cors_exposed_headers();
    for name in [
        "www-authenticate",
        "retry-after",
        "grpc-status",
        "grpc-message",
        "grpc-status-details-bin",
    ] {
        assert!(names.iter().any(|it| it == name), "{name}");
    }
}
