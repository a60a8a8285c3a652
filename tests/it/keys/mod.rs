//! Verification keys, as they are loaded: what is accepted, and what is refused with which advice.

mod files;
mod jwk;
mod material;
mod secrets;
mod sets;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, ConfigError, JwkSet, KeyCandidates, VerificationKey};

use crate::test_keys::base64url;

/// An algorithm of each type of key, and a second one where the type has several.
const BY_TYPE: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::ES512,
    Algorithm::EdDSA,
    Algorithm::Ed25519,
    Algorithm::RS384,
    Algorithm::MlDsa44,
    Algorithm::MlDsa87,
];

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The outermost of an X.509 certificate: what is signed, the algorithm, the signature.
fn certificate() -> Vec<u8> {
    let element = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8], inside].concat();
    let parts = [
        element(0x30, &[2, 1, 7]),
        element(0x30, &[5, 0]),
        element(3, &[&[0][..], &[0xfb; 64]].concat()),
    ];
    element(0x30, &parts.concat())
}

fn from_jwk(jwk: &Value) -> Result<VerificationKey, ConfigError> {
    VerificationKey::from_jwk(&jwk.to_string())
}

fn family(algorithm: Algorithm) -> &'static str {
    match algorithm.name() {
        "HS256" | "HS384" | "HS512" => "secret",
        "ES256" => "P-256",
        "ES384" => "P-384",
        "ES512" => "P-521",
        "EdDSA" | "Ed25519" => "Ed25519",
        name if name.starts_with("ML-DSA-") => algorithm.name(),
        _ => "RSA",
    }
}

#[track_caller]
fn assert_refused(result: Result<VerificationKey, ConfigError>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn debug_and_errors_never_show_key_material() {
    const CANARY: &str = "canary-canary-canary-canary-canary-canary-canary-canary-canary-canary";
    let bytes = CANARY.as_bytes();
    let encoded = [base64url(bytes), STANDARD.encode(bytes), format!("{bytes:?}")];
    let assert_clean = |text: String| {
        assert!(!text.contains("canary-canary"), "{text}");
        // The digits of base64, without the last ones, which hang on the padding.
        assert!(!encoded.iter().any(|encoded| text.contains(&encoded[..40])), "{text}");
    };

    let key = VerificationKey::from_secret(bytes, Algorithm::HS256).unwrap().with_kid("shown");
    assert_eq!(
        format!("{key:?}"),
        r#"VerificationKey { kid: Some("shown"), algorithms: {HS256}, .. }"#
    );
    assert_clean(format!("{key:?} {key:#?}"));
    assert_clean(format!("{:?}", KeyCandidates::from(key.clone())));
    let error = VerificationKey::from_secret(bytes, Algorithm::RS256).unwrap_err();
    assert_clean(format!("{error} {error:?}"));
    let error = VerificationKey::from_base64_secret(CANARY, Algorithm::HS512).unwrap_err();
    assert_clean(format!("{error} {error:?}"));

    let set = json!({"keys": [
        {"kty": "oct", "k": base64url(bytes), "alg": "HS256"},
        {"kty": "oct", "k": base64url(bytes)},
        {"kty": CANARY, "k": CANARY, "use": CANARY, "alg": CANARY},
        {"kty": "RSA", "n": CANARY, "e": CANARY, "d": base64url(bytes)},
        {"kty": "oct", "alg": "HS256", "k": bytes},
        {"kty": "EC", "key_ops": CANARY},
        {"kty": "EC", "crv": CANARY, "x": CANARY},
        CANARY,
    ]});
    let set = JwkSet::from_json(&set.to_string()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 7));
    assert_clean(format!("{set:?} {set:#?}"));
    for skipped in set.skipped() {
        assert_clean(format!("{skipped} {skipped:?}"));
    }
}

#[test]
fn keys_and_sets_are_shared_between_threads() {
    fn assert_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_shared::<VerificationKey>();
    assert_shared::<JwkSet>();
    assert_shared::<KeyCandidates>();
    assert_eq!(size_of::<VerificationKey>(), size_of::<usize>());
    // Four keys, and the generation of their set.
    assert_eq!(size_of::<KeyCandidates>(), 4 * size_of::<usize>() + size_of::<u64>());
}
