//! The table by MCP method and name, for handlers that read the body.

use serde_json::{Value, json};
use tower_jwt_auth::RejectionKind;

use super::mcp::{ALL, rules};
use super::verified;

#[test]
fn handler_can_check_an_operation_that_it_read_from_the_body() {
    let rules = rules();
    let check = |granted, method, name| {
        rules.check_call(&verified(&json!({"scope": granted})), method, name)
    };
    assert!(check("use", "tools/call", Some("search")).is_ok());
    assert!(check("use", "tools/list", None).is_ok());
    assert!(check(ALL, "tools/call", Some("unknown")).is_ok());
    for (method, name, needed) in [
        ("tools/call", Some("delete"), "use write"),
        ("tools/call", Some("=?base64?c2VhcmNo?="), ALL),
        ("tools/call", Some("unknown"), ALL),
        ("tools/call", None, ALL),
        ("initialize", None, ALL),
    ] {
        let rejection = check("use", method, name).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
        assert_eq!(rejection.scope().unwrap().as_str(), needed, "{method} {name:?}");
    }
}

/// The scopes that a message needs.
fn needs(message: &Value) -> String {
    let rejection = rules().check_message(&verified(&json!({"scope": ""})), message).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InsufficientScope);
    rejection.scope().unwrap().as_str().to_owned()
}

#[test]
fn message_with_both_members_is_checked_by_the_one_that_the_method_uses() {
    let call =
        |method, name, uri| needs(&json!({"method": method, "params": {"name": name, "uri": uri}}));
    assert_eq!(call("resources/read", "search", "file:///notes"), "files");
    assert_eq!(call("resources/read", "file:///notes", "file:///secret"), ALL);
    assert_eq!(call("tools/call", "delete", "search"), "use write");
    assert_eq!(call("tools/call", "unknown", "search"), ALL);
    assert_eq!(call("prompts/get", "review", "file:///notes"), "prompts");
    assert_eq!(call("prompts/get", "unknown", "review"), ALL);
    assert_eq!(call("logging/setLevel", "search", "search"), "audit");
}

#[test]
fn message_that_names_no_operation_needs_every_scope_of_the_table() {
    let search = json!({"method": "tools/call", "params": {"name": "search"}});
    assert_eq!(needs(&search), "use");
    for message in [
        json!(null),
        json!("tools/list"),
        json!(["tools/list", {"name": "search"}]),
        json!([search]),
        json!({}),
        json!({"method": null}),
        json!({"method": ["tools/list"]}),
        json!({"id": 1, "result": {}}),
        json!({"method": "tools/call"}),
        json!({"method": "tools/call", "params": null}),
        json!({"method": "tools/call", "params": ["search"]}),
        json!({"method": "tools/call", "params": {"name": ["search"]}}),
        json!({"method": "tools/call", "params": {"name": ""}}),
        json!({"method": "tools/call", "params": {"uri": "search"}}),
        json!({"method": "tools/call", "name": "search"}),
        json!({"method": "resources/read", "params": {"name": "file:///notes"}}),
    ] {
        assert_eq!(needs(&message), ALL, "{message}");
    }
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn rejection_of_a_handler_is_a_challenge_with_the_realm_of_the_layer() {
    use axum::{Extension, Json, Router, body::Body, routing::post};
    use http::Request;
    use tower::ServiceExt;
    use tower_jwt_auth::{JwtAuthLayer, McpRules, Rejection, VerifiedToken};

    use super::{token_with, verifier};
    use crate::support::challenge::parse;
    use crate::support::requests::challenge;

    async fn mcp(
        Extension(rules): Extension<McpRules>,
        token: VerifiedToken,
        Json(message): Json<Value>,
    ) -> Result<&'static str, Rejection> {
        rules.check_message(&token, &message)?;
        Ok("called")
    }

    let auth = JwtAuthLayer::new(verifier()).with_realm("files").unwrap();
    let app = Router::new().route("/mcp", post(mcp)).layer(Extension(rules())).layer(auth);
    let call = async |name: &str| {
        let token = token_with(&json!({"scope": "use"}));
        let body = json!({"method": "tools/call", "params": {"name": name}}).to_string();
        let request = Request::post("/mcp")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(Body::from(body))
            .unwrap();
        app.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(call("search").await.status(), 200);
    let response = call("delete").await;
    assert_eq!(response.status(), 403);
    assert_eq!(refusal_of(&response), Some(RejectionKind::InsufficientScope));
    let challenge = parse(challenge(&response).unwrap()).unwrap();
    assert_eq!(challenge["realm"], "files");
    assert_eq!(challenge["error"], "insufficient_scope");
    assert_eq!(challenge["scope"], "use write");
}

#[cfg(feature = "axum")]
fn refusal_of<B>(response: &http::Response<B>) -> Option<RejectionKind> {
    response.extensions().get::<tower_jwt_auth::Rejection>().map(|rejection| rejection.kind())
}
