//! Good tokens of every algorithm, and of another issuer.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer, check_protection};
use tower_jwt_auth::{Algorithm, SigningKey};

use super::{OF_OTHER_SET_UPS, OF_RSA, requests, router, sorted};

/// The names of the attacks that cannot be made with such a key.
async fn left_out(key: SigningKey) -> Vec<&'static str> {
    let issuer = TestIssuer::new().with_key(key);
    let report = check_protection(router(issuer.verifier()), requests(&issuer)).await;
    assert!(report.findings().is_empty(), "{report}");
    let mut names = report.left_out();
    // A signature of 96 bytes has no padding.
    names.retain(|name| !OF_OTHER_SET_UPS.contains(name) && !name.starts_with("encoding: "));
    sorted(names)
}

#[tokio::test]
async fn layer_with_a_secret_is_protected() {
    for (algorithm, length) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        let key = SigningKey::from_secret(&vec![7; length], algorithm).unwrap();
        let mut missing = left_out(key).await;
        missing.retain(|name| !name.starts_with("public key: "));
        let of_key_pairs =
            ["alg: signed with another of its family", "key: x5c in the header", "signature: DER"];
        assert_eq!(missing, of_key_pairs);
    }
}

#[tokio::test]
async fn layer_with_an_rsa_key_is_protected() {
    let der = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    for algorithm in [Algorithm::RS256, Algorithm::PS512] {
        let key = SigningKey::from_der(der.as_ref(), algorithm).unwrap();
        assert_eq!(left_out(key).await, ["signature: DER"]);
    }
}

#[tokio::test]
async fn layer_with_a_key_on_another_curve_is_protected() {
    let ed25519 = Ed25519KeyPair::generate().unwrap().to_pkcs8().unwrap();
    let key = SigningKey::from_der(ed25519.as_ref(), Algorithm::EdDSA).unwrap();
    assert_eq!(left_out(key).await, [&OF_RSA[..], &["signature: DER"]].concat());

    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384 = p384.to_pkcs8v1().unwrap();
    let key = SigningKey::from_der(p384.as_ref(), Algorithm::ES384).unwrap();
    assert_eq!(left_out(key).await, OF_RSA);
}

#[tokio::test]
async fn layer_with_a_key_for_ml_dsa_is_protected() {
    let key = SigningKey::generate(Algorithm::MlDsa44).unwrap();
    assert_eq!(left_out(key).await, [&OF_RSA[..], &["signature: DER"]].concat());
}

#[tokio::test]
async fn token_of_another_issuer_is_enough_for_the_attacks_without_a_valid_signature() {
    let issuer = TestIssuer::new();
    let requests = ProtectedRequests::from_token(issuer.token().build())
        .get("/orders")
        .without_signed_attacks("another program signs")
        .without_public_key_attacks("the key is not at hand");
    let report = check_protection(router(issuer.verifier()), requests).await;
    assert!(report.findings().is_empty(), "{report}");
    for sent in ["alg: none", "signature: of other claims", "key: jwk in the header", "kid: SQL"] {
        assert!(!report.left_out().contains(&sent), "{sent}");
    }
    let count = report.left_out().len();
    assert!(
        report
            .to_string()
            .ends_with(&format!("\nnot sent: {count} attacks, which `left_out` names\n"))
    );
    for missing in ["aud: another", "exp: missing", "public key: PEM as a secret"] {
        assert!(report.left_out().contains(&missing), "{missing}");
    }
}

#[tokio::test]
async fn closure_signs_and_a_jwk_completes_the_attacks() {
    // As of an issuer whose keys this crate does not load.
    let pair = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING);
    let der = pair.unwrap().to_pkcs8v1().unwrap();
    let key = SigningKey::from_der(der.as_ref(), Algorithm::ES256).unwrap();
    let issuer = TestIssuer::new().with_key(key.clone());
    let pair = EcdsaKeyPair::from_pkcs8(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        der.as_ref(),
    )
    .unwrap();
    let sign = move |message: &[u8]| {
        pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message).unwrap().as_ref().to_vec()
    };
    let requests = ProtectedRequests::from_token(issuer.token().build())
        .with_signer(sign)
        .with_public_key(key.jwk().unwrap())
        .get("/orders");
    let report = check_protection(router(issuer.verifier()), requests).await;
    assert!(report.findings().is_empty(), "{report}");
    let left_out = [&OF_OTHER_SET_UPS[..], &OF_RSA].concat();
    assert_eq!(sorted(report.left_out()), sorted(left_out));
}
