//! The binding in an answer of an introspection endpoint (RFC 9449 section 6.2, RFC 8705 section 3.2).

use serde_json::{Value, json};
use tower_jwt_auth::{
    ClientCertificate, Introspection, JwtAuthLayer, RegisteredClaims, RejectionKind, VerifyToken,
};

use super::proofs::{by_dpop, client, jkt, proof, proven, with_proof};
use super::{by_certificate, certificate, over, x5t};
use crate::introspection::{Endpoint, active, active_with};
use crate::support::key;
use crate::support::requests::{bearer, refusal, send_later};

fn endpoint(answer: Value) -> (Endpoint, Introspection) {
    let endpoint = Endpoint::json(answer);
    let verifier = endpoint.verifier();
    (endpoint, verifier)
}

fn of_dpop() -> Value {
    let mut answer = active_with("cnf", jkt());
    answer["token_type"] = json!("DPoP");
    answer
}

async fn refused(
    verifier: impl VerifyToken<RegisteredClaims>,
    request: http::Request<()>,
) -> Option<RejectionKind> {
    refusal(&send_later(&JwtAuthLayer::new(verifier), request).await)
}

#[tokio::test]
async fn dpop_token_of_an_answer_needs_a_proof_for_each_request() {
    let (endpoint, verifier) = endpoint(of_dpop());
    let verifier = by_dpop(verifier);
    // From the endpoint, then from the cache.
    for _ in 0..2 {
        assert_eq!(refused(verifier.clone(), proven("opaque")).await, None);
        let other = key(tower_jwt_auth::Algorithm::ES384);
        let of_another_key = with_proof("DPoP opaque", &proof(other, "opaque"));
        let kind = refused(verifier.clone(), of_another_key).await;
        assert_eq!(kind, Some(RejectionKind::InvalidDpopProof));
        let as_bearer = with_proof("Bearer opaque", &proof(client(), "opaque"));
        let kind = refused(verifier.clone(), as_bearer).await;
        assert_eq!(kind, Some(RejectionKind::UnconfirmedSender));
    }
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn token_without_a_binding_in_its_answer_is_no_dpop_token() {
    let (_, verifier) = endpoint(active());
    let verifier = by_dpop(verifier);
    assert_eq!(refused(verifier.clone(), bearer("opaque")).await, None);
    let kind = refused(verifier, proven("opaque")).await;
    assert_eq!(kind, Some(RejectionKind::UnboundToken));
}

#[tokio::test]
async fn certificate_of_an_answer_is_compared_for_each_request() {
    let (endpoint, verifier) = endpoint(active_with("cnf", x5t()));
    // The setting has no effect where the binding is checked.
    for verifier in [verifier.clone(), verifier.dangerous_ignore_confirmation()] {
        let verifier = by_certificate(verifier);
        for _ in 0..2 {
            let right = over(&certificate(), "opaque");
            assert_eq!(refused(verifier.clone(), right).await, None);
            let other = ClientCertificate::from_der(b"another certificate");
            for request in [over(&other, "opaque"), bearer("opaque")] {
                let kind = refused(verifier.clone(), request).await;
                assert_eq!(kind, Some(RejectionKind::UnconfirmedSender));
            }
        }
    }
    assert_eq!(endpoint.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_that_share_an_answer_are_checked_one_by_one() {
    let (endpoint, verifier) = endpoint(of_dpop());
    endpoint.set_delay(std::time::Duration::from_secs(1));
    let constrained = by_dpop(verifier.clone());
    let (proven, as_bearer, plain) = tokio::join!(
        refused(constrained.clone(), proven("opaque")),
        refused(constrained, bearer("opaque")),
        refused(verifier, bearer("opaque")),
    );
    let unconfirmed = Some(RejectionKind::UnconfirmedSender);
    assert_eq!([proven, as_bearer, plain], [None, unconfirmed, unconfirmed]);
    assert_eq!(endpoint.count(), 1);
}
