//! Tokens that are bound to their sender: who accepts them, and what the client must show.

#[cfg(feature = "dpop")]
mod challenges;
mod client_certificates;
mod custom_verifiers;
mod deferral;
#[cfg(feature = "dpop")]
mod dpop;
#[cfg(feature = "dpop")]
mod extraction;
#[cfg(all(feature = "dpop", feature = "introspection", feature = "test-util"))]
mod introspected;
mod metadata;
#[cfg(feature = "dpop")]
mod nested;
#[cfg(feature = "dpop")]
mod nonces;
#[cfg(feature = "dpop")]
mod properties;
#[cfg(feature = "dpop")]
mod sources;
#[cfg(all(feature = "dpop", feature = "token-cache"))]
mod stack;

use http::{Request, Response};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ClientCertificate, ClientCertificates, JwtAuthLayer, RegisteredClaims,
    SenderConstrained, VerifyToken,
};

use crate::support::requests::{Body, bearer, send};
use crate::support::{claims_with, key};

/// A certificate, as far as a binding sees it.
const CERTIFICATE: &[u8] = b"the certificate of the client";

fn certificate() -> ClientCertificate {
    ClientCertificate::from_der(CERTIFICATE)
}

fn x5t() -> Value {
    json!({"x5t#S256": certificate().x5t_s256()})
}

/// A token with this `cnf`.
fn bound(cnf: impl Into<Value>) -> String {
    key(Algorithm::HS256).token(&claims_with("cnf", cnf))
}

fn unbound() -> String {
    key(Algorithm::HS256).token(&crate::support::claims())
}

fn by_certificate(verifier: impl VerifyToken<RegisteredClaims>) -> SenderConstrained {
    SenderConstrained::client_certificates(verifier, ClientCertificates::from_extensions())
}

/// A request over a connection with this certificate.
fn over(certificate: &ClientCertificate, token: &str) -> Request<()> {
    let mut request = bearer(token);
    request.extensions_mut().insert(certificate.clone());
    request
}

fn answer(verifier: impl VerifyToken<RegisteredClaims>, request: Request<()>) -> Response<Body> {
    send(&JwtAuthLayer::new(verifier), request)
}

#[cfg(feature = "dpop")]
pub(crate) mod proofs {
    use http::header::AUTHORIZATION;
    use http::{HeaderValue, Method, Request};
    use serde_json::{Value, json};
    use sha2::{Digest, Sha256};
    use tower_jwt_auth::{Algorithm, Dpop, RegisteredClaims, SenderConstrained, VerifyToken};

    use crate::support::{NOW, TestKey, b64, key, now};

    /// Checks proofs at the time of all tests.
    pub(crate) fn dpop() -> Dpop {
        let dpop = Dpop::new("https://api.example").unwrap().with_clock(now());
        dpop.with_algorithms([Algorithm::ES256, Algorithm::ES384]).unwrap()
    }

    pub(crate) fn by_dpop(verifier: impl VerifyToken<RegisteredClaims>) -> SenderConstrained {
        SenderConstrained::dpop(verifier, dpop())
    }

    /// The key of the client.
    pub(crate) fn client() -> &'static TestKey {
        key(Algorithm::ES256)
    }

    /// The public key, as it is in the header of a proof.
    fn jwk(key: &TestKey) -> Value {
        let jwk = key.jwk();
        json!({"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"]})
    }

    /// The `cnf` of a token that is bound to the client's key (RFC 7638 section 3).
    pub(crate) fn jkt() -> Value {
        // The members of the object are in the order of their names.
        json!({"jkt": b64(Sha256::digest(jwk(client()).to_string()))})
    }

    pub(crate) fn proof(key: &TestKey, token: &str) -> String {
        proof_with(key, token, &json!({}))
    }

    /// A proof with these claims beside the others, or in their place.
    pub(crate) fn proof_with(key: &TestKey, token: &str, claims: &Value) -> String {
        use std::sync::atomic::{AtomicUsize, Ordering};

        static NUMBER: AtomicUsize = AtomicUsize::new(0);

        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm.name(), "jwk": jwk(key)});
        let mut all = json!({
            "jti": format!("proof-{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            "htm": "GET",
            "htu": "https://api.example/orders",
            "iat": NOW,
            "ath": b64(Sha256::digest(token)),
        });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        key.token_of(header.to_string(), all.to_string())
    }

    /// A request with this value of `Authorization` and this proof.
    pub(crate) fn with_proof(authorization: &str, proof: &str) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = "https://api.example/orders".parse().unwrap();
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        headers.insert("dpop", HeaderValue::from_str(proof).unwrap());
        request
    }

    /// A request as a client with the key of the token makes it.
    pub(crate) fn proven(token: &str) -> Request<()> {
        with_proof(&format!("DPoP {token}"), &proof(client(), token))
    }
}
