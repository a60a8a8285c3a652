//! Set-ups that are not protected, and the attacks that they let through.

use std::convert::Infallible;

use axum::Router;
use axum::routing::get;
use http::{Request, Response};
use tower::{Layer, service_fn};
use tower_jwt_auth::test_util::{
    Attack, ProtectedRequests, ProtectionFault, SentBody, TestIssuer, check_protection,
};
use tower_jwt_auth::{
    ExpectedAudience, ExpectedIssuer, JwtAuthLayer, JwtVerifier, dangerous_any_bearer,
};

use super::{requests, router};

#[tokio::test]
async fn service_without_the_layer_lets_everything_through() {
    let app = Router::new().route("/orders", get(async || "[]"));
    let report = check_protection(app, requests(&TestIssuer::new())).await;
    let mut all: Vec<&str> = Attack::all().map(Attack::name).collect();
    all.retain(|name| !report.left_out().contains(name));
    assert_eq!(report.let_through(), all);
    assert_eq!(report.findings().len(), all.len());
    assert_eq!(report.left_out().len(), 6);
}

#[tokio::test]
async fn grpc_service_without_the_layer_lets_everything_through() {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let requests =
        ProtectedRequests::new(TestIssuer::new().token()).grpc("/grpc.health.v1.Health/Check");
    let report = check_protection(tonic::service::Routes::new(health), requests).await;
    // A form is not a gRPC request.
    assert!(report.left_out().contains(&"place: form"));
    assert_eq!(report.let_through().len(), Attack::all().count() - 7, "{report}");
}

#[tokio::test]
async fn dangerous_any_audience_lets_tokens_for_other_services_through() {
    let issuer = TestIssuer::new();
    let any = ExpectedAudience::dangerous_any();
    let verifier = JwtVerifier::new("https://issuer.test", any, issuer.verification_keys());
    let report = check_protection(router(verifier.unwrap()), requests(&issuer)).await;
    assert_eq!(
        report.let_through(),
        [
            "aud: another",
            "aud: missing",
            "aud: empty",
            "aud: empty list",
            "aud: list of others",
            "aud: the beginning",
            "aud: the beginning of a longer one",
            "aud: in upper case",
            "aud: with or without a slash",
        ]
    );
}

#[tokio::test]
async fn dangerous_any_issuer_lets_tokens_of_other_issuers_through() {
    let issuer = TestIssuer::new();
    let any = ExpectedIssuer::dangerous_any();
    let verifier = JwtVerifier::new(any, "https://api.test", issuer.verification_keys());
    let report = check_protection(router(verifier.unwrap()), requests(&issuer)).await;
    assert_eq!(
        report.let_through(),
        [
            "iss: another",
            "iss: missing",
            "iss: empty",
            "iss: the beginning",
            "iss: the beginning of a longer one",
            "iss: in upper case",
            "iss: with or without a slash",
        ]
    );
}

#[tokio::test]
async fn settings_that_weaken_a_rule_let_its_attacks_through() {
    let issuer = TestIssuer::new();
    let bound = issuer.verifier().dangerous_ignore_confirmation();
    let report = check_protection(router(bound), requests(&issuer)).await;
    assert_eq!(
        report.let_through(),
        ["cnf: key of DPoP", "cnf: client certificate", "cnf: an unknown method"]
    );

    let id_tokens = issuer.verifier().dangerous_accept_id_tokens();
    let report = check_protection(router(id_tokens), requests(&issuer)).await;
    assert_eq!(
        report.let_through(),
        [
            "kind: ID token with at_hash",
            "kind: ID token of Cognito",
            "kind: ID token of Keycloak",
            "kind: logout token",
        ]
    );
}

#[tokio::test]
async fn any_bearer_token_is_let_through_by_a_layer_that_verifies_none() {
    let app = router(dangerous_any_bearer());
    let report = check_protection(app, requests(&TestIssuer::new())).await;
    let let_through = report.let_through();
    for name in ["alg: none", "exp: an hour ago", "garbage: a word", "parts: all empty"] {
        assert!(let_through.contains(&name), "{name}");
    }
    for name in ["no token: no header", "two tokens: in one header", "place: query"] {
        assert!(!let_through.contains(&name), "{name}");
    }
}

#[tokio::test]
async fn service_that_refuses_everything_is_not_protected() {
    let app = service_fn(async |_: Request<SentBody>| {
        let response = Response::builder().status(401).header("www-authenticate", "Bearer");
        Ok::<_, Infallible>(response.body(()).unwrap())
    });
    let report = check_protection(app, requests(&TestIssuer::new())).await;
    let [finding] = report.findings() else { panic!("{report}") };
    assert_eq!(finding.fault(), ProtectionFault::GoodTokenRefused);
    assert_eq!((finding.request(), finding.response()), ("GET /orders", "401 Unauthorized"));
    assert_eq!(report.sent(), 0);
    assert!(report.to_string().contains("the good token must be accepted"), "{report}");
}

#[tokio::test]
async fn one_unprotected_route_of_several_is_named() {
    let issuer = TestIssuer::new();
    let app = router(issuer.verifier()).route("/admin", get(async || "users"));
    let report = check_protection(app, requests(&issuer).get("/admin?all")).await;
    assert!(report.findings().iter().all(|finding| finding.request() == "GET /admin"), "{report}");
    assert_eq!(report.let_through().len(), Attack::all().count() - 6);
}

#[tokio::test]
#[should_panic(expected = "let through: aud: missing: 200 OK\n")]
async fn assertion_fails_with_the_attacks_and_their_reasons() {
    let issuer = TestIssuer::new();
    let any = ExpectedAudience::dangerous_any();
    let verifier = JwtVerifier::new("https://issuer.test", any, issuer.verification_keys());
    let inner = service_fn(async |_: Request<SentBody>| Ok::<_, Infallible>(Response::new(())));
    let app = JwtAuthLayer::new(verifier.unwrap()).layer(inner);
    tower_jwt_auth::test_util::assert_protected(app, requests(&issuer)).await;
}
