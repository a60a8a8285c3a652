//! Secrets: how long they are, what is not one, and their encodings.

use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;
use tower_jwt_auth::{Algorithm, JwkSet, VerificationKey};

use super::{BY_TYPE, assert_refused, certificate, pem};
use crate::test_keys::{SigningKey, base64url};

#[test]
fn short_secrets_are_refused() {
    for (algorithm, least) in
        [(Algorithm::HS256, 32), (Algorithm::HS384, 48), (Algorithm::HS512, 64)]
    {
        assert!(VerificationKey::from_secret(&vec![7; least], algorithm).is_ok());
        for length in [0, 1, 7, least - 1] {
            assert_refused(
                VerificationKey::from_secret(&vec![7; length], algorithm),
                &format!(
                    "an {algorithm} secret needs at least {least} bytes, this one has {length}"
                ),
            );
        }
    }
    assert_refused(VerificationKey::from_base64_secret("", Algorithm::HS256), "this one has 0");
}

#[test]
fn whitespace_pem_as_secret() {
    let text = pem("PUBLIC KEY", &SigningKey::new(Algorithm::RS256).spki());
    for before in ["", "\n ", "\r\n\t", "\u{feff}", "\u{feff}\n", "\0", "comment\n", "\""] {
        let secret = format!("{before}{text}");
        assert_refused(VerificationKey::from_secret(secret.as_bytes(), Algorithm::HS256), "PEM");
        assert_refused(VerificationKey::from_base64_secret(&secret, Algorithm::HS256), "PEM");
    }
    let spelled_out = text.replace('\n', "\\n");
    assert_refused(VerificationKey::from_secret(spelled_out.as_bytes(), Algorithm::HS256), "PEM");
    let encoded = STANDARD.encode(&text);
    assert_refused(VerificationKey::from_secret(encoded.as_bytes(), Algorithm::HS256), "PEM");
    assert_refused(VerificationKey::from_base64_secret(&encoded, Algorithm::HS256), "PEM");
}

#[test]
fn jwk_json_as_secret() {
    let jwk = SigningKey::new(Algorithm::RS256).jwk();
    let set = json!({ "keys": [jwk] });
    for text in [
        jwk.to_string(),
        format!(" \n\t{jwk}"),
        format!("\u{feff}{jwk}"),
        set.to_string(),
        format!("[{jwk}]"),
        jwk.to_string().replace("\"kty\"", r#""\u006bty""#),
    ] {
        assert_refused(VerificationKey::from_secret(text.as_bytes(), Algorithm::HS256), "JWK");
        let encoded = base64url(text.as_bytes());
        assert_refused(VerificationKey::from_secret(encoded.as_bytes(), Algorithm::HS256), "JWK");
        assert_refused(VerificationKey::from_base64_secret(&encoded, Algorithm::HS256), "JWK");
    }
}

#[test]
fn der_and_openssh_as_secret() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES512, Algorithm::Ed25519] {
        let der = SigningKey::new(algorithm).spki();
        assert_refused(VerificationKey::from_secret(&der, Algorithm::HS256), "DER");
        let text = STANDARD.encode(&der);
        assert_refused(VerificationKey::from_secret(text.as_bytes(), Algorithm::HS256), "DER");
        assert_refused(VerificationKey::from_base64_secret(&text, Algorithm::HS256), "DER");
        let wrapped = format!("{}\n{}\n", &text[..40], &text[40..]);
        assert_refused(VerificationKey::from_secret(wrapped.as_bytes(), Algorithm::HS256), "DER");
        for line_break in [&b"\n"[..], b"\r\n", b"\n\n", b" ", b"\0"] {
            let line = [&der[..], line_break].concat();
            assert_refused(VerificationKey::from_secret(&line, Algorithm::HS256), "DER");
        }
    }
    let utf16: Vec<u8> = "\u{feff}-----BEGIN PUBLIC KEY-----\r\nMIIB"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_refused(VerificationKey::from_secret(&utf16, Algorithm::HS256), "PEM");

    let SigningKey::Rsa(rsa) = SigningKey::new(Algorithm::RS256) else { panic!("not RSA") };
    let pkcs1 = rsa.public_key().as_ref();
    assert_refused(VerificationKey::from_secret(pkcs1, Algorithm::HS256), "public key in DER");

    let SigningKey::Ec(_, ec) = SigningKey::new(Algorithm::ES256) else { panic!("not EC") };
    let private = ec.to_pkcs8v1().unwrap();
    assert_refused(VerificationKey::from_secret(private.as_ref(), Algorithm::HS256), "private key");

    assert_refused(VerificationKey::from_secret(&certificate(), Algorithm::HS256), "certificate");
    let text = base64url(&certificate());
    assert!(text.contains('-') && text.contains('_'), "{text}");
    assert_refused(VerificationKey::from_secret(text.as_bytes(), Algorithm::HS256), "certificate");

    for text in [
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ me@here",
        " \nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== me@here",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY me@here",
        "---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2EAAAADAQ\n",
        "AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
    ] {
        assert_refused(VerificationKey::from_secret(text.as_bytes(), Algorithm::HS256), "SSH");
    }
}

#[test]
fn base64_secrets_of_either_alphabet_are_taken() {
    let secret = [0xfb; 32];
    for text in [
        STANDARD.encode(secret),
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        base64url(&secret),
        base64url(&secret) + "=",
    ] {
        assert!(VerificationKey::from_base64_secret(&text, Algorithm::HS256).is_ok(), "{text}");
        let line_break = format!("{text}\n");
        assert_refused(
            VerificationKey::from_base64_secret(&line_break, Algorithm::HS256),
            "base64",
        );
    }
    assert_refused(
        VerificationKey::from_base64_secret(&base64url(&[7; 31]), Algorithm::HS256),
        "this one has 31",
    );
}

proptest! {
    #[test]
    fn random_secrets_are_taken(secret in proptest::collection::vec(any::<u8>(), 64..100)) {
        prop_assert!(VerificationKey::from_secret(&secret, Algorithm::HS512).is_ok());
        let text = STANDARD.encode(&secret);
        prop_assert!(VerificationKey::from_secret(text.as_bytes(), Algorithm::HS512).is_ok());
        prop_assert!(VerificationKey::from_base64_secret(&text, Algorithm::HS512).is_ok());
    }

    #[test]
    fn no_text_makes_a_constructor_panic(text in ".{0,200}", bytes: Vec<u8>) {
        let _ = VerificationKey::from_jwk(&text);
        let _ = JwkSet::from_json(&text);
        for algorithm in BY_TYPE {
            let _ = VerificationKey::from_base64_secret(&text, algorithm);
            let _ = VerificationKey::from_secret(&bytes, algorithm);
            let _ = VerificationKey::from_pem(&bytes, algorithm);
            let _ = VerificationKey::from_der(&bytes, algorithm);
        }
    }

    #[test]
    fn no_damaged_key_makes_a_constructor_panic(place: prop::sample::Index, byte: u8) {
        let mut der = SigningKey::new(Algorithm::RS256).spki();
        *place.get_mut(&mut der) = byte;
        let _ = VerificationKey::from_der(&der, Algorithm::RS256);
        let mut text = pem("PUBLIC KEY", &der).into_bytes();
        *place.get_mut(&mut text) = byte;
        let _ = VerificationKey::from_pem(&text, Algorithm::RS256);
    }
}
