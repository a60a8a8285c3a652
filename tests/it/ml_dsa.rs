//! ML-DSA (RFC 9964): its keys, its signatures, and how long its tokens are.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigError, ConfigErrorKind, ExpectedAudience, ExpectedIssuer, JwkSet, JwtVerifier,
    RejectionKind, VerificationKey,
};

use crate::support::{TestKey, b64, backend_supports, claims, claims_with, key, pem};

use RejectionKind::*;

/// Each algorithm, the bytes of its public key, and those of its signature.
const SIZES: [(Algorithm, usize, usize); 3] = [
    (Algorithm::MlDsa44, 1312, 2420),
    (Algorithm::MlDsa65, 1952, 3309),
    (Algorithm::MlDsa87, 2592, 4627),
];

/// An example of RFC 9964, appendix A.1. The private key is the seed of 32 zeros.
#[derive(Deserialize)]
struct Example {
    name: String,
    jwk: Value,
    token: String,
}

impl Example {
    fn all() -> Vec<Self> {
        let text = include_str!("../conformance/vectors/rfc9964.json");
        let all: Vec<Self> = serde_json::from_str(text).unwrap();
        assert!(all.iter().map(Self::algorithm).eq(SIZES.map(|(algorithm, ..)| algorithm)));
        all
    }

    fn algorithm(&self) -> Algorithm {
        self.jwk["alg"].as_str().unwrap().parse().unwrap()
    }

    fn public_jwk(&self) -> Value {
        let mut jwk = self.jwk.clone();
        jwk.as_object_mut().unwrap().remove("priv");
        jwk
    }

    fn kind(&self, token: &str) -> Option<RejectionKind> {
        let key = from_jwk(&self.public_jwk()).unwrap();
        let any = (ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any());
        let verifier = JwtVerifier::new(any.0, any.1, key).unwrap();
        verifier.verify_now(token).err().map(|rejection| rejection.kind())
    }
}

fn from_jwk(jwk: &Value) -> Result<VerificationKey, ConfigError> {
    VerificationKey::from_jwk(&jwk.to_string())
}

#[track_caller]
fn assert_refused(result: Result<VerificationKey, ConfigError>, part: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
}

/// The algorithms with their sizes, if the backend has them.
fn sizes() -> impl Iterator<Item = (Algorithm, usize, usize)> {
    SIZES.into_iter().filter(|(algorithm, ..)| backend_supports(*algorithm))
}

fn kind(verifier: &JwtVerifier, token: &str) -> Option<RejectionKind> {
    verifier.verify_now(token).err().map(|rejection| rejection.kind())
}

/// The payload is no JSON, so the refusal is one that comes after the signature was checked.
#[test]
fn signatures_of_the_rfc_are_valid_and_of_no_other_key() {
    let examples: Vec<Example> =
        Example::all().into_iter().filter(|one| backend_supports(one.algorithm())).collect();
    for example in &examples {
        assert_eq!(example.kind(&example.token), Some(MalformedClaims), "{}", example.name);
        for other in examples.iter().filter(|other| other.name != example.name) {
            assert_eq!(other.kind(&example.token), Some(UnknownKey), "{}", example.name);
        }
        let mut forged = example.token.clone().into_bytes();
        for place in (0..forged.len()).rev().step_by(97) {
            let is_in_signature = place > example.token.rfind('.').unwrap();
            // The last digit has bits that must be zero.
            if !is_in_signature || place + 1 == forged.len() {
                continue;
            }
            let before = forged[place];
            forged[place] = if before == b'A' { b'B' } else { b'A' };
            let token = str::from_utf8(&forged).unwrap();
            assert_eq!(example.kind(token), Some(InvalidSignature), "{} {place}", example.name);
            forged[place] = before;
        }
    }
}

#[test]
fn key_with_its_seed_is_private_and_refused() {
    for example in Example::all() {
        assert_refused(from_jwk(&example.jwk), "holds a private key");
        let error = JwkSet::from_json(&json!({"keys": [example.jwk]}).to_string()).unwrap_err();
        assert!(error.to_string().contains("holds a private key"), "{error}");
    }
    // In a key of any type.
    let mut rsa = key(Algorithm::RS256).jwk();
    rsa["priv"] = "AAAA".into();
    assert_refused(from_jwk(&rsa), "holds a private key");
}

#[cfg(feature = "issuer")]
#[test]
fn seed_of_the_rfc_has_its_public_key_and_its_thumbprint() {
    use tower_jwt_auth::SigningKey;

    for example in Example::all() {
        let key = SigningKey::from_ml_dsa_seed(&[0; 32], example.algorithm()).unwrap();
        let thumbprint = key.thumbprint().unwrap();
        assert_eq!(example.jwk["kid"], *thumbprint);
        let jwk: Value = serde_json::from_str(&key.with_kid(thumbprint).jwk().unwrap()).unwrap();
        let mut expected = example.public_jwk();
        expected["use"] = "sig".into();
        assert_eq!(jwk, expected);
    }
}

#[test]
fn algorithm_is_required_in_a_jwk_and_binds_the_key() {
    for (algorithm, ..) in sizes() {
        let jwk = key(algorithm).jwk();
        assert!(from_jwk(&jwk).unwrap().algorithms().eq([algorithm]));
        for alg in [Value::Null, "ES256".into(), "HS256".into()] {
            let mut other = jwk.clone();
            other["alg"] = alg;
            assert_refused(from_jwk(&other), "needs `alg`: ML-DSA-44, ML-DSA-65 or ML-DSA-87");
        }
        for (alg, fault) in [
            (json!("ml-dsa-44"), "ML-DSA-44 in another case"),
            (json!("ML-DSA-88"), "not a supported signature algorithm"),
            (json!(44), "is not a string"),
        ] {
            let mut other = jwk.clone();
            other["alg"] = alg;
            assert_refused(from_jwk(&other), fault);
        }
        let mut other = jwk.clone();
        other["kty"] = "akp".into();
        assert_refused(from_jwk(&other), "in another case");
        other["kty"] = "OKP".into();
        assert_refused(from_jwk(&other), "no `crv`");
        let mut ec = key(Algorithm::ES256).jwk();
        ec["alg"] = algorithm.name().into();
        assert_refused(from_jwk(&ec), "but this is an EC key on P-256");
    }
}

#[test]
fn public_key_has_exactly_the_length_of_its_algorithm() {
    for (algorithm, length, _) in sizes() {
        let jwk = |bytes: &[u8]| json!({"kty": "AKP", "alg": algorithm.name(), "pub": b64(bytes)});
        assert!(from_jwk(&jwk(&vec![7; length])).is_ok());
        for wrong in [1, 32, length - 1, length + 1, 2 * length, 100_000] {
            let expected = format!("an {algorithm} key has exactly {length} bytes");
            assert_refused(from_jwk(&jwk(&vec![7; wrong])), &expected);
        }
        // The backend would read this one.
        let spki = key(algorithm).spki();
        assert_refused(from_jwk(&jwk(&spki)), "has exactly");
        for (other, ..) in SIZES.iter().filter(|(other, ..)| *other != algorithm) {
            let mut confused = key(*other).jwk();
            confused["alg"] = algorithm.name().into();
            assert_refused(from_jwk(&confused), "has exactly");
        }
        let with_pub = |value: Value| json!({"kty": "AKP", "alg": algorithm.name(), "pub": value});
        assert_refused(from_jwk(&with_pub(Value::Null)), "has no `pub`");
        assert_refused(from_jwk(&with_pub("".into())), "`pub` of the JWK is empty");
        assert_refused(from_jwk(&with_pub(5.into())), "`pub` of the JWK is not a string");
        assert_refused(from_jwk(&with_pub("AA==".into())), "it has padding");
    }
}

#[test]
fn one_key_that_cannot_be_used_does_not_affect_the_others_of_a_set() {
    let algorithm = Algorithm::MlDsa44;
    let short = json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "short", "pub": "AAAA"});
    let keys = json!({"keys": [short, key(algorithm).jwk(), key(Algorithm::EdDSA).jwk()]});
    let set = JwkSet::from_json(&keys.to_string()).unwrap();
    let skipped: Vec<&str> = set.skipped().iter().map(|one| one.reason()).collect();
    assert!(skipped[0].contains("1312 bytes, this one has 3"), "{skipped:?}");
    match backend_supports(algorithm) {
        true => assert_eq!((set.len(), skipped.len()), (2, 1)),
        false => {
            assert_eq!((set.len(), skipped.len()), (1, 2));
            assert!(skipped[1].contains("enable the feature `aws-lc-rs`"), "{skipped:?}");
        }
    }
}

#[test]
fn key_files_are_read_and_must_be_of_their_algorithm() {
    for (algorithm, length, _) in sizes() {
        let test_key = key(algorithm);
        let spki = test_key.spki();
        let token = test_key.token(&claims());
        let text = test_key.pem();
        for loaded in [
            VerificationKey::from_der(&spki, algorithm).unwrap(),
            VerificationKey::from_pem(text.as_bytes(), algorithm).unwrap(),
        ] {
            let verifier =
                JwtVerifier::new(crate::support::ISSUER, crate::support::AUDIENCE, loaded);
            let verifier = verifier.unwrap().with_clock(crate::support::now());
            assert_eq!(kind(&verifier, &token), None);
        }
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            let error = VerificationKey::from_der(&spki, *other).unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::Algorithm, "{other}");
        }
        // SEQUENCE { SEQUENCE { OID, parameters }, BIT STRING }
        let oid = &spki[6..17];
        assert_eq!(oid[..2], [6, 9]);
        let info = |parameters: &[u8], key: &[u8]| {
            let algorithm = element(0x30, &[oid, parameters].concat());
            element(0x30, &[algorithm, element(3, &[&[0], key].concat())].concat())
        };
        assert!(VerificationKey::from_der(&info(&[], &vec![7; length]), algorithm).is_ok());
        let with_null = info(&[5, 0], &vec![7; length]);
        assert_refused(VerificationKey::from_der(&with_null, algorithm), "parameters");
        let short = pem("PUBLIC KEY", &info(&[], &vec![7; length - 1]));
        assert_refused(VerificationKey::from_pem(short.as_bytes(), algorithm), "has exactly");
        let secret = VerificationKey::from_secret(text.as_bytes(), Algorithm::HS256);
        assert_refused(secret, "not a secret");
    }
}

/// An element of DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    match length {
        0..0x80 => [&[tag, length as u8][..], content].concat(),
        _ => [&[tag, 0x82, (length >> 8) as u8, length as u8][..], content].concat(),
    }
}

#[test]
fn signature_has_exactly_the_length_of_its_algorithm() {
    for (algorithm, _, length) in sizes() {
        let key = key(algorithm);
        let verifier = key.verifier();
        let token = key.token(&claims());
        let (message, _) = token.rsplit_once('.').unwrap();
        let good = key.sign(message.as_bytes());
        assert_eq!(good.len(), length);
        let with = |signature: &[u8]| format!("{message}.{}", b64(signature));
        assert_eq!(kind(&verifier, &with(&good)), None);
        for wrong in [
            &good[1..],
            &good[..length - 1],
            &[&good[..], &[0]].concat(),
            &[&[0], &good[..]].concat(),
            &[],
            &[0; 64],
            &vec![0; length],
            &vec![0xff; length],
            &vec![0; 20_00],
            &[&good[..], &good[..]].concat(),
        ] {
            assert_eq!(kind(&verifier, &with(wrong)), Some(InvalidSignature), "{}", wrong.len());
        }
        let of_another = TestKey::generate(algorithm).sign(message.as_bytes());
        assert_eq!(kind(&verifier, &with(&of_another)), Some(InvalidSignature));
    }
}

#[test]
fn header_must_name_the_algorithm_of_the_key() {
    for (algorithm, ..) in sizes() {
        for said in Algorithm::ALL.iter().filter(|said| **said != algorithm) {
            let key = key(algorithm);
            let header = json!({"alg": said.name(), "kid": key.kid()}).to_string();
            let token = key.token_of(header, claims().to_string());
            assert_eq!(kind(&key.verifier(), &token), Some(UnknownKey), "{said} by {algorithm}");
        }
    }
}

/// 16384 bytes for the token.
#[test]
fn tokens_fit_the_default_limits_with_claims_of_some_kilobytes() {
    for (algorithm, ..) in sizes() {
        let key = key(algorithm);
        let token = key.token(&claims_with("pad", "a".repeat(7_000)));
        assert!(token.len() > 12_000 && token.len() <= 16_384, "{}", token.len());
        assert_eq!(kind(&key.verifier(), &token), None, "{algorithm}");
    }
}

/// A signature is decoded on the stack, or in one allocation if it is longer than one of RSA.
#[test]
fn long_signature_costs_one_allocation_more() {
    let cost = |algorithm: Algorithm| {
        let (verifier, token) = (key(algorithm).verifier(), key(algorithm).token(&claims()));
        // Once before, for what is made once for each process.
        verifier.verify_now(&token).unwrap();
        let mut verified = None;
        let cost = allocation_counter::measure(|| verified = verifier.verify_now(&token).ok());
        assert!(verified.is_some());
        cost.count_total
    };
    for (algorithm, ..) in sizes() {
        assert_eq!(cost(algorithm), cost(Algorithm::ES256) + 1, "{algorithm}");
    }
}

#[cfg(feature = "token-cache")]
#[test]
fn tokens_longer_than_4096_bytes_are_cached_where_the_setter_allows_it() {
    use crate::token_cache::Counted;

    for (algorithm, ..) in sizes() {
        let key = key(algorithm);
        let keys = Counted::of(key);
        let verifier =
            JwtVerifier::new(crate::support::ISSUER, crate::support::AUDIENCE, keys.clone());
        let verifier = verifier.unwrap().with_clock(crate::support::now());
        let verifier = verifier.with_token_cache(8).unwrap();
        let lookups = |verifier: &JwtVerifier, token: &str| {
            let before = keys.lookups();
            (0..3).for_each(|_| assert_eq!(kind(verifier, token), None));
            keys.lookups() - before
        };
        let token = key.token(&claims());
        let by_default = if algorithm == Algorithm::MlDsa44 { 1 } else { 3 };
        assert_eq!(lookups(&verifier, &token), by_default, "{algorithm}: {}", token.len());
        let verifier = verifier.with_max_cached_token_length(8192).unwrap();
        assert_eq!(lookups(&verifier, &token), 1, "{algorithm}");
    }
}
