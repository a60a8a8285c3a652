//! How the cost of this crate grows: with claims, keys, issuers, cached tokens, and the bytes of a hostile client.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::json;
use tower_jwt_auth::RegisteredClaims;

use crate::contender::{Contender, Group};
use crate::fixture::{self, Algorithm, Fixture, ISSUER, Scenario, bearer};
use crate::this_crate::{self, MANY, another, layer};

/// With HS256. The first one is what ratios are taken to.
pub fn contenders(fixture: &Fixture) -> Vec<Contender> {
    let mut all = crate::contenders(fixture, Scenario::Valid);
    all.retain(|contender| contender.name() == "bare signature check");
    all.extend(with_claims(fixture));
    all.extend(in_turn(fixture));
    #[cfg(feature = "cache")]
    all.extend(cached(fixture));
    all.extend(hostile(fixture));
    all
}

/// Valid tokens with so many claims beside the nine, each of the same length.
fn with_claims(fixture: &Fixture) -> Vec<Contender> {
    let row = |name, count: usize| {
        let mut claims = json!(fixture::claims(0));
        for at in 0..count {
            claims[format!("claim-{at:04}")] = json!(format!("value-{at:04}"));
        }
        let verifier = this_crate::verifier(fixture).with_max_token_length(64 * 1024);
        layer::<RegisteredClaims>(name, verifier.expect("a length"))
            .with_requests(Scenario::Valid, vec![bearer(&fixture.token_of(&claims))])
    };
    vec![
        row("9 claims", 0),
        row("25 claims", 16),
        row("109 claims", 100),
        row("409 claims", 400),
        row("1,009 claims", 1_000),
    ]
}

/// A thousand tokens in turn: of one key, of a key each, and of an issuer each.
fn in_turn(fixture: &Fixture) -> Vec<Contender> {
    let tokens = |of: &dyn Fn(usize) -> String| (1..MANY).map(|at| bearer(&of(at))).collect();
    let own = |at| fixture.token(at);
    let by_another = |key, serial, is_issuer: bool| {
        let (secret, kid, issuer) = another(key);
        let mut claims = fixture::claims(serial);
        claims.iss = if is_issuer { issuer } else { ISSUER.to_owned() };
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let claims = json!(claims).to_string();
        fixture::signed(&fixture::header(Algorithm::Hs256, &kid), &claims, |message| {
            hmac::sign(&key, message).as_ref().to_vec()
        })
    };
    let all_keys: Vec<_> =
        (0..MANY).map(|at| hmac::Key::new(hmac::HMAC_SHA256, another(at).0.as_bytes())).collect();
    let bare = Contender::function("bare check, in turn, 1,000 keys", Group::Limit, split, {
        move |(at, message, signature): &(usize, Vec<u8>, Vec<u8>)| {
            hmac::verify(&all_keys[*at], message, signature).is_ok()
        }
    });
    let verifier = this_crate::verifier(fixture);
    let keys = this_crate::many_keys(fixture);
    let issuers = |count| this_crate::issuers(fixture, count);
    let row = Contender::with_requests;
    vec![
        row(bare, Scenario::Valid, tokens(&|at| by_another(at, at, false))),
        row(layer::<RegisteredClaims>("tokens in turn", verifier), Scenario::Valid, tokens(&own)),
        row(
            layer::<RegisteredClaims>("tokens in turn, 10 keys", keys.clone()),
            Scenario::Valid,
            tokens(&|at| by_another(1 + at % 10, at, false)),
        ),
        row(
            layer::<RegisteredClaims>("tokens in turn, 1,000 keys", keys),
            Scenario::Valid,
            tokens(&|at| by_another(at, at, false)),
        ),
        row(
            layer::<RegisteredClaims>("tokens in turn, 2 issuers", issuers(2)),
            Scenario::Valid,
            tokens(&own),
        ),
        row(
            layer::<RegisteredClaims>("tokens in turn, 1,000 issuers", issuers(MANY)),
            Scenario::Valid,
            tokens(&|at| by_another(at, at, true)),
        ),
    ]
}

/// The serial of the token's key, what is signed, and the signature.
fn split(token: &str) -> (usize, Vec<u8>, Vec<u8>) {
    let (message, signature) = fixture::split(token);
    let (header, _) = token.split_once('.').expect("a header");
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: serde_json::Value = serde_json::from_slice(&header).expect("JSON");
    let kid = header["kid"].as_str().expect("a key ID");
    let (_, serial) = kid.rsplit_once('-').expect("a serial");
    (serial.parse().expect("a number"), message, signature)
}

/// A hit, in a cache of one token and in a full one.
#[cfg(feature = "cache")]
fn cached(fixture: &Fixture) -> Vec<Contender> {
    let row = |name, others: usize| {
        let verifier = this_crate::cached_verifier(fixture);
        let others = (1..=others).map(|serial| fixture.token(serial));
        assert!(others.into_iter().all(|token| verifier.verify_now(&token).is_ok()));
        layer::<RegisteredClaims>(name, verifier)
    };
    vec![row("cache hit, 1 token", 0), row("cache hit, full cache", 2 * this_crate::CACHED)]
}

/// What takes longest for each byte, up to the cap of each.
fn hostile(fixture: &Fixture) -> Vec<Contender> {
    let unsigned =
        |header: &str, payload: &str| bearer(&fixture::signed(header, payload, |_| vec![0; 32]));
    let (alg, kid) = (fixture.algorithm, fixture::KID);
    let known = fixture::header(alg, kid);
    let names = |count: usize| (0..count).map(|at| format!("\"{at:x}\":0")).collect::<Vec<_>>();
    let many_names = format!("{{{}}}", names(1_400).join(","));
    let escapes = format!("{{{}}}", vec![r#""\n":0"#; 1_700].join(","));
    let header = format!(r#"{{"alg":"{}",{}}}"#, alg.name(), names(380).join(","));
    let scheme = |value: String| HeaderValue::from_str(&value).expect("a value");
    let rows: [(&'static str, HeaderValue); 7] = [
        ("hostile, names in the payload", unsigned(&known, &many_names)),
        ("hostile, names with an escape", unsigned(&known, &escapes)),
        ("hostile, names in the header", unsigned(&header, "{}")),
        ("hostile, quoted marks", scheme(format!("Digest a=\"{}", "\\\"".repeat(32_000)))),
        ("hostile, parameters", scheme(format!("Digest a=b{}", ", a=b".repeat(13_000)))),
        ("hostile, one parameter", scheme(format!("Digest a={}", "b".repeat(65_000)))),
        ("hostile, commas", scheme(format!("Bearer {}", ",".repeat(65_000)))),
    ];
    let row = |(name, value)| {
        let issuers = this_crate::issuers(fixture, 2);
        layer::<RegisteredClaims>(name, issuers).with_requests(Scenario::Hostile, vec![value])
    };
    rows.map(row).into()
}
