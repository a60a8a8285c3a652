//! axum: layers on routes and routers, the extractor with its scopes, and the guard in a handler.

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, Response};
use serde_json::json;
use tower::ServiceExt;
use tower_jwt_auth::{
    AuthorizeLayer, Authorized, JwtAuthLayer, RegisteredClaims, Rejection, RequiredScopes, Rule,
    VerifiedToken,
};

use super::{scope, token_with, verifier};

struct Orders;

impl RequiredScopes for Orders {
    const SCOPES: &'static [&'static str] = &["orders:read", "orders:list"];
}

async fn ask(app: &Router, path: &str, scope: Option<&str>) -> Response<Body> {
    let mut request = Request::post(path);
    if let Some(scope) = scope {
        let token = token_with(&json!({"scope": scope}));
        request = request.header("authorization", format!("Bearer {token}"));
    }
    app.clone().oneshot(request.body(Body::from("delete")).unwrap()).await.unwrap()
}

fn needs(name: &str) -> AuthorizeLayer<RegisteredClaims> {
    AuthorizeLayer::new(scope(name))
}

#[tokio::test]
async fn rules_of_nested_routers_and_routes_add_up() {
    let admin = Router::new()
        .route("/users", post(async || "users"))
        .route("/keys", post(async || "keys").route_layer(needs("keys")))
        .route_layer(needs("admin"));
    let app = Router::new()
        .route("/orders", post(async || "orders").route_layer(needs("read")))
        .route("/me", post(async || "me"))
        .nest("/admin", admin)
        .route_layer(JwtAuthLayer::new(verifier()));
    for (path, scope, status) in [
        ("/me", "", 200),
        ("/orders", "read", 200),
        ("/orders", "admin", 403),
        ("/admin/users", "admin", 200),
        ("/admin/users", "keys", 403),
        ("/admin/keys", "admin", 403),
        ("/admin/keys", "admin keys", 200),
        ("/admin/none", "admin", 404),
    ] {
        let response = ask(&app, path, Some(scope)).await;
        assert_eq!(response.status(), status, "{path} {scope}");
    }
    assert_eq!(ask(&app, "/orders", None).await.status(), 401);
}

#[tokio::test]
async fn extractor_asks_for_all_scopes_of_its_type() {
    async fn orders(token: Authorized<Orders>) -> String {
        let subject = token.sub.clone().unwrap();
        let token: VerifiedToken = Authorized::into_token(token);
        format!("{subject} until {:?}", token.expires_at().unwrap())
    }
    let app = Router::new()
        .route("/orders", post(orders))
        .route_layer(JwtAuthLayer::new(verifier()).optional());
    assert_eq!(ask(&app, "/orders", Some("orders:read orders:list")).await.status(), 200);
    let response = ask(&app, "/orders", Some("orders:list")).await;
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(
        challenge.contains(r#"scope="orders:read", error="insufficient_scope""#),
        "{challenge}"
    );
    assert_eq!(ask(&app, "/orders", None).await.status(), 401);

    let unprotected = Router::new().route("/orders", post(orders));
    assert_eq!(ask(&unprotected, "/orders", Some("orders:read orders:list")).await.status(), 500);
}

#[tokio::test]
async fn guard_refuses_what_the_body_asks_for() {
    async fn act(token: VerifiedToken, body: String) -> Result<&'static str, Rejection> {
        let rule = Rule::scope(if body == "delete" { "delete" } else { "read" });
        rule.unwrap().check(&token)?;
        Ok("done")
    }
    let app = Router::new().route("/act", post(act)).route_layer(JwtAuthLayer::new(verifier()));
    assert_eq!(ask(&app, "/act", Some("delete")).await.status(), 200);
    assert_eq!(ask(&app, "/act", Some("read")).await.status(), 403);
}

#[tokio::test]
async fn unknown_paths_and_methods_keep_their_answers() {
    let app = Router::new()
        .route("/orders", get(async || "orders").route_layer(needs("read")))
        .route_layer(JwtAuthLayer::new(verifier()));
    assert_eq!(ask(&app, "/none", None).await.status(), 404);
    assert_eq!(ask(&app, "/orders", Some("read")).await.status(), 405);
}
