//! Types of claims: what fits them, and what none of them hides.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};
use tower_jwt_auth::{Audience, NumericDate, RegisteredClaims, RejectionKind, Scope};

use super::{Nothing, Strict, typed};
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, claims_without};

use RejectionKind::*;

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
