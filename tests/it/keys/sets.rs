//! JWK sets, and the candidates of a look-up.

use serde_json::json;
use tower_jwt_auth::{Algorithm, ConfigErrorKind, JwkSet, KeyCandidates, VerificationKey};

use crate::test_keys::SigningKey;

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
