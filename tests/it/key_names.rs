//! Tokens that name their key by `x5t` or `x5t#S256` (RFC 7515 sections 4.1.7 and 4.1.8).

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, JwkSet, JwtVerifier, KeyLookup, KeyQuery, KeySource, RejectionKind, VerificationKey,
};

use crate::support::{AUDIENCE, ISSUER, TestKey, claims, key, now};

const UNKNOWN: Option<RejectionKind> = Some(RejectionKind::UnknownKey);

fn jwk(signer: &TestKey, names: &Value) -> Value {
    let mut jwk = signer.jwk();
    jwk.as_object_mut().unwrap().remove("kid");
    for (name, value) in names.as_object().unwrap() {
        jwk[name] = value.clone();
    }
    jwk
}

fn token(signer: &TestKey, header: &Value) -> String {
    let mut header = header.clone();
    header["alg"] = signer.algorithm.name().into();
    signer.token_of(header.to_string(), claims().to_string())
}

fn verify(keys: impl KeySource, signer: &TestKey, header: &Value) -> Option<RejectionKind> {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap().with_clock(now());
    verifier.verify_now(&token(signer, header)).err().map(|rejection| rejection.kind())
}

fn set(keys: &[Value]) -> JwkSet {
    JwkSet::from_json(&json!({ "keys": keys }).to_string()).unwrap()
}

#[test]
fn a_thumbprint_picks_the_key_that_carries_it() {
    let (one, other) = (key(Algorithm::ES256), TestKey::generate(Algorithm::ES256));
    for member in ["x5t", "x5t#S256"] {
        let set = set(&[
            jwk(one, &json!({"kid": "1", member: "kg2L-_Ys2T0"})),
            jwk(&other, &json!({"kid": "2", member: "other"})),
            jwk(&TestKey::generate(Algorithm::ES256), &json!({"kid": "3"})),
        ]);
        assert_eq!(verify(set.clone(), one, &json!({ member: "kg2L-_Ys2T0" })), None);
        assert_eq!(verify(set.clone(), &other, &json!({ member: "other" })), None);
        // Compared exactly: not without regard to case, padding or alphabet, and not decoded.
        for wrong in ["KG2L-_Ys2T0", "kg2L-_Ys2T0=", "kg2L+/Ys2T0", "kg2L-_Ys2T0 ", "", "unknown"] {
            assert_eq!(verify(set.clone(), one, &json!({ member: wrong })), UNKNOWN, "{wrong}");
        }
        let elsewhere = if member == "x5t" { "x5t#S256" } else { "x5t" };
        assert_eq!(verify(set.clone(), one, &json!({ elsewhere: "kg2L-_Ys2T0" })), UNKNOWN);
        // The signature decides.
        let forged = verify(set, &other, &json!({ member: "kg2L-_Ys2T0" }));
        assert_eq!(forged, Some(RejectionKind::InvalidSignature));
    }
}

#[test]
fn a_kid_outranks_a_thumbprint() {
    let (one, other) = (key(Algorithm::ES256), TestKey::generate(Algorithm::ES256));
    let set = set(&[
        jwk(one, &json!({"kid": "1", "x5t": "t1"})),
        jwk(&other, &json!({"kid": "2", "x5t": "t2"})),
    ]);
    for (header, kind) in [
        (json!({"kid": "1", "x5t": "t1"}), None),
        (json!({"kid": "1", "x5t": "t2"}), None),
        (json!({"kid": "1", "x5t#S256": "t3"}), None),
        (json!({"kid": "2", "x5t": "t1"}), Some(RejectionKind::InvalidSignature)),
        (json!({"kid": "unknown", "x5t": "t1"}), UNKNOWN),
        (json!({"kid": "", "x5t": "t1"}), UNKNOWN),
    ] {
        assert_eq!(verify(set.clone(), one, &header), kind, "{header}");
    }
}

#[test]
fn of_two_thumbprints_neither_may_contradict_the_key() {
    let (one, other) = (key(Algorithm::ES256), TestKey::generate(Algorithm::ES256));
    let set = set(&[
        jwk(one, &json!({"kid": "1", "x5t": "t1", "x5t#S256": "s1"})),
        // The same SHA-1, as a collision would have it.
        jwk(&other, &json!({"kid": "2", "x5t": "t1", "x5t#S256": "s2"})),
        jwk(key(Algorithm::EdDSA), &json!({"kid": "3", "x5t": "t3"})),
    ]);
    for (signer, header, kind) in [
        (one, json!({"x5t": "t1", "x5t#S256": "s1"}), None),
        (&other, json!({"x5t": "t1", "x5t#S256": "s2"}), None),
        (one, json!({"x5t#S256": "s1"}), None),
        (one, json!({"x5t": "t1"}), UNKNOWN),
        (one, json!({"x5t": "t3", "x5t#S256": "s1"}), UNKNOWN),
        (key(Algorithm::EdDSA), json!({"x5t": "t3", "x5t#S256": "s9"}), None),
        (one, json!({"x5t": "t9", "x5t#S256": "s9"}), UNKNOWN),
    ] {
        assert_eq!(verify(set.clone(), signer, &header), kind, "{header}");
    }
}

#[test]
fn one_key_under_two_kids_is_found_by_its_thumbprint() {
    let one = key(Algorithm::ES256);
    let set = set(&[
        jwk(one, &json!({"kid": "1", "x5t": "t"})),
        jwk(one, &json!({"kid": "2", "x5t": "t"})),
    ]);
    assert_eq!(verify(set.clone(), one, &json!({"x5t": "t"})), None);
    // By the algorithm as well.
    let wrong = verify(set, key(Algorithm::EdDSA), &json!({"x5t": "t"}));
    assert_eq!(wrong, UNKNOWN);
}

#[test]
fn a_thumbprint_that_no_key_carries_is_unknown_also_in_a_set_of_one() {
    let one = key(Algorithm::ES256);
    for names in [json!({}), json!({"kid": "1"}), json!({"x5t": "t"}), json!({"x5t": 7})] {
        let set = set(&[jwk(one, &names)]);
        assert_eq!(verify(set.clone(), one, &json!({"x5t": "other"})), UNKNOWN, "{names}");
        assert_eq!(verify(set, one, &json!({})), None, "{names}");
    }
}

#[test]
fn keys_given_by_themselves_ignore_names_that_they_do_not_have() {
    let (one, header) = (key(Algorithm::ES256), json!({"x5t": "t", "x5t#S256": "s"}));
    let pem = || VerificationKey::from_pem(one.pem().as_bytes(), Algorithm::ES256).unwrap();
    let load = |names: &Value| VerificationKey::from_jwk(&jwk(one, names).to_string()).unwrap();
    assert_eq!(verify(pem(), one, &header), None);
    assert_eq!(verify(JwkSet::from_keys([pem()]).unwrap(), one, &header), None);
    assert_eq!(verify(load(&json!({"kid": "1"})), one, &header), None);
    assert_eq!(verify(load(&json!({"x5t": "t"})), one, &header), None);
    assert_eq!(verify(load(&json!({"x5t": "other"})), one, &header), UNKNOWN);
    assert_eq!(verify(load(&json!({"x5t": "t", "x5t#S256": "other"})), one, &header), UNKNOWN);
    let set = JwkSet::from_keys([load(&json!({"x5t": "other"}))]).unwrap();
    assert_eq!(verify(set, one, &header), UNKNOWN);
    // A `kid` outranks them here as well.
    let named = load(&json!({"kid": "1", "x5t": "other"}));
    assert_eq!(verify(named, one, &json!({"kid": "1", "x5t": "t"})), None);
}

#[test]
fn a_source_may_look_a_key_up_by_its_thumbprint() {
    #[derive(Debug)]
    struct ByThumbprint(VerificationKey);

    impl KeySource for ByThumbprint {
        fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
            assert!(!format!("{query:?}").contains("thumbprint"));
            let names = (query.kid(), query.x5t(), query.x5t_s256());
            let found = names == (None, Some("thumbprint-1"), Some("thumbprint-256"));
            KeyLookup::ready(Ok(found.then(|| self.0.clone()).into_iter().collect()))
        }
    }

    let one = key(Algorithm::ES256);
    let source = || ByThumbprint(one.verification_key());
    let header = json!({"x5t": "thumbprint-1", "x5t#S256": "thumbprint-256"});
    assert_eq!(verify(source(), one, &header), None);
    assert_eq!(verify(source(), one, &json!({"x5t": "thumbprint-1"})), UNKNOWN);
}

#[cfg(all(feature = "jwks-url", feature = "test-util"))]
#[tokio::test(start_paused = true)]
async fn an_unknown_thumbprint_makes_a_url_source_look_again() {
    use bytes::Bytes;
    use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

    use crate::key_engine::{fetched, kind};

    let issuer = MockIssuer::new();
    let verifier = fetched(&issuer, issuer.clone()).with_clock(now());
    let signer = key(Algorithm::ES256);
    let publish = |names: &[Value]| {
        let keys: Vec<Value> = names.iter().map(|names| jwk(signer, names)).collect();
        let body = json!({ "keys": keys }).to_string();
        issuer.set_answer(MockAnswer::Body("application/json", Bytes::from(body)));
    };
    publish(&[json!({"kid": "1", "x5t": "t1"})]);
    verifier.refresh().await.unwrap();

    let token = |header: &Value| {
        let mut claims = claims();
        claims["iss"] = issuer.issuer().into();
        claims["aud"] = "https://api.test".into();
        let mut header = header.clone();
        header["alg"] = "ES256".into();
        signer.token_of(header.to_string(), claims.to_string())
    };
    let fetches = issuer.key_fetches();
    assert_eq!(kind(&verifier, &token(&json!({"x5t": "t1"}))).await, None);
    assert_eq!(issuer.key_fetches(), fetches);
    // The certificate is renewed, and the first token that names it brings the new set.
    publish(&[json!({"kid": "1", "x5t": "t2"})]);
    assert_eq!(kind(&verifier, &token(&json!({"x5t": "t2"}))).await, None);
    assert_eq!(issuer.key_fetches(), fetches + 1);
    assert_eq!(kind(&verifier, &token(&json!({"x5t": "t1"}))).await, UNKNOWN);
}
