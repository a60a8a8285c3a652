//! Observers, the cache of a verifier, and the log.

use std::sync::{Arc, Mutex};

use tower_jwt_auth::{Algorithm, JwtAuthLayer, Outcome, Source, TokenSource};

use super::{cookie, every, get, handshake, header};
use crate::support::requests::{refusal, send};
use crate::support::{claims, key};

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
    assert_eq!(told[0].issuer(), Some(crate::support::ISSUER));
}

#[cfg(feature = "token-cache")]
#[test]
fn token_in_the_cache_is_not_accepted_beside_another_credential() {
    let key = key(Algorithm::HS256);
    let verifier = key.verifier().with_token_cache(8).unwrap();
    let sources = [Source::authorization_header(), header(), cookie()];
    let layer = JwtAuthLayer::new(verifier).with_sources(sources).unwrap();
    let token = key.token(&claims());
    let bearer = format!("Bearer {token}");
    let origin = ("origin", "https://app.example");
    let in_cookie = format!("token={token}");
    for _ in 0..3 {
        assert_eq!(refusal(&send(&layer, get(&[("authorization", &bearer)]))), None);
        assert_eq!(refusal(&send(&layer, get(&[("x-token", &token)]))), None);
        assert_eq!(refusal(&send(&layer, get(&[("cookie", &in_cookie), origin]))), None);
        for other in [("x-token", &*token), ("x-token", ""), ("cookie", &*in_cookie)] {
            let response = send(&layer, get(&[("authorization", &bearer), other, origin]));
            assert_eq!(response.status(), 400, "{other:?}");
        }
        let foreign = ("origin", "https://evil.example");
        let response = send(&layer, get(&[("cookie", &in_cookie), foreign]));
        assert_eq!(response.status(), 403);
    }
}

#[cfg(feature = "token-cache")]
#[test]
fn token_in_the_cache_of_a_layer_with_sources_is_found_there() {
    use crate::token_cache::Counted;

    let key = key(Algorithm::HS256);
    let keys = Counted::of(key);
    let verifier = tower_jwt_auth::JwtVerifier::new(
        crate::support::ISSUER,
        crate::support::AUDIENCE,
        keys.clone(),
    );
    let verifier = verifier.unwrap().with_clock(crate::support::now()).with_token_cache(8).unwrap();
    let layer = JwtAuthLayer::new(verifier).with_sources([header()]).unwrap();
    let token = key.token(&claims());
    for _ in 0..5 {
        assert_eq!(refusal(&send(&layer, get(&[("x-token", &token)]))), None);
    }
    assert_eq!(keys.lookups(), 1);
}
