//! Signing keys: their forms, what is refused, and their public halves.

use std::collections::HashSet;

use aws_lc_rs::encoding::{AsDer, AsRawBytes, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{self, EcdsaKeyPair, PqdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, JwkSet, JwtVerifier, SigningKey, VerificationKey,
};

use super::{SECRET, assert_refused, es256, is_secret, issuer, key, part, pkcs8, third_element};
use crate::support::{self, AUDIENCE, ISSUER, now, pem};

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
        (pem("CERTIFICATE REQUEST", &der), "not a `PRIVATE KEY`"),
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

    // PKCS#8, encrypted: the algorithm, then bytes.
    let encrypted = sequence(&[sequence(&[]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&encrypted, Algorithm::ES256), "encrypted");
    // All of the outside is right, and nothing inside.
    let hollow = sequence(&[integer(&[1]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&hollow, Algorithm::ES256), "not a valid one for ES256");
    let nameless = sequence(&[integer(&[0]), sequence(&[]), vec![4, 1, 0]]);
    assert_refused(SigningKey::from_der(&nameless, Algorithm::ES256), "does not name its type");
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
        (&ec[..], Algorithm::RS256, "needs an RSA key, but this is an EC key on P-256"),
        (&ec, Algorithm::ES384, "needs an EC key on P-384, but this is an EC key on P-256"),
        (&rsa, Algorithm::ES256, "needs an EC key on P-256, but this is an RSA key"),
        (third_element(&rsa), Algorithm::EdDSA, "needs an Ed25519 key, but this is an RSA key"),
        (&ed, Algorithm::PS256, "needs an RSA key, but this is an Ed25519 key"),
        (sec1.as_ref(), Algorithm::RS256, "does not use EC keys"),
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

fn integer(bytes: &[u8]) -> Vec<u8> {
    element(2, bytes)
}

fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..0x80 => vec![tag, length[1]],
        0x80..0x100 => vec![tag, 0x81, length[1]],
        _ => vec![tag, 0x82, length[0], length[1]],
    };
    [&head[..], content].concat()
}

#[test]
fn a_key_id_is_the_thumbprint_until_it_is_given() {
    let key = es256();
    assert_eq!(Some(key.kid()), key.thumbprint().as_deref());
    assert_eq!(key.verification_key().kid(), Some(key.kid()));
    let named = key.clone().with_kid("2026");
    assert_ne!(key.kid(), "2026");
    assert_eq!(named.verification_key().kid(), Some("2026"));
    let token = issuer(named).issue(&json!({})).unwrap();
    assert_eq!(part(&token, 0), json!({"alg": "ES256", "kid": "2026", "typ": "JWT"}));
}

#[test]
fn a_key_id_of_a_secret_is_random_and_tells_nothing_of_it() {
    let kids: HashSet<String> = (0..8).map(|_| key(Algorithm::HS256).kid().to_owned()).collect();
    assert_eq!(kids.len(), 8);
    for kid in kids {
        assert_eq!(URL_SAFE_NO_PAD.decode(kid).unwrap().len(), 16);
    }
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
            "AKP" => &["alg", "kid", "kty", "pub", "use"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(names, public);
        assert_eq!((&jwk["kid"], &jwk["use"]), (&json!("1"), &json!("sig")));
    }
}

/// PKCS#8 around a key for ML-DSA, with the last part of the OID.
pub(super) fn pkcs8_of_ml_dsa(oid: u8, key: &[u8]) -> Vec<u8> {
    let oid = element(6, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, oid]);
    let parts = [element(2, &[0]), element(0x30, &oid), element(4, key)];
    element(0x30, &parts.concat())
}

/// The forms of a private key for ML-DSA in PKCS#8 (RFC 9881 section 6).
#[test]
fn every_form_of_a_private_key_for_ml_dsa_is_one_key() {
    for (algorithm, signing, oid) in [
        (Algorithm::MlDsa44, &signature::ML_DSA_44_SIGNING, 17),
        (Algorithm::MlDsa65, &signature::ML_DSA_65_SIGNING, 18),
        (Algorithm::MlDsa87, &signature::ML_DSA_87_SIGNING, 19),
    ] {
        let seed = [7; 32];
        let pair = PqdsaKeyPair::from_seed(signing, &seed).unwrap();
        let expanded = pair.private_key().as_raw_bytes().unwrap();
        let pkcs8 = |key: &[u8]| pkcs8_of_ml_dsa(oid, key);
        let both = |seed: &[u8]| {
            pkcs8(&element(0x30, &[element(4, seed), element(4, expanded.as_ref())].concat()))
        };
        let key = SigningKey::from_ml_dsa_seed(&seed, algorithm).unwrap();
        for form in
            [pkcs8(&element(0x80, &seed)), pkcs8(&element(4, expanded.as_ref())), both(&seed)]
        {
            let same = SigningKey::from_der(&form, algorithm).unwrap();
            assert_eq!(same.thumbprint(), key.thumbprint());
            let text = pem("PRIVATE KEY", &form);
            let same = SigningKey::from_pem(text.as_bytes(), algorithm).unwrap();
            assert_eq!(same.thumbprint(), key.thumbprint());
            assert_refused(SigningKey::from_der(&form, Algorithm::ES256), "but this is an ML-DSA-");
            let public = VerificationKey::from_der(&form, algorithm).unwrap_err();
            assert!(public.to_string().contains("this is a private key"), "{public}");
        }
        let invalid = format!("not a valid one for {algorithm}");
        for bad in [
            both(&[8; 32]),
            pkcs8(&element(0x80, &seed[1..])),
            pkcs8(&element(4, &expanded.as_ref()[1..])),
            pkcs8(&seed),
        ] {
            assert_refused(SigningKey::from_der(&bad, algorithm), &invalid);
        }
    }
}

#[test]
fn keys_for_ml_dsa_are_made_for_no_other_algorithm() {
    for &algorithm in Algorithm::ALL {
        let is_ml_dsa = algorithm.name().starts_with("ML-DSA-");
        match SigningKey::from_ml_dsa_seed(&[7; 32], algorithm) {
            Ok(key) => assert!(is_ml_dsa && key.algorithm() == algorithm),
            Err(error) => {
                assert!(!is_ml_dsa);
                assert_eq!(error.kind(), ConfigErrorKind::Algorithm);
                assert!(error.to_string().contains("is not ML-DSA-44, ML-DSA-65 or ML-DSA-87"));
            }
        }
    }
    let [one, other] = [(); 2].map(|()| SigningKey::generate(Algorithm::MlDsa44).unwrap());
    assert_ne!(one.thumbprint(), other.thumbprint());
    assert_eq!(key(Algorithm::HS256).thumbprint(), None);
}
