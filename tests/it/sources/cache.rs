//! The token cache of a verifier, in a layer with sources.

use tower_jwt_auth::{Algorithm, JwtAuthLayer, JwtVerifier, Source};

use super::{cookie, get, header};
use crate::support::requests::{refusal, send};
use crate::support::{AUDIENCE, ISSUER, claims, key, now};
use crate::token_cache::Counted;

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

#[test]
fn token_in_the_cache_of_a_layer_with_sources_is_found_there() {
    let key = key(Algorithm::HS256);
    let keys = Counted::of(key);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap();
    let verifier = verifier.with_clock(now()).with_token_cache(8).unwrap();
    let layer = JwtAuthLayer::new(verifier).with_sources([header()]).unwrap();
    let token = key.token(&claims());
    for _ in 0..5 {
        assert_eq!(refusal(&send(&layer, get(&[("x-token", &token)]))), None);
    }
    assert_eq!(keys.lookups(), 1);
}
