//! What the layers of one configuration have in common: the uses of proofs and tokens, and the key of the nonces.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, Response};
use serde_json::json;
use sha2::{Digest, Sha256};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    ClientCertificate, ClientCertificates, ConfigVerifier, DenyList, JwtAuthLayer, LayerConfig,
    MemoryRevocationStore, RegisteredClaims, RejectionKind, SenderConstrained, TokenKinds,
    VerifyToken,
};

use crate::config::possession::{DPOP, bound, proven, refused, token};
use crate::config::{config, layer, toml_with};
use crate::sender_constrained::proofs::{dpop, jkt};
use crate::support::b64;
use crate::support::requests::{Body, bearer, refusal};

use RejectionKind::*;

const ONCE: &str = "one_time_tokens.capacity = 100\n";

fn verifier(config: &LayerConfig) -> ConfigVerifier {
    config.verifier().unwrap()
}

fn from(config: &LayerConfig) -> JwtAuthLayer {
    JwtAuthLayer::from_config(config).unwrap()
}

/// The response of a service inside of both layers.
fn through(outer: &JwtAuthLayer, inner: &JwtAuthLayer, request: Request<()>) -> Response<Body> {
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Body::new())));
    outer.layer(inner.layer(service)).oneshot(request).now_or_never().unwrap().unwrap()
}

#[test]
fn layers_of_one_configuration_inside_of_each_other_count_a_request_as_one_use() {
    let config = config(&toml_with(&format!("{DPOP}{ONCE}dpop.require_nonce = true"), ""));
    let (outer, inner) = (from(&config).optional(), from(&config));
    let once = token(&json!({ "jti": "1", "cnf": jkt() }));
    let first = through(&outer, &inner, proven(&once, &json!({})));
    assert_eq!(refusal(&first), Some(UseDpopNonce));
    let nonce = first.headers()["dpop-nonce"].to_str().unwrap();
    let claims = json!({ "nonce": nonce });
    assert_eq!(refusal(&through(&outer, &inner, proven(&once, &claims))), None);
    assert_eq!(refusal(&through(&outer, &inner, proven(&once, &claims))), Some(UsedToken));
    assert_eq!(refused(&inner, proven(&once, &claims)), Some(UsedToken));
}

#[test]
fn layers_of_one_configuration_beside_each_other_remember_the_same_uses() {
    let config = config(&toml_with(&format!("{DPOP}{ONCE}"), ""));
    let shared = verifier(&config);
    let checked =
        || config.layer_with_verifier(shared.clone().with_check(async |_, _| Ok(()))).unwrap();
    let ask = refused::<RegisteredClaims>;
    let optional = from(&config.clone().allow_optional());
    let layers = [checked(), checked(), from(&config), optional, JwtAuthLayer::new(shared.clone())];
    for (id, first) in layers.iter().enumerate() {
        let once = token(&json!({ "jti": format!("{id}") }));
        assert_eq!(ask(first, bearer(&once)), None);
        for layer in &layers {
            assert_eq!(ask(layer, bearer(&once)), Some(UsedToken));
        }
    }
    let proof = json!({ "jti": "one-proof" });
    let (one, other) = (json!({"jti": "a", "cnf": jkt()}), json!({"jti": "b", "cnf": jkt()}));
    let (one, other) = (token(&one), token(&other));
    assert_eq!(ask(&layers[0], proven(&one, &proof)), None);
    // A used token with a new proof has another refusal.
    assert_eq!(ask(&layers[1], proven(&one, &proof)), Some(InvalidDpopProof));
    assert_eq!(ask(&layers[1], proven(&one, &json!({}))), Some(UsedToken));
    assert_eq!(ask(&layers[1], proven(&other, &json!({}))), None);
    // A second configuration from the same text has uses of its own.
    let separate = layer(&toml_with(&format!("{DPOP}{ONCE}"), ""));
    assert_eq!(ask(&separate, bearer(&token(&json!({ "jti": "0" })))), None);
}

#[test]
fn one_time_token_that_is_bound_is_used_up_by_nobody_but_its_sender() {
    let certificate = ClientCertificate::from_der("certificate");
    let x5t = json!({"x5t#S256": b64(Sha256::digest("certificate"))});
    let once = token(&json!({ "jti": "1", "cnf": x5t }));
    let over = |certificate: &ClientCertificate| {
        let mut request = bearer(&once);
        request.extensions_mut().insert(certificate.clone());
        request
    };
    let bound = |config: &LayerConfig| {
        let certificates = ClientCertificates::from_extensions();
        SenderConstrained::client_certificates(verifier(config), certificates)
    };
    let config = config(&toml_with(ONCE, ""));
    let of_config = config.layer_with_verifier(bound(&config)).unwrap();
    // Without the layer of the configuration, nobody could record the use after the binding was checked.
    let alone = JwtAuthLayer::new(bound(&config));
    assert_eq!(refused(&alone, bearer(&once)), Some(UnconfirmedSender));
    assert_eq!(refused(&alone, over(&certificate)), Some(UnconfirmedSender));
    let unbound = token(&json!({ "jti": "2" }));
    assert_eq!(refused(&alone, bearer(&unbound)), None);
    assert_eq!(refused(&alone, bearer(&unbound)), Some(UsedToken));

    assert_eq!(refused(&of_config, bearer(&once)), Some(UnconfirmedSender));
    let thief = ClientCertificate::from_der("another");
    assert_eq!(refused(&of_config, over(&thief)), Some(UnconfirmedSender));
    assert_eq!(refused(&of_config, over(&certificate)), None);
    assert_eq!(refused(&of_config, over(&certificate)), Some(UsedToken));
}

#[test]
fn proofs_that_are_not_required_are_checked_by_the_decorator_around_the_verifier_alone() {
    let config = config(&toml_with(DPOP, ""));
    let certificates = ClientCertificates::from_extensions();
    let around = SenderConstrained::client_certificates(verifier(&config), certificates);
    let around = JwtAuthLayer::new(around);
    assert_eq!(refused(&around, bearer(&token(&json!({})))), None);
    assert_eq!(refused(&around, bearer(&bound())), Some(UnconfirmedSender));
    assert_eq!(refused(&around, proven(&bound(), &json!({}))), Some(UnsupportedScheme));
}

#[test]
fn second_check_of_the_binding_inside_of_the_layer_is_an_error() {
    let config = config(&toml_with(DPOP, ""));
    let certificates = ClientCertificates::from_extensions;
    let inner = || SenderConstrained::client_certificates(verifier(&config), certificates());
    let revoked = || MemoryRevocationStore::new(10).unwrap();
    let errors = [
        config.layer_with_verifier(inner()),
        config.layer_with_verifier(SenderConstrained::dpop(verifier(&config), dpop())),
        config.layer_with_verifier(inner().with_check(async |_, _| Ok(()))),
        config.layer_with_verifier(DenyList::new(inner(), revoked())),
        config.layer_with_verifier(inner().map_claims(RegisteredClaims::clone)),
        config.layer_with_verifier(TokenKinds::new().with_jwt(inner())),
    ];
    for error in errors {
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("dpop: the verifier checks bindings itself"), "{error}");
    }
    let around = DenyList::new(verifier(&config), revoked());
    let around = config.layer_with_verifier(around).unwrap();
    let good = token(&json!({ "jti": "1", "cnf": jkt() }));
    assert_eq!(refused(&around, proven(&good, &json!({}))), None);
    // Without `dpop`, the binding is the decorator's.
    let none = crate::config::config(&toml_with("", ""));
    assert!(none.layer_with_verifier(inner()).is_ok());
}
