//! Why a token is refused: the steps of a verification, for a developer.

use std::time::Duration;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExplainedStep, Explanation, IssuerSet, JwtVerifier, KeyLookup,
    KeyQuery, KeySource, KeySourceError, Rejection, RejectionKind, StepOutcome,
};

use crate::support::{AUDIENCE, ISSUER, NOW, b64, claims, claims_with, claims_without, key, now};

fn verifier() -> JwtVerifier {
    key(Algorithm::ES256).verifier()
}

fn explain(verifier: &JwtVerifier, token: &str) -> Explanation {
    let explanation = verifier.explain(token).now_or_never().unwrap();
    agrees_with_itself(&explanation, token).unwrap();
    explanation
}

/// Steps and result fit each other, and no text shows the token.
pub(crate) fn agrees_with_itself(explanation: &Explanation, token: &str) -> Result<(), String> {
    let outcomes: Vec<StepOutcome> =
        explanation.steps().iter().map(ExplainedStep::outcome).collect();
    let passed = outcomes.iter().take_while(|outcome| **outcome == StepOutcome::Passed).count();
    let as_it_should_be = match (&outcomes[passed..], explanation.is_accepted()) {
        ([], accepted) => accepted && explanation.failed().is_none(),
        ([StepOutcome::Failed, rest @ ..], false) => {
            rest.iter().all(|outcome| *outcome == StepOutcome::NotReached)
        }
        _ => false,
    };
    if !as_it_should_be || explanation.is_accepted() != explanation.rejection().is_none() {
        return Err(format!("not one story: {explanation:?}"));
    }
    let shown = format!("{explanation}\n{explanation:?}");
    let leaks = token.split('.').any(|part| part.len() > 20 && shown.contains(part));
    if leaks { Err(format!("it shows the token: {shown}")) } else { Ok(()) }
}

/// The name of the step that failed, with what was expected and found.
fn failed(explanation: &Explanation) -> (&str, &str, &str) {
    let step = explanation.failed().unwrap();
    (step.name(), step.expected().unwrap_or_default(), step.found().unwrap_or_default())
}

fn found<'a>(explanation: &'a Explanation, name: &str) -> &'a str {
    let step = explanation.steps().iter().find(|step| step.name() == name).unwrap();
    step.found().unwrap_or_default()
}

#[test]
fn an_accepted_token_has_passed_every_step() {
    let explanation = explain(&verifier(), &key(Algorithm::ES256).token(&claims()));
    assert!(explanation.is_accepted());
    let text = explanation.to_string();
    assert!(text.ends_with("\naccepted"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("passed ")).count(), 18, "{text}");
    assert!(text.contains("expected: https://api.example; found: \"https://api.example\""));
}

#[test]
fn each_step_can_fail_and_names_what_was_expected_and_found() {
    let signed = |claims: &Value| key(Algorithm::ES256).token(claims);
    let good = signed(&claims());
    let headed =
        |header: &Value| key(Algorithm::ES256).token_of(header.to_string(), claims().to_string());
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, b64([7; 64]));
    let verifier = verifier()
        .add_required_claim("tenant")
        .with_max_age(Duration::from_secs(600))
        .unwrap()
        .with_max_token_length(2000)
        .unwrap();
    for (token, name, expected, found) in [
        ("x".repeat(2001), "length", "at most 2000 bytes", "2001 bytes"),
        ("opaque".into(), "shape", "three segments", "1 segment"),
        (format!("Bearer {good}"), "shape", "three segments", "3 segments, with ' ' in it"),
        (format!("{good}\n"), "shape", "three segments", "3 segments, with '\\n' in it"),
        ("a.b.c.d.e".into(), "shape", "three segments", "5 segments, as of an encrypted token"),
        ("e30.e30.".into(), "header", "a JSON object", "{}"),
        (headed(&json!({"alg": "ES256", "crit": ["x"]})), "header", "without", "crit"),
        (headed(&json!({"alg": "none"})), "algorithm", "one of its key's", "\"none\""),
        (headed(&json!({"alg": "ES256", "kid": "x"})), "key", "loaded", "kid \"x\""),
        (headed(&json!({"alg": "RS256"})), "key", "loaded", "no kid"),
        (forged, "signature", "of the key", ""),
        (
            signed(&claims_with("exp", "soon")),
            "claims",
            "of the right types",
            "exp has the wrong type",
        ),
        (signed(&claims_with("iss", "https://x")), "issuer", ISSUER, "\"https://x\""),
        (signed(&claims_without("iss")), "issuer", ISSUER, "absent"),
        (signed(&claims_with("aud", json!(["a", "b"]))), "audience", AUDIENCE, "\"a\", \"b\""),
        (signed(&claims_with("exp", NOW - 31)), "exp", "30 s", "1699999969, 31 s in the past"),
        (signed(&claims_without("exp")), "exp", "30 s", "absent"),
        (signed(&claims_with("nbf", NOW + 31)), "nbf", "30 s", "31 s in the future"),
        (signed(&claims_with("iat", NOW + 31)), "iat", "30 s", "31 s in the future"),
        (signed(&claims_with("iat", NOW - 630)), "age", "less than 600 s", "630 s in the past"),
        (headed(&json!({"alg": "ES256", "typ": "x"})), "typ", "at+jwt or JWT", "\"x\""),
        (signed(&claims_with("at_hash", "x")), "kind of token", "no claim", "at_hash"),
        (signed(&claims_with("cnf", json!({}))), "confirmation", "no cnf", "cnf"),
        (good, "required claims", "tenant", "no tenant"),
    ] {
        let explanation = explain(&verifier, &token);
        let (at, what, it_was) = failed(&explanation);
        assert_eq!(at, name, "{explanation}");
        assert!(what.contains(expected), "{name}: {what}");
        assert!(it_was.contains(found), "{name}: {it_was}");
        let kind = verifier.verify_now(&token).unwrap_err().kind();
        assert!(explanation.to_string().ends_with(&format!("({kind:?})")), "{explanation}");
    }
}

#[test]
fn claims_that_do_not_fit_the_type_are_named() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Tenanted {
        tenant: u32,
    }
    let verifier = verifier().with_claims::<Tenanted>();
    let token = key(Algorithm::ES256).token(&claims());
    let explanation = verifier.explain(&token).now_or_never().unwrap();
    let (name, expected, found) = failed(&explanation);
    assert_eq!(name, "claims type");
    assert!(expected.ends_with("Tenanted"), "{expected}");
    assert_eq!(found, "tenant is absent or does not fit the type");
}

#[test]
fn token_of_another_issuer_shows_it_although_its_key_is_unknown() {
    let other = claims_with("iss", "https://other.example");
    let explanation = explain(&verifier(), &key(Algorithm::EdDSA).token(&other));
    assert_eq!(failed(&explanation).0, "key");
    assert_eq!(found(&explanation, "issuer"), "\"https://other.example\"");
    assert!(explanation.to_string().contains("not reached  issuer"), "{explanation}");
}

#[test]
fn a_claim_in_place_of_the_audience_is_shown() {
    let keys = key(Algorithm::ES256).verification_key();
    let clients = ExpectedAudience::cognito_clients(["app"]);
    let verifier = JwtVerifier::new(ISSUER, clients, keys).unwrap().with_clock(now());
    let mut claims = claims_without("aud");
    claims["client_id"] = "web".into();
    let explanation = explain(&verifier, &key(Algorithm::ES256).token(&claims));
    assert!(failed(&explanation).2.contains("token_use"), "{explanation}");
    claims["token_use"] = "access".into();
    let explanation = explain(&verifier, &key(Algorithm::ES256).token(&claims));
    let (name, expected, found) = failed(&explanation);
    assert_eq!((name, expected), ("audience", "no aud, and as client_id app"));
    assert_eq!(found, "as aud absent, as client_id \"web\"");
}

#[test]
fn what_a_token_says_cannot_control_a_terminal_and_is_cut_off() {
    let hostile = format!("\u{1b}[2J\u{202e}{}", "x".repeat(1000));
    let token = key(Algorithm::ES256).token(&claims_with("iss", hostile));
    let text = explain(&verifier(), &token).to_string();
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    assert!(!text.contains(&"x".repeat(301)), "{text}");
}

#[test]
fn debug_of_an_explanation_shows_no_claim() {
    let token = key(Algorithm::ES256).token(&claims_with("iss", "canary"));
    let shown = format!("{:?}", explain(&verifier(), &token));
    assert!(!shown.contains("canary"), "{shown}");
}

/// Keys that cannot be had, after a while.
#[derive(Debug)]
struct Away;

impl KeySource for Away {
    fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::pending(async {
            tokio::task::yield_now().await;
            let cause = std::io::Error::other("no route to the issuer");
            Err(KeySourceError::new("the keys cannot be fetched").with_source(cause))
        })
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_the_step_that_failed_with_its_causes() {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Away).unwrap();
    let token = key(Algorithm::ES256).token(&claims());
    let explanation = verifier.explain(&token).await;
    agrees_with_itself(&explanation, &token).unwrap();
    let (name, _, found) = failed(&explanation);
    assert_eq!(name, "key");
    assert!(found.contains("no route to the issuer"), "{found}");
    assert_eq!(explanation.rejection().unwrap().kind(), RejectionKind::Unavailable);
}

#[tokio::test]
async fn a_set_of_issuers_explains_its_choice() {
    let set = IssuerSet::new();
    set.add(verifier()).unwrap();
    let good = key(Algorithm::ES256).token(&claims());
    for (token, step) in [
        (good, None),
        (key(Algorithm::ES256).token(&claims_with("iss", "https://x")), Some("issuer of the set")),
        (key(Algorithm::ES256).token(&claims_without("iss")), Some("issuer of the set")),
        (key(Algorithm::ES256).token(&claims_with("aud", "x")), Some("audience")),
        ("opaque".into(), Some("shape")),
        ("e30.e30.".into(), Some("header")),
        ("x".repeat(70_000), Some("length")),
    ] {
        let explanation = set.explain(&token).await;
        agrees_with_itself(&explanation, &token).unwrap();
        assert_eq!(explanation.failed().map(ExplainedStep::name), step, "{explanation}");
        let kind = set.verify(&token).await.err().map(|rejection| rejection.kind());
        assert_eq!(explanation.rejection().map(Rejection::kind), kind);
        assert_eq!(explanation.steps().len(), 19);
    }
}

/// Keys that count how often they are asked.
#[derive(Clone, Debug)]
struct Asked(Arc<AtomicUsize>);

impl KeySource for Asked {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        self.0.fetch_add(1, Ordering::Relaxed);
        key(Algorithm::ES256).verification_key().find_key(query)
    }
}

#[tokio::test]
async fn explanation_asks_for_the_keys_once() {
    let asked = Asked(Arc::default());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, asked.clone()).unwrap().with_clock(now());
    let set = IssuerSet::new();
    set.add(verifier.clone()).unwrap();
    let token = key(Algorithm::ES256).token(&claims());
    assert!(set.explain(&token).await.is_accepted());
    assert_eq!(asked.0.swap(0, Ordering::Relaxed), 1);
    assert!(verifier.explain(&token).await.is_accepted());
    assert_eq!(asked.0.load(Ordering::Relaxed), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Accepted when all steps passed, and refused as `verify` refuses.
    #[test]
    fn an_explanation_agrees_with_the_verification_on_every_token(
        header in prop_oneof![
            Just(json!({"alg": "HS256"})),
            Just(json!({"alg": "HS256", "typ": "at+jwt", "kid": "HS256"})),
            Just(json!({"alg": "HS384"})),
            Just(json!({"alg": "none"})),
            Just(json!({"alg": "HS256", "crit": []})),
            Just(json!([1])),
        ],
        changes in proptest::collection::vec((
            prop::sample::select(vec![
                "iss", "aud", "exp", "nbf", "iat", "cnf", "typ", "events", "jti", "sub", "c_hash",
            ]),
            prop_oneof![
                Just(Value::Null),
                Just(json!({})),
                Just(json!("")),
                Just(json!("logout")),
                Just(json!([AUDIENCE, "x"])),
                (NOW - 700..NOW + 100).prop_map(Value::from),
            ],
        ), 0..3),
        signed in prop::bool::weighted(0.9),
        cut in prop_oneof![9 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)],
        strict in any::<bool>(),
    ) {
        let mut claims = claims();
        for (name, value) in changes {
            claims[name] = value;
        }
        let key = key(Algorithm::HS256);
        let mut token = key.token_of(header.to_string(), claims.to_string());
        if !signed {
            token = format!("{}.{}", token.rsplit_once('.').unwrap().0, b64([7; 32]));
        }
        if let Some(cut) = cut {
            token.truncate(cut.index(token.len()));
        }
        let mut verifier = key.verifier();
        if strict {
            verifier = verifier.require_rfc9068().exclusive_audience().add_required_claim("tenant");
        }
        let explanation = explain(&verifier, &token);
        let kind = verifier.verify_now(&token).err().map(|rejection| rejection.kind());
        prop_assert_eq!(explanation.rejection().map(Rejection::kind), kind);
        prop_assert_eq!(explanation.is_accepted(), kind.is_none());
    }
}
