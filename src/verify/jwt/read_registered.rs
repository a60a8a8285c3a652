//! Reads [`RegisteredClaims`] and the values that the rules check in one pass, without a second type between
//! them and the JSON.
//!
//! It reads the usual forms of the claims. For anything else, such as a claim of a wrong type or a duplicate
//! name, [`read_claims`] reads the payload again and decides.

use std::fmt;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::claims::{Audience, NumericDate, RegisteredClaims};
use crate::rejection::{Rejection, RejectionKind};
use crate::strict_json;
use crate::strict_json::{DUPLICATE_NAME, NameSeed};
use crate::verify::jwt::captured::{NumberSeed, Texts, TextsSeed};
use crate::verify::jwt::read_claims;
use crate::verify::jwt::read_claims::Mismatch;
use crate::verify::jwt::registered::{Claim, Kind, Registered, Wanted};

/// A reader of the claims, and of those of the rules.
pub(super) type ReadClaims<C> =
    for<'de> fn(&'de [u8], Wanted, &mut Registered<'de>) -> Result<Result<C, Mismatch>, Rejection>;

/// The reader of the default type.
pub(super) const READ: ReadClaims<RegisteredClaims> = read;

/// Like [`read_claims::read`], with the same result.
fn read<'de>(
    payload: &'de [u8],
    wanted: Wanted,
    registered: &mut Registered<'de>,
) -> Result<Result<RegisteredClaims, Mismatch>, Rejection> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    if wanted == Wanted::default() {
        let mut claims = RegisteredClaims::default();
        match usual(text, &mut claims, registered) {
            Some(()) => return Ok(Ok(claims)),
            None => *registered = Registered::default(),
        }
    }
    read_claims::read_text(text, wanted, registered)
}

/// Reads the claims, if all of them have their usual form.
fn usual<'de>(
    text: &'de str,
    claims: &mut RegisteredClaims,
    registered: &mut Registered<'de>,
) -> Option<()> {
    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Usual { claims, registered }).ok()?;
    json.end().ok()
}

/// Both are filled in place: they are too large to be moved several times.
struct Usual<'r, 'de> {
    claims: &'r mut RegisteredClaims,
    registered: &'r mut Registered<'de>,
}

impl<'de> Visitor<'de> for Usual<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { claims, registered } = self;
        while let Some(name) = map.next_key_seed(NameSeed)? {
            let claim = Claim::of(&name);
            if !registered.note_name(claim, name) {
                return Err(A::Error::custom(DUPLICATE_NAME));
            }
            match claim {
                Claim::Issuer => {
                    let issuer = map.next_value_seed(NameSeed)?;
                    claims.iss = Some(issuer.as_ref().to_owned());
                    registered.issuer = Some(issuer);
                }
                Claim::Subject => claims.sub = Some(map.next_value()?),
                Claim::Audience => {
                    let audience = map.next_value_seed(TextsSeed)?;
                    claims.aud = Some(match &audience {
                        Texts::One(one) => Audience::One(one.as_ref().to_owned()),
                        Texts::Many(_) => {
                            Audience::Many(audience.iter().map(str::to_owned).collect())
                        }
                    });
                    registered.audience = Some(audience);
                }
                Claim::Expires => {
                    claims.exp = Some(date(&mut map)?);
                    registered.expires_at = claims.exp;
                }
                Claim::NotBefore => {
                    claims.nbf = Some(date(&mut map)?);
                    registered.not_before = claims.nbf;
                }
                Claim::IssuedAt => {
                    claims.iat = Some(date(&mut map)?);
                    registered.issued_at = claims.iat;
                }
                Claim::Id => claims.jti = map.next_value()?,
                Claim::Client => claims.client_id = map.next_value()?,
                Claim::Scope => claims.scope = map.next_value()?,
                Claim::Kind => {
                    registered.kind = Some(Kind::of(&map.next_value_seed(NameSeed)?));
                }
                Claim::TokenUse => {
                    registered.token_use = Some(Kind::of(&map.next_value_seed(NameSeed)?));
                }
                Claim::Events => return Err(A::Error::custom("a claim that a rule reads as JSON")),
                // Only their names count.
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[inline]
fn date<'de, A: MapAccess<'de>>(map: &mut A) -> Result<NumericDate, A::Error> {
    let number = map.next_value_seed(NumberSeed)?;
    number.date().ok_or_else(|| A::Error::custom("not a time"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OF_DEFAULT_RULES: Wanted =
        Wanted { rfc9068: false, in_place_of_audience: None, token_use: false, presence: false };

    /// Both readers read the payload in the same way; whether the quick one alone could read it.
    fn assert_same(payload: &str) -> bool {
        let bytes = payload.as_bytes();
        let (mut one, mut other) = (Registered::default(), Registered::default());
        let quick = read(bytes, OF_DEFAULT_RULES, &mut one);
        let plain = read_claims::read::<RegisteredClaims>(bytes, OF_DEFAULT_RULES, &mut other);
        match (quick, plain) {
            (Ok(quick), Ok(plain)) => {
                assert_eq!(format!("{quick:?}"), format!("{plain:?}"), "{payload}");
                assert_eq!(one.without_names(), other.without_names(), "{payload}");
            }
            (Err(quick), Err(plain)) => {
                assert_eq!(format!("{quick:?}"), format!("{plain:?}"), "{payload}");
            }
            (quick, plain) => panic!("{payload}: {quick:?}, {plain:?}"),
        }
        let (mut claims, mut registered) = Default::default();
        usual(payload, &mut claims, &mut registered).is_some()
    }

    #[test]
    fn claims_of_usual_forms_are_read_in_one_pass() {
        for payload in [
            "{}",
            r#"{"iss":"a","sub":"b","aud":"c","exp":1,"nbf":1.5,"iat":1e3,"jti":"d","client_id":"e"}"#,
            r#"{"aud":["a","\u0062"],"scope":"a b","typ":"Bearer","token_use":"access"}"#,
            r#"{"aud":[],"scope":["a","b c"],"jti":null,"client_id":null,"azp":7,"cnf":{},"at_hash":1}"#,
            r#" { "\u0069ss" : "\u0061" , "roles" : ["\ud800", {"iss": 1e999}] } "#,
            r#"{"exp":-0.0,"nbf":9223372036854775807,"iat":0.000000001}"#,
        ] {
            assert!(assert_same(payload), "{payload}");
        }
    }

    #[test]
    fn claims_of_other_forms_are_left_to_the_plain_reader() {
        for payload in [
            "",
            "[]",
            "null",
            "{",
            r#"{"iss":"a"} x"#,
            r#"{"iss":null}"#,
            r#"{"sub":7}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"aud":null}"#,
            r#"{"exp":"1"}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e30}"#,
            r#"{"jti":7}"#,
            r#"{"jti":"\ud800"}"#,
            r#"{"scope":{}}"#,
            r#"{"typ":7,"token_use":null}"#,
            r#"{"events":{}}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"iss":"a","iss":"a"}"#,
        ] {
            assert!(!assert_same(payload), "{payload}");
        }
    }

    #[test]
    fn both_readers_read_every_payload_in_the_same_way() {
        let name = prop::sample::select(vec![
            "iss",
            "sub",
            "aud",
            "exp",
            "nbf",
            "iat",
            "jti",
            "client_id",
            "scope",
            "azp",
            "typ",
            "token_use",
            "events",
            "cnf",
            "at_hash",
            "c_hash",
            "roles",
            "\\u0069ss",
            "a",
            "",
        ]);
        let value = prop_oneof![
            3 => prop::sample::select(vec![
                "\"a\"", "\"a b\"", "\"\\u0061\"", "\"id\"", "\"\"", "1", "0", "1.5", "1e3", "-1", "-0.0",
                "1e999", "99999999999999999999", "null", "true", "[]", "[\"a\"]", "[\"a\",\"b c\"]", "[1]",
                "{}", "{\"a\":[1,{}]}", "\"\\ud800\"", "\"\u{1}\"", "x",
            ]).prop_map(str::to_owned),
            1 => any::<f64>().prop_map(|number| number.to_string()),
            1 => any::<i64>().prop_map(|number| number.to_string()),
        ];
        let members = prop::collection::vec((name, value), 0..8);
        proptest!(|(members in members, tail in prop::sample::select(vec!["", "", " ", "x"]))| {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
            assert_same(&format!("{{{}}}{tail}", members.join(", ")));
        });
    }
}
