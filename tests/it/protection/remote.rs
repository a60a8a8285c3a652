//! A server at a URL.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
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

#[tokio::test]
async fn client_that_follows_redirects_is_an_error() {
    let issuer = TestIssuer::new();
    let to_login = async |response: axum::response::Response| {
        if response.status().is_success() {
            return response;
        }
        axum::response::IntoResponse::into_response(axum::response::Redirect::to("/login"))
    };
    let app = router(issuer.verifier()).layer(axum::middleware::map_response(to_login)).route(
        "/login",
        get(async || (StatusCode::UNAUTHORIZED, [("www-authenticate", "Bearer")])),
    );
    let report = check_protection(serve(app).await, requests(&issuer)).await;
    let finding = report.findings().iter().find(|f| f.name() == "alg: none").unwrap();
    assert_eq!(finding.fault(), ProtectionFault::NoResponse);
    assert!(finding.response().contains("the client followed a redirect"), "{report}");
}

#[test]
#[should_panic(expected = "the URL has a user name or a password")]
fn url_with_a_password_panics() {
    let _ = RemoteService::new(reqwest::Client::new(), "https://me:secret@staging.example/");
}
