use std::collections::HashSet;

use aws_lc_rs::signature::KeyPair;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigError, ConfigErrorKind, JwkSet, KeyCandidates, VerificationKey,
};

use crate::test_keys::{SigningKey, backend_supports, base64url};

/// An algorithm of each type of key, and a second one where the type has several.
const BY_TYPE: [Algorithm; 10] = [
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
];

/// The most bits of an RSA modulus that the backend takes.
const MOST_RSA_BITS: usize = 8192;

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
        _ => "RSA",
    }
}

#[track_caller]
fn assert_refused(result: Result<VerificationKey, ConfigError>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

// Secrets.

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
                    "an {algorithm} secret needs at least {least} octets, this one has {length}"
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
    fn no_text_makes_a_constructor_panic(text in ".{0,200}", octets: Vec<u8>) {
        let _ = VerificationKey::from_jwk(&text);
        let _ = JwkSet::from_json(&text);
        for algorithm in BY_TYPE {
            let _ = VerificationKey::from_base64_secret(&text, algorithm);
            let _ = VerificationKey::from_secret(&octets, algorithm);
            let _ = VerificationKey::from_pem(&octets, algorithm);
            let _ = VerificationKey::from_der(&octets, algorithm);
        }
    }

    #[test]
    fn no_damaged_key_makes_a_constructor_panic(place: prop::sample::Index, octet: u8) {
        let mut der = SigningKey::new(Algorithm::RS256).spki();
        *place.get_mut(&mut der) = octet;
        let _ = VerificationKey::from_der(&der, Algorithm::RS256);
        let mut text = pem("PUBLIC KEY", &der).into_bytes();
        *place.get_mut(&mut text) = octet;
        let _ = VerificationKey::from_pem(&text, Algorithm::RS256);
    }
}

// PEM and DER.

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
            for result in results.into_iter().chain([jwk]) {
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
    assert_refused(VerificationKey::from_der(der, Algorithm::ES256), "ES256 wants an EC key");
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
        (block.repeat(2), "there are 2 PEM blocks"),
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

// The material itself.

#[test]
fn weak_rsa_is_refused() {
    let rsa =
        |n: &[u8], e: &[u8]| from_jwk(&json!({"kty": "RSA", "n": base64url(n), "e": base64url(e)}));
    let good = [0xff; 256];
    assert!(rsa(&good, &[1, 0, 1]).is_ok());
    assert!(rsa(&[&[0], &good[..]].concat(), &[0, 1, 0, 1]).is_ok(), "leading zeros are stripped");
    assert!(rsa(&[0xff; MOST_RSA_BITS / 8], &[3]).is_ok());

    for bits in [512, 1024, 2040, MOST_RSA_BITS + 8, 8200] {
        assert_refused(rsa(&vec![0xff; bits / 8], &[1, 0, 1]), &format!("this one has {bits}"));
    }
    assert_refused(rsa(&[&[0x7f], &good[1..]].concat(), &[1, 0, 1]), "this one has 2047");
    assert_refused(rsa(&[&good[1..], &[0xfe]].concat(), &[1, 0, 1]), "this one is even");
    for e in [&[0][..], &[1], &[2], &[1, 0, 0], &[2, 0, 0, 0, 1], &[0xff; 9]] {
        assert_refused(rsa(&good, e), "an RSA exponent is odd");
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    for (algorithm, length) in
        [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)]
    {
        let good = SigningKey::new(algorithm);
        let SigningKey::Ec(_, pair) = &good else { panic!("not EC") };
        let (x, y) = pair.public_key().as_ref()[1..].split_at(length);
        let with = |x: &[u8], y: &[u8]| {
            from_jwk(&good.jwk_with(&json!({"x": base64url(x), "y": base64url(y)})))
        };
        if !backend_supports(algorithm) {
            assert_refused(with(x, y), "not available with the backend");
            continue;
        }
        assert!(with(x, y).is_ok());

        let mut other = y.to_vec();
        other[length - 1] ^= 1;
        assert_refused(with(x, &other), "not on its curve");
        assert_refused(with(&vec![0; length], &vec![0; length]), "not on its curve");
        assert_refused(with(&vec![0xff; length], y), "not on its curve");

        let padded = [&[0], x].concat();
        for (x, y) in [(&x[1..], y), (x, &y[..length - 1]), (&padded[..], y)] {
            assert_refused(
                with(x, y),
                &format!("a coordinate of {} has exactly {length} octets", family(algorithm)),
            );
        }

        let mut der = good.spki();
        *der.last_mut().unwrap() ^= 1;
        assert_refused(VerificationKey::from_der(&der, algorithm), "not on its curve");
    }
}

#[test]
fn coordinates_are_below_the_prime() {
    // (0, sqrt(b)) is a point of P-256; its x is 0 and not the prime itself.
    let y = "ZkhceA4vg9ckM71dhKBrtlQcKvMdrocXKL-FahdPk_Q";
    let prime = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    let with =
        |x: &[u8]| from_jwk(&json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": y}));
    assert!(with(&[0; 32]).is_ok());
    assert_refused(with(&prime), "not on its curve");
}

#[test]
fn compressed_points_are_refused() {
    let der = SigningKey::new(Algorithm::ES256).spki();
    // Two lengths, the count of unused bits, and the form of the point change.
    let mut compressed = der[..der.len() - 32].to_vec();
    let start = compressed.len() - 33;
    compressed[start] = 2;
    compressed[start - 2] -= 32;
    compressed[1] -= 32;
    assert_refused(VerificationKey::from_der(&compressed, Algorithm::ES256), "point is compressed");
}

#[test]
fn bad_ed25519_keys_are_refused() {
    let okp = |x: &[u8]| from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(x)}));
    let mut one = [0; 32];
    one[0] = 1;
    assert_refused(okp(&[0; 32]), "small order");
    assert_refused(okp(&one), "small order");
    assert_refused(okp(&[0xff; 32]), "canonically");
    assert_refused(okp(&[7; 31]), "exactly 32 octets, this one has 31");
    assert_refused(okp(&[7; 33]), "exactly 32 octets, this one has 33");

    let mut der = SigningKey::new(Algorithm::Ed25519).spki();
    der.truncate(12);
    der.extend([0; 32]);
    assert_refused(VerificationKey::from_der(&der, Algorithm::Ed25519), "small order");
}

// JWK.

#[test]
fn algorithms_of_a_jwk() {
    use Algorithm::*;
    for (algorithm, without_alg) in [
        (RS256, &[RS256, RS384, RS512, PS256, PS384, PS512][..]),
        (ES256, &[ES256]),
        (ES384, &[ES384]),
        (ES512, &[ES512]),
        (Ed25519, &[EdDSA, Ed25519]),
    ] {
        if !backend_supports(algorithm) {
            continue;
        }
        let signer = SigningKey::new(algorithm);
        let key = from_jwk(&signer.jwk()).unwrap();
        let found: HashSet<Algorithm> = key.algorithms().collect();
        assert_eq!(found, without_alg.iter().copied().collect());
        for bound in without_alg {
            let key = from_jwk(&signer.jwk_with(&json!({"alg": bound.name()}))).unwrap();
            assert!(key.algorithms().eq([*bound]));
        }
        for alg in ["none", "rs256", "RSA-OAEP-256", "ECDH-ES", "ML-DSA-44", "HS256", ""] {
            assert!(from_jwk(&signer.jwk_with(&json!({"alg": alg}))).is_err(), "{alg}");
        }
        assert_refused(from_jwk(&signer.jwk_with(&json!({"alg": 7}))), "`alg`");
    }
}

#[test]
fn symmetric_jwks() {
    let secret = SigningKey::new(Algorithm::HS256);
    assert_refused(from_jwk(&secret.jwk()), "needs `alg`");
    assert!(from_jwk(&secret.jwk_with(&json!({"alg": "HS512"}))).is_ok());
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": ""})), "`k`");
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256"})), "no `k`");
    assert_refused(
        from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": base64url(&[7; 31])})),
        "this one has 31",
    );
    let public = base64url(&SigningKey::new(Algorithm::RS256).spki());
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": public})), "DER");
    let rsa = SigningKey::new(Algorithm::RS256);
    assert!(from_jwk(&rsa.jwk_with(&json!({"alg": "HS256"}))).is_err());
}

#[test]
fn use_and_key_ops_are_honoured() {
    let signer = SigningKey::new(Algorithm::ES256);
    let load = |members: Value| from_jwk(&signer.jwk_with(&members));
    for good in [
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"]}),
        json!({"key_ops": ["verify", "deriveKey"]}),
        json!({"use": "sig", "key_ops": ["verify"]}),
        json!({"use": null, "key_ops": null}),
    ] {
        assert!(load(good.clone()).is_ok(), "{good}");
    }
    for (bad, part) in [
        (json!({"use": "enc"}), "by its `use`"),
        (json!({"use": "SIG"}), "`use`"),
        (json!({"use": ""}), "by its `use`"),
        (json!({"use": "Sig"}), "names are case-sensitive"),
        (json!({"use": 5}), "`use`"),
        (json!({"key_ops": []}), "by its `key_ops`"),
        (json!({"key_ops": ["sign"]}), "by its `key_ops`"),
        (json!({"key_ops": ["Verify"]}), "by its `key_ops`"),
        (json!({"key_ops": ["verify", "verify"]}), "twice"),
        (json!({"key_ops": ["verify", "sign", "verify"]}), "twice"),
        (json!({"key_ops": "verify"}), "array of strings"),
        (json!({"key_ops": ["verify", 1]}), "array of strings"),
        (json!({"use": "sig", "key_ops": ["verify", "encrypt"]}), "contradict"),
        (json!({"use": "enc", "key_ops": ["verify"]}), "by its `use`"),
    ] {
        assert_refused(load(bad), part);
    }
}

#[test]
fn private_members_are_refused() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::Ed25519] {
        let signer = SigningKey::new(algorithm);
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in [json!("CANARY"), json!(5), json!([{}]), json!({}), json!(false)] {
                let error = from_jwk(&signer.jwk_with(&json!({ name: value }))).unwrap_err();
                assert!(error.to_string().contains("private"), "{error}");
                assert!(!format!("{error} {error:?}").contains("CANARY"));
            }
            // Without a value nothing is private.
            for value in [json!(null), json!(""), json!([])] {
                assert!(from_jwk(&signer.jwk_with(&json!({ name: value }))).is_ok(), "{name}");
            }
        }
        let escaped = signer.jwk().to_string().replacen('{', r#"{"\u0064": "AA","#, 1);
        assert_refused(VerificationKey::from_jwk(&escaped), "private");
    }
}

#[test]
fn members_that_are_not_understood_are_ignored() {
    let jwk = SigningKey::new(Algorithm::ES256).jwk().to_string();
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for member in [
        r#""x5c": ["AAAA"]"#.to_owned(),
        r#""": 1"#.to_owned(),
        r#""exp": 123456789012345678901234567890"#.to_owned(),
        r#""real": 1e999"#.to_owned(),
        r#""nested": {"kty": "oct", "d": {"kty": 1, "kty": 2}}"#.to_owned(),
        r#""KTY": "RSA""#.to_owned(),
        r#""ключ": "\u043a\ud83d\udd11""#.to_owned(),
        format!(r#""deep": {deep}"#),
    ] {
        let text = jwk.replacen('{', &format!("{{{member},"), 1);
        VerificationKey::from_jwk(&text).unwrap();
    }
}

#[test]
fn malformed_jwks_are_refused() {
    let signer = SigningKey::new(Algorithm::ES256);
    let jwk = signer.jwk().to_string();
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
        format!("\u{feff}\u{feff}{jwk}"),
        format!("{jwk} x"),
        format!("{jwk}{jwk}"),
        format!("{jwk}\0"),
        format!("/* key */ {jwk}"),
        jwk.replacen('{', r#"{"kty": "EC","#, 1),
        jwk.replacen('{', r#"{"a": 1, "a": 2,"#, 1),
        jwk.replacen('{', r#"{"a": 1, "\u0061": 2,"#, 1),
        jwk.replacen('{', r#"{"a": NaN,"#, 1),
        jwk.replacen('{', r#"{"a": 01,"#, 1),
        jwk.replacen('}', ",}", 1),
    ] {
        assert!(VerificationKey::from_jwk(&text).is_err(), "{text}");
    }
    let twice = jwk.replacen('{', r#"{"a": 1, "\u0061": 2,"#, 1);
    assert_refused(VerificationKey::from_jwk(&twice), "has two members of one name");
    assert_refused(VerificationKey::from_jwk("[]"), "is not a JSON object");
    assert_refused(VerificationKey::from_jwk("{"), "is not well-formed JSON");
    for members in [
        json!({"kty": "ec"}),
        json!({"kty": 1}),
        json!({"kty": "AKP"}),
        json!({"kty": "RSA"}),
        json!({"kty": "OKP"}),
        json!({"crv": "secp256k1"}),
        json!({"crv": "P-384"}),
        json!({"crv": "Ed25519"}),
        json!({"x": 1}),
        json!({"x": ""}),
        json!({"kid": 1}),
        json!({"kty": null}),
        json!({"crv": null}),
        json!({"x": null}),
    ] {
        assert!(from_jwk(&signer.jwk_with(&members)).is_err(), "{members}");
    }
    for (members, part) in [
        (json!({"kty": "ec"}), "in another case"),
        (json!({"kty": null}), "no `kty`"),
        (json!({"crv": null}), "no `crv`"),
        (json!({"x": null}), "no `x`"),
        (json!({"alg": "es256"}), "ES256 in another case"),
        (json!({"kid": 1}), "`kid` of the JWK is not a string"),
        (json!({"alg": "ECDH-ES"}), "no signature algorithm"),
    ] {
        assert_refused(from_jwk(&signer.jwk_with(&members)), part);
    }
    let okp = SigningKey::new(Algorithm::Ed25519);
    assert_refused(from_jwk(&okp.jwk_with(&json!({"crv": "Ed448"}))), "not Ed25519");
    assert_refused(from_jwk(&okp.jwk_with(&json!({"crv": "X25519"}))), "not Ed25519");
}

#[test]
fn base64url_of_members_is_strict() {
    let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let load = |x: &str| from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}));
    assert!(load(good).is_ok());
    for (bad, reason) in [
        (format!("{good}="), "padding"),
        (good.replace('_', "/"), "the other alphabet"),
        (good.replace("Ro", "Rp"), ""),
        (format!(" {good}"), "white space"),
        (format!("{good}\n"), "white space"),
        (good.replace("11q", "11q\n"), "white space"),
    ] {
        assert_refused(load(&bad), "`x` of the JWK is not base64url");
        assert_refused(load(&bad), reason);
    }
}

#[test]
fn kid_of_a_jwk_is_any_string() {
    let signer = SigningKey::new(Algorithm::ES256);
    for kid in ["", "a", "../../etc/passwd", "ключ", "\u{0}", &"k".repeat(100_000)] {
        let key = from_jwk(&signer.jwk_with(&json!({ "kid": kid }))).unwrap();
        assert_eq!(key.kid(), Some(kid));
    }
    assert_eq!(from_jwk(&signer.jwk()).unwrap().kid(), None);
}

// JWK sets.

#[test]
fn a_set_needs_its_array() {
    for text in [
        "",
        "[]",
        "null",
        "{}",
        r#"{"keys": {}}"#,
        r#"{"keys": null}"#,
        r#"{"keys": "[]"}"#,
        r#"{"Keys": []}"#,
        r#"{"keys": []}"#,
        r#"{"keys": [], "keys": []}"#,
        r#"{"keys": [}"#,
        "\u{feff}{\"keys\": []}",
    ] {
        let error = JwkSet::from_json(text).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::KeySet, "{text}: {error}");
    }
    assert_eq!(JwkSet::from_keys([]).unwrap_err().kind(), ConfigErrorKind::KeySet);
}

#[test]
fn one_hostile_key_does_not_spoil_a_set() {
    let good = SigningKey::new(Algorithm::ES256).jwk_with(&json!({"kid": "good"}));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let entries = [
        "null".to_owned(),
        "[]".to_owned(),
        "1e999".to_owned(),
        "\"kty\"".to_owned(),
        "{}".to_owned(),
        r#"{"kty": {"kty": "EC"}, "kid": "typed"}"#.to_owned(),
        r#"{"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA", "kid": "later"}"#.to_owned(),
        r#"{"kty": "oct", "k": "", "alg": "HS256"}"#.to_owned(),
        r#"{"kty": "EC", "kty": "RSA"}"#.to_owned(),
        format!(r#"{{"kty": {deep}}}"#),
        deep,
        format!(r#"{{"kty": "EC", "kid": "{}"}}"#, "k".repeat(129)),
        r#"{"kty": "EC", "kid": "line\nbreak"}"#.to_owned(),
    ];
    for entry in &entries {
        for text in [
            format!(r#"{{"keys": [{entry}, {good}]}}"#),
            format!(r#"{{"keys": [{good}, {entry}]}}"#),
        ] {
            let set = JwkSet::from_json(&text).unwrap();
            assert_eq!((set.len(), set.skipped().len()), (1, 1));
            assert_eq!(set.keys().next().unwrap().kid(), Some("good"));
        }
    }

    let all = format!(r#"{{"other": 1, "keys": [{}, {good}]}}"#, entries.join(","));
    let set = JwkSet::from_json(&all).unwrap();
    let skipped: Vec<_> = set.skipped().iter().map(|key| (key.index(), key.kid())).collect();
    let expected: Vec<_> = (0..entries.len())
        .map(|index| (index, [(5, "typed"), (6, "later")].into_iter().find(|(i, _)| *i == index)))
        .map(|(index, kid)| (index, kid.map(|(_, kid)| kid)))
        .collect();
    assert_eq!(skipped, expected);
    assert!(set.skipped().iter().all(|key| !key.reason().is_empty()));

    let none = format!(r#"{{"keys": [{}]}}"#, entries.join(","));
    let error = JwkSet::from_json(&none).unwrap_err();
    assert!(error.to_string().contains("key 0: the JWK is not a JSON object"), "{error}");
    assert!(error.to_string().ends_with("and 9 more"), "{error}");
}

#[test]
fn private_keys_of_a_set_are_skipped() {
    let private = SigningKey::new(Algorithm::RS256).jwk_with(&json!({"d": "AA", "kid": "leaked"}));
    let good = SigningKey::new(Algorithm::RS256).jwk();
    let set = JwkSet::from_json(&json!({"keys": [private, good]}).to_string()).unwrap();
    assert_eq!(set.len(), 1);
    assert!(
        set.skipped()[0].to_string().starts_with("key 0 (kid \"leaked\"): the JWK holds a private")
    );
}

#[test]
fn symmetric_keys_of_a_local_set_need_alg() {
    let secret = SigningKey::new(Algorithm::HS256);
    let bound = secret.jwk_with(&json!({"alg": "HS256"}));
    let set = JwkSet::from_json(&json!({"keys": [secret.jwk(), bound]}).to_string()).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 1));
    assert!(set.skipped()[0].reason().contains("needs `alg`"));
}

// What is shown.

#[test]
fn debug_and_errors_never_show_key_material() {
    const CANARY: &str = "canary-canary-canary-canary-canary-canary-canary-canary-canary-canary";
    let octets = CANARY.as_bytes();
    let encoded = [base64url(octets), STANDARD.encode(octets), format!("{octets:?}")];
    let assert_clean = |text: String| {
        assert!(!text.contains("canary-canary"), "{text}");
        // The digits of base64, without the last ones, which hang on the padding.
        assert!(!encoded.iter().any(|encoded| text.contains(&encoded[..40])), "{text}");
    };

    let key = VerificationKey::from_secret(octets, Algorithm::HS256).unwrap().with_kid("shown");
    assert_eq!(
        format!("{key:?}"),
        r#"VerificationKey { kid: Some("shown"), algorithms: {HS256}, .. }"#
    );
    assert_clean(format!("{key:?} {key:#?}"));
    assert_clean(format!("{:?}", KeyCandidates::from(key.clone())));
    let error = VerificationKey::from_secret(octets, Algorithm::RS256).unwrap_err();
    assert_clean(format!("{error} {error:?}"));
    let error = VerificationKey::from_base64_secret(CANARY, Algorithm::HS512).unwrap_err();
    assert_clean(format!("{error} {error:?}"));

    let set = json!({"keys": [
        {"kty": "oct", "k": base64url(octets), "alg": "HS256"},
        {"kty": "oct", "k": base64url(octets)},
        {"kty": CANARY, "k": CANARY, "use": CANARY, "alg": CANARY},
        {"kty": "RSA", "n": CANARY, "e": CANARY, "d": base64url(octets)},
        {"kty": "oct", "alg": "HS256", "k": octets},
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
fn the_first_four_candidates_are_kept_in_their_order() {
    let key = |n: usize| {
        let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
        key.with_kid(n.to_string())
    };
    for (count, kids) in
        [(0, &[][..]), (1, &["0"]), (4, &["0", "1", "2", "3"]), (9, &["0", "1", "2", "3"])]
    {
        let candidates: KeyCandidates = (0..count).map(key).collect();
        assert!(candidates.iter().filter_map(VerificationKey::kid).eq(kids.iter().copied()));
        assert_eq!(candidates.is_empty(), count == 0);
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
