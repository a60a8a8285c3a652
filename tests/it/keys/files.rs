//! Public keys in PEM and DER.

use aws_lc_rs::signature::KeyPair;
use serde_json::json;
use tower_jwt_auth::{Algorithm, ConfigErrorKind, VerificationKey};

use super::{BY_TYPE, assert_refused, certificate, family, from_jwk, pem};
use crate::test_keys::{SigningKey, backend_supports};

#[test]
fn a_key_of_another_type_is_refused() {
    for loaded in BY_TYPE {
        let signer = SigningKey::new(loaded);
        for algorithm in Algorithm::ALL.iter().copied() {
            let fits = family(algorithm) == family(loaded) && backend_supports(algorithm);
            let results = match &signer {
                SigningKey::Secret(secret) => vec![VerificationKey::from_secret(secret, algorithm)],
                _ => {
                    let der = signer.spki();
                    let text = pem("PUBLIC KEY", &der);
                    vec![
                        VerificationKey::from_der(&der, algorithm),
                        VerificationKey::from_pem(text.as_bytes(), algorithm),
                    ]
                }
            };
            let jwk = from_jwk(&signer.jwk_with(&json!({"alg": algorithm.name()})));
            // There the `alg` is the type of the key, and the length is the fault.
            let is_ml_dsa = |one: Algorithm| one.name().starts_with("ML-DSA-");
            let jwk = Some(jwk).filter(|_| fits || !(is_ml_dsa(algorithm) && is_ml_dsa(loaded)));
            for result in results.into_iter().chain(jwk) {
                match result {
                    Ok(key) => assert!(fits && key.algorithms().eq([algorithm])),
                    Err(error) => {
                        assert!(!fits, "{algorithm}: {error}");
                        assert_eq!(error.kind(), ConfigErrorKind::Algorithm, "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn pkcs1_is_taken_for_rsa_in_der_and_pem() {
    let SigningKey::Rsa(rsa) = SigningKey::new(Algorithm::RS256) else { panic!("not RSA") };
    let der = rsa.public_key().as_ref();
    let text = pem("RSA PUBLIC KEY", der);
    assert!(VerificationKey::from_der(der, Algorithm::PS256).is_ok());
    assert!(VerificationKey::from_pem(text.as_bytes(), Algorithm::RS512).is_ok());
    assert_refused(VerificationKey::from_der(der, Algorithm::ES256), "ES256 needs an EC key");
    // Each label stands for its own form.
    assert!(
        VerificationKey::from_pem(pem("PUBLIC KEY", der).as_bytes(), Algorithm::RS256).is_err()
    );
}

#[test]
fn pem_is_read_with_other_line_breaks_and_text_around() {
    let text = pem("PUBLIC KEY", &SigningKey::new(Algorithm::RS256).spki());
    for good in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        text.trim_end().to_owned(),
        format!("\u{feff}{text}"),
        format!("The key of our issuer:\n\n{text}\n\n"),
        format!("{text}\nThat was it."),
        text.replace('\n', " \n  "),
    ] {
        VerificationKey::from_pem(good.as_bytes(), Algorithm::RS256).unwrap();
    }
}

#[test]
fn pem_of_another_kind_is_refused_with_advice() {
    let der = SigningKey::new(Algorithm::ES256).spki();
    let block = pem("PUBLIC KEY", &der);
    let parameters = pem("EC PARAMETERS", &[6, 3, 1, 2, 3]);
    for (text, part) in [
        (pem("PRIVATE KEY", &der), "openssl pkey -pubout"),
        (pem("RSA PRIVATE KEY", &der), "openssl pkey -pubout"),
        (pem("EC PRIVATE KEY", &der), "openssl pkey -pubout"),
        (pem("ENCRYPTED PRIVATE KEY", &der), "openssl pkey -pubout"),
        (pem("OPENSSH PRIVATE KEY", &der), "private key"),
        (parameters + &pem("EC PRIVATE KEY", &der), "openssl pkey -pubout"),
        (pem("CERTIFICATE", &der), "openssl x509 -pubkey"),
        (pem("TRUSTED CERTIFICATE", &der), "openssl x509 -pubkey"),
        (block.repeat(2), "the text has 2 PEM blocks"),
        (pem("CERTIFICATE REQUEST", &der), "neither"),
        (pem("EC PARAMETERS", &der), "neither"),
        ("ssh-rsa AAAA".to_owned(), "ssh-keygen"),
        ("---- BEGIN SSH2 PUBLIC KEY ----".to_owned(), "ssh-keygen"),
        (r#"{"kty": "EC"}"#.to_owned(), "from_jwk"),
        (String::new(), "no PEM block"),
        ("-----BEGIN ".to_owned(), "neither"),
        ("-----BEGIN PUBLIC KEY-----".to_owned(), "cannot be read"),
        (block.replace("END PUBLIC", "END PRIVATE"), "cannot be read"),
        (block.replacen("M", "*", 1), "cannot be read"),
        (pem("PUBLIC KEY", &der[..der.len() - 1]), "cannot be read"),
    ] {
        assert_refused(VerificationKey::from_pem(text.as_bytes(), Algorithm::ES256), part);
    }
    assert_refused(VerificationKey::from_pem(&der, Algorithm::ES256), "from_der");
    assert_refused(VerificationKey::from_pem(block.as_bytes(), Algorithm::HS256), "from_secret");
    assert_refused(VerificationKey::from_der(&der, Algorithm::HS256), "from_secret");

    let SigningKey::Ec(_, ec) = SigningKey::new(Algorithm::ES256) else { panic!("not EC") };
    let private = ec.to_pkcs8v1().unwrap();
    assert_refused(VerificationKey::from_der(private.as_ref(), Algorithm::ES256), "private key");
    assert_refused(VerificationKey::from_der(&certificate(), Algorithm::ES256), "openssl x509");
    assert_refused(VerificationKey::from_der(b"", Algorithm::ES256), "not a public key in DER");
    let trailing = [&der[..], &[0]].concat();
    assert_refused(VerificationKey::from_der(&trailing, Algorithm::ES256), "not a public key");
}

#[test]
fn der_of_unsupported_types_is_refused() {
    let ed25519 = SigningKey::new(Algorithm::Ed25519).spki();
    // X25519 and Ed448 instead of Ed25519.
    for last in [0x6e, 0x71] {
        let mut der = ed25519.clone();
        der[8] = last;
        assert_refused(VerificationKey::from_der(&der, Algorithm::EdDSA), "1.3.101.11");
    }
    let rsa = SigningKey::new(Algorithm::RS256).spki();
    let place = rsa.windows(9).position(|oid| oid == b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    let mut pss = rsa.clone();
    pss[place.unwrap() + 8] = 10;
    assert_refused(VerificationKey::from_der(&pss, Algorithm::PS256), "id-RSASSA-PSS");

    let ec = SigningKey::new(Algorithm::ES256).spki();
    let place = ec.windows(8).position(|oid| oid == b"\x2a\x86\x48\xce\x3d\x03\x01\x07").unwrap();
    let mut curve = ec.clone();
    curve[place + 7] = 6;
    assert_refused(VerificationKey::from_der(&curve, Algorithm::ES256), "named curves");
}
