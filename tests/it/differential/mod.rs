//! The verifier against the plain reference (`support::reference`), on tokens, headers, key sets,
//! clocks and configurations that are generated: the same verdict, and the same reason.

mod config;
mod keys;
mod tokens;

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, JwtVerifier, RejectionKind};

use self::config::{config, verifier};
use self::keys::{KeysGiven, keys_given, load};
use self::tokens::token;
use crate::support::reference::keys::Keys;
use crate::support::reference::{self, ClaimsType, Config};
use crate::support::{b64, backend_supports};

fn verdict<C: DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Result<(), RejectionKind> {
    verifier.verify_now(token).map(|_| ()).map_err(|rejection| rejection.kind())
}

/// Every verdict is to be seen this often, so that agreeing is worth something.
const FLOOR: usize = 1;

#[test]
fn the_plain_reference_agrees() {
    let cases = ProptestConfig::default().cases * 12;
    let config_of_runner =
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let seen: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let everything = (keys_given(), token(), config());
    TestRunner::new(config_of_runner)
        .run(&everything, |(given, token, config)| {
            let Some((set, keys)) = load(&given)? else {
                *seen.borrow_mut().entry("no keys".to_owned()).or_default() += 1;
                return Ok(());
            };
            let (KeysGiven::Set(jwks) | KeysGiven::OneByOne(jwks)) = &given;
            let token = token.write(jwks);
            let Ok(text) = std::str::from_utf8(&token) else { return Ok(()) };
            let verifier = verifier(&config, set);
            let ours = match config.claims {
                ClaimsType::Registered => verdict(&verifier, text),
                ClaimsType::Value => verdict(&verifier.with_claims::<Value>(), text),
            };
            let plain = reference::verify(&token, &keys, &config);
            prop_assert_eq!(ours, plain, "{}", text);
            *seen.borrow_mut().entry(format!("{ours:?}")).or_default() += 1;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    println!("{seen:#?}");
    if cases >= 3072 {
        for kind in [
            "Ok(())",
            "Err(MalformedToken)",
            "Err(TokenTooLong)",
            "Err(UnsupportedCriticalHeader)",
            "Err(UnsupportedAlgorithm)",
            "Err(UnknownKey)",
            "Err(InvalidSignature)",
            "Err(MalformedClaims)",
            "Err(MissingClaim)",
            "Err(WrongIssuer)",
            "Err(WrongAudience)",
            "Err(ExpiredToken)",
            "Err(ImmatureToken)",
            "Err(IssuedInFuture)",
            "Err(TooOld)",
            "Err(WrongTokenType)",
            "Err(UnconfirmedSender)",
            "Err(UnexpectedClaims)",
        ] {
            assert!(seen.get(kind).is_some_and(|count| *count >= FLOOR), "{kind}: {seen:?}");
        }
    }
}

/// The published signatures hold by the reference too: it is not merely as wrong as we are.
#[test]
fn the_reference_knows_the_published_vectors() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../conformance/vectors/jws.json")).unwrap();
    for vector in &vectors {
        let Some(keys) = Keys::from_json(&json!({"keys": [vector["jwk"]]}).to_string()) else {
            let lacking = vector["jwk"]["crv"] == "P-521" && !backend_supports(Algorithm::ES512);
            assert!(lacking, "{vector}");
            continue;
        };
        let mut config = Config::new("joe", "us", 1_300_819_379);
        config.issuers = None;
        config.audiences = None;
        config.claims = ClaimsType::Value;
        let token = vector["token"].as_str().unwrap();
        let expected = match vector.get("claims") {
            Some(_) => Ok(()),
            None => Err(RejectionKind::MalformedClaims),
        };
        assert_eq!(reference::verify(token.as_bytes(), &keys, &config), expected, "{vector}");
        // And not with another payload.
        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = format!("{header}.{}.{signature}", b64("{}"));
        let verdict = reference::verify(other.as_bytes(), &keys, &config);
        assert_eq!(verdict, Err(RejectionKind::InvalidSignature), "{vector}");
    }
}
