//! JWK sets as issuers publish them: empty members, copies of a key, keys that cannot be told apart.

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, JwkSet, JwtVerifier, KeySource, RejectionKind, SkippedKey};

use crate::support::{AUDIENCE, ISSUER, TestKey, claims, key, now};
use crate::test_keys::SigningKey;

fn set(keys: &[Value]) -> JwkSet {
    JwkSet::from_json(&json!({ "keys": keys }).to_string()).unwrap()
}

/// A JWK with further members; those that are `"absent"` are taken away.
fn with(jwk: &Value, members: &Value) -> Value {
    let mut jwk = jwk.clone();
    for (name, value) in members.as_object().unwrap() {
        match value.as_str() {
            Some("absent") => drop(jwk.as_object_mut().unwrap().remove(name)),
            _ => jwk[name] = value.clone(),
        }
    }
    jwk
}

fn algorithms(set: &JwkSet) -> Vec<Vec<&'static str>> {
    set.keys().map(|key| key.algorithms().map(Algorithm::name).collect()).collect()
}

/// What becomes of a token of this key, with this header beside `alg`.
fn verify(set: &JwkSet, signer: &TestKey, header: &Value) -> Option<RejectionKind> {
    let mut header = header.clone();
    header["alg"] = signer.algorithm.name().into();
    let token = signer.token_of(header.to_string(), claims().to_string());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, set.clone()).unwrap().with_clock(now());
    verifier.verify_now(&token).err().map(|rejection| rejection.kind())
}

// Members without a value.

#[test]
fn null_members_of_a_jwk_are_absent() {
    // As .NET's `JsonWebKey` is written by a serializer that does not leave out what is not set.
    let nulls = json!({
        "alg": null, "crv": null, "d": null, "dp": null, "dq": null, "k": null, "key_ops": null,
        "kid": null, "oth": null, "p": null, "q": null, "qi": null, "use": null, "x": null,
        "x5c": null, "x5t": null, "x5t#S256": null, "x5u": null, "y": null,
    });
    let rsa = SigningKey::new(Algorithm::RS256);
    let mut jwk = nulls.clone();
    for (name, value) in rsa.jwk().as_object().unwrap() {
        jwk[name] = value.clone();
    }
    let set = set(&[jwk]);
    assert!(set.skipped().is_empty(), "{:?}", set.skipped());
    assert_eq!(set.keys().next().unwrap().kid(), None);
    assert_eq!(set.keys().next().unwrap().algorithms().count(), 6);

    for (algorithm, required) in [
        (Algorithm::RS256, &["kty", "n", "e"][..]),
        (Algorithm::ES256, &["kty", "crv", "x", "y"]),
        (Algorithm::Ed25519, &["kty", "crv", "x"]),
        (Algorithm::HS256, &["kty", "k", "alg"]),
    ] {
        let jwk = key(algorithm).jwk();
        for name in required {
            let text = json!({ "keys": [with(&jwk, &json!({ *name: null }))] }).to_string();
            let error = JwkSet::from_json(&text).unwrap_err().to_string();
            let expected = [format!("no `{name}`"), format!("needs `{name}`")];
            assert!(expected.iter().any(|part| error.contains(part)), "{error}");
        }
    }
}

#[test]
fn a_member_that_is_null_is_still_named_once() {
    let jwk = key(Algorithm::ES256).jwk().to_string();
    let twice = jwk.replacen('{', r#"{"kid": null, "#, 1);
    let set = JwkSet::from_json(&format!(r#"{{"keys": [{twice}, {jwk}]}}"#)).unwrap();
    assert_eq!((set.len(), set.skipped().len()), (1, 1));
    assert!(set.skipped()[0].reason().contains("a duplicate member name"));
}

#[test]
fn a_private_member_without_a_value_is_no_alarm() {
    let jwk = key(Algorithm::RS256).jwk();
    for empty in [json!(null), json!(""), json!([])] {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let set = set(&[with(&jwk, &json!({ name: empty }))]);
            assert!(set.skipped().is_empty(), "{name}: {empty}");
        }
    }
    for full in [json!("AQ"), json!(1), json!([{}]), json!({})] {
        let text = json!({ "keys": [with(&jwk, &json!({ "oth": full }))] }).to_string();
        let error = JwkSet::from_json(&text).unwrap_err().to_string();
        assert!(error.contains("private"), "{full}: {error}");
    }
}

// Copies of a key.

#[test]
fn the_same_key_twice_under_one_kid_is_one_key() {
    let signer = key(Algorithm::ES384);
    let jwk = signer.jwk();
    let bare = with(&jwk, &json!({"alg": "absent", "use": "absent"}));
    for keys in [[jwk.clone(), jwk.clone()], [jwk.clone(), bare.clone()], [bare.clone(), jwk]] {
        let set = set(&keys);
        assert_eq!((set.len(), set.skipped().len()), (1, 0));
        assert_eq!(verify(&set, signer, &json!({"kid": "ES384"})), None);
        assert_eq!(verify(&set, signer, &json!({})), None);
    }
}

#[test]
fn a_copy_with_alg_binds_the_key() {
    let signer = key(Algorithm::RS256);
    let jwk = |alg: Value| with(&signer.jwk(), &json!({"kid": "k", "alg": alg}));
    let (bare, rs256, ps256) = (jwk(json!("absent")), jwk(json!("RS256")), jwk(json!("PS256")));
    for keys in [
        vec![bare.clone(), rs256.clone()],
        vec![rs256.clone(), bare.clone(), bare.clone()],
        vec![bare.clone(), rs256.clone(), rs256.clone()],
    ] {
        let set = set(&keys);
        assert_eq!(algorithms(&set), [["RS256"]]);
        assert_eq!(verify(&set, signer, &json!({"kid": "k"})), None);
        let refused = verify(&set, key(Algorithm::RS384), &json!({"kid": "k"}));
        assert_eq!(refused, Some(RejectionKind::UnknownKey));
    }
    // Copies with different `alg` stay apart, and each verifies by its own.
    for keys in [
        vec![rs256.clone(), ps256.clone()],
        vec![bare.clone(), rs256.clone(), ps256.clone()],
        vec![rs256.clone(), bare, ps256],
    ] {
        let set = set(&keys);
        assert_eq!(algorithms(&set), [["RS256"], ["PS256"]]);
        assert!(set.skipped().is_empty());
        for algorithm in [Algorithm::RS256, Algorithm::PS256] {
            assert_eq!(verify(&set, key(algorithm), &json!({"kid": "k"})), None);
        }
    }
}

#[test]
fn a_copy_under_another_kid_is_another_key() {
    let signer = key(Algorithm::ES256);
    let set = set(&[signer.jwk(), with(&signer.jwk(), &json!({"kid": "other"}))]);
    assert_eq!(set.len(), 2);
    for kid in ["ES256", "other"] {
        assert_eq!(verify(&set, signer, &json!({ "kid": kid })), None);
    }
}

#[test]
fn copies_without_kid_count_once() {
    let signer = key(Algorithm::HS256);
    let jwk = |n: u8| SigningKey::Secret(vec![n; 32]).jwk_with(&json!({"alg": "HS256"}));
    let mut keys: Vec<Value> = [1, 1, 2, 2, 3, 3].map(jwk).to_vec();
    keys.push(with(&signer.jwk(), &json!({"kid": "absent"})));
    let set = set(&keys);
    assert_eq!((set.len(), set.skipped().len()), (4, 0));
    assert_eq!(verify(&set, signer, &json!({})), None);

    let given = [signer.verification_key(), signer.verification_key()];
    assert_eq!(JwkSet::from_keys(given).unwrap().len(), 1);
}

// Keys that cannot be told apart.

#[test]
fn different_keys_with_one_kid_and_algorithm_are_reported() {
    let (one, other) = (key(Algorithm::ES256), TestKey::generate(Algorithm::ES256));
    let third = key(Algorithm::EdDSA);
    let set = set(&[one.jwk(), third.jwk(), other.jwk()]);
    assert_eq!(set.len(), 1);
    let skipped: Vec<_> = set.skipped().iter().map(|key| (key.index(), key.kid())).collect();
    assert_eq!(skipped, [(0, Some("ES256")), (2, Some("ES256"))]);
    assert!(set.skipped().iter().all(|key| key.reason().contains("cannot tell them apart")));
    assert_eq!(set.status().skipped().len(), 2);
    assert_eq!(set.status().keys(), 1);
    assert!(set.status().is_ready());

    for signer in [one, &other] {
        let kind = verify(&set, signer, &json!({"kid": "ES256"}));
        assert_eq!(kind, Some(RejectionKind::UnknownKey));
        assert_eq!(verify(&set, signer, &json!({})), Some(RejectionKind::UnknownKey));
    }
    assert_eq!(verify(&set, third, &json!({"kid": "EdDSA"})), None);
}

#[test]
fn a_key_keeps_the_algorithms_that_are_its_own() {
    let rsa = key(Algorithm::RS256);
    // Another key, of the same type: its number is not one that signs.
    let mut number = vec![0xff; 256];
    number[200] = 7;
    let other = json!({
        "kty": "RSA", "kid": "k", "alg": "RS256", "n": crate::support::b64(&number), "e": "AQAB",
    });
    let bare = with(&rsa.jwk(), &json!({"kid": "k", "alg": "absent"}));
    let set = set(&[bare, other]);
    let [algorithms] = &algorithms(&set)[..] else { panic!("not one key") };
    assert_eq!(*algorithms, ["RS384", "RS512", "PS256", "PS384", "PS512"]);
    assert_eq!(set.skipped().iter().map(SkippedKey::index).collect::<Vec<_>>(), [1]);
    let by_kid = json!({"kid": "k"});
    assert_eq!(verify(&set, rsa, &by_kid), Some(RejectionKind::UnknownKey));
    assert_eq!(verify(&set, key(Algorithm::PS512), &by_kid), None);
}

#[test]
fn a_set_of_ambiguous_keys_alone_is_not_ready() {
    let jwk = || TestKey::generate(Algorithm::ES256).jwk();
    let set = set(&[jwk(), jwk()]);
    assert!(set.is_empty() && set.keys().next().is_none());
    assert_eq!((set.len(), set.skipped().len(), set.status().keys()), (0, 2, 0));
    assert!(!set.status().is_ready());
}

#[test]
fn different_keys_with_one_kid_that_are_given_together_are_an_error() {
    let keys = || [1, 2].map(|_| TestKey::generate(Algorithm::ES256).verification_key());
    let error = JwkSet::from_keys(keys()).unwrap_err();
    assert!(error.to_string().contains("same `kid` and algorithm"), "{error}");
    // By their names they can be told apart.
    let [one, other] = keys();
    assert_eq!(JwkSet::from_keys([one, other.with_kid("other")]).unwrap().len(), 2);
}

#[cfg(feature = "tracing")]
#[test]
fn a_given_set_logs_the_keys_that_it_does_not_use() {
    use crate::support::log_text::Log;

    let (log, _guard) = Log::start(tracing::Level::WARN);
    let jwk = || TestKey::generate(Algorithm::ES256).jwk();
    let used = set(&[jwk()]);
    assert_eq!((used.len(), log.text()), (1, String::new()));
    let set = set(&[jwk(), jwk(), json!({"kty": "RSA", "kid": "line\nbreak"})]);
    assert_eq!(set.skipped().len(), 3);
    assert_eq!(log.count("a key is not used"), 3, "{}", log.text());
    assert_eq!(log.count("ES256"), 2, "{}", log.text());
    assert!(!log.text().contains("break"), "{}", log.text());
}

#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13", feature = "test-util"))]
mod fetched {
    use bytes::Bytes;
    use serde_json::{Value, json};
    use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
    use tower_jwt_auth::{Algorithm, JwksUrl, JwtVerifier, KeySource, OidcDiscovery};

    use super::with;
    use crate::key_engine::{fetched, kind};
    use crate::support::TestKey;

    fn publish(issuer: &MockIssuer, keys: &[Value]) {
        let body = json!({ "keys": keys }).to_string();
        issuer.set_answer(MockAnswer::Body("application/json", Bytes::from(body)));
    }

    fn keys_of(issuer: &MockIssuer) -> Vec<Value> {
        let set: Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
        set["keys"].as_array().unwrap().clone()
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetched_set_of_ambiguous_keys_alone_is_a_failed_fetch() {
        let issuer = MockIssuer::new();
        let verifier = fetched(&issuer, issuer.clone());
        let jwk = keys_of(&issuer).remove(0);
        let other = TestKey::generate(Algorithm::ES256).jwk();
        let double = with(&other, &json!({"kid": jwk["kid"], "alg": jwk["alg"]}));
        publish(&issuer, &[jwk.clone(), double.clone()]);
        assert!(verifier.refresh().await.is_err());
        let status = verifier.key_status();
        assert!(!status.is_ready());
        assert!(status.last_error().unwrap().contains("cannot tell them apart"));

        // With a key that is good for something it is a set, and the others are reported.
        publish(&issuer, &[jwk, double, with(&other, &json!({"kid": "other"}))]);
        verifier.refresh().await.unwrap();
        let status = verifier.key_status();
        assert_eq!((status.keys(), status.skipped().len()), (1, 2));
        assert!(kind(&verifier, &issuer.token().build()).await.is_some());
    }

    #[cfg(feature = "tracing")]
    #[tokio::test(start_paused = true)]
    async fn ambiguous_keys_of_a_fetched_set_are_logged() {
        use crate::support::log_text::Log;

        let (log, _guard) = Log::start(tracing::Level::WARN);
        let issuer = MockIssuer::new();
        let verifier = fetched(&issuer, issuer.clone());
        let one = || TestKey::generate(Algorithm::ES384).jwk();
        publish(&issuer, &[one(), keys_of(&issuer).remove(0), one()]);
        verifier.refresh().await.unwrap();
        assert_eq!(log.count("a key is not used"), 2, "{}", log.text());
        assert_eq!(log.count("ES384"), 2, "{}", log.text());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_of_a_spiffe_bundle_are_fetched_by_their_use() {
        let issuer = MockIssuer::new();
        let token = issuer.token().build();
        let jwk = with(&keys_of(&issuer).remove(0), &json!({"use": "jwt-svid"}));
        let x509 = with(&TestKey::generate(Algorithm::ES256).jwk(), &json!({"use": "x509-svid"}));
        publish(&issuer, &[x509, jwk]);

        let url = JwksUrl::new(&issuer.jwks_url()).unwrap().with_key_use("jwt-svid").unwrap();
        let found = OidcDiscovery::new(issuer.issuer()).unwrap();
        let found = found.with_key_use("jwt-svid").unwrap().with_fetcher(issuer.clone());
        let url = url.with_fetcher(issuer.clone());
        let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", url).unwrap();
        assert_eq!(kind(&verifier, &token).await, None);
        assert_eq!(verifier.key_status().skipped().len(), 1);
        assert!(found.refresh().await.is_ok());
        assert_eq!(found.status().keys(), 1);

        // By default neither is a key for signatures.
        assert!(fetched(&issuer, issuer.clone()).refresh().await.is_err());
        for never in ["enc", "ENC", "x509-svid", ""] {
            assert!(JwksUrl::new(&issuer.jwks_url()).unwrap().with_key_use(never).is_err());
        }
    }
}

#[test]
fn keys_with_another_use_are_taken_by_name_alone() {
    let signer = key(Algorithm::ES256);
    let jwk = |kid: &str, key_use: Value| {
        with(&TestKey::generate(Algorithm::ES256).jwk(), &json!({"kid": kid, "use": key_use}))
    };
    let bundle = json!({"spiffe_sequence": 1, "keys": [
        jwk("x509", json!("x509-svid")),
        with(&signer.jwk(), &json!({"kid": "jwt", "use": "jwt-svid"})),
        jwk("sig", json!("sig")),
        jwk("none", json!("absent")),
        jwk("null", json!(null)),
        jwk("case", json!("JWT-SVID")),
        with(&jwk("ops", json!("jwt-svid")), &json!({"key_ops": ["sign"]})),
    ]})
    .to_string();
    let set = JwkSet::from_json_with_key_use(&bundle, "jwt-svid").unwrap();
    assert!(set.keys().map(|key| key.kid()).eq([Some("jwt")]));
    assert_eq!(set.skipped().len(), 6);
    assert_eq!(verify(&set, signer, &json!({"kid": "jwt"})), None);

    // By default it is the other way round.
    let set = JwkSet::from_json(&bundle).unwrap();
    let kids: Vec<_> = set.keys().map(|key| key.kid().unwrap()).collect();
    assert_eq!(kids, ["sig", "none", "null"]);

    for never in ["enc", "Enc", "x509-svid", ""] {
        let error = JwkSet::from_json_with_key_use(&bundle, never).unwrap_err();
        assert!(error.to_string().contains("do not verify tokens"), "{error}");
    }
}
