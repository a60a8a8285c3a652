//! RFC 7520, the cookbook of JOSE, as far as it applies: its signatures in the compact form (section
//! 4.1 to 4.4) stand in `vectors`; here are its keys, and all that is to be refused.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, ExpectedAudience, ExpectedIssuer, JwkSet, JwtVerifier,
    RejectionKind, VerificationKey,
};

use crate::support::backend_supports;

/// As published, by section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cookbook {
    public_keys: BTreeMap<String, Value>,
    private_keys: BTreeMap<String, Value>,
    symmetric_keys: BTreeMap<String, Value>,
    encryption_keys: BTreeMap<String, Value>,
    jws_json: BTreeMap<String, Value>,
    jwe_compact: BTreeMap<String, String>,
    jwe_json: BTreeMap<String, Value>,
}

impl Cookbook {
    fn read() -> Self {
        serde_json::from_str(include_str!("../conformance/vectors/rfc7520.json")).unwrap()
    }

    /// With all keys that verify, for any issuer and audience.
    fn verifier(&self) -> JwtVerifier<Value> {
        let keys: Vec<&Value> =
            self.public_keys.values().chain(self.symmetric_keys.values()).collect();
        let set = JwkSet::from_json(&json!({"keys": keys}).to_string()).unwrap();
        // What the backend lacks is skipped, and said.
        let lacking = usize::from(!backend_supports(Algorithm::ES512));
        assert_eq!((set.len(), set.skipped().len()), (3 - lacking, lacking));
        JwtVerifier::new(ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any(), set)
            .unwrap()
            .with_claims()
    }
}

fn kind(verifier: &JwtVerifier<Value>, token: &str) -> Option<RejectionKind> {
    verifier.verify_now(token).err().map(|rejection| rejection.kind())
}

/// Sections 3.1, 3.3 and 3.5.
#[test]
fn keys_for_signatures_are_loaded() {
    let cookbook = Cookbook::read();
    for (keys, count) in [(&cookbook.public_keys, 2), (&cookbook.symmetric_keys, 1)] {
        assert_eq!(keys.len(), count);
        for (section, jwk) in keys {
            match VerificationKey::from_jwk(&jwk.to_string()) {
                Ok(key) => assert_eq!(key.kid(), jwk["kid"].as_str(), "{section}"),
                Err(error) => {
                    let lacking = jwk["crv"] == "P-521" && !backend_supports(Algorithm::ES512);
                    assert!(lacking, "{section}: {error}");
                }
            }
        }
    }
}

/// Sections 3.2, 3.4, 5.1, 5.2, 5.4 and 5.5.
#[test]
fn private_keys_are_refused() {
    let cookbook = Cookbook::read();
    assert_eq!(cookbook.private_keys.len(), 6);
    for (section, jwk) in &cookbook.private_keys {
        let error = VerificationKey::from_jwk(&jwk.to_string()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Key, "{section}");
        assert!(error.to_string().contains("private key"), "{section}: {error}");
    }
}

/// Sections 3.6 and 5.6 to 5.8.
#[test]
fn keys_for_encryption_are_refused() {
    let cookbook = Cookbook::read();
    assert_eq!(cookbook.encryption_keys.len(), 4);
    for (section, jwk) in &cookbook.encryption_keys {
        let error = VerificationKey::from_jwk(&jwk.to_string()).unwrap_err();
        assert!(error.to_string().contains("`use`"), "{section}: {error}");
        // Nor without the word.
        let mut jwk = jwk.clone();
        jwk.as_object_mut().unwrap().remove("use");
        assert!(VerificationKey::from_jwk(&jwk.to_string()).is_err(), "{section}");
    }
}

/// Sections 4.1 to 4.4 and 4.6 to 4.8: the JSON serialisations, also those whose protected header
/// alone would do.
#[test]
fn json_serialisations_are_refused() {
    let cookbook = Cookbook::read();
    assert_eq!(cookbook.jws_json.len(), 13);
    let verifier = cookbook.verifier();
    for (section, jws) in &cookbook.jws_json {
        let kind = kind(&verifier, &jws.to_string());
        assert_eq!(kind, Some(RejectionKind::MalformedToken), "{section}");
    }
}

/// Sections 4.6 and 4.7, put together as a compact token: what an unprotected header said is missing.
#[test]
fn a_header_that_was_not_signed_has_no_say() {
    let cookbook = Cookbook::read();
    let verifier = cookbook.verifier();
    let member = |section: &str, name: &str| {
        cookbook.jws_json[section].get(name).map_or("", |value| value.as_str().unwrap()).to_owned()
    };
    let token = |section: &str| {
        let [protected, payload, signature] =
            ["protected", "payload", "signature"].map(|name| member(section, name));
        format!("{protected}.{payload}.{signature}")
    };
    // `{"alg":"HS256"}`: its key has a `kid`, and is the only one that fits.
    let without_kid = kind(&verifier, &token("flattened 4.6.3"));
    assert_eq!(without_kid, Some(RejectionKind::MalformedClaims));
    // No header at all.
    let without_header = kind(&verifier, &token("flattened 4.7.3"));
    assert_eq!(without_header, Some(RejectionKind::MalformedToken));
}

/// Section 4.5: the payload is elsewhere.
#[test]
fn detached_content_is_refused() {
    let cookbook = Cookbook::read();
    let verifier = cookbook.verifier();
    let hs256 = &cookbook.jws_json["flattened 4.4.3"];
    let [protected, payload, signature] =
        ["protected", "payload", "signature"].map(|name| hs256[name].as_str().unwrap());
    // Good but for its payload, which is no JSON.
    let whole = kind(&verifier, &format!("{protected}.{payload}.{signature}"));
    assert_eq!(whole, Some(RejectionKind::MalformedClaims));
    let detached = kind(&verifier, &format!("{protected}..{signature}"));
    assert_eq!(detached, Some(RejectionKind::InvalidSignature));
}

/// Section 5; the nested token of section 6 is outside a JWE like them.
#[test]
fn encrypted_tokens_are_refused() {
    let cookbook = Cookbook::read();
    assert_eq!((cookbook.jwe_compact.len(), cookbook.jwe_json.len()), (9, 22));
    let verifier = cookbook.verifier();
    let json = cookbook.jwe_json.iter().map(|(section, jwe)| (section, jwe.to_string()));
    let compact = cookbook.jwe_compact.iter().map(|(section, jwe)| (section, jwe.clone()));
    for (section, jwe) in compact.chain(json) {
        assert_eq!(kind(&verifier, &jwe), Some(RejectionKind::MalformedToken), "{section}");
    }
}
