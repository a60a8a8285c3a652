//! Nonces through the layer: over HTTP and gRPC, in refusals and in responses of the inner service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Clock, Dpop, JwtAuthLayer, NumericDate, RejectionKind, SenderConstrained,
};

use super::bound;
use super::proofs::{client, jkt, proof_with, with_proof};
use crate::support::requests::{Body, refusal, send};
use crate::support::{NOW, key};

#[derive(Clone, Debug)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

fn layer(clock: &Hand) -> JwtAuthLayer {
    let dpop = Dpop::new("https://api.example").unwrap().with_clock(clock.clone());
    let verifier = key(Algorithm::HS256).verifier();
    JwtAuthLayer::new(SenderConstrained::dpop(verifier, dpop.require_nonce().unwrap()))
}

fn clock() -> Hand {
    Hand(Arc::new(AtomicI64::new(NOW)))
}

fn with_claims(token: &str, claims: &Value) -> Request<()> {
    with_proof(&format!("DPoP {token}"), &proof_with(client(), token, claims))
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn client_without_a_nonce_gets_one_and_passes_with_it() {
    let clock = clock();
    let (layer, token) = (layer(&clock), bound(jkt()));
    let demand = send(&layer, with_claims(&token, &json!({})));
    assert_eq!(
        (demand.status().as_u16(), refusal(&demand)),
        (401, Some(RejectionKind::UseDpopNonce))
    );
    let challenges: Vec<&str> =
        demand.headers().get_all("www-authenticate").iter().map(|c| c.to_str().unwrap()).collect();
    let with_error: Vec<&&str> = challenges.iter().filter(|c| c.contains("error=")).collect();
    assert!(with_error.len() == 1 && with_error[0].starts_with("DPoP "), "{challenges:?}");
    assert!(with_error[0].contains("error=\"use_dpop_nonce\""), "{challenges:?}");
    assert_eq!(header(&demand, "cache-control"), Some("no-store"));

    let nonce = header(&demand, "dpop-nonce").unwrap();
    let accepted = send(&layer, with_claims(&token, &json!({"nonce": nonce})));
    assert_eq!((accepted.status().as_u16(), header(&accepted, "dpop-nonce")), (204, None));
    assert_eq!(accepted.headers().get(CACHE_CONTROL), None);

    clock.0.store(NOW + 150, Ordering::Relaxed);
    let later = json!({"nonce": nonce, "iat": NOW + 150});
    let accepted = send(&layer, with_claims(&token, &later));
    assert_eq!(accepted.status(), 204);
    assert_eq!(header(&accepted, "cache-control"), Some("no-store"));
    let new = header(&accepted, "dpop-nonce").unwrap();
    clock.0.store(NOW + 300, Ordering::Relaxed);
    let old = json!({"nonce": nonce, "iat": NOW + 300});
    assert_eq!(
        refusal(&send(&layer, with_claims(&token, &old))),
        Some(RejectionKind::UseDpopNonce)
    );
    let claims = json!({"nonce": new, "iat": NOW + 300});
    assert_eq!(send(&layer, with_claims(&token, &claims)).status(), 204);
}

#[test]
fn nonce_is_in_the_metadata_of_a_refused_grpc_call() {
    let (layer, token) = (layer(&clock()), bound(jkt()));
    let call = |claims: &Value| {
        let mut claims = claims.clone();
        claims["htm"] = json!("POST");
        claims["htu"] = json!("https://api.example/pkg.Service/Method");
        let mut request = with_claims(&token, &claims);
        *request.method_mut() = Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = "http://10.0.0.1/pkg.Service/Method".parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        send(&layer, request)
    };
    let demand = call(&json!({}));
    assert_eq!((demand.status().as_u16(), header(&demand, "grpc-status")), (200, Some("16")));
    let nonce = header(&demand, "dpop-nonce").unwrap();
    let accepted = call(&json!({"nonce": nonce}));
    assert_eq!((accepted.status().as_u16(), refusal(&accepted)), (204, None));
}
