//! What tokens cost, and how long they may be.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, IssuerSet, JwkSet, JwtAuthLayer, JwtVerifier, RegisteredClaims, RejectionKind,
    VerifiedToken, VerifyToken,
};

use super::{refused, verdict};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64, claims, claims_with, key, now};

use RejectionKind::*;

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
        println!("{name}: {} bytes in {} allocations", cost.bytes_total, cost.count_total);
        assert!(cost.bytes_total < 64 * 1024, "{name}: {cost:?}");
    }
}

const KID: &str = "2026-11-primary";

/// With a set of one key, which is found by its `kid`.
fn verifier_by_kid(algorithm: Algorithm) -> JwtVerifier {
    let mut jwk = key(algorithm).jwk();
    jwk["kid"] = KID.into();
    let set = JwkSet::from_json(&json!({"keys": [jwk]}).to_string()).unwrap();
    JwtVerifier::new(ISSUER, AUDIENCE, set).unwrap().with_clock(now())
}

fn token_by_kid(algorithm: Algorithm, claims: &Value) -> String {
    let header = json!({"alg": algorithm.name(), "kid": KID, "typ": "JWT"});
    key(algorithm).token_of(header.to_string(), claims.to_string())
}

/// Those of the whole layer, with a ready verdict; the building of the request is left out.
fn allocations(
    verifier: impl VerifyToken<RegisteredClaims>,
    token: Option<&str>,
    expected: StatusCode,
) -> u64 {
    let mut service = JwtAuthLayer::new(verifier).layer(service_fn(|request: Request<()>| {
        let verified = VerifiedToken::<RegisteredClaims>::from_extensions(request.extensions());
        let status = if verified.is_ok() { StatusCode::OK } else { StatusCode::IM_A_TEAPOT };
        let mut response = Response::new(());
        *response.status_mut() = status;
        std::future::ready(Ok::<_, Infallible>(response))
    }));
    // A server's header values share a buffer. The first clone of a value alone would make it shared.
    let authorization =
        token.map(|token| HeaderValue::try_from(format!("Bearer {token}")).unwrap());
    let request = || {
        let mut request = Request::new(());
        if let Some(value) = &authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        request
    };
    let mut run = |request| service.call(request).now_or_never().unwrap().unwrap().status();
    // Once before, for what is made once for each process.
    assert_eq!(run(request()), expected);
    let (measured, mut status) = (request(), None);
    let cost = allocation_counter::measure(|| status = Some(run(measured)));
    assert_eq!(status, Some(expected));
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
    // Each string that the claims keep is one more, and a list is two: one for the rules, one for the claims.
    let mut more = nine.clone();
    more["aud"] = json!([AUDIENCE, "https://other.example"]);
    more["client_id"] = "cli".into();
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let verifier = || verifier_by_kid(algorithm);
        let issuers = IssuerSet::new();
        issuers.add(verifier()).unwrap();
        let [nine, more] = [&nine, &more].map(|claims| token_by_kid(algorithm, claims));
        assert_eq!(allocations(verifier(), Some(&nine), StatusCode::OK), 9, "{algorithm}");
        assert_eq!(allocations(verifier(), Some(&more), StatusCode::OK), 13, "{algorithm}");
        assert_eq!(allocations(issuers, Some(&nine), StatusCode::OK), 9, "{algorithm}");
    }
}

#[test]
fn allocations_of_a_refusal() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let verifier = || verifier_by_kid(algorithm);
        let issuers = || {
            let issuers = IssuerSet::new();
            issuers.add(verifier()).unwrap();
            issuers
        };
        let token = token_by_kid(algorithm, &claims());
        let (message, _) = token.rsplit_once('.').unwrap();
        let forged = format!("{message}.{}", b64([1; 64]));
        let unauthorized = StatusCode::UNAUTHORIZED;
        // Two for the response's headers, and three for the rejection in its extensions.
        assert_eq!(allocations(verifier(), None, unauthorized), 5, "{algorithm}");
        assert_eq!(allocations(issuers(), None, unauthorized), 5, "{algorithm}");
        // A forged token costs no more: its claims are not kept.
        assert_eq!(allocations(verifier(), Some(&forged), unauthorized), 5, "{algorithm}, forged");
        assert_eq!(allocations(issuers(), Some(&forged), unauthorized), 5, "{algorithm}, forged");
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
    // 4096 characters are 3072 bytes.
    assert!(verdict(&hs256.verifier(), &token(3072)).is_ok());
    refused(&hs256.verifier(), &token(3073), TokenTooLong);
}

/// The longest one is that of ML-DSA-87: it is looked at, and what is longer is not.
#[test]
fn the_longest_signature_of_all() {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token(&claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    let with = |signature: String| format!("{message}.{signature}");
    refused(&hs256.verifier(), &with("+".repeat(6170)), MalformedToken);
    refused(&hs256.verifier(), &with("+".repeat(6171)), InvalidSignature);
    refused(&hs256.verifier(), &with(b64([1; 4627])), InvalidSignature);
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

#[test]
fn a_header_has_at_most_64_parameters_that_are_not_read() {
    let hs256 = key(Algorithm::HS256);
    let token = |count: usize| {
        let unread: String = (0..count).map(|n| format!(r#","{n}":{n}"#)).collect();
        let header = format!(r#"{{"typ":"JWT","kid":"HS256","alg":"HS256"{unread}}}"#);
        hs256.token_of(header, claims().to_string())
    };
    assert!(verdict(&hs256.verifier(), &token(64)).is_ok());
    refused(&hs256.verifier(), &token(65), MalformedToken);
}
