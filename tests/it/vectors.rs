//! The published examples: RFC 7515 appendix A, RFC 7520 section 4, RFC 8037 appendix A, and RFC
//! 7519 sections 3.1 and 6.1, which are the first and the fifth of RFC 7515.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtVerifier, NumericDate,
    RejectionKind, VerificationKey,
};

use crate::support::{b64, backend_supports};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// As published; that of A.1 has been given the `alg` that a symmetric key needs.
    jwk: Value,
    token: String,
    /// Absent where the payload is no JSON.
    claims: Option<Value>,
}

impl Vector {
    /// A verifier with the vector's key, for any issuer and audience.
    fn verifier(&self) -> JwtVerifier<Value> {
        let key = VerificationKey::from_jwk(&self.jwk.to_string()).unwrap();
        JwtVerifier::new(ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any(), key)
            .unwrap()
            .with_clock(at(EXP - 1))
            .with_claims()
    }

    fn parts(&self) -> [Vec<u8>; 3] {
        let mut parts = self.token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
        std::array::from_fn(|_| parts.next().unwrap())
    }
}

/// The `exp` of the claims of RFC 7515 and RFC 7519.
const EXP: i64 = 1_300_819_380;

fn at(seconds: i64) -> FixedClock {
    FixedClock(NumericDate::from_unix_seconds(seconds))
}

/// Those of algorithms that the backend has. The keys of the others are errors when they are loaded.
fn vectors() -> Vec<Vector> {
    let mut vectors = published();
    vectors.retain(|vector| {
        let header: Value = serde_json::from_slice(&vector.parts()[0]).unwrap();
        let supported = backend_supports(header["alg"].as_str().unwrap().parse().unwrap());
        assert!(supported || VerificationKey::from_jwk(&vector.jwk.to_string()).is_err());
        supported
    });
    vectors
}

fn published() -> Vec<Vector> {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("../conformance/vectors/jws.json")).unwrap();
    assert_eq!(vectors.len(), 9);
    vectors
}

fn kind(verifier: &JwtVerifier<Value>, token: &str) -> Option<RejectionKind> {
    verifier.verify_now(token).err().map(|rejection| rejection.kind())
}

/// Where the payload is no JSON, the refusal is one that comes after the signature held.
#[test]
fn every_signature_holds() {
    for vector in vectors() {
        let verdict = vector.verifier().verify_now(&vector.token);
        match &vector.claims {
            Some(claims) => assert_eq!(verdict.unwrap().claims(), claims, "{}", vector.name),
            None => {
                let kind = verdict.err().map(|rejection| rejection.kind());
                assert_eq!(kind, Some(RejectionKind::MalformedClaims), "{}", vector.name);
            }
        }
    }
}

#[test]
fn no_signature_holds_with_a_bit_flipped() {
    for vector in vectors() {
        let verifier = vector.verifier();
        let [header, payload, signature] = vector.parts();
        for byte in 0..payload.len() + signature.len() {
            let (mut payload, mut signature) = (payload.clone(), signature.clone());
            let bit = 1 << (byte % 8);
            match byte.checked_sub(payload.len()) {
                None => payload[byte] ^= bit,
                Some(byte) => signature[byte] ^= bit,
            }
            let token = format!("{}.{}.{}", b64(&header), b64(payload), b64(signature));
            let kind = kind(&verifier, &token);
            assert_eq!(kind, Some(RejectionKind::InvalidSignature), "{} {byte}", vector.name);
        }
    }
}

#[test]
fn no_vector_holds_by_the_key_of_another() {
    for vector in vectors() {
        for other in vectors() {
            if other.jwk == vector.jwk {
                continue;
            }
            let kind = kind(&other.verifier(), &vector.token);
            let expected = [Some(RejectionKind::UnknownKey), Some(RejectionKind::InvalidSignature)];
            assert!(expected.contains(&kind), "{} by {}: {kind:?}", vector.name, other.name);
        }
    }
}

/// All keys of the vectors as one set: found by `kid` and algorithm.
#[test]
fn the_keys_of_rfc_7520_as_one_set() {
    let keys: Vec<Value> = published()
        .into_iter()
        .filter(|vector| vector.name.starts_with("RFC 7520"))
        // The RSA key stands in two examples, the EC key has the same `kid`.
        .filter(|vector| !vector.name.contains("4.2"))
        .map(|vector| vector.jwk)
        .collect();
    let set = JwkSet::from_json(&json!({"keys": keys}).to_string()).unwrap();
    // RSA, P-521 and a secret. What the backend lacks is skipped, and said.
    let lacking = usize::from(!backend_supports(Algorithm::ES512));
    assert_eq!((set.len(), set.skipped().len()), (3 - lacking, lacking));
    let any = (ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any());
    let verifier = JwtVerifier::new(any.0, any.1, set).unwrap().with_claims();
    for vector in vectors() {
        let expected = match vector.name.starts_with("RFC 7520") {
            true => RejectionKind::MalformedClaims,
            // Of those without `kid`, the set's own key fits by its type, and did not sign.
            false if vector.name.contains("ES256") || vector.name.contains("EdDSA") => {
                RejectionKind::UnknownKey
            }
            false => RejectionKind::InvalidSignature,
        };
        assert_eq!(kind(&verifier, &vector.token), Some(expected), "{}", vector.name);
    }
}

#[test]
fn the_claims_of_rfc_7519_are_checked() {
    for vector in vectors().into_iter().filter(|vector| vector.claims.is_some()) {
        let verifier = vector.verifier();
        let late = verifier.clone().with_clock(at(EXP + 30));
        assert_eq!(kind(&late, &vector.token), Some(RejectionKind::ExpiredToken));
        let key = VerificationKey::from_jwk(&vector.jwk.to_string()).unwrap();
        let joe = JwtVerifier::new("joe", ExpectedAudience::dangerous_any(), key.clone()).unwrap();
        let joe = joe.with_clock(at(EXP)).with_claims();
        assert_eq!(kind(&joe, &vector.token), None);
        let us = JwtVerifier::new("joe", "https://api.example", key).unwrap();
        let us = us.with_clock(at(EXP)).with_claims();
        assert_eq!(kind(&us, &vector.token), Some(RejectionKind::MissingClaim));
    }
}

/// RFC 7515 appendix A.5, RFC 7519 section 6.1.
#[test]
fn the_unsecured_example_is_refused() {
    let token = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    for vector in vectors() {
        let kind = kind(&vector.verifier(), token);
        assert_eq!(kind, Some(RejectionKind::UnsupportedAlgorithm));
    }
}

/// RFC 7515 appendices A.6 and A.7.
#[test]
fn the_examples_in_json_are_refused() {
    let general = include_str!("../conformance/vectors/rfc7515_a6.json");
    let json: Value = serde_json::from_str(general).unwrap();
    let mut flattened = json["signatures"][1].clone();
    flattened["payload"] = json["payload"].clone();
    for vector in vectors() {
        for text in [general, general.trim_end(), &flattened.to_string()] {
            let kind = kind(&vector.verifier(), text);
            assert_eq!(kind, Some(RejectionKind::MalformedToken));
        }
    }
    // Its parts are those of A.2 and A.3.
    for (name, entry) in ["RFC 7515 A.2 RS256", "RFC 7515 A.3 ES256"].into_iter().zip(0..) {
        let entry = &json["signatures"][entry];
        let [header, payload, signature] =
            [&entry["protected"], &json["payload"], &entry["signature"]]
                .map(|part| part.as_str().unwrap());
        let vector = vectors().into_iter().find(|vector| vector.name == name).unwrap();
        assert_eq!(vector.token, format!("{header}.{payload}.{signature}"));
    }
}
