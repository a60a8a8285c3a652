//! Tokens that are bound to a key: which scheme and which proof they need.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, ClientCertificates, Dpop, JwtAuthLayer, PresentedToken, ProxyHeaders, RejectionKind,
    SenderConstrained, Source, TokenScheme, TokenSource, VerifyToken,
};

use super::proofs::{by_dpop, client, dpop, jkt, proof, proven, with_proof};
use super::{answer, bound, certificate, over, unbound, x5t};
use crate::support::key;
use crate::support::requests::{bearer, reached, refusal, request, send};

use RejectionKind::*;

fn verifier() -> tower_jwt_auth::JwtVerifier {
    key(Algorithm::HS256).verifier()
}

#[test]
fn bound_token_needs_the_scheme_dpop_and_a_proof_of_its_key() {
    let token = bound(jkt());
    assert_eq!(refusal(&answer(by_dpop(verifier()), proven(&token))), None);
    let other = key(Algorithm::ES384);
    for (request, expected) in [
        (bearer(&token), UnconfirmedSender),
        (with_proof(&format!("Bearer {token}"), &proof(client(), &token)), UnconfirmedSender),
        (request([format!("DPoP {token}")]), InvalidDpopProof),
        (with_proof(&format!("DPoP {token}"), &proof(other, &token)), InvalidDpopProof),
        (with_proof(&format!("DPoP {token}"), &proof(client(), "other")), InvalidDpopProof),
        (with_proof(&format!("DPoP {token}"), "x"), InvalidDpopProof),
    ] {
        let response = answer(by_dpop(verifier()), request);
        assert_eq!(refusal(&response), Some(expected));
        assert_eq!(response.status(), 401);
    }
}

#[test]
fn unbound_token_is_a_bearer_token_and_nothing_else() {
    let token = unbound();
    assert_eq!(refusal(&answer(by_dpop(verifier()), bearer(&token))), None);
    assert_eq!(refusal(&answer(by_dpop(verifier()), proven(&token))), Some(UnboundToken));
    let required = || by_dpop(verifier()).required();
    assert_eq!(refusal(&answer(required(), bearer(&token))), Some(UnsupportedScheme));
    assert_eq!(refusal(&answer(required(), proven(&token))), Some(UnboundToken));
    assert_eq!(refusal(&answer(required(), proven(&bound(jkt())))), None);
}

#[test]
fn both_bindings_can_be_accepted_and_neither_stands_in_for_the_other() {
    let both =
        || by_dpop(verifier()).with_client_certificates(ClientCertificates::from_extensions());
    let (by_key, by_certificate) = (bound(jkt()), bound(x5t()));
    for verifier in [both(), both().required()] {
        assert_eq!(refusal(&answer(verifier.clone(), proven(&by_key))), None);
        let response = answer(verifier.clone(), over(&certificate(), &by_certificate));
        assert_eq!(refusal(&response), None);
        // A proof does not replace the certificate, nor the other way round.
        let mut with_both = proven(&by_certificate);
        with_both.extensions_mut().insert(certificate());
        assert_eq!(refusal(&answer(verifier.clone(), with_both)), Some(UnboundToken));
        let response = answer(verifier.clone(), over(&certificate(), &by_key));
        assert_eq!(refusal(&response), Some(UnconfirmedSender));
        assert_eq!(VerifyToken::schemes(&verifier), [TokenScheme::Bearer, TokenScheme::DPoP]);
    }
    assert_eq!(refusal(&answer(both(), bearer(&unbound()))), None);
    assert_eq!(refusal(&answer(both().required(), bearer(&unbound()))), Some(UnboundToken));
    // Not configured.
    assert_eq!(
        refusal(&answer(by_dpop(verifier()), over(&certificate(), &by_certificate))),
        Some(UnconfirmedSender)
    );
}

#[test]
fn bound_token_in_another_source_than_authorization_is_refused() {
    let sources = || {
        [
            Source::authorization_header(),
            Source::header("x-token").unwrap(),
            Source::cookie("token", ["https://app.example"]).unwrap(),
        ]
    };
    let layer = JwtAuthLayer::new(by_dpop(verifier())).with_sources(sources()).unwrap();
    let required =
        JwtAuthLayer::new(by_dpop(verifier()).required()).with_sources(sources()).unwrap();
    let token = bound(jkt());
    let with = |name: &'static str, value: String| {
        let mut request = proven(&token);
        request.headers_mut().remove(AUTHORIZATION);
        request.headers_mut().insert("origin", HeaderValue::from_static("https://app.example"));
        request.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
        request
    };
    for (name, value) in [
        ("x-token", token.clone()),
        ("x-token", format!("Bearer {token}")),
        ("cookie", format!("token={token}")),
    ] {
        let response = send(&layer, with(name, value.clone()));
        assert_eq!(refusal(&response), Some(UnconfirmedSender), "{name}");
        let response = send(&required, with(name, value));
        assert_eq!(refusal(&response), Some(UnsupportedScheme), "{name}");
    }
    let response = send(&layer, with("x-token", format!("DPoP {token}")));
    assert_eq!(refusal(&response), Some(MalformedCredentials));
    // Credentials for a proxy are not for this service.
    let response = send(&layer, with("proxy-authorization", format!("DPoP {token}")));
    assert_eq!(refusal(&response), Some(MissingCredentials));
    assert_eq!(refusal(&send(&layer, proven(&token))), None);
    let removing = layer.remove_credential();
    let response = send(&removing, proven(&token));
    let head = reached(&response).unwrap();
    assert!(!head.headers.contains_key(AUTHORIZATION));
    let presented = PresentedToken::from_request(&head.headers, &head.extensions).unwrap().unwrap();
    assert_eq!(presented.scheme(), TokenScheme::DPoP);
    assert_eq!(presented.source(), TokenSource::AuthorizationHeader);
}

#[test]
fn summary_names_the_host_of_the_request_as_a_danger() {
    let summary = |dpop| {
        let verifier = SenderConstrained::dpop(verifier(), dpop);
        VerifyToken::describe(&verifier).unwrap().to_string()
    };
    let plain = VerifyToken::describe(&verifier()).unwrap().to_string();
    assert_eq!(summary(dpop()), format!("{plain}, bound by DPoP"));
    let of_request = Dpop::dangerous_host_of_request("https").unwrap();
    let by_proxy = of_request.clone().with_trusted_proxy(ProxyHeaders::Forwarded, |_| true);
    let danger = "; dangerous: Dpop::dangerous_host_of_request";
    for dpop in [of_request, by_proxy] {
        assert_eq!(summary(dpop), format!("{plain}, bound by DPoP{danger}"));
    }
}

#[test]
fn invalid_token_is_refused_before_its_proof_is_read() {
    let token = key(Algorithm::HS256).token(&crate::support::claims_with("exp", json!(1)));
    let request = with_proof(&format!("DPoP {token}"), "x");
    assert_eq!(refusal(&answer(by_dpop(verifier()), request)), Some(ExpiredToken));
}
