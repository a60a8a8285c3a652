//! What the report says besides the attacks that were let through.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::middleware::map_response;
use axum::routing::get;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tower::service_fn;
use tower_jwt_auth::test_util::{
    ProtectedRequests, ProtectionFault, ProtectionReport, SentBody, TestIssuer, check_protection,
};
use tower_jwt_auth::{ExpectedAudience, JwtAuthLayer, JwtVerifier};

use super::{requests, router};

fn faults(report: &ProtectionReport) -> Vec<(ProtectionFault, &str)> {
    report.findings().iter().map(|finding| (finding.fault(), finding.name())).collect()
}

fn without_audience(issuer: &TestIssuer) -> Router {
    let any = ExpectedAudience::dangerous_any();
    let keys = issuer.verification_keys();
    router(JwtVerifier::new("https://issuer.test", any, keys).unwrap())
}

#[tokio::test]
async fn refusals_without_a_challenge_are_one_finding() {
    let issuer = TestIssuer::new();
    let without_challenge = async |mut response: axum::response::Response| {
        response.headers_mut().remove(WWW_AUTHENTICATE);
        response
    };
    let app = router(issuer.verifier()).layer(map_response(without_challenge));
    let report = check_protection(app.clone(), requests(&issuer)).await;
    assert_eq!(faults(&report), [(ProtectionFault::MissingChallenge, "challenge")]);
    assert!(report.let_through().is_empty());

    let allowed = requests(&issuer).allowing("challenge", "the gateway adds it");
    let report = check_protection(app, allowed).await;
    assert!(report.findings().is_empty(), "{report}");
}

#[tokio::test]
async fn server_error_is_a_finding_and_is_not_allowed() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier();
    let app = service_fn(move |request: Request<SentBody>| {
        let value = request.headers().get(AUTHORIZATION).map(|value| value.to_str());
        let token = value.map(|value| value.map(|value| value.strip_prefix("Bearer ")));
        let status = match token {
            Some(Ok(Some(token))) if verifier.verify_now(token).is_ok() => StatusCode::OK,
            // An `unwrap` that a framework turns into a 500.
            Some(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        let mut response = Response::new(());
        *response.status_mut() = status;
        async { Ok::<_, Infallible>(response) }
    });
    let requests = requests(&issuer).allowing("two tokens", "the proxy removes the second one");
    let report = check_protection(app, requests).await;
    assert_eq!(faults(&report), [(ProtectionFault::ServerError, "garbage: bytes")], "{report}");
    assert!(report.to_string().contains("allowed: two tokens (the proxy removes the second one)"));
}

#[tokio::test]
async fn service_that_fails_is_a_finding_without_the_token() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier();
    let app = service_fn(move |request: Request<SentBody>| {
        let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
        let result = match verifier.verify_now(&token) {
            Ok(_) => Ok(Response::new(())),
            Err(_) => Err(format!("cannot parse {token}")),
        };
        async { result }
    });
    let report = check_protection(app, requests(&issuer)).await;
    let failed = report.findings().iter().filter(|f| f.fault() == ProtectionFault::NoResponse);
    let failed: Vec<_> = failed.collect();
    assert!(failed.iter().any(|finding| finding.name() == "alg: none"), "{report}");
    // The request may be too long for the connection.
    assert!(failed.iter().all(|finding| finding.name() != "size: claims of 72 KiB"));
    assert!(!report.to_string().contains("eyJ"), "{report}");
}

#[tokio::test]
async fn open_route_that_needs_a_token_is_a_finding() {
    let issuer = TestIssuer::new();
    let report = check_protection(router(issuer.verifier()), requests(&issuer).open_get("/orders"));
    let report = report.await;
    let [finding] = report.findings() else { panic!("{report}") };
    assert_eq!(finding.fault(), ProtectionFault::OpenRequestRefused);
    assert_eq!((finding.request(), finding.response()), ("GET /orders", "401 Unauthorized"));
}

#[tokio::test]
async fn service_that_an_attack_has_changed_is_a_finding() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier();
    let failures = Arc::new(AtomicUsize::new(0));
    let app = service_fn(move |request: Request<SentBody>| {
        let is_locked = failures.load(Ordering::Relaxed) > 10;
        let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let is_good = !is_locked && verifier.verify_now(token).is_ok();
        let status = if is_good { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        if !is_good {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        let response = Response::builder().status(status).header(WWW_AUTHENTICATE, "Bearer");
        async { Ok::<_, Infallible>(response.body(()).unwrap()) }
    });
    let report = check_protection(app, requests(&issuer)).await;
    let last = report.findings().last().unwrap();
    assert_eq!(last.fault(), ProtectionFault::GoodTokenRefused);
    assert_eq!(last.name(), "the good token, after the attacks");
}

#[tokio::test]
async fn group_or_a_single_attack_is_allowed_with_a_reason() {
    let issuer = TestIssuer::new();
    let app = without_audience(&issuer);
    let group = requests(&issuer).allowing("aud", "the issuer writes none until June");
    let report = check_protection(app.clone(), group).await;
    assert!(report.findings().is_empty(), "{report}");
    assert!(report.to_string().contains("allowed: aud (the issuer writes none until June)"));

    let one = requests(&issuer).allowing("aud: missing", "the issuer writes none until June");
    let report = check_protection(app, one).await;
    assert!(!report.let_through().contains(&"aud: missing"));
    assert!(report.let_through().contains(&"aud: another"));
}

#[tokio::test]
async fn allowance_that_nothing_needs_is_a_finding() {
    let issuer = TestIssuer::new();
    let requests = requests(&issuer).allowing("aud", "no longer needed");
    let report = check_protection(router(issuer.verifier()), requests).await;
    assert_eq!(faults(&report), [(ProtectionFault::UnusedAllowance, "an allowance")]);
    assert!(report.to_string().contains("allowed: aud (no longer needed): 0 times"), "{report}");
}

#[test]
#[should_panic(expected = "no attack and no group is named \"audience\"; the groups are no token,")]
fn unknown_name_cannot_be_allowed() {
    let _ = ProtectedRequests::new(TestIssuer::new().token()).allowing("audience", "a typo");
}

#[tokio::test]
async fn forbidden_counts_as_let_through() {
    let app = Router::new()
        .route("/orders", get(async || "[]"))
        .route_layer(JwtAuthLayer::new(TestIssuer::new().verifier()).optional())
        .route_layer(map_response(async |response: axum::response::Response| {
            // Authorization that takes a missing token for a user without permissions.
            let mut response = response;
            if response.status() == StatusCode::UNAUTHORIZED {
                *response.status_mut() = StatusCode::FORBIDDEN;
            }
            response
        }));
    let report = check_protection(app, requests(&TestIssuer::new())).await;
    let finding = report.findings().iter().find(|finding| finding.name() == "alg: none").unwrap();
    assert_eq!(finding.fault(), ProtectionFault::LetThrough);
    assert_eq!(finding.response(), "403 Forbidden");
    // The layer is optional: without a token the request gets through.
    let finding = report.findings().first().unwrap();
    assert_eq!((finding.name(), finding.response()), ("no token: no header", "200 OK"));
}
