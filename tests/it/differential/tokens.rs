//! Generated tokens, signed by one of the keys.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use super::keys::{POOL, kid, place};
use crate::support::{AUDIENCE, ISSUER, NOW};

/// A value for any claim or parameter.
fn value() -> impl Strategy<Value = String> {
    let text = |value: Value| value.to_string();
    prop_oneof![
        select(vec![
            ISSUER,
            AUDIENCE,
            "https://other.example",
            "JWT",
            "at+jwt",
            "Application/AT+JWT",
            "text/jwt",
            "",
            "a",
            "b",
            "read write",
            "HS256",
            "ES256",
            "none",
            "é"
        ])
        .prop_map(move |value| text(value.into())),
        (-70..70_i64).prop_map(|offset| (NOW + offset).to_string()),
        // Quarters of a second are exact in binary.
        ((-33..33_i64), select(vec![".25", ".5", ".75", ".0", "e0", "E+0"]))
            .prop_map(|(offset, fraction)| format!("{}{fraction}", NOW + offset)),
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-1",
            "1e400",
            "-1e400",
            "1e-400",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551616",
            "1.7e9",
            "[]",
            "{}",
            "[1]",
            "[\"a\",null]",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "\"\\u0061\"",
            "{\"\\ud800\":1}",
            "{\"a\":1,\"a\":2}",
            "[\"\\udc00\"]",
            "{\"jkt\":\"x\"}",
            "01",
            "+1",
            "1.",
            ".5",
            "\"\t\"",
            "nul",
            "'a'",
            "[[[[[[]]]]]]",
            "[\"b64\"]",
        ])
        .prop_map(str::to_owned),
        vec(select(vec![ISSUER, AUDIENCE, "https://other.example", "a"]), 0..3)
            .prop_map(move |values| text(values.into())),
        Just(format!("{}{}", "[".repeat(63), "]".repeat(63))),
        Just(format!("{}{}", "[".repeat(64), "]".repeat(64))),
        any::<f64>().prop_map(move |value| text(value.into())),
        any::<String>().prop_map(move |value| text(value.into())),
    ]
}

/// A value that suits this claim or parameter, good or bad.
fn value_of(name: &'static str) -> BoxedStrategy<String> {
    let texts = |texts: &'static [&'static str]| {
        select(texts).prop_map(|text| Value::from(text).to_string()).boxed()
    };
    let suits = match name {
        "exp" | "nbf" | "iat" => {
            let fraction = select(vec!["", "", ".25", ".5", ".75", "e0"]);
            (-70..200_i64, fraction).prop_map(|(at, part)| format!("{}{part}", NOW + at)).boxed()
        }
        "iss" | "aud" => texts(&[ISSUER, AUDIENCE, "https://other.example", "a"]),
        "typ" => texts(&["JWT", "jwt", "at+jwt", "Application/AT+JWT", "text/jwt", "", "JWT "]),
        // The claim, and not the header's.
        "\\u0074yp" => texts(&["ID", "id", "Bearer", "Refresh", "Offline", "Logout", "logout", ""]),
        "token_use" => texts(&["id", "ID", "refresh", "access", ""]),
        "events" => select(vec!["{}", "{\"a\":1}", "[\"a\"]", "\"all\"", "3", "null"])
            .prop_map(str::to_owned)
            .boxed(),
        "azp" => texts(&[AUDIENCE, "a", "b", ""]),
        "alg" => {
            texts(&["HS256", "HS384", "ES256", "EdDSA", "Ed25519", "ML-DSA-44", "none", "hs256"])
        }
        "cty" => texts(&["JWT", "json", ""]),
        "b64" => select(vec!["true", "false"]).prop_map(str::to_owned).boxed(),
        "jti" | "scope" => select(vec!["5", "[1]", "{}", "null", "\"a\"", "[\"a\"]"])
            .prop_map(str::to_owned)
            .boxed(),
        _ => texts(&["a", "read write", "\u{e9}", ""]),
    };
    prop_oneof![4 => suits, 3 => value()].boxed()
}

/// Members that replace or follow the good ones; a name that is already there may stand twice.
#[derive(Clone, Debug)]
struct Changes(Vec<(String, String, bool)>);

fn changes(untouched: u32, names: &'static [&'static str]) -> impl Strategy<Value = Changes> {
    let one = || {
        select(names)
            .prop_flat_map(|name| (Just(name), value_of(name), prop::bool::weighted(0.06)))
            .prop_map(|(name, value, twice)| (format!("\"{name}\""), value, twice))
    };
    let none = Just(Vec::new());
    prop_oneof![untouched => none, 30 => vec(one(), 1..2), 10 => vec(one(), 2..5)].prop_map(Changes)
}

impl Changes {
    /// The JSON of an object.
    fn over(&self, good: Vec<(String, String)>) -> String {
        let mut members = good;
        for (name, value, twice) in &self.0 {
            match members.iter_mut().find(|(other, _)| other == name) {
                Some((_, old)) if !twice => old.clone_from(value),
                _ => members.push((name.clone(), value.clone())),
            }
        }
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    }
}

fn good(members: &Value) -> Vec<(String, String)> {
    let members: &Map<String, Value> = members.as_object().unwrap();
    members.iter().map(|(name, value)| (format!("{name:?}"), value.to_string())).collect()
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    signer: usize,
    kid: Option<String>,
    /// Which of the set's keys signs instead, when it can.
    from_set: Option<Index>,
    /// Whether it names that key by its thumbprints.
    by_thumbprint: bool,
    header: Changes,
    claims: Changes,
    all_of_rfc9068: bool,
    spoil: Option<(Index, u8)>,
}

pub(super) fn token() -> impl Strategy<Value = Token> {
    let header = &[
        "alg",
        "kid",
        "typ",
        "typ",
        "typ",
        "cty",
        "crit",
        "b64",
        "zip",
        "enc",
        "jwk",
        "x5c",
        "x5t",
        "x5t#S256",
        "",
        "\\u0061lg",
    ];
    let claims = &[
        "iss",
        "aud",
        "exp",
        "nbf",
        "nbf",
        "nbf",
        "iat",
        "iat",
        "iat",
        "jti",
        "scope",
        "cnf",
        "sub",
        "jti",
        "client_id",
        "scope",
        "cnf",
        "events",
        "events",
        "at_hash",
        "c_hash",
        "token_use",
        "\\u0074yp",
        "azp",
        "nonce",
        "",
        "\\u0065xp",
        "\\ud800",
        "other",
    ];
    (
        place(),
        kid(),
        (option::weighted(0.9, any::<Index>()), prop::bool::weighted(0.2)),
        changes(120, header),
        changes(15, claims),
        any::<bool>(),
        option::weighted(0.1, (any::<Index>(), select(b"AQgw.=_-+/ {\xff".to_vec()))),
    )
        .prop_map(|(signer, kid, from_set, header, claims, all_of_rfc9068, spoil)| Token {
            signer,
            kid,
            from_set: from_set.0,
            by_thumbprint: from_set.1,
            header,
            claims,
            all_of_rfc9068,
            spoil,
        })
}

impl Token {
    pub(super) fn write(&self, keys: &[Value]) -> Vec<u8> {
        let (mut signer, mut kid) = (&POOL[self.signer], self.kid.clone());
        let mut thumbprints = Vec::new();
        if let Some(index) = &self.from_set {
            let jwk = index.get(keys);
            let material =
                |jwk: &Value| ["k", "n", "x"].iter().find_map(|name| jwk.get(*name).cloned());
            if let Some(key) = POOL.iter().find(|key| material(&key.jwk()) == material(jwk)) {
                signer = key;
                // Mostly with the name of its key.
                if !self.signer.is_multiple_of(8) {
                    kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
                }
                if self.by_thumbprint {
                    kid = None;
                    thumbprints.extend(["x5t", "x5t#S256"].map(|name| (name, jwk.get(name))));
                }
            }
        }
        let mut header = json!({"alg": signer.algorithm.name(), "typ": "at+jwt"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        for (name, value) in thumbprints {
            if let Some(value) = value {
                header[name] = value.clone();
            }
        }
        let mut claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW - 60, "exp": NOW + 60,
        });
        if self.all_of_rfc9068 {
            claims["client_id"] = "cli".into();
            claims["jti"] = "1".into();
        }
        let header = self.header.over(good(&header));
        let claims = self.claims.over(good(&claims));
        let mut token = signer.token_of(header, claims).into_bytes();
        if let Some((index, byte)) = &self.spoil {
            let place = index.index(token.len());
            token[place] = *byte;
        }
        token
    }
}
