//! Types that swallow errors, or do not ask for what is there.

use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use tower_jwt_auth::RejectionKind;

use super::{LenientFields, verify};
use crate::support::reference::json as plain_json;
use crate::support::{NOW, claims, claims_with};

use RejectionKind::*;

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
