//! Verifiers with one hole each, and the attack that finds it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response};
use pkcs1::pem::{LineEnding, encode_string};
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::{Map, Value};
use tower::{Service, service_fn};
use tower_jwt_auth::test_util::{ProtectedRequests, SentBody, TestIssuer, check_protection};
use tower_jwt_auth::{Algorithm, JwtVerifier, SigningKey, VerificationKey};

/// A service that accepts the tokens for which the function returns `true`.
pub(super) fn accepting<F>(
    accepts: F,
) -> impl Service<Request<SentBody>, Response = Response<()>, Error = Infallible>
where
    F: Fn(&str) -> bool,
{
    service_fn(move |request: Request<SentBody>| {
        let mut lines = request.headers().get_all(AUTHORIZATION).iter();
        let value = lines.next().filter(|_| lines.next().is_none());
        let token = value.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let status = if token.is_some_and(&accepts) { 200 } else { 401 };
        let response = Response::builder().status(status).header(WWW_AUTHENTICATE, "Bearer");
        async { Ok(response.body(()).unwrap()) }
    })
}

/// The attacks that are let through by a verifier that also accepts the tokens for which the function is `true`.
async fn let_through(issuer: &TestIssuer, also: impl Fn(&str) -> bool) -> Vec<String> {
    let verifier = issuer.verifier();
    let app = accepting(|token| verifier.verify_now(token).is_ok() || also(token));
    let requests = ProtectedRequests::new(issuer.token()).get("/orders");
    let report = check_protection(app, requests).await;
    report.let_through().into_iter().map(str::to_owned).collect()
}

fn issuer_of(algorithm: Algorithm) -> TestIssuer {
    TestIssuer::new().with_key(SigningKey::generate(algorithm).unwrap())
}

fn verifies(key: VerificationKey, token: &str) -> bool {
    let verifier = JwtVerifier::new("https://issuer.test", "https://api.test", key);
    verifier.unwrap().verify_now(token).is_ok()
}

fn part(token: &str, number: usize) -> Option<Map<String, Value>> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(number)?).ok()?;
    serde_json::from_slice(&part).ok()
}

const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::HS256,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::PS384,
    Algorithm::ES256,
    Algorithm::ES512,
    Algorithm::EdDSA,
    Algorithm::MlDsa44,
];

#[tokio::test]
async fn key_that_the_token_brings_is_found_with_every_algorithm() {
    for algorithm in ALGORITHMS {
        let of_header = |token: &str| {
            let jwk = part(token, 0).and_then(|header| Some(header.get("jwk")?.to_string()));
            jwk.is_some_and(|jwk| verifies(VerificationKey::from_jwk(&jwk).unwrap(), token))
        };
        let found = let_through(&issuer_of(algorithm), of_header).await;
        assert_eq!(
            found,
            ["key: jwk in the header", "key: jwk in the header, without kid"],
            "{algorithm}"
        );
    }
}

/// The first public key in a certificate.
fn key_of_certificate(der: &[u8], algorithm: Algorithm) -> Option<VerificationKey> {
    (0..der.len()).find_map(|start| {
        let rest = &der[start..];
        let length = match rest {
            [0x30, 0x82, high, low, ..] => 4 + usize::from(*high) * 256 + usize::from(*low),
            [0x30, 0x81, length, ..] => 3 + usize::from(*length),
            [0x30, length, ..] => 2 + usize::from(*length),
            _ => return None,
        };
        VerificationKey::from_der(rest.get(..length)?, algorithm).ok()
    })
}

#[tokio::test]
async fn certificate_that_the_token_brings_is_found_with_every_algorithm() {
    // A secret has no certificate, and a token with one of ML-DSA is too long for the verifier.
    for algorithm in &ALGORITHMS[2..7] {
        let algorithm = *algorithm;
        let of_header = |token: &str| {
            let header = part(token, 0).unwrap_or_default();
            let Some(text) = header.get("x5c").and_then(|list| list.get(0)?.as_str()) else {
                return false;
            };
            let der = STANDARD.decode(text).unwrap();
            verifies(key_of_certificate(&der, algorithm).unwrap(), token)
        };
        let found = let_through(&issuer_of(algorithm), of_header).await;
        assert_eq!(found, ["key: x5c in the header"], "{algorithm}");
    }
}

#[tokio::test]
async fn keys_that_are_fetched_from_the_url_of_a_token_are_found() {
    let issuer = issuer_of(Algorithm::ES384);
    let url = "http://127.0.0.1:9/jwks.json";
    let requests = ProtectedRequests::new(issuer.token()).get("/orders").with_attacker_url(url);
    let served = HashMap::from([(url.to_owned(), requests.attacker_jwk_set())]);
    let verifier = issuer.verifier();
    let app = accepting(move |token| {
        let header = part(token, 0).unwrap_or_default();
        let set = header.get("jku").and_then(|url| served.get(url.as_str()?));
        verifier.verify_now(token).is_ok()
            || set.is_some_and(|set| {
                let set: Value = serde_json::from_str(set).unwrap();
                let key = VerificationKey::from_jwk(&set["keys"][0].to_string()).unwrap();
                verifies(key, token)
            })
    });
    let report = check_protection(app, requests).await;
    assert_eq!(report.let_through(), ["key: jku in the header"]);
}

/// Whether the token has a MAC of this secret.
fn has_mac(token: &str, algorithm: Algorithm, secret: &[u8]) -> bool {
    let hash = match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA512,
    };
    let Some((message, signature)) = token.rsplit_once('.') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let alg = part(token, 0).and_then(|header| Some(header.get("alg")?.as_str()?.to_owned()));
    alg.as_deref() == Some(algorithm.name())
        && hmac::verify(&hmac::Key::new(hash, secret), message.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn public_key_as_a_secret_is_found_in_each_form() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap();
    let key = SigningKey::from_der(der.as_ref(), Algorithm::RS256).unwrap();
    let issuer = TestIssuer::new().with_key(key.clone());
    let der = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).unwrap();
    let pkcs1_der = pair.public_key().as_ref();
    let spki = encode_string("PUBLIC KEY", LineEnding::LF, der.as_ref()).unwrap();
    let pkcs1 = encode_string("RSA PUBLIC KEY", LineEnding::LF, pkcs1_der).unwrap();
    let bytes = |text: &str| text.as_bytes().to_vec();
    for (name, secret) in [
        ("PEM as a secret", bytes(&spki)),
        ("PEM without the last line break", bytes(spki.trim_end())),
        ("PEM with CRLF", bytes(&spki.replace('\n', "\r\n"))),
        ("base64 without the lines of PEM", bytes(&STANDARD.encode(der.as_ref()))),
        ("PEM of PKCS#1", bytes(&pkcs1)),
        ("PEM of PKCS#1, without the last line break", bytes(pkcs1.trim_end())),
        ("DER as a secret", der.as_ref().to_vec()),
        ("raw bytes as a secret", pkcs1_der.to_vec()),
        ("JWK set as a secret", bytes(&format!("{{\"keys\":[{}]}}", key.jwk().unwrap()))),
    ] {
        let found = let_through(&issuer, |token| has_mac(token, Algorithm::HS256, &secret)).await;
        assert_eq!(found, [format!("public key: {name}")]);
    }
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let found = let_through(&issuer, |token| has_mac(token, algorithm, spki.as_bytes())).await;
        assert_eq!(found, [format!("public key: PEM as a secret of {algorithm}")]);
    }
    // The JWK and the text of the file are the same here.
    let jwk = key.jwk().unwrap();
    let found = let_through(&issuer, |token| has_mac(token, Algorithm::HS256, jwk.as_bytes()));
    let of_text = "public key: the text of the file as a secret";
    assert_eq!(found.await, ["public key: JWK as a secret", of_text]);
}

#[tokio::test]
async fn known_secrets_are_found_with_every_algorithm_for_secrets() {
    let known = "a-string-secret-at-least-256-bits-long";
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let issuer = issuer_of(algorithm);
        let found = let_through(&issuer, |t| has_mac(t, algorithm, known.as_bytes())).await;
        assert_eq!(found, [format!("weak secret: {known}")]);
        let found = let_through(&issuer, |t| has_mac(t, algorithm, b"")).await;
        assert_eq!(found, ["weak secret: empty", "kid: an empty file"]);
    }
}

#[tokio::test]
async fn rsa_key_that_verifies_two_algorithms_is_found() {
    for (good, other) in
        [(Algorithm::RS256, Algorithm::PS256), (Algorithm::PS512, Algorithm::RS512)]
    {
        let key = SigningKey::generate(good).unwrap();
        let pem = key.private_pem().unwrap();
        let same = SigningKey::from_pem(pem.as_str().as_bytes(), other).unwrap();
        let issuer = TestIssuer::new().with_key(key);
        let found = let_through(&issuer, |token| {
            let alg = part(token, 0).and_then(|header| header.get("alg").cloned());
            alg == Some(other.name().into()) && verifies(same.verification_key(), token)
        });
        let found = found.await;
        assert!(found.contains(&"alg: signed with another of its family".to_owned()), "{found:?}");
    }
}

#[tokio::test]
async fn lenient_decoding_of_the_signature_is_found_with_every_length() {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let issuer = issuer_of(algorithm);
        let verifier = issuer.verifier();
        let padded = |token: &str| {
            let text = token.trim_end_matches('=');
            // A strict decoder of padded base64url.
            let length = token.rsplit('.').next().unwrap_or_default().len();
            length.is_multiple_of(4) && verifier.verify_now(text).is_ok()
        };
        assert_eq!(let_through(&issuer, padded).await, ["encoding: padded signature"]);

        let lenient = base64::engine::GeneralPurpose::new(
            &base64::alphabet::URL_SAFE,
            base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
        );
        let last_bits = |token: &str| {
            let Some((message, signature)) = token.rsplit_once('.') else { return false };
            let Ok(signature) = lenient.decode(signature) else { return false };
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
            verifier.verify_now(&token).is_ok()
        };
        let found = let_through(&issuer, last_bits).await;
        assert_eq!(found, ["encoding: other last bits of the signature"], "{algorithm}");
    }
}

#[tokio::test]
async fn cache_that_does_not_compare_the_whole_token_is_found() {
    type Key = fn(&str) -> Option<String>;
    let keys: [(Key, &[&str]); 3] = [
        (|token| Some(token.rsplit_once('.')?.0.to_owned()), &["with another signature"]),
        (|token| Some(token.rsplit_once('.')?.1.to_owned()), &["with other claims"]),
        (
            |token| Some(part(token, 1)?.get("jti")?.to_string()),
            &["with another signature", "with other claims"],
        ),
    ];
    for (key, names) in keys {
        let issuer = TestIssuer::new();
        let verifier = issuer.verifier();
        let seen = Mutex::new(HashSet::new());
        let app = accepting(|token| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let key = key(token).unwrap_or_default();
            if verifier.verify_now(token).is_ok() {
                seen.insert(key);
                return true;
            }
            seen.contains(&key)
        });
        let requests = ProtectedRequests::new(issuer.token()).get("/orders");
        let report = check_protection(app, requests).await;
        for name in names {
            let name = format!("cache: an accepted token {name}");
            assert!(report.let_through().contains(&name.as_str()), "{report}");
        }
    }
}

/// The first value of each name.
struct First;

impl<'de> Visitor<'de> for First {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut first = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            first.entry(name).or_insert(value);
        }
        Ok(first)
    }
}

/// The good claims, read by a parser that takes the first or the last value.
fn claims_are_good(token: &str, is_first: bool) -> bool {
    let bytes = token.split('.').nth(1).map(|part| URL_SAFE_NO_PAD.decode(part));
    let Some(Ok(bytes)) = bytes else { return false };
    let claims = if is_first {
        serde_json::Deserializer::from_slice(&bytes).deserialize_map(First).ok()
    } else {
        serde_json::from_slice::<Map<String, Value>>(&bytes).ok()
    };
    let Some(claims) = claims else { return false };
    claims.get("iss") == Some(&"https://issuer.test".into())
        && claims.get("aud") == Some(&"https://api.test".into())
        && claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp > 1_000_000_000)
}

#[tokio::test]
async fn first_of_two_claims_is_a_hole_and_the_last_one_is_only_not_strict() {
    let requests = || ProtectedRequests::new(TestIssuer::new().token()).get("/orders");
    let first = check_protection(accepting(|token| claims_are_good(token, true)), requests()).await;
    let last = check_protection(accepting(|token| claims_are_good(token, false)), requests()).await;
    for name in ["exp", "aud", "iss"] {
        let name = format!("claims: {name} twice, the good one first");
        assert!(first.let_through().contains(&name.as_str()), "{first}");
        assert!(!last.let_through().contains(&name.as_str()), "{last}");
    }
    assert!(last.let_through().contains(&"claims: exp twice"));
    let requests = requests().without_strict_attacks("the parser takes the last value");
    let last = check_protection(accepting(|token| claims_are_good(token, false)), requests).await;
    assert!(!last.let_through().contains(&"claims: exp twice"));
    assert!(last.to_string().contains("without strict attacks, 8 times: the parser"), "{last}");
}

#[tokio::test]
async fn each_name_of_a_list_of_audiences_is_attacked() {
    let issuer = TestIssuer::new();
    let token = issuer.token().audience(["https://first.test", "https://api.test"]);
    let good: Vec<Value> = vec!["https://first.test".into(), "https://api.test".into()];
    let app = accepting(move |token| {
        let claims = part(token, 1).unwrap_or_default();
        match claims.get("aud") {
            Some(Value::Array(names)) if *names == good => true,
            Some(Value::Array(names)) => {
                names.iter().any(|name| name == "https://api.test.attacker.invalid")
            }
            _ => false,
        }
    });
    let report = check_protection(app, ProtectedRequests::new(token).get("/orders")).await;
    assert!(report.let_through().contains(&"aud: the beginning of a longer one"), "{report}");
}

#[tokio::test]
async fn issuer_of_a_pool_is_not_an_attack() {
    let issuer = TestIssuer::new();
    let other = issuer.clone().with_issuer("https://issuer.test/");
    let verifiers = [issuer.verifier(), other.verifier()];
    let accepts = |token: &str| verifiers.iter().any(|one| one.verify_now(token).is_ok());
    let requests = || ProtectedRequests::new(issuer.token()).get("/orders");
    let report = check_protection(accepting(accepts), requests()).await;
    assert_eq!(report.let_through(), ["iss: with or without a slash"]);
    let pool = requests().also_accepted_issuer("https://issuer.test/");
    let report = check_protection(accepting(accepts), pool).await;
    assert!(report.findings().is_empty(), "{report}");
}
