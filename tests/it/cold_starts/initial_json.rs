//! Initial keys with the time at which they were fetched.

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Clock, ConfigErrorKind, JwtVerifier, NumericDate, OidcDiscovery, RejectionKind, SystemClock,
};

use super::{Told, verifier};
use crate::key_engine::{kind, pass, secs};

fn ago(seconds: i64) -> NumericDate {
    NumericDate::from_unix_seconds(SystemClock.now().unix_seconds() - seconds)
}

/// A verifier of an issuer that is down, with its set of this age.
fn of_age(issuer: &MockIssuer, seconds: i64) -> JwtVerifier {
    issuer.set_answer(MockAnswer::Refuse);
    let keys = issuer.keys().with_initial_json(&issuer.jwk_set(), ago(seconds)).unwrap();
    verifier(issuer, keys)
}

#[tokio::test(start_paused = true)]
async fn initial_keys_with_a_time_age_from_it_and_end_70_minutes_later() {
    let issuer = MockIssuer::new();
    let token = issuer.token().build();
    let young = of_age(&issuer, 4000);
    assert_eq!(kind(&young, &token).await, None);
    let status = young.key_status();
    assert!(status.is_unconfirmed() && status.is_stale() && status.changes() == 0);
    assert!((secs(4000)..secs(4060)).contains(&status.age().unwrap()));
    pass(201).await;
    assert_eq!(kind(&young, &token).await, Some(RejectionKind::Unavailable));
    let old = of_age(&issuer, 4201);
    assert_eq!(kind(&old, &token).await, Some(RejectionKind::Unavailable));
    assert!(!old.key_status().is_ready());
}

#[tokio::test(start_paused = true)]
async fn time_a_little_in_the_future_is_now_and_a_later_one_is_an_error() {
    let issuer = MockIssuer::new();
    let verifier = of_age(&issuer, -50);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    for seconds in [-100, -1_000_000_000_000] {
        let error = issuer.keys().with_initial_json(&issuer.jwk_set(), ago(seconds)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::KeySet, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_set_that_the_closure_gets_can_be_given_back() {
    let issuer = MockIssuer::new();
    // A fetched set may have a secret, which is not used. As initial keys in a `JwkSet` it is an error.
    let mut set: serde_json::Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
    let keys = set["keys"].as_array_mut().unwrap();
    keys.push(serde_json::json!({"kty": "oct", "alg": "HS256", "kid": "s", "k": "A".repeat(44)}));
    issuer.set_answer(MockAnswer::Body("application/json", set.to_string().into()));
    let told = Told::default();
    let noting = told.clone();
    let keys = issuer.keys().on_changed_keys(move |changed| noting.note(changed));
    verifier(&issuer, keys).refresh().await.unwrap();
    let told = told.wait_for(1).await;
    issuer.set_answer(MockAnswer::Refuse);
    issuer.set_metadata_answer(MockAnswer::Refuse);
    let (json, at) = (told[0].json(), told[0].fetched_at());
    let by_url = verifier(&issuer, issuer.keys().with_initial_json(json, at).unwrap());
    assert_eq!(kind(&by_url, &issuer.token().build()).await, None);
    let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    let by_issuer = verifier(&issuer, keys.with_initial_json(json, at).unwrap());
    assert_eq!(kind(&by_issuer, &issuer.token().build()).await, None);
    assert_eq!(by_issuer.key_status().keys(), 1);
}

#[test]
fn set_of_a_use_is_read_by_the_source_of_that_use() {
    let issuer = MockIssuer::new();
    let json = issuer.jwk_set().replace("\"kty\"", "\"use\":\"jwt-svid\",\"kty\"");
    let mut set: serde_json::Value = serde_json::from_str(&json).unwrap();
    set["keys"][0]["use"] = "jwt-svid".into();
    let json = set.to_string();
    assert!(issuer.keys().with_initial_json(&json, ago(0)).is_err());
    let keys = issuer.keys().with_key_use("jwt-svid").unwrap();
    keys.with_initial_json(&json, ago(0)).unwrap();
}

#[test]
fn text_without_a_usable_key_is_an_error() {
    let issuer = MockIssuer::new();
    for json in ["", "{}", "{\"keys\": []}", "[]"] {
        issuer.keys().with_initial_json(json, ago(0)).unwrap_err();
    }
}
