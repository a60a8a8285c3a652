//! Tokens that rows cannot describe: what they cost, signatures made to measure, types of claims.

use std::collections::HashMap;
use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Audience, JwkSet, JwtAuthLayer, JwtVerifier, NumericDate, RegisteredClaims,
    Rejection, RejectionKind, Scope, VerificationKey, VerifiedToken, verify_fn,
};

use crate::support::{
    AUDIENCE, ISSUER, NOW, TestKey, b64, backend_supports, claims, claims_with, claims_without,
    key, now, supported,
};

use RejectionKind::*;

fn verdict<C: DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Result<VerifiedToken<C>, RejectionKind> {
    verifier.verify_now(token).map_err(|rejection| rejection.kind())
}

#[track_caller]
fn refused<C: DeserializeOwned>(verifier: &JwtVerifier<C>, token: &str, kind: RejectionKind) {
    assert_eq!(verdict(verifier, token).err(), Some(kind));
}

/// A token of the usual shape with this signature.
fn with_signature(key: &TestKey, signature: impl AsRef<[u8]>) -> String {
    let token = key.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", b64(signature))
}

fn signature_of(key: &TestKey) -> Vec<u8> {
    use base64::Engine;
    let token = key.token(&claims());
    let (_, signature) = token.rsplit_once('.').unwrap();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap()
}

// What tokens cost.

fn status_of(token: &str) -> (StatusCode, allocation_counter::AllocationInfo) {
    let verifier = key(Algorithm::ES256).verifier();
    let service = JwtAuthLayer::new(verifier).layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let request = || {
        let builder = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        builder.body(String::new()).unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // Once before, for what is made once for each process.
    runtime.block_on(service.clone().oneshot(request())).unwrap();
    let request = request();
    let mut status = None;
    let cost = allocation_counter::measure(|| {
        status = Some(runtime.block_on(service.oneshot(request)).unwrap().status());
    });
    (status.unwrap(), cost)
}

#[test]
fn hostile_tokens_cost_little_memory() {
    let es256 = key(Algorithm::ES256);
    let header = r#"{"alg":"ES256"}"#;
    let tokens = [
        ("a megabyte of dots", ".".repeat(1_000_000)),
        ("a hundred thousand segments", "a.".repeat(100_000)),
        ("a header of a megabyte", format!("{}.{}.AAAA", "a".repeat(1_000_000), b64("{}"))),
        ("claims of a megabyte", format!("{}.{}.AAAA", b64(header), "a".repeat(1_000_000))),
        ("a signature of a megabyte", format!("{}.e30.{}", b64(header), "a".repeat(1_000_000))),
        ("a megabyte without a dot", "a".repeat(1_000_000)),
        ("a header of 4 KiB in brackets", format!("{}.e30.AAAA", b64("[".repeat(3_000)))),
        (
            "a header of many names",
            format!(
                "{}.e30.AAAA",
                b64(format!(
                    "{{{}\"alg\":\"ES256\"}}",
                    (0..250).map(|n| format!("\"{n}\":1,")).collect::<String>()
                ))
            ),
        ),
        ("deep claims, well signed", es256.token_of(header, "[".repeat(10_000))),
    ];
    for (name, token) in tokens {
        let (status, cost) = status_of(&token);
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}");
        println!("{name}: {} octets in {} allocations", cost.bytes_total, cost.count_total);
        assert!(cost.bytes_total < 64 * 1024, "{name}: {cost:?}");
    }
}

/// The whole layer, with a ready verdict; the building of the request is left out.
fn cost_of_a_good_request(algorithm: Algorithm, claims: &Value) -> u64 {
    let kid = "2026-11-primary";
    let key = key(algorithm);
    let mut jwk = key.jwk();
    jwk["kid"] = kid.into();
    let set = JwkSet::from_json(&json!({"keys": [jwk]}).to_string()).unwrap();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, set).unwrap().with_clock(now());
    let header = json!({"alg": algorithm.name(), "kid": kid, "typ": "JWT"});
    let token = key.token_of(header.to_string(), claims.to_string());

    let mut service = JwtAuthLayer::new(verifier).layer(service_fn(|request: Request<()>| {
        let verified = VerifiedToken::<RegisteredClaims>::from_extensions(request.extensions());
        let status = if verified.is_ok() { StatusCode::OK } else { StatusCode::IM_A_TEAPOT };
        let mut response = Response::new(());
        *response.status_mut() = status;
        std::future::ready(Ok::<_, Infallible>(response))
    }));
    let request = || {
        let builder = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        builder.body(()).unwrap()
    };
    let mut run = |request| service.call(request).now_or_never().unwrap().unwrap().status();
    // Once before, for what is made once for each process.
    assert_eq!(run(request()), StatusCode::OK);
    let (measured, mut status) = (request(), None);
    let cost = allocation_counter::measure(|| status = Some(run(measured)));
    assert_eq!(status, Some(StatusCode::OK));
    println!("{algorithm}: {} allocations, {} octets", cost.count_total, cost.bytes_total);
    cost.count_total
}

#[test]
fn allocations_of_a_good_request() {
    // The nine claims of the benchmarks.
    let nine = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "7d0c2a4e-5b1f-4c8e-9a37-000000000001",
        "exp": NOW + 3600, "nbf": NOW - 60, "iat": NOW - 60,
        "jti": "c0ffee00-1d5e-4f0a-8b2d-000000000001",
        "scope": "openid profile email orders:read orders:write",
        "roles": ["user", "billing-admin", "support"],
    });
    // Each string that the claims keep is one more.
    let mut more = nine.clone();
    more["aud"] = json!([AUDIENCE, "https://other.example"]);
    more["client_id"] = "cli".into();
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        assert!(cost_of_a_good_request(algorithm, &nine) <= 12, "{algorithm}");
        assert!(cost_of_a_good_request(algorithm, &more) <= 16, "{algorithm}");
    }
}

#[test]
fn the_longest_token_of_all() {
    let hs256 = key(Algorithm::HS256);
    let header = r#"{"alg":"HS256"}"#;
    let token = |pad: usize| {
        let mut claims = claims();
        claims["pad"] = "a".repeat(pad).into();
        hs256.token_of(header, claims.to_string())
    };
    let empty = token(0).len();
    let longest = (0..).find(|pad| token((16_384 - empty) / 4 * 3 + pad).len() > 16_384).unwrap();
    let longest = (16_384 - empty) / 4 * 3 + longest - 1;
    assert!((16_381..=16_384).contains(&token(longest).len()));
    assert!(verdict(&hs256.verifier(), &token(longest)).is_ok());
    refused(&hs256.verifier(), &token(longest + 4), TokenTooLong);
}

#[test]
fn the_header_of_a_verified_token_is_that_of_the_token() {
    let es256 = key(Algorithm::ES256);
    for (header, kid, typ) in [
        (json!({"alg": "ES256"}), None, None),
        (json!({"alg": "ES256", "kid": "ES256", "typ": "JWT"}), Some("ES256"), Some("JWT")),
        (json!({"alg": "ES256", "typ": "Application/at+jwt"}), None, Some("Application/at+jwt")),
    ] {
        let token = es256.token_of(header.to_string(), claims().to_string());
        let verified = verdict(&es256.verifier(), &token).unwrap();
        let read = verified.header().unwrap();
        assert_eq!((read.algorithm(), read.kid(), read.typ()), (Algorithm::ES256, kid, typ));
        assert_eq!(serde_json::to_value(read).unwrap(), header);
    }
}

#[test]
fn the_longest_header_of_all() {
    let hs256 = key(Algorithm::HS256);
    let token = |length: usize| {
        let header = r#"{"alg":"HS256"}"#;
        hs256.token_of(format!("{header:<length$}"), claims().to_string())
    };
    // 4096 characters are 3072 octets.
    assert!(verdict(&hs256.verifier(), &token(3072)).is_ok());
    refused(&hs256.verifier(), &token(3073), TokenTooLong);
}

/// The longest one is that of RSA with 8192 bits: it is looked at, and what is longer is not.
#[test]
fn the_longest_signature_of_all() {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    let with = |signature: String| format!("{message}.{signature}");
    refused(&hs256.verifier(), &with("+".repeat(1366)), MalformedToken);
    refused(&hs256.verifier(), &with("+".repeat(1367)), InvalidSignature);
    refused(&hs256.verifier(), &with(b64([1; 1024])), InvalidSignature);
}

#[test]
fn the_same_answer_each_time() {
    let es256 = key(Algorithm::ES256);
    let verifier = es256.verifier();
    let (good, expired) = (es256.token(&claims()), es256.token(&claims_with("exp", 1)));
    let forged = TestKey::generate(Algorithm::ES256).token(&claims());
    for _ in 0..100 {
        assert!(verdict(&verifier, &good).is_ok());
        refused(&verifier, &expired, ExpiredToken);
        refused(&verifier, &forged, InvalidSignature);
        refused(&verifier, "..", MalformedToken);
    }
}

#[test]
fn line_breaks_and_white_space_anywhere() {
    let es256 = key(Algorithm::ES256);
    let verifier = es256.verifier();
    let token = es256.token(&claims());
    let dot = token.find('.').unwrap();
    for odd in ["\n", "\r\n", "\r", " ", "\t", "\u{b}", "\u{a0}", "\0", "\u{feff}", "="] {
        for place in [0, 1, 4, dot, dot + 1, dot + 5, token.len() - 86, token.len()] {
            let (before, after) = token.split_at(place);
            let kind = verdict(&verifier, &format!("{before}{odd}{after}")).err();
            assert_eq!(kind, Some(MalformedToken), "{odd:?} at {place}");
        }
    }
    // A standard encoder breaks lines at 76 characters.
    let lines = token.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap());
    refused(&verifier, &lines.collect::<Vec<_>>().join("\n"), MalformedToken);
}

// Signatures made to measure.

/// The order of each curve's base point, in the length of a coordinate.
fn order(algorithm: Algorithm) -> Vec<u8> {
    let hex = match algorithm {
        Algorithm::ES256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Algorithm::ES384 => concat!(
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf",
            "581a0db248b0a77aecec196accc52973"
        ),
        _ => concat!(
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa",
            "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        ),
    };
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

/// `SEQUENCE { INTEGER r, INTEGER s }`.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number = &number[number.iter().take_while(|octet| **octet == 0).count()..];
        let padded;
        if number.first().is_none_or(|first| *first >= 0x80) {
            padded = [&[0][..], number].concat();
            number = &padded;
        }
        [&[2, number.len() as u8][..], number].concat()
    };
    let body = [integer(r), integer(s)].concat();
    match body.len() {
        short @ ..0x80 => [&[0x30, short as u8][..], &body].concat(),
        long => [&[0x30, 0x81, long as u8][..], &body].concat(),
    }
}

#[test]
fn signatures_of_ecdsa_are_two_numbers_of_exact_length() {
    for (algorithm, length) in
        [(Algorithm::ES256, 32), (Algorithm::ES384, 48), (Algorithm::ES512, 66)]
    {
        if !backend_supports(algorithm) {
            continue;
        }
        let key = key(algorithm);
        let verifier = key.verifier();
        let good = signature_of(key);
        assert_eq!(good.len(), 2 * length);
        let (r, s) = good.split_at(length);
        let (zero, n) = (vec![0; length], order(algorithm));
        assert_eq!(n.len(), length);
        let one = [vec![0; length - 1], vec![1]].concat();
        let signatures = [
            ("der", der(r, s)),
            ("der of zeros", der(&zero, &zero)),
            ("der of ones", der(&one, &one)),
            ("one octet less", good[..2 * length - 1].to_vec()),
            ("one octet less before", good[1..].to_vec()),
            ("one octet more", [&good[..], &[0]].concat()),
            ("one octet more before", [&[0], &good[..]].concat()),
            ("a zero before each", [&[0], r, &[0], s].concat()),
            ("r alone", r.to_vec()),
            ("none", Vec::new()),
            ("twice", [&good[..], &good[..]].concat()),
            ("r = 0", [&zero[..], s].concat()),
            ("s = 0", [r, &zero].concat()),
            ("r = s = 0", [&zero[..], &zero].concat()),
            ("r = n", [&n[..], s].concat()),
            ("s = n", [r, &n].concat()),
            ("r = s = n", [&n[..], &n].concat()),
            ("r = s = 1", [&one[..], &one].concat()),
            ("r = 0, s = 1", [&zero[..], &one].concat()),
            ("the highest", vec![0xff; 2 * length]),
            ("swapped", [s, r].concat()),
        ];
        for (name, signature) in signatures {
            let kind = verdict(&verifier, &with_signature(key, signature)).err();
            assert_eq!(kind, Some(InvalidSignature), "{algorithm}: {name}");
        }
        for octets in [65, 66, 96, 132, 133, 256, 1_000, 1_024, 1_025, 5_000, 10_000] {
            if octets != 2 * length {
                for filling in [0, 1, 0xff] {
                    let token = with_signature(key, vec![filling; octets]);
                    refused(&verifier, &token, InvalidSignature);
                }
            }
        }
    }
    let literal = key(Algorithm::ES256).token(&claims());
    let (message, _) = literal.rsplit_once('.').unwrap();
    let psychic = format!("{message}.MAYCAQACAQA");
    refused(&key(Algorithm::ES256).verifier(), &psychic, InvalidSignature);
}

#[test]
fn signatures_of_ed25519_are_canonical_and_of_64_octets() {
    /// The order of the base point, lowest octet first.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let add_l = |s: &mut [u8]| {
        let mut carry = 0;
        for (octet, l) in s.iter_mut().zip(L) {
            let sum = u16::from(*octet) + u16::from(l) + carry;
            *octet = sum as u8;
            carry = sum >> 8;
        }
        carry == 0
    };
    for algorithm in [Algorithm::EdDSA, Algorithm::Ed25519] {
        let key = key(algorithm);
        let verifier = key.verifier();
        let good = signature_of(key);
        let mut not_canonical = good.clone();
        let mut multiples = 0;
        // S + L, S + 2 L, …: the same number modulo L.
        while add_l(&mut not_canonical[32..]) {
            multiples += 1;
            refused(&verifier, &with_signature(key, &not_canonical), InvalidSignature);
        }
        assert!(multiples >= 14, "{multiples}");
        for signature in [
            good[..63].to_vec(),
            [&good[..], &[0]].concat(),
            [&good[..], &[0; 32]].concat(),
            good[..32].to_vec(),
            vec![0; 64],
            [&[1][..], &[0; 63]].concat(),
            vec![0xff; 64],
            [&good[32..], &good[..32]].concat(),
            [&good[..32], &L].concat(),
        ] {
            refused(&verifier, &with_signature(key, signature), InvalidSignature);
        }
    }
}

#[test]
fn signatures_of_rsa_are_as_long_as_the_modulus() {
    for algorithm in [Algorithm::RS256, Algorithm::PS256] {
        let key = key(algorithm);
        let good = signature_of(key);
        assert_eq!(good.len(), 256);
        for signature in [
            good[..255].to_vec(),
            good[1..].to_vec(),
            [&good[..], &[0]].concat(),
            [&[0], &good[..]].concat(),
            vec![0; 256],
            [&[0; 255][..], &[1]].concat(),
            vec![0xff; 256],
            vec![0; 1_024],
        ] {
            refused(&key.verifier(), &with_signature(key, signature), InvalidSignature);
        }
    }
}

#[test]
fn a_mac_is_compared_whole() {
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let key = key(algorithm);
        let good = signature_of(key);
        for length in 0..good.len() {
            refused(&key.verifier(), &with_signature(key, &good[..length]), InvalidSignature);
        }
        let longer = [&good[..], &[0]].concat();
        refused(&key.verifier(), &with_signature(key, longer), InvalidSignature);
    }
}

// Algorithms and keys.

#[test]
fn every_algorithm_by_every_key() {
    let verifiers: Vec<_> = supported().map(|algorithm| (algorithm, key(algorithm))).collect();
    for &signing in Algorithm::ALL {
        for &(verifying, verifying_key) in &verifiers {
            let verifier = verifying_key.verifier();
            // The header says either of them; both `kid` and signature are by the signer.
            for said in [signing, verifying] {
                for kid in [Some(said.name()), None] {
                    let mut header = json!({"alg": said.name()});
                    if let Some(kid) = kid {
                        header["kid"] = kid.into();
                    }
                    let token = key(signing).token_of(header.to_string(), claims().to_string());
                    let expected = match (said == verifying, signing == verifying) {
                        (true, true) => None,
                        (true, false) => Some(InvalidSignature),
                        (false, _) => Some(UnknownKey),
                    };
                    let kind = verdict(&verifier, &token).err();
                    assert_eq!(kind, expected, "{signing} as {said} by {verifying}");
                }
            }
        }
    }
}

#[test]
fn every_algorithm_of_a_type_by_every_key_of_it() {
    let rsa = &Algorithm::ALL[3..9];
    for bound in rsa {
        for used in rsa {
            let header = json!({"alg": used.name(), "kid": bound.name()}).to_string();
            let message = format!("{}.{}", b64(header), b64(claims().to_string()));
            let signature = b64(key(*bound).sign_as(*used, message.as_bytes()));
            let token = format!("{message}.{signature}");
            let verdict_of_bound = verdict(&key(*bound).verifier(), &token);
            assert_eq!(verdict_of_bound.is_ok(), bound == used, "{used} by {bound}");

            let mut jwk = key(*bound).jwk();
            jwk.as_object_mut().unwrap().remove("alg");
            let unbound = VerificationKey::from_jwk(&jwk.to_string()).unwrap();
            let verifier = JwtVerifier::new(ISSUER, AUDIENCE, unbound).unwrap().with_clock(now());
            assert!(verdict(&verifier, &token).is_ok(), "{used} by an unbound key");
            let narrowed = verifier.with_algorithms([*bound]).unwrap();
            assert_eq!(verdict(&narrowed, &token).is_ok(), bound == used, "{used} by {bound}");
        }
    }
}

/// Attacker's tokens: HMAC over each form of the public key that they can know.
#[test]
fn public_keys_are_no_secrets_of_tokens() {
    use aws_lc_rs::hmac;

    for algorithm in [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        let mut jwk = key.jwk();
        let with_alg = jwk.to_string();
        jwk.as_object_mut().unwrap().remove("alg");
        let without_alg = jwk.to_string();
        let (pem, der) = (key.pem(), key.spki());
        let unwrapped = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
        let secrets = [
            pem.clone().into_bytes(),
            pem.trim_end().into(),
            pem.replace('\n', "\r\n").into(),
            format!("\n {pem}").into(),
            unwrapped.into(),
            der,
            with_alg.clone().into(),
            without_alg.clone().into(),
            jwk["n"].as_str().or(jwk["x"].as_str()).unwrap().into(),
            Vec::new(),
        ];
        let keys = [
            VerificationKey::from_jwk(&with_alg).unwrap(),
            VerificationKey::from_jwk(&without_alg).unwrap(),
            VerificationKey::from_pem(pem.as_bytes(), algorithm).unwrap(),
        ];
        for secret in &secrets {
            for (name, mac) in [
                ("HS256", hmac::HMAC_SHA256),
                ("HS384", hmac::HMAC_SHA384),
                ("HS512", hmac::HMAC_SHA512),
                (algorithm.name(), hmac::HMAC_SHA256),
            ] {
                let header = json!({"alg": name, "kid": key.kid()}).to_string();
                let message = format!("{}.{}", b64(header), b64(claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(mac, secret), message.as_bytes());
                let token = format!("{message}.{}", b64(tag));
                for key in &keys {
                    let verifier =
                        JwtVerifier::new(ISSUER, AUDIENCE, key.clone()).unwrap().with_clock(now());
                    let kind = verdict(&verifier, &token).err().unwrap();
                    let expected =
                        if name == algorithm.name() { InvalidSignature } else { UnknownKey };
                    assert_eq!(kind, expected, "{name} over a form of {algorithm}");
                }
            }
        }
    }
}

#[test]
fn a_key_in_the_header_is_no_key() {
    for algorithm in [Algorithm::ES256, Algorithm::ES512, Algorithm::EdDSA] {
        if !backend_supports(algorithm) {
            continue;
        }
        let (ours, theirs) = (key(algorithm), TestKey::generate(algorithm));
        let token = |signer: &TestKey, kid: &str| {
            let header = json!({
                "alg": algorithm.name(), "kid": kid, "jwk": theirs.jwk(),
                "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/cert", "x5c": ["MIIB"],
            });
            signer.token_of(header.to_string(), claims().to_string())
        };
        let set = JwkSet::from_json(&json!({"keys": [ours.jwk()]}).to_string()).unwrap();
        let by_set = JwtVerifier::new(ISSUER, AUDIENCE, set).unwrap().with_clock(now());
        for verifier in [ours.verifier(), by_set] {
            refused(&verifier, &token(&theirs, ours.kid()), InvalidSignature);
            refused(&verifier, &token(&theirs, "theirs"), UnknownKey);
            assert!(verdict(&verifier, &token(ours, ours.kid())).is_ok());
        }
    }
}

/// The names of claims do not reach the look-up of the key.
#[test]
fn the_look_up_sees_algorithm_and_kid_alone() {
    use std::sync::{Arc, Mutex};
    use tower_jwt_auth::{KeyLookup, KeyQuery, KeySource};

    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<Vec<String>>>);

    impl KeySource for Recorder {
        fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
            let seen = format!("{:?} {:?} {query:?}", query.kid(), query.algorithm());
            self.0.lock().unwrap().push(seen);
            KeyLookup::ready(Ok(key(Algorithm::ES256).verification_key().into()))
        }
    }

    let recorder = Recorder::default();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, recorder.clone()).unwrap().with_clock(now());
    let canary = claims_with("sub", "canary");
    let header = json!({"alg": "ES256", "kid": "k", "jku": "canary", "iss": "canary"}).to_string();
    let token = key(Algorithm::ES256).token_of(header, canary.to_string());
    assert!(verdict(&verifier, &token).is_ok());
    let seen = recorder.0.lock().unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].starts_with("Some(\"k\") ES256") && !seen[0].contains("canary"), "{seen:?}");
}

// Types of claims.

fn typed<C: DeserializeOwned>(claims: &str) -> Result<VerifiedToken<C>, RejectionKind> {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token_of(r#"{"alg":"HS256"}"#, claims);
    verdict(&hs256.verifier().with_claims::<C>(), &token)
}

/// The operator is told the name of the claim, and nothing that the token says.
#[test]
fn what_a_token_lacks_is_named_to_the_operator() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Tenant {
        tenant: u8,
    }

    let hs256 = key(Algorithm::HS256);
    let verifier = || hs256.verifier();
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        hs256.token(&claims)
    };
    let expected = |verifier: JwtVerifier, token: &str| {
        let rejection = verifier.verify_now(token).unwrap_err();
        assert_eq!(rejection.kind(), MissingClaim);
        rejection.expected().map(str::to_owned)
    };
    assert_eq!(expected(verifier(), &without("exp")).as_deref(), Some("exp"));
    assert_eq!(expected(verifier(), &without("aud")).as_deref(), Some(AUDIENCE));
    let demanding = verifier().add_required_claim("tenant");
    assert_eq!(expected(demanding, &without("")).as_deref(), Some("tenant"));
    let at_jwt = hs256.token_of(r#"{"alg":"HS256","typ":"at+jwt"}"#, claims().to_string());
    let lacks = expected(verifier().require_rfc9068(), &at_jwt);
    assert!(lacks.is_some_and(|name| ["client_id", "iat", "jti"].contains(&&*name)));

    let typed = |claims: &Value| {
        let rejection = verifier().with_claims::<Tenant>().verify_now(&hs256.token(claims));
        let rejection = rejection.unwrap_err();
        assert_eq!(rejection.kind(), UnexpectedClaims);
        rejection.expected().map(str::to_owned)
    };
    assert_eq!(typed(&claims()).as_deref(), Some("tenant"));
    assert_eq!(typed(&claims_with("tenant", "missing field `canary`")).as_deref(), Some("tenant"));
    assert_eq!(typed(&claims_with("tenant", 256)).as_deref(), Some("tenant"));
}

/// Whatever the type is: it sees good claims, and hides none of the graver faults.
#[track_caller]
fn hides_nothing<C: DeserializeOwned>() {
    for (changed, kind) in [
        (claims_with("exp", NOW - 30), ExpiredToken),
        (claims_with("exp", NOW.to_string()), MalformedClaims),
        (claims_with("exp", Value::Null), MalformedClaims),
        (claims_without("exp"), MissingClaim),
        (claims_with("aud", "other"), WrongAudience),
        (claims_with("aud", json!([])), WrongAudience),
        (claims_with("aud", json!([1])), MalformedClaims),
        (claims_without("aud"), MissingClaim),
        (claims_with("iss", "other"), WrongIssuer),
        (claims_with("iss", json!([ISSUER])), MalformedClaims),
        (claims_without("iss"), MissingClaim),
        (claims_with("nbf", NOW + 31), ImmatureToken),
        (claims_with("nbf", "0"), MalformedClaims),
        (claims_with("iat", NOW + 31), IssuedInFuture),
        (claims_with("sub", 5), MalformedClaims),
        (claims_with("cnf", json!({"jkt": "x"})), UnconfirmedSender),
        (claims_with("events", json!({})), WrongTokenType),
    ] {
        let found = typed::<C>(&changed.to_string()).err();
        assert_eq!(found, Some(kind), "{} with {changed}", std::any::type_name::<C>());
    }
    let good = claims().to_string();
    let inner = &good[1..good.len() - 1];
    for text in [
        format!("{{{inner},\"exp\":1}}"),
        format!("{{{inner},\"\\u0065xp\":1}}"),
        format!("{{\"x\":1,{inner},\"\\u0078\":1}}"),
        format!("{good}{good}"),
        format!("{good}]"),
        format!("[{good}]"),
        format!("{{{inner},\"x\":{}{}}}", "[".repeat(64), "]".repeat(64)),
        format!("{{{inner},\"x\":{}{}}}", "[".repeat(10_000 / 2), "]".repeat(10_000 / 2)),
        format!("{{{inner},\"x\":{}", "[".repeat(10_000)),
        "null".to_owned(),
        "\"x\"".to_owned(),
        "[]".to_owned(),
        String::new(),
    ] {
        let found = typed::<C>(&text).err();
        let name = std::any::type_name::<C>();
        assert_eq!(found, Some(MalformedClaims), "{name} with {}", &text[..text.len().min(200)]);
    }
}

#[derive(Debug, Deserialize)]
struct Flattened {
    sub: String,
    #[serde(flatten)]
    times: Times,
    #[serde(flatten)]
    rest: HashMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Times {
    exp: i64,
    iat: f64,
}

#[derive(Debug, Deserialize)]
struct Nothing {}

#[derive(Debug, Deserialize)]
struct Wrapper(Map<String, Value>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Either {
    Service { client_id: String },
    User { sub: String },
}

#[derive(Debug, Deserialize)]
struct Wide {
    exp: u128,
    iat: i128,
    aud: OneOrMany,
    sub: Name,
    nbf: Option<NumericDate>,
    iss: Option<Option<String>>,
}

#[derive(Debug, Deserialize)]
struct Name(String);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, PartialEq, Deserialize)]
enum Subject {
    #[serde(rename = "alice")]
    Alice,
    #[serde(rename = "bob")]
    Bob,
}

#[derive(Debug, Deserialize)]
struct WithSubject {
    sub: Subject,
}

/// Asks for what no good token has: each of its tokens is `UnexpectedClaims`, or worse.
#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "never built")]
struct NeverFits {
    tenant: u8,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "never built")]
struct WrongTypes {
    exp: String,
    aud: u8,
    iss: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "never built")]
struct Strict {
    sub: String,
}

/// What a careless type would borrow, it owns here.
#[derive(Debug, Deserialize)]
struct Owning {
    sub: std::borrow::Cow<'static, str>,
    iss: Box<str>,
    aud: Box<str>,
}

#[test]
fn claims_of_any_type() {
    let good = claims().to_string();

    let flattened = typed::<Flattened>(&good).unwrap();
    assert_eq!(flattened.sub, "alice");
    assert_eq!(flattened.times.exp, NOW + 3600);
    assert_eq!(flattened.times.iat, (NOW - 60) as f64);
    assert_eq!(flattened.rest["aud"], AUDIENCE);
    assert_eq!(flattened.rest.len(), 2);
    assert_eq!(*typed::<Value>(&good).unwrap().claims(), claims());
    let map = typed::<Map<String, Value>>(&good).unwrap();
    assert_eq!(Value::Object(map.claims().clone()), claims());
    assert_eq!(Value::Object(typed::<Wrapper>(&good).unwrap().claims().0.clone()), claims());
    assert!(typed::<IgnoredAny>(&good).is_ok());
    assert!(typed::<Nothing>(&good).is_ok());
    assert!(typed::<Option<Nothing>>(&good).unwrap().claims().is_some());
    assert_eq!(typed::<HashMap<String, Value>>(&good).unwrap().len(), 5);
    assert!(typed::<Box<Value>>(&good).is_ok());

    match typed::<Either>(&good).unwrap().claims() {
        Either::User { sub } => assert_eq!(sub, "alice"),
        other => panic!("{other:?}"),
    }
    match typed::<Either>(&claims_with("client_id", "cli").to_string()).unwrap().claims() {
        Either::Service { client_id } => assert_eq!(client_id, "cli"),
        other => panic!("{other:?}"),
    }

    let wide = typed::<Wide>(&good).unwrap();
    assert_eq!((wide.exp, wide.iat), (NOW as u128 + 3600, i128::from(NOW) - 60));
    assert_eq!(wide.aud, OneOrMany::One(AUDIENCE.to_owned()));
    assert_eq!((&*wide.sub.0, wide.nbf), ("alice", None));
    assert_eq!(wide.iss, Some(Some(ISSUER.to_owned())));
    let many = typed::<Wide>(&claims_with("aud", json!(["x", AUDIENCE])).to_string()).unwrap();
    assert_eq!(many.aud, OneOrMany::Many(vec!["x".to_owned(), AUDIENCE.to_owned()]));

    assert_eq!(typed::<WithSubject>(&good).unwrap().sub, Subject::Alice);
    let bob = claims_with("sub", "bob").to_string().replace("bob", "b\\u006fb");
    assert_eq!(typed::<WithSubject>(&bob).unwrap().sub, Subject::Bob);
    let carol = claims_with("sub", "carol").to_string();
    assert_eq!(typed::<WithSubject>(&carol).err(), Some(UnexpectedClaims));

    let owning = typed::<Owning>(&good.replace("alice", "al\\u0069ce")).unwrap();
    assert_eq!((&*owning.sub, &*owning.iss, &*owning.aud), ("alice", ISSUER, AUDIENCE));

    let all = json!({
        "iss": ISSUER, "sub": "alice", "aud": ["x", AUDIENCE], "exp": NOW + 1, "nbf": 0,
        "iat": NOW, "jti": "j", "client_id": "c", "scope": "a b",
    });
    let registered = typed::<RegisteredClaims>(&all.to_string()).unwrap();
    assert_eq!(registered.aud, Some(Audience::Many(vec!["x".to_owned(), AUDIENCE.to_owned()])));
    assert_eq!(registered.exp, Some(NumericDate::from_unix_seconds(NOW + 1)));
    assert_eq!(registered.expires_at(), registered.exp);
    assert_eq!(registered.scope, Some(Scope::from("a b")));
    assert_eq!(serde_json::to_value(registered.claims()).unwrap(), all);
}

#[test]
fn no_type_of_claims_hides_a_graver_fault() {
    hides_nothing::<RegisteredClaims>();
    hides_nothing::<Value>();
    hides_nothing::<Map<String, Value>>();
    hides_nothing::<HashMap<String, Value>>();
    hides_nothing::<IgnoredAny>();
    hides_nothing::<Nothing>();
    hides_nothing::<Option<Nothing>>();
    hides_nothing::<Wrapper>();
    hides_nothing::<Flattened>();
    hides_nothing::<Either>();
    hides_nothing::<Wide>();
    hides_nothing::<WithSubject>();
    hides_nothing::<NeverFits>();
    hides_nothing::<WrongTypes>();
    hides_nothing::<Strict>();
    hides_nothing::<Owning>();
    hides_nothing::<String>();
    hides_nothing::<u8>();
    hides_nothing::<Vec<Value>>();
    hides_nothing::<()>();
    hides_nothing::<(Value, Value)>();
}

#[test]
fn claims_that_do_not_fit_are_refused() {
    let good = claims().to_string();
    assert_eq!(typed::<NeverFits>(&good).err(), Some(UnexpectedClaims));
    assert_eq!(typed::<WrongTypes>(&good).err(), Some(UnexpectedClaims));
    assert_eq!(typed::<Strict>(&good).err(), Some(UnexpectedClaims));
    assert_eq!(typed::<String>(&good).err(), Some(UnexpectedClaims));
    assert_eq!(typed::<Vec<Value>>(&good).err(), Some(UnexpectedClaims));
    assert_eq!(typed::<()>(&good).err(), Some(UnexpectedClaims));
    // A fraction does not fit an integer; it is a good time all the same.
    let fraction = claims_with("exp", 1_700_003_600.5).to_string();
    assert_eq!(typed::<Flattened>(&fraction).err(), Some(UnexpectedClaims));
    assert!(typed::<RegisteredClaims>(&fraction).is_ok());
}

/// What RFC 9068 says of some more claims binds those alone who ask for it.
#[test]
fn the_claims_of_rfc_9068_are_of_any_type_elsewhere() {
    for name in ["jti", "client_id", "scope"] {
        for value in [json!(5), json!(null), json!({"a": 1}), json!(["a", 1])] {
            let text = claims_with(name, value.clone()).to_string();
            assert_eq!(typed::<Value>(&text).unwrap()[name], value);
            assert_eq!(typed::<Strict>(&text).err(), Some(UnexpectedClaims), "{text}");
        }
    }
}

#[test]
fn nesting_is_bounded_exactly() {
    let hs256 = key(Algorithm::HS256);
    let good = claims().to_string();
    for (depth, fits) in [(1, true), (63, true), (64, false), (65, false), (5_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inside = if open == "[" { "" } else { "1" };
            let value = format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
            if value.len() > 11_000 {
                continue;
            }
            let text = format!("{{{},\"x\":{value}}}", &good[1..good.len() - 1]);
            let expected = (!fits).then_some(MalformedClaims);
            assert_eq!(typed::<Nothing>(&text).err(), expected, "{depth}");
            assert_eq!(typed::<Value>(&text).err(), expected, "{depth}");
            assert_eq!(typed::<RegisteredClaims>(&text).err(), expected, "{depth}");

            let header = format!("{{\"alg\":\"HS256\",\"x\":{value}}}");
            let kind = verdict(&hs256.verifier(), &hs256.token_of(header, &good)).err();
            let expected = if depth == 5_000 { TokenTooLong } else { MalformedToken };
            assert_eq!(kind, (!fits).then_some(expected), "{depth}");
        }
    }
}

// Over HTTP.

#[tokio::test]
async fn status_403_is_for_good_tokens_that_do_not_suffice() {
    let rule = verify_fn(|token| match token.as_str() {
        "reader" => Err::<(), _>(Rejection::insufficient_scope(Scope::from("write"))),
        "writer" => Ok(()),
        _ => Err(Rejection::invalid_token()),
    });
    let service = ServiceBuilder::new().layer(JwtAuthLayer::new(rule)).service(service_fn(
        async |_: Request<String>| Ok::<_, Infallible>(Response::new(String::new())),
    ));
    for (token, status) in [("writer", 200), ("reader", 403), ("stranger", 401)] {
        let request = Request::builder().header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.body(String::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{token}");
        if status == 403 {
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            let params = crate::support::challenge::parse(challenge).unwrap();
            assert_eq!(params["error"], "insufficient_scope");
            assert_eq!(params["scope"], "write");
        }
    }
}

/// A type whose `Deserialize` swallows the error of every value.
#[derive(Debug)]
struct Careless;

impl<'de> Deserialize<'de> for Careless {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Careless;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("claims")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Careless, A::Error> {
                while let Ok(Some(_)) = map.next_key::<String>() {
                    let _ = map.next_value::<Value>();
                }
                Ok(Careless)
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

#[test]
fn no_type_of_claims_swallows_a_fault() {
    assert!(typed::<Careless>(&claims().to_string()).is_ok());
    for (name, values) in [
        ("nbf", &[json!("x"), json!(null), json!({}), json!(-5), json!(true), json!([1])][..]),
        ("iat", &[json!("x"), json!([])]),
        ("sub", &[json!(5), json!(null), json!(["a"])]),
        ("aud", &[json!([AUDIENCE, 5]), json!({})]),
    ] {
        for value in values {
            let faulty = claims_with(name, value.clone()).to_string();
            assert_eq!(typed::<Careless>(&faulty).unwrap_err(), MalformedClaims, "{faulty}");
        }
    }
    let twice = format!(r#"{{"nbf":1,"nbf":{},{}"#, NOW + 9999, &claims().to_string()[1..]);
    assert_eq!(typed::<Careless>(&twice).unwrap_err(), MalformedClaims);
}

#[test]
fn claims_can_be_had_as_the_text_that_they_are() {
    use serde_json::value::RawValue;
    use std::collections::BTreeMap;

    let text = format!(
        r#"{{"iss":"{ISSUER}", "aud":[ "{AUDIENCE}" ],"exp":{}.50,"big":1e400,"odd":"\ud800"}}"#,
        NOW + 9
    );
    let raw = typed::<BTreeMap<String, Box<RawValue>>>(&text).unwrap();
    assert_eq!(raw["aud"].get(), format!(r#"[ "{AUDIENCE}" ]"#));
    assert_eq!(raw["exp"].get(), format!("{}.50", NOW + 9));
    assert_eq!(raw["big"].get(), "1e400");
    assert_eq!(raw["odd"].get(), r#""\ud800""#);

    let expired = claims_with("exp", NOW - 99).to_string();
    let verdict = typed::<BTreeMap<String, Box<RawValue>>>(&expired);
    assert_eq!(verdict.unwrap_err(), ExpiredToken);
    let faulty = claims_with("nbf", "x").to_string();
    let verdict = typed::<BTreeMap<String, Box<RawValue>>>(&faulty);
    assert_eq!(verdict.unwrap_err(), MalformedClaims);
}

#[test]
fn an_array_of_fixed_length_has_that_length() {
    #[derive(Debug, Deserialize)]
    struct One {
        aud: [String; 1],
    }
    let one = claims_with("aud", json!([AUDIENCE])).to_string();
    assert_eq!(typed::<One>(&one).unwrap().aud, [AUDIENCE]);
    let two = claims_with("aud", json!([AUDIENCE, "b"])).to_string();
    assert_eq!(typed::<One>(&two).unwrap_err(), UnexpectedClaims);
}
