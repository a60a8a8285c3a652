//! Generated keys, and sets of them, as both sides load them.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, JwkSet, VerificationKey};

use crate::support::TestKey;
use crate::support::reference::json::{self, Json};
use crate::support::reference::keys::{Key, Keys};

/// Those whose keys the reference has: all but ML-DSA, which come last.
const ALGORITHMS: usize = Algorithm::ALL.len() - 3;

/// Two keys of each algorithm; those of RSA are one key, which is slow to make.
pub(super) static POOL: LazyLock<Vec<TestKey>> = LazyLock::new(|| {
    let algorithms = &Algorithm::ALL[..ALGORITHMS];
    algorithms.iter().flat_map(|a| [TestKey::generate(*a), TestKey::generate(*a)]).collect()
});

/// A place in the pool; the quick algorithms more often.
pub(super) fn place() -> impl Strategy<Value = usize> {
    let all = 2 * ALGORITHMS;
    prop_oneof![5 => 0..6_usize, 2 => 24..28_usize, 1 => 0..all]
}

pub(super) fn kid() -> impl Strategy<Value = Option<String>> {
    option::of(select(vec!["a", "a", "b", ""]).prop_map(str::to_owned))
}

fn thumbprint() -> impl Strategy<Value = Option<String>> {
    option::weighted(0.3, select(vec!["t", "t", "u"]).prop_map(str::to_owned))
}

/// A key of the pool as a JWK, with `kid`, and in one of three cases with something odd.
fn jwk() -> impl Strategy<Value = Value> {
    let odd = select(vec![
        ("alg", None),
        ("alg", Some(json!("HS256"))),
        ("alg", Some(json!("RS256"))),
        ("alg", Some(json!("EdDSA"))),
        ("alg", Some(json!("none"))),
        ("alg", Some(json!(5))),
        ("use", None),
        ("use", Some(json!("enc"))),
        ("use", Some(Value::Null)),
        ("key_ops", Some(json!(["verify"]))),
        ("key_ops", Some(json!(["sign", "verify"]))),
        ("key_ops", Some(json!(["verify", "verify"]))),
        ("key_ops", Some(json!(["verify", "encrypt"]))),
        ("key_ops", Some(json!([]))),
        ("key_ops", Some(json!("verify"))),
        ("kty", Some(json!("oct"))),
        ("kty", Some(json!("EC"))),
        ("kty", None),
        ("crv", Some(json!("P-256"))),
        ("crv", Some(json!("Ed25519"))),
        ("k", Some(json!("AAAA"))),
        ("k", Some(json!(""))),
        ("x", Some(json!("AAAA"))),
        ("y", Some(json!("AAAA"))),
        ("x", Some(json!("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))),
        ("x", Some(json!("AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))),
        ("e", Some(json!("AQ"))),
        ("e", Some(json!("Ag"))),
        ("e", Some(json!("AAEAAQ"))),
        ("n", Some(json!("AQAB"))),
        ("d", Some(json!("AAAA"))),
        ("d", Some(Value::Null)),
        ("priv", Some(json!("AAAA"))),
        ("kty", Some(json!("AKP"))),
        ("alg", Some(json!("ML-DSA-44"))),
        ("oth", Some(json!([]))),
        ("oth", Some(json!([{}]))),
        ("p", Some(json!(""))),
        ("kid", Some(Value::Null)),
        ("kid", Some(json!(5))),
        ("alg", Some(Value::Null)),
        ("key_ops", Some(Value::Null)),
        ("x", Some(Value::Null)),
        ("kty", Some(Value::Null)),
        ("x5t", Some(json!(5))),
        ("x5t#S256", Some(Value::Null)),
        ("other", Some(json!({"a": [1, 2, 3]}))),
    ]);
    let names = (kid(), thumbprint(), thumbprint());
    (place(), names, option::weighted(0.33, odd)).prop_map(|(place, (kid, x5t, x5t_s256), odd)| {
        let mut jwk = POOL[place].jwk();
        let members = jwk.as_object_mut().unwrap();
        members.remove("kid");
        for (name, value) in [("kid", kid), ("x5t", x5t), ("x5t#S256", x5t_s256)] {
            if let Some(value) = value {
                members.insert(name.to_owned(), value.into());
            }
        }
        match odd {
            Some((name, Some(value))) => drop(members.insert(name.to_owned(), value)),
            Some((name, None)) => drop(members.remove(name)),
            None => {}
        }
        jwk
    })
}

#[derive(Clone, Debug)]
pub(super) enum KeysGiven {
    Set(Vec<Value>),
    OneByOne(Vec<Value>),
}

/// Several keys, and in one of four cases a copy of one of them, with or without its `alg`.
fn jwks(fewer_than: usize) -> impl Strategy<Value = Vec<Value>> {
    let copy = option::weighted(0.25, (any::<Index>(), any::<Index>(), any::<bool>()));
    (vec(jwk(), 1..fewer_than), copy).prop_map(|(mut jwks, copy)| {
        if let Some((of, to, with_alg)) = copy {
            let mut copy = of.get(&jwks).clone();
            if !with_alg {
                copy.as_object_mut().unwrap().remove("alg");
            }
            jwks.insert(to.index(jwks.len() + 1), copy);
        }
        jwks
    })
}

pub(super) fn keys_given() -> impl Strategy<Value = KeysGiven> {
    prop_oneof![
        3 => jwks(7).prop_map(KeysGiven::Set),
        1 => jwks(4).prop_map(KeysGiven::OneByOne),
    ]
}

/// Both sides load the same keys: `None` where neither loads any.
pub(super) fn load(given: &KeysGiven) -> Result<Option<(JwkSet, Keys)>, TestCaseError> {
    match given {
        KeysGiven::Set(jwks) => {
            let text = json!({"keys": jwks}).to_string();
            let (ours, plain) = (JwkSet::from_json(&text), Keys::from_json(&text));
            prop_assert_eq!(ours.is_ok(), plain.is_some(), "{:?}", ours);
            let (Ok(ours), Some(plain)) = (ours, plain) else { return Ok(None) };
            agree(&ours, &plain)?;
            Ok(Some((ours, plain)))
        }
        KeysGiven::OneByOne(jwks) => {
            let (mut ours, mut plain) = (Vec::new(), Vec::new());
            for jwk in jwks {
                let text = jwk.to_string();
                let members = json::object(text.as_bytes(), 64).unwrap();
                let members = members.into_iter().map(|(name, value)| (Some(name), value));
                let one = VerificationKey::from_jwk(&text);
                let other = Key::from_jwk(&Json::Object(members.collect()));
                prop_assert_eq!(one.is_ok(), other.is_some(), "{:?} {}", one, text);
                ours.extend(one.ok());
                plain.extend(other);
            }
            let (ours, plain) = (JwkSet::from_keys(ours), Keys::one_by_one(&plain));
            prop_assert_eq!(ours.is_ok(), plain.is_some(), "{:?}", ours);
            let (Ok(ours), Some(plain)) = (ours, plain) else { return Ok(None) };
            agree(&ours, &plain)?;
            Ok(Some((ours, plain)))
        }
    }
}

fn agree(ours: &JwkSet, plain: &Keys) -> Result<(), TestCaseError> {
    let ours: Vec<(Option<String>, Vec<String>)> = ours
        .keys()
        .map(|key| {
            let algorithms = key.algorithms().map(|algorithm| algorithm.name().to_owned());
            (key.kid().map(str::to_owned), algorithms.collect())
        })
        .collect();
    let plain: Vec<_> =
        plain.keys.iter().map(|key| (key.kid.clone(), key.algorithms.clone())).collect();
    prop_assert_eq!(ours, plain);
    Ok(())
}
