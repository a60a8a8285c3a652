//! Types of claims whose `Deserialize` is careless or hostile: none of them hides a fault of reading,
//! and none of them changes what the rules see.

use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tower_jwt_auth::{Algorithm, RejectionKind, VerifiedToken};

use crate::support::reference::json as plain_json;
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, key};

use RejectionKind::*;

fn verify<C: DeserializeOwned>(claims: &str) -> Result<VerifiedToken<C>, RejectionKind> {
    let hs256 = key(Algorithm::HS256);
    let token = hs256.token_of(r#"{"alg":"HS256"}"#, claims);
    let verifier = hs256.verifier().with_claims::<C>();
    verifier.verify_now(&token).map_err(|rejection| rejection.kind())
}

/// A type whose `Deserialize` visits the claims by this function.
macro_rules! hostile {
    ($($(#[$doc:meta])* $name:ident($map:ident) $body:block)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        struct $name;

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TheVisitor;

                impl<'de> Visitor<'de> for TheVisitor {
                    type Value = ();

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("claims")
                    }

                    #[allow(unused_mut, unused_variables)]
                    fn visit_map<A: MapAccess<'de>>(self, mut $map: A) -> Result<(), A::Error> {
                        $body
                        Ok(())
                    }
                }

                let _ = deserializer.deserialize_map(TheVisitor);
                Ok(Self)
            }
        }
    )+};
}

hostile! {
    /// Swallows the errors of names and values, and goes on.
    Careless(map) {
        for _ in 0..100 {
            if let Ok(None) = map.next_key::<String>() {
                break;
            }
            let _ = map.next_value::<Value>();
        }
    }
    /// Reads each value as a type that it hardly ever has.
    WrongTypes(map) {
        while let Ok(Some(_)) = map.next_key::<IgnoredAny>() {
            let _ = map.next_value::<BTreeMap<String, Vec<bool>>>();
        }
    }
    /// Reads no value at all.
    NamesAlone(map) {
        while let Ok(Some(_)) = map.next_key::<String>() {}
    }
    /// Asks for values without their names.
    ValuesAlone(map) {
        for _ in 0..20 {
            let _ = map.next_value::<Value>();
        }
    }
    /// Asks for each name, and for its value twice.
    Twice(map) {
        while let Ok(Some(_)) = map.next_key::<String>() {
            let _ = (map.next_value::<u8>(), map.next_value::<u8>());
        }
    }
    /// Stops after the first name.
    OneName(map) {
        let _ = map.next_key::<String>();
    }
    /// Stops after the first claim.
    OneClaim(map) {
        let _ = map.next_entry::<String, Value>();
    }
    /// Reads nothing.
    Blind(map) {}
    /// Fails on every name, and swallows that too.
    WrongNames(map) {
        for _ in 0..20 {
            let _ = map.next_key::<u8>();
        }
    }
}

/// Does not even ask for a map.
#[derive(Debug)]
struct Deaf;

impl<'de> Deserialize<'de> for Deaf {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// Claims that are whatever they are when they do not fit.
#[derive(Debug, Default)]
struct OrDefault;

impl<'de> Deserialize<'de> for OrDefault {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let _ = Map::<String, Value>::deserialize(deserializer);
        Ok(Self)
    }
}

/// A field that is absent when its value does not fit.
#[derive(Debug, PartialEq)]
struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(T::deserialize(deserializer).ok()))
    }
}

/// A field that does not look at its value.
#[derive(Debug, Default)]
struct Unread;

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

/// Fields that swallow errors, also further down.
#[derive(Debug, Deserialize)]
struct LenientFields {
    #[serde(default)]
    roles: Lenient<Vec<Lenient<String>>>,
    #[serde(default)]
    tenant: Lenient<BTreeMap<String, u8>>,
    #[serde(default)]
    nbf: Lenient<String>,
    #[serde(default)]
    #[allow(dead_code, reason = "not even read")]
    exp: Unread,
    #[serde(default)]
    #[allow(dead_code, reason = "not even read")]
    other: Unread,
}

/// Whether these claims are accepted into any of the types.
fn accepted_by(claims: &str) -> Vec<&'static str> {
    fn one<C: DeserializeOwned>(claims: &str) -> Option<&'static str> {
        verify::<C>(claims).is_ok().then(std::any::type_name::<C>)
    }
    let types: [fn(&str) -> Option<&'static str>; 12] = [
        one::<Careless>,
        one::<WrongTypes>,
        one::<NamesAlone>,
        one::<ValuesAlone>,
        one::<Twice>,
        one::<OneName>,
        one::<OneClaim>,
        one::<Blind>,
        one::<WrongNames>,
        one::<Deaf>,
        one::<OrDefault>,
        one::<LenientFields>,
    ];
    types.iter().filter_map(|one| one(claims)).collect()
}

/// The members of good claims, without braces.
fn inner() -> String {
    let claims = claims().to_string();
    claims[1..claims.len() - 1].to_owned()
}

#[test]
fn a_fault_of_reading_is_refused_whatever_the_type_of_the_claims_does() {
    let inner = inner();
    for faulty in [
        format!(r#"{{"roles":,{inner}}}"#),
        format!(r#"{{{inner},"roles":}}"#),
        format!(r#"{{{inner},"roles":[,"a"]}}"#),
        format!(r#"{{{inner},"roles":["a" "b"]}}"#),
        format!(r#"{{{inner},"tenant":{{"a":"x","b":1}}"#),
        format!(r#"{{{inner},"tenant":{{"a":"x","iss":"b"}}"#),
        format!(r#"{{"other":nul,{inner}}}"#),
        format!(r#"{{"other":01,{inner}}}"#),
        format!(r#"{{"other":"a{}b",{inner}}}"#, '\u{1}'),
        format!(r#"{{"other":"\x",{inner}}}"#),
        format!(r#"{{"other" 1,{inner}}}"#),
        format!(r#"{{other:1,{inner}}}"#),
        format!(r#"{{{inner},,"other":1}}"#),
        format!(r#"{{{inner},}}"#),
        format!(r#"{{{inner}"#),
        format!(r#"{{{inner}]"#),
        format!(r#"{{{inner}}}}}"#),
        format!(r#"{{{inner}}} x"#),
        format!(r#"{{{inner},"x":1,"x":1}}"#),
        format!(r#"{{{inner},"nbf":"x"}}"#),
        format!(r#"{{{inner},"nbf":null}}"#),
        format!(r#"{{{inner},"nbf":-1}}"#),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
    ] {
        assert_eq!(accepted_by(&faulty), [""; 0], "{faulty}");
        assert_eq!(verify::<Careless>(&faulty).unwrap_err(), MalformedClaims, "{faulty}");
        assert_eq!(verify::<Deaf>(&faulty).unwrap_err(), MalformedClaims, "{faulty}");
        assert_eq!(verify::<LenientFields>(&faulty).unwrap_err(), MalformedClaims, "{faulty}");
    }
}

#[test]
fn a_type_that_swallows_errors_hides_no_rule() {
    for (changed, kind) in [
        (claims_with("exp", 1), ExpiredToken),
        (claims_with("nbf", NOW + 3_000), ImmatureToken),
        (claims_with("iss", "other"), WrongIssuer),
        (claims_with("aud", "other"), WrongAudience),
        (claims_with("cnf", json!({})), UnconfirmedSender),
        (claims_with("typ", "ID"), WrongTokenType),
    ] {
        let changed = changed.to_string();
        assert_eq!(accepted_by(&changed), [""; 0], "{changed}");
        for refused in [
            verify::<Careless>(&changed).err(),
            verify::<NamesAlone>(&changed).err(),
            verify::<OneName>(&changed).err(),
            verify::<Blind>(&changed).err(),
            verify::<Deaf>(&changed).err(),
            verify::<LenientFields>(&changed).err(),
        ] {
            assert_eq!(refused, Some(kind), "{changed}");
        }
    }
}

/// The value of a field is its own: what a type does with it spoils nothing else.
#[test]
fn a_lenient_field_is_absent_where_its_value_does_not_fit() {
    for (roles, read) in [
        (json!(["a", 5, null, "c"]), Some(vec![Some("a"), None, None, Some("c")])),
        // Further down, `serde_json` loses its place after an object that does not fit.
        (json!(["a", {"b": [1]}, "c"]), None),
        (json!({"a": ["b"]}), None),
        (json!(5), None),
        (json!([]), Some(vec![])),
    ] {
        let mut changed = claims_with("roles", roles.clone());
        changed["tenant"] = json!({"a": "x", "iss": "evil", "b": 1});
        changed["other"] = json!([{"deep": [1, "two"]}]);
        let token = verify::<LenientFields>(&changed.to_string()).unwrap();
        let found =
            token.roles.0.as_ref().map(|roles| {
                roles.iter().map(|role| role.0.as_deref()).collect::<Vec<Option<&str>>>()
            });
        assert_eq!(found, read, "{roles}");
        assert_eq!((&token.tenant, &token.nbf), (&Lenient(None), &Lenient(None)));
    }
}

#[test]
fn whole_times_fit_integers_however_they_are_written() {
    #[derive(Debug, Deserialize)]
    struct Times {
        exp: u64,
        nbf: Option<i32>,
        iat: u64,
    }

    #[derive(Debug, Deserialize)]
    struct Flattened {
        #[serde(flatten)]
        times: Times,
    }

    #[derive(Debug, Deserialize)]
    struct Floats {
        exp: f64,
    }

    let text = |exp: &str, nbf: &str| {
        format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":{exp},"nbf":{nbf},"iat":1.7E9}}"#)
    };
    for (exp, seconds) in
        [("4102444800.0", 4_102_444_800), ("4.1024448e9", 4_102_444_800), ("1e15", 10_u64.pow(15))]
    {
        for (nbf, start) in [("1e3", 1_000), ("0.0", 0), ("-0.0", 0), ("250e-1", 25)] {
            let text = text(exp, nbf);
            let times = verify::<Times>(&text).unwrap();
            assert_eq!((times.exp, times.nbf, times.iat), (seconds, Some(start), 1_700_000_000));
            let flattened = verify::<Flattened>(&text).unwrap();
            assert_eq!((flattened.times.exp, flattened.times.nbf), (seconds, Some(start)));
            assert_eq!(verify::<Floats>(&text).unwrap().exp, seconds as f64);
        }
    }
    // A fraction does not, and what asks for the JSON gets it as it is.
    assert_eq!(verify::<Times>(&text("4102444800.5", "0")).unwrap_err(), UnexpectedClaims);
    let raw = verify::<BTreeMap<String, Box<RawValue>>>(&text("4102444800.0", "1e3")).unwrap();
    assert_eq!((raw["exp"].get(), raw["nbf"].get()), ("4102444800.0", "1e3"));
}

#[test]
fn whole_numbers_of_custom_claims_fit_integers_however_they_are_written() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Level(i8);

    #[derive(Debug, Deserialize)]
    struct Numbers {
        auth_time: u64,
        tenant: Option<u32>,
        level: Level,
        share: f32,
    }

    let numbers = |auth_time: &str, tenant: &str, level: &str, share: &str| {
        verify::<Numbers>(&format!(
            r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":4102444800,"auth_time":{auth_time},
                "tenant":{tenant},"level":{level},"share":{share}}}"#
        ))
    };
    for (auth_time, tenant, level) in [
        ("1700000000", "7", "-3"),
        ("1700000000.0", "7.0", "-3.0"),
        ("1.7e9", "7e0", "-30e-1"),
        ("17E8", "0.7e1", "-0.3e1"),
    ] {
        let read = numbers(auth_time, tenant, level, "0.5").unwrap();
        assert_eq!((read.auth_time, read.tenant), (1_700_000_000, Some(7)));
        assert_eq!((read.level.0, read.share), (-3, 0.5));
    }
    assert_eq!(numbers("1", "null", "0", "2").unwrap().tenant, None);
    for (auth_time, tenant, level) in [
        ("1700000000.5", "7", "0"),
        ("-1.0", "7", "0"),
        ("1e300", "7", "0"),
        ("1", "4294967296.0", "0"),
        ("1", "7", "128.0"),
        ("\"1.0\"", "7", "0"),
    ] {
        assert_eq!(numbers(auth_time, tenant, level, "1").unwrap_err(), UnexpectedClaims);
    }
    // A type that takes any JSON sees what the token says.
    let any = verify::<Value>(&format!(
        r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","exp":4102444800,"level":7.0}}"#
    ));
    assert_eq!(any.unwrap()["level"].to_string(), "7.0");
}

/// Claims that are mostly good JSON: some bytes of it are removed, replaced or doubled.
fn spoiled() -> impl Strategy<Value = String> {
    let odd =
        select(vec!["", ",", ":", "{", "}", "[", "]", "\"", "\\", "0", "-", "e", "n", "null"]);
    let extra = select(vec![
        r#""roles":["a",1]"#,
        r#""tenant":{"a":1,"b":"x"}"#,
        r#""other":[[],{"a":[null]}]"#,
        r#""nbf":1"#,
        r#""roles":"a","tenant":3"#,
    ]);
    (extra, any::<bool>(), prop::collection::vec((any::<Index>(), odd), 0..3)).prop_map(
        |(extra, first, changes)| {
            let inner = inner();
            let mut text =
                if first { format!("{{{extra},{inner}}}") } else { format!("{{{inner},{extra}}}") };
            for (place, odd) in changes {
                let place = place.index(text.len());
                if text.is_char_boundary(place) && text.is_char_boundary(place + 1) {
                    text.replace_range(place..=place, odd);
                }
            }
            text
        },
    )
}

proptest! {
    /// The plain reference says what good JSON is; `IgnoredAny` what the rules say of it.
    #[test]
    fn no_type_accepts_what_a_strict_reading_refuses(claims in spoiled()) {
        let is_read = plain_json::object(claims.as_bytes(), 64).is_some();
        let strict = verify::<IgnoredAny>(&claims).map(|_| ());
        if !is_read {
            prop_assert_eq!(strict, Err(MalformedClaims));
        }
        if strict.is_err() {
            prop_assert_eq!(accepted_by(&claims), [""; 0]);
        } else {
            prop_assert!(verify::<Careless>(&claims).is_ok());
            prop_assert!(verify::<LenientFields>(&claims).is_ok());
        }
    }
}
