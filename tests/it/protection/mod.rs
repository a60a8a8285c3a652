//! `assert_protected`: what it accepts, and what it finds.

#[cfg(feature = "jsonwebtoken-12")]
mod by_hand;
mod completeness;
mod findings;
mod keys;
mod places;
#[cfg(feature = "reqwest-0_13")]
mod remote;
mod secrecy;
mod vulnerable;
mod weak;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use tower::Layer;
use tower_jwt_auth::test_util::{
    Attack, ProtectedRequests, TestIssuer, assert_protected, check_protection,
};
use tower_jwt_auth::{JwtAuthLayer, MemoryReplayStore, OneTimeTokens, VerifyToken};

/// A router with a protected route and an open one.
pub(crate) fn router<C, V>(verifier: V) -> Router
where
    C: Send + Sync + 'static,
    V: VerifyToken<C>,
{
    Router::new()
        .route("/orders", get(async || "[]").post(async || StatusCode::CREATED))
        .route_layer(JwtAuthLayer::new(verifier))
        .route("/health", get(async || "ok"))
}

/// What needs a place other than `Authorization`, or a URL.
const OF_OTHER_SET_UPS: [&str; 3] =
    ["place: Authorization", "place: cookie of another origin", "key: jku in the header"];

const OF_RSA: [&str; 3] = [
    "alg: signed with another of its family",
    "public key: PEM of PKCS#1",
    "public key: PEM of PKCS#1, without the last line break",
];

fn sorted(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names
}

fn requests(issuer: &TestIssuer) -> ProtectedRequests {
    ProtectedRequests::new(issuer.token()).get("/orders")
}

#[tokio::test]
async fn router_with_the_layer_is_protected() {
    let issuer = TestIssuer::new();
    let requests = requests(&issuer).post("/orders", "text/plain", "1").open_get("/health");
    let report = check_protection(router(issuer.verifier()), requests).await;
    assert!(report.findings().is_empty(), "{report}");
    let left_out: Vec<&str> = [&OF_OTHER_SET_UPS[..], &OF_RSA, &["place: form"]].concat();
    assert_eq!(sorted(report.left_out()), sorted(left_out));
    let shown = format!("protected: {} attacks at 2 requests were refused\n", report.sent());
    assert!(report.to_string().starts_with(&shown), "{report}");
    let all = 2 * Attack::all().count();
    assert_eq!(report.sent(), all - 6 * 2 - 1);
}

#[tokio::test]
async fn check_can_run_in_another_task() {
    let issuer = TestIssuer::new();
    let check = check_protection(router(issuer.verifier()), requests(&issuer));
    let report = tokio::spawn(check).await.unwrap();
    assert!(report.findings().is_empty(), "{report}");
}

#[tokio::test]
async fn grpc_service_with_the_layer_is_protected() {
    let issuer = TestIssuer::new();
    let (_reporter, health) = tonic_health::server::health_reporter();
    let app = JwtAuthLayer::new(issuer.verifier()).layer(tonic::service::Routes::new(health));
    let requests = ProtectedRequests::new(issuer.token()).grpc("/grpc.health.v1.Health/Check");
    assert_protected(app, requests).await;
}

#[tokio::test]
async fn service_that_takes_another_body_is_protected() {
    let issuer = TestIssuer::new();
    let app = tower::service_fn(async |_: http::Request<()>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    });
    let app = JwtAuthLayer::new(issuer.verifier()).layer(app);
    assert_protected(app, requests(&issuer).with_body(|_| ())).await;
}

#[tokio::test]
async fn tokens_that_can_be_used_once_are_made_anew_for_each_request() {
    let issuer = TestIssuer::new();
    let verifier = OneTimeTokens::new(issuer.verifier(), MemoryReplayStore::new());
    let requests = requests(&issuer).post("/orders", "text/plain", "1");
    assert_protected(router(verifier), requests).await;
}

#[cfg(feature = "token-cache")]
#[tokio::test]
async fn router_with_a_token_cache_is_protected() {
    let issuer = TestIssuer::new();
    let verifier = issuer.verifier().with_token_cache(64).unwrap();
    assert_protected(router(verifier), requests(&issuer)).await;
}

#[cfg(feature = "jwks-url")]
#[tokio::test(start_paused = true)]
async fn router_is_protected_before_and_after_a_rotation() {
    let issuer = tower_jwt_auth::test_util::MockIssuer::new();
    let app = router(issuer.verifier());
    let requests = || ProtectedRequests::new(issuer.token()).get("/orders");
    assert_protected(app.clone(), requests()).await;
    issuer.rotate();
    // After tokens with unknown keys, the set is not fetched again for a while.
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    assert_protected(app, requests()).await;
}

#[test]
fn each_attack_has_a_group_and_a_name_of_its_own_and_a_reason() {
    let mut names: Vec<&str> = Attack::all().map(Attack::name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Attack::all().count());
    for attack in Attack::all() {
        assert_eq!(attack.name().split(": ").count(), 2, "{attack}");
        assert!(attack.name().starts_with(&format!("{}: ", attack.group())), "{attack}");
        let cites = ["RFC ", "CVE-"].iter().any(|start| attack.reason().contains(start));
        assert!(cites, "{attack}: {}", attack.reason());
    }
}
