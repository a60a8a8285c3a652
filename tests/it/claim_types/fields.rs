//! What single fields of a type get.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tower_jwt_auth::RejectionKind;

use super::{Lenient, LenientFields, verify};
use crate::support::{AUDIENCE, ISSUER, claims_with};

use RejectionKind::*;

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
