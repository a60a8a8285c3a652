//! What clients are told about bound tokens: in [`AcceptedTokens`], and in the metadata of the resource.

use tower_jwt_auth::{AcceptedTokens, Algorithm, VerifyToken};
#[cfg(feature = "dpop")]
use tower_jwt_auth::{TokenKinds, dangerous_any_bearer};

use super::by_certificate;
use crate::support::{ISSUER, key};

type Told = (Vec<Algorithm>, bool, bool);

fn told(accepted: &AcceptedTokens) -> Told {
    let algorithms = accepted.dpop_algorithms().collect();
    (algorithms, accepted.requires_dpop(), accepted.has_client_certificates())
}

#[test]
fn accepted_tokens_of_several_verifiers_are_told_together() {
    let one = || AcceptedTokens::new().with_dpop_algorithms([Algorithm::ES256]).require_dpop();
    let other = || {
        let other = AcceptedTokens::new().with_dpop_algorithms([Algorithm::EdDSA]);
        other.require_dpop().with_client_certificates().add_authorization_server(ISSUER)
    };
    let both = vec![Algorithm::ES256, Algorithm::EdDSA];
    for and in [one().and(other()), other().and(one())] {
        assert_eq!(told(&and), (both.clone(), true, true));
        assert_eq!(and.authorization_servers(), [ISSUER]);
        // One that does not require a proof.
        assert_eq!(told(&and.clone().and(AcceptedTokens::new())), (both.clone(), false, true));
        assert_eq!(told(&AcceptedTokens::new().and(and)), (both.clone(), false, true));
    }
    assert_eq!(told(&AcceptedTokens::new()), (vec![], false, false));
}

#[test]
fn decorator_tells_its_bindings_and_the_issuers_of_its_verifier() {
    let verifier = key(Algorithm::HS256).verifier();
    let bound = by_certificate(verifier.clone());
    let accepted = VerifyToken::accepted_tokens(&bound);
    assert_eq!(told(&accepted), (vec![], false, true));
    assert_eq!(accepted.authorization_servers(), [ISSUER]);
    let required = by_certificate(verifier).required();
    assert_eq!(told(&VerifyToken::accepted_tokens(&required)), (vec![], false, true));
}

#[cfg(feature = "dpop")]
#[test]
fn kinds_require_a_proof_only_if_each_kind_does() {
    use super::proofs::by_dpop;

    let jwt = || by_dpop(key(Algorithm::HS256).verifier()).required();
    let algorithms = vec![Algorithm::ES256, Algorithm::ES384];
    let kinds: TokenKinds = TokenKinds::new().with_jwt(jwt());
    assert_eq!(told(&VerifyToken::accepted_tokens(&kinds)), (algorithms.clone(), true, false));
    let any = || dangerous_any_bearer().map_claims(|()| Default::default());
    for kinds in
        [kinds.with_otherwise(any()), TokenKinds::new().with_otherwise(any()).with_jwt(jwt())]
    {
        assert_eq!(told(&VerifyToken::accepted_tokens(&kinds)), (algorithms.clone(), false, false));
    }
}

#[cfg(feature = "resource-metadata")]
#[test]
fn document_has_the_members_that_follow_from_the_configuration() {
    use serde_json::{Value, json};
    use tower_jwt_auth::{JwtAuthLayer, RegisteredClaims, ResourceMetadata};

    fn members(verifier: impl VerifyToken<RegisteredClaims>) -> [Value; 4] {
        let metadata = ResourceMetadata::new("https://api.example").unwrap();
        let layer = JwtAuthLayer::new(verifier).with_resource_metadata(metadata).unwrap();
        let document = layer.resource_metadata_layer().unwrap().document().unwrap();
        let document: Value = serde_json::from_slice(&document).unwrap();
        [
            "dpop_signing_alg_values_supported",
            "dpop_bound_access_tokens_required",
            "tls_client_certificate_bound_access_tokens",
            "bearer_methods_supported",
        ]
        .map(|name| document[name].clone())
    }

    let (null, header) = (Value::Null, json!(["header"]));
    let verifier = || key(Algorithm::HS256).verifier();
    assert_eq!(members(verifier()), [null.clone(), null.clone(), null.clone(), header.clone()]);
    assert_eq!(
        members(by_certificate(verifier())),
        [null.clone(), null.clone(), true.into(), header.clone()]
    );
    #[cfg(feature = "dpop")]
    {
        use super::proofs::by_dpop;
        use tower_jwt_auth::ClientCertificates;

        let algorithms = json!(["ES256", "ES384"]);
        let both = by_dpop(verifier())
            .with_client_certificates(ClientCertificates::from_extensions())
            .required();
        assert_eq!(
            members(by_dpop(verifier())),
            [algorithms.clone(), null.clone(), null.clone(), header.clone()]
        );
        assert_eq!(
            members(by_dpop(verifier()).required()),
            [algorithms.clone(), true.into(), null.clone(), null.clone()]
        );
        assert_eq!(members(both), [algorithms, null, true.into(), header]);
    }
}
