//! Layers that accept `DPoP`, with sources, and inside of layers with sources.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::{COOKIE, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, JwtAuthLayer, RejectionKind, SenderConstrained, Source,
    TokenScheme, VerifyToken,
};

use super::proofs::{by_dpop, dpop, jkt, proven, with_proof};
use super::{bound, unbound};
use crate::support::key;
use crate::support::requests::{Body, field, refusal, request, send};

use RejectionKind::*;

const BEARER: &str = r#"Bearer realm="api""#;
const DPOP: &str = r#"DPoP realm="api", algs="ES256 ES384""#;

fn cookie() -> Source {
    Source::cookie("token", ["https://app.example"]).unwrap()
}

/// Every request with a DPoP token needs a nonce.
fn layer() -> JwtAuthLayer {
    let verifier = key(Algorithm::HS256).verifier();
    JwtAuthLayer::new(SenderConstrained::dpop(verifier, dpop().require_nonce().unwrap()))
}

/// A layer outside, for sessions in cookies. Other requests pass.
fn session() -> JwtAuthLayer {
    let layer = JwtAuthLayer::new(key(Algorithm::HS256).verifier()).optional();
    layer.with_sources([cookie()]).unwrap()
}

fn with_session(mut request: Request<()>) -> Request<()> {
    let value = HeaderValue::from_str(&format!("token={}", unbound())).unwrap();
    request.headers_mut().insert(COOKIE, value);
    request.headers_mut().insert(ORIGIN, HeaderValue::from_static("https://app.example"));
    request
}

fn through(outer: &JwtAuthLayer, inner: &JwtAuthLayer, request: Request<()>) -> Response<Body> {
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
    let service = outer.layer(inner.layer(service));
    service.oneshot(request).now_or_never().unwrap().unwrap()
}

fn challenges(response: &Response<Body>) -> Vec<&str> {
    let lines = response.headers().get_all(WWW_AUTHENTICATE).iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

#[test]
fn nonce_is_asked_for_in_one_challenge_alone() {
    let response = send(&layer(), proven(&bound(jkt())));
    assert_eq!(refusal(&response), Some(UseDpopNonce));
    assert!(field(&response, "dpop-nonce").is_some());
    let [challenge] = challenges(&response)[..] else { panic!("one challenge") };
    let expected = format!(r#"{DPOP}, error="use_dpop_nonce""#);
    assert!(challenge.starts_with(&expected), "{challenge}");
}

#[test]
fn error_is_in_the_challenge_of_the_scheme_that_this_layer_has_found() {
    let keeping = session();
    let removing = session().remove_credential();
    let with_sources = || layer().with_sources([Source::authorization_header()]).unwrap();
    for outer in [keeping, removing] {
        for inner in [layer(), with_sources(), with_sources().remove_credential()] {
            let response = through(&outer, &inner, with_session(proven(&bound(jkt()))));
            assert_eq!(refusal(&response), Some(UseDpopNonce));
            let [challenge] = challenges(&response)[..] else { panic!("one challenge") };
            assert!(challenge.starts_with("DPoP "), "{challenge}");

            let malformed = with_proof("DPoP a b", "proof");
            let response = through(&outer, &inner, with_session(malformed));
            assert_eq!(response.status(), 400);
            let [bearer, dpop] = challenges(&response)[..] else { panic!("two challenges") };
            assert_eq!(bearer, BEARER);
            assert!(dpop.contains(r#"error="invalid_request""#), "{dpop}");
        }
    }
}

#[test]
fn error_is_in_the_right_challenge_after_the_credential_was_removed() {
    for (line, scheme) in [("DPoP a b", "DPoP"), ("Bearer a b", "Bearer")] {
        let response = send(&layer().remove_credential(), request([line]));
        assert_eq!(response.status(), 400);
        for challenge in challenges(&response) {
            assert_eq!(challenge.contains("error="), challenge.starts_with(scheme), "{challenge}");
        }
        // Removed by a layer outside, which accepts neither.
        let outer = layer().optional().remove_credential();
        let response = through(&outer, &layer().remove_credential(), request([line]));
        assert_eq!(response.status(), 400);
    }
    // The session is refused as a bearer token.
    let both = layer().with_sources([Source::authorization_header(), cookie()]).unwrap();
    let mut expired = with_session(Request::new(()));
    expired.headers_mut().insert(COOKIE, HeaderValue::from_static("token=x"));
    let response = send(&both, expired);
    let [bearer, dpop] = challenges(&response)[..] else { panic!("two challenges") };
    assert!(bearer.contains("invalid_token"), "{bearer}");
    assert_eq!(dpop, DPOP);
}

#[test]
fn layer_without_authorization_does_not_offer_dpop() {
    let elsewhere = || layer().with_sources([cookie()]).unwrap();
    assert_eq!(challenges(&send(&elsewhere(), Request::new(()))), [BEARER]);
    assert_eq!(refusal(&send(&elsewhere(), with_session(Request::new(())))), None);
    let again = || elsewhere().with_sources([Source::authorization_header(), cookie()]).unwrap();
    assert_eq!(challenges(&send(&again(), Request::new(()))), [BEARER, DPOP]);
    assert_eq!(refusal(&send(&again(), proven(&bound(jkt())))), Some(UseDpopNonce));

    #[cfg(feature = "resource-metadata")]
    for (layer, has_dpop) in [(elsewhere(), false), (again(), true)] {
        let metadata = tower_jwt_auth::ResourceMetadata::new("https://api.example").unwrap();
        let layer = layer.with_resource_metadata(metadata).unwrap();
        let document = layer.resource_metadata_layer().unwrap().document().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(document.get("dpop_signing_alg_values_supported").is_some(), has_dpop);
    }
}

#[test]
fn verifier_for_dpop_alone_needs_authorization() {
    let verifier = || by_dpop(key(Algorithm::HS256).verifier()).required();
    assert_eq!(VerifyToken::schemes(&verifier()), [TokenScheme::DPoP]);
    let error = JwtAuthLayer::new(verifier()).with_sources([cookie()]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Source);
    assert!(error.to_string().contains("DPoP"), "{error}");
    let both = [cookie(), Source::authorization_header()];
    assert!(JwtAuthLayer::new(verifier()).with_sources(both).is_ok());
}
