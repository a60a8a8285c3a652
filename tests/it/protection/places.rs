//! Tokens in other places than `Authorization`.

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use tower::service_fn;
use tower_jwt_auth::test_util::{
    Place, ProtectedRequests, SentBody, TestIssuer, assert_protected, check_protection,
};
use tower_jwt_auth::{JwtAuthLayer, Source};

use super::requests;

const ORIGIN: &str = "https://app.example";

fn app(issuer: &TestIssuer, sources: Vec<Source>) -> Router {
    let layer = JwtAuthLayer::new(issuer.verifier()).with_sources(sources).unwrap();
    Router::new().route("/orders", get(async || "[]")).route_layer(layer)
}

#[tokio::test]
async fn layer_that_expects_the_token_in_a_cookie_is_protected() {
    let issuer = TestIssuer::new();
    let cookie = Source::cookie("__Host-token", [ORIGIN]).unwrap();
    let requests = requests(&issuer).with_place(Place::cookie("__Host-token", ORIGIN));
    let report = check_protection(app(&issuer, vec![cookie]), requests).await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(!report.left_out().contains(&"place: cookie of another origin"));
    assert!(!report.left_out().contains(&"place: Authorization"));
}

#[tokio::test]
async fn cookie_that_counts_for_pages_of_every_origin_is_found() {
    let verifier = TestIssuer::new().verifier();
    let app = service_fn(move |request: Request<SentBody>| {
        let cookies = request.headers().get("cookie").and_then(|value| value.to_str().ok());
        let token = cookies.and_then(|cookies| cookies.strip_prefix("session="));
        let is_good = token.is_some_and(|token| verifier.verify_now(token).is_ok());
        let response = Response::builder().status(if is_good { 200 } else { 401 });
        let response = response.header("www-authenticate", "Bearer").body(()).unwrap();
        async { Ok::<_, std::convert::Infallible>(response) }
    });
    let requests = requests(&TestIssuer::new()).with_place(Place::cookie("session", ORIGIN));
    let report = check_protection(app, requests).await;
    assert_eq!(report.let_through(), ["place: cookie of another origin"]);
}

#[tokio::test]
async fn header_that_counts_beside_the_cookie_is_found() {
    let issuer = TestIssuer::new();
    let cookie = Source::cookie("__Host-token", [ORIGIN]).unwrap();
    let app = app(&issuer, vec![Source::authorization_header(), cookie]);
    let requests = requests(&issuer).with_place(Place::cookie("__Host-token", ORIGIN));
    let report = check_protection(app, requests).await;
    assert!(report.let_through().contains(&"place: Authorization"), "{report}");
}

#[tokio::test]
async fn forbidden_origin_of_a_cookie_is_no_hole() {
    let issuer = TestIssuer::new();
    let cookie = Source::cookie("access_token", [ORIGIN]).unwrap();
    let app = app(&issuer, vec![Source::authorization_header(), cookie]);
    let report = check_protection(app, requests(&issuer)).await;
    assert!(!report.let_through().contains(&"place: cookie"), "{report}");
}

#[tokio::test]
async fn layer_that_expects_the_token_in_a_header_is_protected() {
    let issuer = TestIssuer::new();
    let header = Source::header("x-access-token").unwrap();
    let requests = requests(&issuer).with_place(Place::header("x-access-token"));
    assert_protected(app(&issuer, vec![header]), requests).await;
}

#[cfg(feature = "query-token")]
#[tokio::test]
async fn layer_that_expects_the_token_in_the_query_is_protected() {
    let issuer = TestIssuer::new();
    let query = Source::dangerous_query("access_token").unwrap();
    let requests = requests(&issuer).with_place(Place::query("access_token"));
    let report = check_protection(app(&issuer, vec![query]), requests).await;
    assert!(report.findings().is_empty(), "{report}");
    // A URI cannot have 72 KiB, and a percent-encoded token in a query is a good one.
    for name in ["size: claims of 72 KiB", "encoding: percent-encoded dots", "place: query"] {
        assert!(report.left_out().contains(&name), "{name}");
    }
}

#[tokio::test]
async fn place_can_be_a_function() {
    let issuer = TestIssuer::new();
    let cookie = Source::cookie("__Host-token", [ORIGIN]).unwrap();
    let place = Place::custom(|head, token| {
        head.headers.insert("cookie", format!("__Host-token={token}").parse().unwrap());
        head.headers.insert("origin", ORIGIN.parse().unwrap());
    });
    assert_eq!(format!("{place:?}"), "Place { .. }");
    assert_protected(app(&issuer, vec![cookie]), requests(&issuer).with_place(place)).await;
}

#[test]
fn debug_of_a_place_names_it() {
    let shown = format!("{:?}", Place::cookie("token", ORIGIN));
    assert_eq!(shown, "Place { cookie: \"token\", origin: \"https://app.example\", .. }");
    assert_eq!(format!("{:?}", Place::default()), "Place { header: \"authorization\", .. }");
    let requests = ProtectedRequests::new(TestIssuer::new().token()).with_place(Place::query("t"));
    assert!(format!("{requests:?}").contains("Place { query: \"t\", .. }"), "{requests:?}");
}
