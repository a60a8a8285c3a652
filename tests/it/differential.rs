//! The verifier against the plain reference (`support::reference`), on tokens, headers, key sets,
//! clocks and configurations that are generated: the same verdict, and the same reason.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::test_runner::TestRunner;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtVerifier, NumericDate,
    RejectionKind, VerificationKey,
};

use crate::support::reference::json::{self, Json};
use crate::support::reference::keys::{Key, Keys};
use crate::support::reference::{self, ClaimsType, Config};
use crate::support::{AUDIENCE, ISSUER, NOW, TestKey, b64, backend_supports};

/// Two keys of each algorithm; those of RSA are one key, which is slow to make.
static POOL: LazyLock<Vec<TestKey>> = LazyLock::new(|| {
    Algorithm::ALL.iter().flat_map(|a| [TestKey::generate(*a), TestKey::generate(*a)]).collect()
});

/// A place in the pool; the quick algorithms more often.
fn place() -> impl Strategy<Value = usize> {
    let all = 2 * Algorithm::ALL.len();
    prop_oneof![5 => 0..6_usize, 2 => 24..28_usize, 1 => 0..all]
}

fn kid() -> impl Strategy<Value = Option<String>> {
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
enum KeysGiven {
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

fn keys_given() -> impl Strategy<Value = KeysGiven> {
    prop_oneof![
        3 => jwks(7).prop_map(KeysGiven::Set),
        1 => jwks(4).prop_map(KeysGiven::OneByOne),
    ]
}

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
        "alg" => texts(&["HS256", "HS384", "ES256", "EdDSA", "Ed25519", "none", "hs256"]),
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
struct Token {
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

fn token() -> impl Strategy<Value = Token> {
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
    fn write(&self, keys: &[Value]) -> Vec<u8> {
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
        if let Some((index, octet)) = &self.spoil {
            let place = index.index(token.len());
            token[place] = *octet;
        }
        token
    }
}

/// The names that are expected, mostly the good one among them.
fn names(good: &'static str, other: &'static str) -> impl Strategy<Value = Option<Vec<String>>> {
    prop_oneof![
        5 => Just(Some(vec![good])),
        3 => Just(Some(vec![other, good])),
        1 => Just(Some(vec![other])),
        1 => Just(None),
    ]
    .prop_map(|names| names.map(|names| names.into_iter().map(str::to_owned).collect()))
}

/// Of a token and of its header; mostly the defaults.
fn limits() -> impl Strategy<Value = (usize, usize)> {
    prop_oneof![9 => Just((16_384, 4_096)), 1 => (200..400_usize, 128..200_usize)]
}

fn config() -> impl Strategy<Value = Config> {
    let algorithms = subsequence(Algorithm::ALL, 1..=Algorithm::ALL.len())
        .prop_map(|algorithms| algorithms.iter().map(|a| a.name().to_owned()).collect());
    (
        (names(ISSUER, "https://other.example"), names(AUDIENCE, "a")),
        option::weighted(0.1, algorithms),
        (0..=60_u64, option::weighted(0.2, 1..200_u64)),
        prop_oneof![9 => NOW - 40..NOW + 100, 1 => 0..i64::MAX],
        [0.3, 0.2, 0.5, 0.5, 0.3].map(prop::bool::weighted),
        subsequence(vec!["sub", "scope", "aud", "jti", "events", "other"], 0..=2),
        (any::<bool>(), option::weighted(0.1, select(vec!["azp", "client_id"])), limits()),
    )
        .prop_map(|(expected, algorithms, (leeway, max_age), now, flags, required, rest)| {
            let (value, in_place_of_audience, (max_token, max_header)) = rest;
            Config {
                issuers: expected.0,
                audiences: expected.1,
                algorithms,
                leeway,
                max_age,
                now,
                rfc9068: flags[0],
                exclusive_audience: flags[1],
                required: required.into_iter().map(str::to_owned).collect(),
                ignore_confirmation: flags[2],
                accept_id_tokens: flags[3],
                allow_at_hash: flags[4],
                in_place_of_audience,
                max_token,
                max_header,
                claims: if value { ClaimsType::Value } else { ClaimsType::Registered },
                slack: 0,
            }
        })
}

/// The verifier that the crate makes of it.
fn verifier(config: &Config, keys: JwkSet) -> JwtVerifier {
    let issuer = config.issuers.clone();
    let issuer = issuer.map_or_else(ExpectedIssuer::dangerous_any, ExpectedIssuer::from);
    let audience = match (config.audiences.clone(), config.in_place_of_audience) {
        (None, _) => ExpectedAudience::dangerous_any(),
        (Some(names), None) => names.into(),
        (Some(names), Some("azp")) => ExpectedAudience::authorized_parties(names),
        (Some(names), Some(_)) => ExpectedAudience::clients(names),
    };
    let mut verifier = JwtVerifier::new(issuer, audience, keys)
        .unwrap()
        .with_clock(FixedClock(NumericDate::from_unix_seconds(config.now)))
        .with_leeway(Duration::from_secs(config.leeway))
        .and_then(|verifier| verifier.with_max_token_length(config.max_token))
        .and_then(|verifier| verifier.with_max_header_length(config.max_header))
        .unwrap();
    if let Some(algorithms) = &config.algorithms {
        let algorithms = algorithms.iter().map(|name| name.parse().unwrap());
        verifier = verifier.with_algorithms(algorithms).unwrap();
    }
    if let Some(max_age) = config.max_age {
        verifier = verifier.with_max_age(Duration::from_secs(max_age)).unwrap();
    }
    if config.rfc9068 {
        verifier = verifier.require_rfc9068();
    }
    if config.exclusive_audience {
        verifier = verifier.exclusive_audience();
    }
    if config.ignore_confirmation {
        verifier = verifier.dangerous_ignore_confirmation();
    }
    if config.allow_at_hash {
        verifier = verifier.allow_at_hash();
    }
    if config.accept_id_tokens {
        verifier = verifier.dangerous_accept_id_tokens();
    }
    config.required.iter().fold(verifier, |verifier, name| verifier.add_required_claim(name))
}

fn verdict<C: DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Result<(), RejectionKind> {
    verifier.verify_now(token).map(|_| ()).map_err(|rejection| rejection.kind())
}

/// Both sides load the same keys: `None` where neither loads any.
fn load(given: &KeysGiven) -> Result<Option<(JwkSet, Keys)>, TestCaseError> {
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

/// Every verdict is to be seen this often, so that agreeing is worth something.
const FLOOR: usize = 1;

#[test]
fn the_plain_reference_agrees() {
    let cases = ProptestConfig::default().cases * 12;
    let config_of_runner =
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let seen: RefCell<BTreeMap<String, usize>> = RefCell::default();
    let everything = (keys_given(), token(), config());
    TestRunner::new(config_of_runner)
        .run(&everything, |(given, token, config)| {
            let Some((set, keys)) = load(&given)? else {
                *seen.borrow_mut().entry("no keys".to_owned()).or_default() += 1;
                return Ok(());
            };
            let (KeysGiven::Set(jwks) | KeysGiven::OneByOne(jwks)) = &given;
            let token = token.write(jwks);
            let Ok(text) = std::str::from_utf8(&token) else { return Ok(()) };
            let verifier = verifier(&config, set);
            let ours = match config.claims {
                ClaimsType::Registered => verdict(&verifier, text),
                ClaimsType::Value => verdict(&verifier.with_claims::<Value>(), text),
            };
            let plain = reference::verify(&token, &keys, &config);
            prop_assert_eq!(ours, plain, "{}", text);
            *seen.borrow_mut().entry(format!("{ours:?}")).or_default() += 1;
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
    let seen = seen.into_inner();
    println!("{seen:#?}");
    if cases >= 3072 {
        for kind in [
            "Ok(())",
            "Err(MalformedToken)",
            "Err(TokenTooLong)",
            "Err(UnsupportedCriticalHeader)",
            "Err(UnsupportedAlgorithm)",
            "Err(UnknownKey)",
            "Err(InvalidSignature)",
            "Err(MalformedClaims)",
            "Err(MissingClaim)",
            "Err(WrongIssuer)",
            "Err(WrongAudience)",
            "Err(ExpiredToken)",
            "Err(ImmatureToken)",
            "Err(IssuedInFuture)",
            "Err(TooOld)",
            "Err(WrongTokenType)",
            "Err(UnconfirmedSender)",
            "Err(UnexpectedClaims)",
        ] {
            assert!(seen.get(kind).is_some_and(|count| *count >= FLOOR), "{kind}: {seen:?}");
        }
    }
}

/// The published signatures hold by the reference too: it is not merely as wrong as we are.
#[test]
fn the_reference_knows_the_published_vectors() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../conformance/vectors/jws.json")).unwrap();
    for vector in &vectors {
        let Some(keys) = Keys::from_json(&json!({"keys": [vector["jwk"]]}).to_string()) else {
            let lacking = vector["jwk"]["crv"] == "P-521" && !backend_supports(Algorithm::ES512);
            assert!(lacking, "{vector}");
            continue;
        };
        let mut config = Config::new("joe", "us", 1_300_819_379);
        config.issuers = None;
        config.audiences = None;
        config.claims = ClaimsType::Value;
        let token = vector["token"].as_str().unwrap();
        let expected = match vector.get("claims") {
            Some(_) => Ok(()),
            None => Err(RejectionKind::MalformedClaims),
        };
        assert_eq!(reference::verify(token.as_bytes(), &keys, &config), expected, "{vector}");
        // And not with another payload.
        let (header, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let other = format!("{header}.{}.{signature}", b64("{}"));
        let verdict = reference::verify(other.as_bytes(), &keys, &config);
        assert_eq!(verdict, Err(RejectionKind::InvalidSignature), "{vector}");
    }
}
