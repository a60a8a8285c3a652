//! Tokens that are bound to their sender.

use serde_json::{Value, json};
use tower_jwt_auth::{JwtAuthLayer, RejectionKind, VerifiedToken};

use super::{Endpoint, active, active_with, kind_of, outcome};
use crate::support::requests::{bearer, refusal, send_later};

const THUMBPRINT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

fn of_dpop() -> Value {
    let mut answer = active_with("cnf", json!({"jkt": THUMBPRINT}));
    answer["token_type"] = json!("DPoP");
    answer
}

#[tokio::test]
async fn bound_token_is_refused_as_a_bearer_token_also_from_the_cache() {
    for cnf in [json!({"jkt": THUMBPRINT}), json!({"x5t#S256": THUMBPRINT}), json!({"kid": "1"})] {
        let layer = JwtAuthLayer::new(Endpoint::json(active_with("cnf", cnf.clone())).verifier());
        for _ in 0..3 {
            let response = send_later(&layer, bearer("a")).await;
            assert_eq!(refusal(&response), Some(RejectionKind::UnconfirmedSender), "{cnf}");
        }
    }
    assert_eq!(kind_of(of_dpop()).await, Some(RejectionKind::UnconfirmedSender));
}

#[tokio::test]
async fn dpop_token_of_an_unknown_key_is_refused() {
    let of_a_certificate = active_with("cnf", json!({"x5t#S256": THUMBPRINT}));
    for mut answer in [active(), active_with("cnf", Value::Null), of_a_certificate] {
        answer["token_type"] = json!("dpop");
        assert_eq!(kind_of(answer.clone()).await, Some(RejectionKind::UnboundToken), "{answer}");
    }
}

#[tokio::test]
async fn ignored_binding_is_not_that_of_the_token() {
    let endpoint = Endpoint::json(of_dpop());
    let verifier = endpoint.verifier().dangerous_ignore_confirmation();
    for _ in 0..2 {
        let token = outcome(&verifier, "a").await.unwrap();
        assert_eq!(VerifiedToken::confirmation(&token), None);
    }
    assert_eq!(endpoint.count(), 1);
}
