use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use spki::der::{AnyRef, Decode, Reader, SliceReader};
use tower_jwt_auth::{
    Algorithm, Audience, ConfigError, ConfigErrorKind, IssueErrorKind, JwkSet, JwtVerifier,
    RegisteredClaims, SigningKey, TokenIssuer, VerificationKey,
};

use crate::support::{self, AUDIENCE, ISSUER, NOW, now, pem};

const SECRET: [u8; 64] = [7; 64];

/// A private key in PKCS#8, of the type that the algorithm wants: a new one, but for RSA, whose
/// keys are slow to make, always the same.
fn pkcs8(algorithm: Algorithm) -> Vec<u8> {
    let ec = |algorithm| EcdsaKeyPair::generate(algorithm).unwrap().to_pkcs8v1().unwrap();
    match algorithm {
        Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING).as_ref().to_vec(),
        Algorithm::EdDSA | Algorithm::Ed25519 => {
            Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap().as_ref().to_vec()
        }
        _ => {
            static RSA: LazyLock<Vec<u8>> = LazyLock::new(new_rsa);
            RSA.clone()
        }
    }
}

fn new_rsa() -> Vec<u8> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref().to_vec()
}

fn is_secret(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

/// A key for any algorithm.
fn key(algorithm: Algorithm) -> SigningKey {
    match is_secret(algorithm) {
        true => SigningKey::from_secret(&SECRET, algorithm).unwrap(),
        false => SigningKey::from_der(&pkcs8(algorithm), algorithm).unwrap(),
    }
}

fn es256() -> SigningKey {
    SigningKey::generate_es256().unwrap()
}

/// An issuer with the usual name and audience, and a clock that stands at [`NOW`].
fn issuer(key: SigningKey) -> TokenIssuer {
    let issuer = TokenIssuer::new(ISSUER, key).unwrap();
    issuer.with_audience(AUDIENCE).unwrap().with_clock(now())
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn claims(token: &str) -> Value {
    part(token, 1)
}

#[track_caller]
fn assert_refused(result: Result<SigningKey, ConfigError>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

// Keys.

#[test]
fn every_algorithm_signs_what_verifies() {
    for &algorithm in Algorithm::ALL {
        let key = key(algorithm);
        assert_eq!(key.algorithm(), algorithm);
        assert!(key.verification_key().algorithms().eq([algorithm]));

        let issuer = issuer(key.clone());
        let token = issuer.issue(&json!({"sub": "alice"})).unwrap();
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, key.verification_key()).unwrap();
        let verified = verifier.with_clock(now()).verify_now(&token).unwrap();
        assert_eq!(verified.sub.as_deref(), Some("alice"));
        assert_eq!(verified.header().unwrap().algorithm(), algorithm);

        let keys = issuer.verification_keys();
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now());
        assert!(verifier.verify_now(&token).is_ok());

        if !is_secret(algorithm) {
            let keys = JwkSet::from_json(&issuer.jwk_set()).unwrap();
            assert!(keys.skipped().is_empty());
            let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now());
            assert!(verifier.verify_now(&token).is_ok(), "{algorithm}");
        }
    }
}

#[test]
fn every_form_of_a_private_key_is_one_key() {
    let same = |one: &SigningKey, other: &SigningKey| {
        let (one, other) = (one.clone().with_kid("a").jwk(), other.clone().with_kid("a").jwk());
        assert!(one.is_some());
        assert_eq!(one, other);
    };

    for (algorithm, signing) in [
        (Algorithm::ES256, &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        (Algorithm::ES384, &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        (Algorithm::ES512, &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
    ] {
        let pkcs8 = pkcs8(algorithm);
        let key = SigningKey::from_der(&pkcs8, algorithm).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(signing, &pkcs8).unwrap();
        let sec1 = pair.private_key();
        let sec1: EcPrivateKeyRfc5915Der<'_> = sec1.as_der().unwrap();
        let sec1 = sec1.as_ref();
        same(&key, &SigningKey::from_der(sec1, algorithm).unwrap());
        let text = pem("EC PARAMETERS", &[6, 3, 1, 2, 3]) + &pem("EC PRIVATE KEY", sec1);
        same(&key, &SigningKey::from_pem(text.as_bytes(), algorithm).unwrap());
        let text = pem("PRIVATE KEY", &pkcs8);
        same(&key, &SigningKey::from_pem(text.as_bytes(), algorithm).unwrap());
    }

    let pkcs8 = pkcs8(Algorithm::RS256);
    let key = SigningKey::from_der(&pkcs8, Algorithm::RS256).unwrap();
    let pkcs1 = third_element(&pkcs8);
    same(&key, &SigningKey::from_der(pkcs1, Algorithm::RS256).unwrap());
    let text = format!("a comment\n{}", pem("RSA PRIVATE KEY", pkcs1));
    same(&key, &SigningKey::from_pem(text.as_bytes(), Algorithm::RS256).unwrap());
}

/// The octets of the key inside of PKCS#8.
fn third_element(der: &[u8]) -> &[u8] {
    let mut reader = SliceReader::new(AnyRef::from_der(der).unwrap().value()).unwrap();
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader).unwrap());
    }
    elements[2].value()
}

#[test]
fn what_is_no_private_key_is_refused_with_advice() {
    let der = pkcs8(Algorithm::ES256);
    let block = pem("PRIVATE KEY", &der);
    let spki = support::key(Algorithm::ES256).spki();
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
               DEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (text, part) in [
        (pem("PUBLIC KEY", &spki), "public key"),
        (pem("RSA PUBLIC KEY", &spki), "public key"),
        (pem("CERTIFICATE", &spki), "certificate"),
        (pem("ENCRYPTED PRIVATE KEY", &der), "encrypted"),
        (old.to_owned(), "encrypted"),
        (pem("OPENSSH PRIVATE KEY", &der), "ssh-keygen"),
        (pem("CERTIFICATE REQUEST", &der), "none of"),
        (pem("EC PARAMETERS", &der), "no PEM block"),
        (block.repeat(2), "2 PEM blocks"),
        (String::new(), "no PEM block"),
        (block.replacen('M', "*", 1), "cannot be read"),
        (pem("PRIVATE KEY", &der[..der.len() - 1]), "not a private key"),
        (pem("PRIVATE KEY", &spki), "public key"),
    ] {
        assert_refused(SigningKey::from_pem(text.as_bytes(), Algorithm::ES256), part);
    }
    assert_refused(SigningKey::from_pem(&der, Algorithm::ES256), "from_der");
    assert_refused(SigningKey::from_der(&spki, Algorithm::ES256), "public key");
    assert_refused(SigningKey::from_der(b"", Algorithm::ES256), "not a private key");
    assert_refused(SigningKey::from_der(block.as_bytes(), Algorithm::ES256), "not a private key");

    // PKCS#8, encrypted: the algorithm, then octets.
    let encrypted = sequence(&[sequence(&[]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&encrypted, Algorithm::ES256), "encrypted");
    // All of the outside is right, and nothing inside.
    let hollow = sequence(&[integer(&[1]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&hollow, Algorithm::ES256), "not a valid one for ES256");
    let nameless = sequence(&[integer(&[0]), sequence(&[]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&nameless, Algorithm::ES256), "of which type");
}

#[test]
fn a_key_of_another_type_than_the_algorithm_wants_is_refused() {
    let ec = pkcs8(Algorithm::ES256);
    let rsa = pkcs8(Algorithm::RS256);
    let ed = pkcs8(Algorithm::EdDSA);
    let pair = EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &ec).unwrap();
    let sec1 = pair.private_key();
    let sec1: EcPrivateKeyRfc5915Der<'_> = sec1.as_der().unwrap();
    for (der, algorithm, part) in [
        (&ec[..], Algorithm::RS256, "wants an RSA key, this is an EC key on P-256"),
        (&ec, Algorithm::ES384, "wants an EC key on P-384, this is an EC key on P-256"),
        (&rsa, Algorithm::ES256, "wants an EC key on P-256, this is an RSA key"),
        (third_element(&rsa), Algorithm::EdDSA, "wants an Ed25519 key, this is an RSA key"),
        (&ed, Algorithm::PS256, "wants an RSA key, this is an Ed25519 key"),
        (sec1.as_ref(), Algorithm::RS256, "does not want an EC key"),
        (sec1.as_ref(), Algorithm::ES384, "not a valid one for ES384"),
        (&ec, Algorithm::HS256, "from_secret"),
    ] {
        assert_refused(SigningKey::from_der(der, algorithm), part);
    }
    let text = pem("PRIVATE KEY", &ec);
    assert_refused(SigningKey::from_pem(text.as_bytes(), Algorithm::HS256), "from_secret");
    assert_refused(SigningKey::from_secret(&SECRET, Algorithm::ES256), "ES256");
}

#[test]
fn weak_keys_are_refused() {
    for (algorithm, least) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        assert!(SigningKey::from_secret(&SECRET[..least], algorithm).is_ok());
        assert_refused(SigningKey::from_secret(&SECRET[..least - 1], algorithm), "at least");
    }
    let public = support::key(Algorithm::RS256).pem();
    assert_refused(SigningKey::from_secret(public.as_bytes(), Algorithm::HS256), "PEM");

    // The bounds are checked before the rest of the key is looked at.
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let mut numbers = vec![integer(&[0]), integer(modulus), integer(exponent)];
        numbers.extend(std::iter::repeat_n(integer(&[3]), 6));
        SigningKey::from_der(&sequence(&numbers), Algorithm::RS256)
    };
    assert_refused(rsa(&[0x7f; 128], &[1, 0, 1]), "2048 to 8192 bits, this one has 1023");
    assert_refused(rsa(&[0x7f; 257], &[1]), "exponent");
    assert_refused(rsa(&[0x7f; 257], &[1, 0, 1]), "not a valid one for RS256");
}

fn integer(octets: &[u8]) -> Vec<u8> {
    element(2, octets)
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head[..], content].concat()
}

#[test]
fn a_key_id_is_random_until_it_is_given() {
    let kids: HashSet<String> = (0..8).map(|_| es256().kid().to_owned()).collect();
    assert_eq!(kids.len(), 8);
    for kid in kids {
        assert_eq!(URL_SAFE_NO_PAD.decode(kid).unwrap().len(), 16);
    }

    let key = es256();
    let named = key.clone().with_kid("2026");
    assert_ne!(key.kid(), "2026");
    assert_eq!(named.verification_key().kid(), Some("2026"));
    let token = issuer(named).issue(&json!({})).unwrap();
    assert_eq!(part(&token, 0), json!({"alg": "ES256", "kid": "2026", "typ": "JWT"}));
}

#[test]
fn a_jwk_is_public() {
    for &algorithm in Algorithm::ALL {
        let key = key(algorithm).with_kid("1");
        let Some(jwk) = key.jwk() else {
            assert!(is_secret(algorithm));
            assert_eq!(issuer(key).jwk_set(), r#"{"keys":[]}"#);
            continue;
        };
        assert_eq!(issuer(key).jwk_set(), format!(r#"{{"keys":[{jwk}]}}"#));
        let read = VerificationKey::from_jwk(&jwk).unwrap();
        assert!(read.algorithms().eq([algorithm]));
        let jwk: Value = serde_json::from_str(&jwk).unwrap();
        let names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let public = match jwk["kty"].as_str().unwrap() {
            "RSA" => &["alg", "e", "kid", "kty", "n", "use"][..],
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(names, public);
        assert_eq!((&jwk["kid"], &jwk["use"]), (&json!("1"), &json!("sig")));
    }
}

// Claims.

#[test]
fn a_token_has_the_claims_that_none_goes_without() {
    let issuer = issuer(es256());
    let first = claims(&issuer.issue(&json!({"sub": "alice", "tenant": 7})).unwrap());
    let jti = first["jti"].as_str().unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(jti).unwrap().len(), 16);
    assert_eq!(
        first,
        json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "tenant": 7,
            "iat": NOW, "exp": NOW + 1800, "jti": jti,
        })
    );
    let second = claims(&issuer.issue(&json!({})).unwrap());
    assert_ne!(first["jti"], second["jti"]);
}

#[test]
fn a_lifetime_is_the_issuers_or_the_tokens() {
    let issuer = issuer(es256()).with_lifetime(Duration::from_millis(61_900)).unwrap();
    assert_eq!(issuer.lifetime(), Duration::from_secs(61));
    assert_eq!(claims(&issuer.issue(&json!({})).unwrap())["exp"], NOW + 61);
    let token = issuer.issue_for(&json!({}), Duration::from_secs(1)).unwrap();
    assert_eq!(claims(&token)["exp"], NOW + 1);
    let long = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    assert!(issuer.issue_for(&json!({}), long).is_ok());

    for lifetime in [Duration::from_millis(999), long + long / 10, Duration::MAX] {
        let error = issuer.issue_for(&json!({}), lifetime).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Lifetime, "{lifetime:?}");
        let error = issuer.clone().with_lifetime(lifetime).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration, "{lifetime:?}");
    }
}

#[test]
fn claims_may_name_what_is_theirs() {
    let issuer = issuer(es256());
    let own = json!({"aud": ["a", "b"], "jti": "1", "nbf": NOW + 5, "sub": "alice"});
    let token = claims(&issuer.issue(&own).unwrap());
    for name in ["aud", "jti", "nbf", "sub"] {
        assert_eq!(token[name], own[name]);
    }

    // All that a token may hold is there and `null`, or is not there.
    let nothing = json!({"iss": null, "sub": null, "aud": null, "exp": null, "nbf": null,
        "iat": null, "jti": null, "other": null});
    let token = claims(&issuer.issue(&nothing).unwrap());
    assert_eq!((&token["aud"], &token["other"]), (&json!(AUDIENCE), &Value::Null));
    assert!(token.get("sub").is_none() && token.get("nbf").is_none());
    let registered = RegisteredClaims::default();
    assert!(issuer.issue(&registered).is_ok());
}

#[test]
fn claims_that_make_no_token_are_refused() {
    let issuer = issuer(es256());
    for (bad, part) in [
        (json!({"exp": NOW}), "`exp` is set by the issuer"),
        (json!({"iat": NOW}), "`iat` is set by the issuer"),
        (json!({"iss": ISSUER}), "`iss` is set by the issuer"),
        (json!({"sub": 7}), "`sub`"),
        (json!({"jti": 7}), "`jti`"),
        (json!({"nbf": "now"}), "`nbf`"),
        (json!({"nbf": -1}), "`nbf`"),
        (json!({"nbf": 1e19}), "`nbf`"),
        (json!({"long": "x".repeat(13_000)}), "16 KiB"),
        (json!({"aud": 7}), "`aud`"),
        (json!({"aud": ["a", 7]}), "`aud`"),
        (json!([]), "not a JSON object"),
        (json!("alice"), "not a JSON object"),
        (json!(null), "not a JSON object"),
    ] {
        let error = issuer.issue(&bad).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Claims, "{bad}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = issuer.issue(&std::collections::HashMap::from([((1, 2), 3)])).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
    assert!(std::error::Error::source(&error).is_some());
}

#[test]
fn an_audience_comes_from_somewhere() {
    let bare = TokenIssuer::new(ISSUER, es256()).unwrap();
    for claims in [json!({}), json!({"aud": null}), json!({"aud": ""}), json!({"aud": []})] {
        let error = bare.issue(&claims).unwrap_err();
        assert_eq!(error.kind(), IssueErrorKind::Audience, "{claims}");
    }
    assert!(bare.issue(&json!({"aud": "a"})).is_ok());

    let several = bare.clone().with_audience(["a", "b"]).unwrap();
    assert_eq!(claims(&several.issue(&json!({})).unwrap())["aud"], json!(["a", "b"]));
    for empty in [Audience::from(""), Audience::from(vec![]), Audience::from(["a", ""])] {
        let error = bare.clone().with_audience(empty).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience);
    }
}

#[test]
fn a_name_stands_once_in_a_token() {
    #[derive(serde::Serialize)]
    struct Twice {
        tenant: u32,
        #[serde(flatten)]
        more: std::collections::BTreeMap<&'static str, u32>,
    }
    let twice = Twice { tenant: 1, more: [("tenant", 2)].into() };
    let issuer = issuer(es256());
    let error = issuer.issue(&twice).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
    assert!(error.to_string().contains("`tenant`"), "{error}");

    // A claim of the issuer's cannot hide behind a `null`.
    #[derive(serde::Serialize)]
    struct Hidden {
        sub: Option<String>,
        #[serde(flatten)]
        more: std::collections::BTreeMap<&'static str, &'static str>,
    }
    let hidden = Hidden { sub: None, more: [("sub", "root")].into() };
    assert_eq!(issuer.issue(&hidden).unwrap_err().kind(), IssueErrorKind::Claims);

    // Nor is there a token that every verifier refuses.
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    let error = issuer.issue(&json!({"deep": deep})).unwrap_err();
    assert_eq!(error.kind(), IssueErrorKind::Claims);
}

#[test]
fn a_token_is_never_too_long_for_a_verifier() {
    let kid = "\"".repeat(1024);
    let issuer = issuer(es256().with_kid(&kid)).with_type("application/at+jwt").unwrap();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, issuer.verification_keys());
    let verifier = verifier.unwrap().with_clock(now());
    let mut longest = 0;
    for length in (0..13_000).step_by(100) {
        match issuer.issue(&json!({"long": "x".repeat(length)})) {
            Ok(token) => {
                verifier.verify_now(&token).unwrap();
                longest = token.len();
            }
            Err(error) => assert_eq!(error.kind(), IssueErrorKind::Claims),
        }
    }
    assert!(longest > 16_000);

    for kid in ["", "a\n", &"x".repeat(1025)] {
        let error = TokenIssuer::new(ISSUER, es256().with_kid(kid)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Key, "{kid:?}");
    }
}

#[test]
fn a_type_is_a_media_type() {
    let issuer = issuer(es256());
    for typ in ["at+jwt", "application/at+jwt", "logout+jwt"] {
        let token = issuer.clone().with_type(typ).unwrap().issue(&json!({})).unwrap();
        assert_eq!(part(&token, 0)["typ"], typ);
    }
    let long = "x".repeat(128);
    for typ in ["", "a b", "é", "\"", "a\n", "/", "a/", "/a", "a/b/c", &long] {
        let error = issuer.clone().with_type(typ).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TokenType, "{typ:?}");
    }
}

// What is shown, and shared.

#[test]
fn debug_and_errors_never_show_key_material() {
    const CANARY: &str = "canary-canary-canary-canary-canary-canary-canary-canary-canary-canary";
    let key = SigningKey::from_secret(CANARY.as_bytes(), Algorithm::HS256).unwrap();
    let key = key.with_kid("shown");
    assert_eq!(format!("{key:?}"), r#"SigningKey { algorithm: HS256, kid: "shown", .. }"#);
    let issuer = issuer(key);
    let error = issuer.issue(&json!({"exp": CANARY})).unwrap_err();
    let text = format!("{issuer:?} {issuer:#?} {error} {error:?}");
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains(&format!("{:?}", CANARY.as_bytes())), "{text}");
    assert!(!issuer.jwk_set().contains("k\""));
}

#[test]
fn keys_and_issuers_are_shared_between_threads() {
    fn assert_shared<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
    assert_shared::<SigningKey>();
    assert_shared::<TokenIssuer>();
    assert_eq!(size_of::<SigningKey>(), size_of::<usize>());
    assert_eq!(size_of::<TokenIssuer>(), size_of::<usize>());
}

// Others.

/// Of one version of `jsonwebtoken`, by the name of its crate.
#[cfg(any(feature = "jsonwebtoken-11", feature = "jsonwebtoken-12"))]
macro_rules! encoding_keys {
    ($jsonwebtoken:ident, $secret:expr) => {
        use $jsonwebtoken::{Algorithm as Theirs, EncodingKey};

        use super::*;

        fn secret(bytes: &[u8]) -> EncodingKey {
            let secret: fn(&[u8]) -> EncodingKey = $secret;
            secret(bytes)
        }

        #[test]
        fn every_kind_of_encoding_key_is_taken() {
            let rsa = pkcs8(Algorithm::RS256);
            for (encoding_key, algorithm) in [
                (secret(&SECRET), Algorithm::HS256),
                (EncodingKey::from_rsa_der(&rsa), Algorithm::RS256),
                (EncodingKey::from_rsa_der(third_element(&rsa)), Algorithm::PS512),
                (EncodingKey::from_ec_der(&pkcs8(Algorithm::ES256)), Algorithm::ES256),
                (EncodingKey::from_ec_der(&pkcs8(Algorithm::ES512)), Algorithm::ES512),
                (EncodingKey::from_ed_der(&pkcs8(Algorithm::EdDSA)), Algorithm::EdDSA),
                (EncodingKey::from_ed_der(&pkcs8(Algorithm::EdDSA)), Algorithm::Ed25519),
            ] {
                let key = SigningKey::from_encoding_key(&encoding_key, algorithm).unwrap();
                assert_eq!(key.algorithm(), algorithm);
            }

            let theirs = Theirs::HS512;
            let hmac = secret(&SECRET);
            let key = SigningKey::from_encoding_key(&hmac, theirs).unwrap();
            assert_eq!(key.algorithm(), Algorithm::HS512);
            assert_refused(SigningKey::from_encoding_key(&hmac, Algorithm::ES256), "family");
            let weak = secret(b"secret");
            assert_refused(SigningKey::from_encoding_key(&weak, Algorithm::HS256), "at least 32");
        }
    };
}

#[cfg(feature = "jsonwebtoken-11")]
mod version_11 {
    encoding_keys!(jsonwebtoken_11, |bytes| EncodingKey::from_secret(bytes));
}

#[cfg(feature = "jsonwebtoken-12")]
mod version_12 {
    encoding_keys!(jsonwebtoken, |bytes| EncodingKey::from_secret(bytes).unwrap());
}

/// Writes a token of every algorithm for `tests/interop/verify_minted.py`, which `scripts/interop`
/// runs after this test.
#[test]
fn tokens_for_other_libraries() {
    let keys: Vec<SigningKey> =
        Algorithm::ALL.iter().map(|&algorithm| key(algorithm).with_kid(algorithm.name())).collect();
    let tokens: Vec<Value> = keys
        .iter()
        .map(|key| {
            let issuer = TokenIssuer::new(ISSUER, key.clone()).unwrap();
            let issuer = issuer.with_audience(AUDIENCE).unwrap();
            let token = issuer.issue(&json!({"sub": "alice", "name": "Zoë \u{1f980}"})).unwrap();
            json!({"alg": key.algorithm().name(), "kid": key.kid(), "token": token})
        })
        .collect();
    let jwks: Vec<Value> = keys
        .iter()
        .filter_map(SigningKey::jwk)
        .map(|jwk| serde_json::from_str(&jwk).unwrap())
        .collect();
    let minted = json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "secret": support::b64(SECRET),
        "jwks": {"keys": jwks},
        "tokens": tokens,
    });
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("minted.json");
    std::fs::write(path, minted.to_string()).unwrap();
}
