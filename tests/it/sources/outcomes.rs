//! What observers are told.

use std::sync::{Arc, Mutex};

use tower_jwt_auth::{Algorithm, JwtAuthLayer, Outcome, TokenSource};

use super::{every, get, handshake};
use crate::support::requests::send;
use crate::support::{ISSUER, claims, key};

#[test]
fn observer_is_told_of_the_source_of_a_token_and_of_no_token() {
    let told: Arc<Mutex<Vec<Outcome>>> = Arc::default();
    let kept = Arc::clone(&told);
    let key = key(Algorithm::HS256);
    let layer = JwtAuthLayer::new(key.verifier()).with_sources(every()).unwrap();
    let layer = layer.on_outcome(move |outcome| kept.lock().unwrap().push(outcome.clone()));
    let token = key.token(&claims());
    let protocol = format!("bearer.{token}");
    send(&layer, get(&[("x-token", &token)]));
    send(&layer, get(&[("x-token", "bad")]));
    send(&layer, handshake(&[&protocol]));
    send(&layer, get(&[("cookie", &format!("token={token}"))]));
    send(&layer, get(&[("authorization", &format!("Bearer {token}"))]));
    let told = told.lock().unwrap();
    let seen: Vec<_> = told.iter().map(|outcome| (outcome.as_str(), outcome.source())).collect();
    assert_eq!(
        seen,
        [
            ("accepted", Some(TokenSource::Header)),
            ("refused", Some(TokenSource::Header)),
            ("accepted", Some(TokenSource::WebSocketProtocol)),
            ("refused", None),
            ("accepted", Some(TokenSource::AuthorizationHeader)),
        ]
    );
    assert_eq!(told[0].issuer(), Some(ISSUER));
}
