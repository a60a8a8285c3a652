//! A server at a URL.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tower_jwt_auth::test_util::{
    ProtectionFault, RemoteService, TestIssuer, assert_protected, check_protection,
};

use super::{requests, router};

async fn serve(app: Router) -> RemoteService {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    RemoteService::new(reqwest::Client::new(), url)
}

#[tokio::test]
async fn server_with_the_layer_is_protected() {
    let issuer = TestIssuer::new();
    let server = serve(router(issuer.verifier())).await;
    assert_protected(server, requests(&issuer).post("/orders", "text/plain", "1")).await;
}

#[tokio::test]
async fn server_without_the_layer_is_not_protected() {
    let server = serve(Router::new().route("/orders", get(async || "[]"))).await;
    let report = check_protection(server, requests(&TestIssuer::new())).await;
    assert!(report.let_through().len() > 150, "{report}");
}

#[tokio::test]
async fn server_that_does_not_run_is_a_finding_without_its_url() {
    let server = RemoteService::new(reqwest::Client::new(), "http://127.0.0.1:1/secret-path");
    let report = check_protection(server, requests(&TestIssuer::new())).await;
    let [finding] = report.findings() else { panic!("{report}") };
    assert_eq!(finding.fault(), ProtectionFault::GoodTokenRefused);
    assert!(finding.response().starts_with("no response: "), "{report}");
    assert!(!report.to_string().contains("secret-path"), "{report}");
}
