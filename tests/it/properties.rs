//! What holds for any input at all.

use std::convert::Infallible;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, FixedClock, JwtAuthLayer, JwtVerifier, NumericDate, RegisteredClaims, Rejection,
    RejectionKind,
};

use crate::support::{AUDIENCE, ISSUER, NOW, b64, challenge, claims, claims_with, key, supported};

/// The answer to any token is one of 200, 400 and 401, with a challenge where it is a refusal;
/// each type of claims is asked.
fn answer(token: &[u8]) -> Option<RejectionKind> {
    let hs256 = key(Algorithm::HS256).verifier();
    if let Ok(text) = std::str::from_utf8(token) {
        let one = hs256.verify_now(text).map(|_| ()).map_err(|rejection| rejection.kind());
        let other = hs256.clone().with_claims::<Value>().verify_now(text).map(|_| ());
        let other = other.map_err(|rejection| rejection.kind());
        let differs = [one, other].contains(&Err(RejectionKind::UnexpectedClaims));
        assert!(differs || one == other, "{one:?} {other:?}");
        if let Err(kind) = one {
            assert_eq!(Rejection::from(kind).error_code(), Some("invalid_token"));
        }
    }
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat()).ok()?;
    let service = JwtAuthLayer::new(hs256).layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let request = Request::builder().header(AUTHORIZATION, value).body(String::new()).unwrap();
    let response =
        futures_util::FutureExt::now_or_never(service.oneshot(request)).unwrap().unwrap();
    let status = response.status().as_u16();
    if status == 200 {
        return None;
    }
    assert!([400, 401].contains(&status), "{status}");
    let text = response.headers()["www-authenticate"].to_str().unwrap();
    let params = challenge::parse(text).unwrap();
    let error = if status == 400 { "invalid_request" } else { "invalid_token" };
    assert_eq!(params["error"], error);
    Some(response.extensions().get::<Rejection>().unwrap().kind())
}

const HEADER: &str = r#"{"alg":"HS256"}"#;

fn signed(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    key(Algorithm::HS256).token_of(header, claims)
}

/// Names that mean something, and others.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "alg", "kid", "typ", "cty", "crit", "b64", "zip", "jwk", "jku", "x5c", "iss", "aud",
            "exp", "nbf", "iat", "sub", "jti", "client_id", "scope", "cnf", "events", "at_hash",
            "token_use", "azp", "",
        ])
        .prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (NOW - 100..NOW + 100).prop_map(Value::from),
        (-2_i64..2).prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        any::<String>().prop_map(Value::from),
        select(vec!["HS256", "none", "JWT", "at+jwt", ISSUER, AUDIENCE]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn members() -> impl Strategy<Value = Map<String, Value>> {
    vec((name(), value()), 0..4).prop_map(|members| members.into_iter().collect())
}

fn over(object: &Value, changes: Map<String, Value>) -> Value {
    let mut object = object.clone();
    object.as_object_mut().unwrap().extend(changes);
    object
}

/// Something like JSON: good parts, in any order.
fn almost_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\\u",
            "\\ud800",
            "0",
            "1",
            "-",
            ".",
            "e",
            "9",
            "null",
            "true",
            "\"exp\"",
            "\"iss\":",
            "\"alg\":\"HS256\"",
            " ",
            "\n",
            "\u{feff}",
            "\"\\u0065xp\":",
            "1e400",
            "/*",
            "\u{0}",
        ])
        .prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    CutBefore(Index),
    Insert(Index, u8),
    Remove(Index),
    Double(Index),
    Swap(Index, Index),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            any::<Index>().prop_map(Self::Cut),
            any::<Index>().prop_map(Self::CutBefore),
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            (any::<Index>(), select(b"AQgw.=_-+/~ \n".to_vec()))
                .prop_map(|(at, byte)| Self::Insert(at, byte)),
            any::<Index>().prop_map(Self::Remove),
            any::<Index>().prop_map(Self::Double),
            (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Self::Swap(a, b)),
        ]
    }

    fn apply(&self, token: &mut Vec<u8>) {
        if token.is_empty() {
            return;
        }
        let length = token.len();
        match self {
            Self::Flip(at, bit) => token[at.index(length)] ^= 1 << bit,
            Self::Cut(at) => token.truncate(at.index(length)),
            Self::CutBefore(at) => drop(token.drain(..at.index(length))),
            Self::Insert(at, byte) => token.insert(at.index(length + 1), *byte),
            Self::Remove(at) => drop(token.remove(at.index(length))),
            Self::Double(at) => token.extend_from_within(at.index(length)..),
            Self::Swap(a, b) => token.swap(a.index(length), b.index(length)),
        }
    }
}

/// What `exp`, `nbf` and `iat` mean, in numbers that cannot overflow.
fn reference(
    [exp, nbf, iat]: [i64; 3],
    now: i64,
    leeway: i64,
    max_age: Option<i64>,
) -> Option<RejectionKind> {
    let [exp, nbf, iat, now, leeway] = [exp, nbf, iat, now, leeway].map(i128::from);
    if [exp, nbf, iat].iter().any(|time| *time < 0) {
        Some(RejectionKind::MalformedClaims)
    } else if now >= exp + leeway {
        Some(RejectionKind::ExpiredToken)
    } else if nbf > now + leeway {
        Some(RejectionKind::ImmatureToken)
    } else if iat > now + leeway {
        Some(RejectionKind::IssuedInFuture)
    } else if max_age.is_some_and(|max_age| now >= iat + i128::from(max_age) + leeway) {
        Some(RejectionKind::TooOld)
    } else {
        None
    }
}

/// Any time, more often one near the others or near an end of the range.
fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        0..700_i64,
        NOW - 400..NOW + 400,
        i64::MAX - 700..=i64::MAX,
        -3..3_i64,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(token in vec(any::<u8>(), 0..200)) {
        prop_assert!(answer(&token).is_some() || HeaderValue::from_bytes(&token).is_err());
    }

    #[test]
    fn any_parts(
        header in vec(any::<u8>(), 0..100),
        payload in vec(any::<u8>(), 0..100),
        signature in vec(any::<u8>(), 0..100),
    ) {
        let token = format!("{}.{}.{}", b64(header), b64(payload), b64(signature));
        prop_assert!(answer(token.as_bytes()).is_some());
    }

    #[test]
    fn any_text_as_header(header in almost_json()) {
        answer(signed(header, claims().to_string()).as_bytes());
    }

    #[test]
    fn any_text_as_claims(text in almost_json()) {
        answer(signed(HEADER, text).as_bytes());
    }

    #[test]
    fn any_bytes_as_header_and_claims(
        header in vec(any::<u8>(), 0..64),
        text in vec(any::<u8>(), 0..64),
    ) {
        prop_assert!(answer(signed(&header, claims().to_string()).as_bytes()).is_some());
        prop_assert!(answer(signed(HEADER, text).as_bytes()).is_some());
    }

    #[test]
    fn any_header(changes in members()) {
        let header = over(&json!({"alg": "HS256"}), changes);
        let kind = answer(signed(header.to_string(), claims().to_string()).as_bytes());
        let refused = header["alg"] != "HS256" || header.get("crit").is_some();
        prop_assert!(!refused || kind.is_some(), "{header}");
    }

    #[test]
    fn any_claims(changes in members()) {
        let claims = over(&claims(), changes);
        let kind = answer(signed(HEADER, claims.to_string()).as_bytes());
        let refused = claims["iss"] != ISSUER
            || !(claims["exp"].is_number() && claims["sub"].is_string())
            || claims.get("cnf").is_some();
        prop_assert!(!refused || kind.is_some(), "{claims}");
    }

    #[test]
    fn a_changed_token_is_refused(
        algorithm in select(supported().collect::<Vec<_>>()),
        changes in vec(Change::any(), 1..4),
    ) {
        let key = key(algorithm);
        let good = key.token(&claims()).into_bytes();
        let mut changed = good.clone();
        for change in &changes {
            change.apply(&mut changed);
        }
        answer(&changed);
        if let Ok(text) = std::str::from_utf8(&changed) {
            prop_assert_eq!(key.verifier().verify_now(text).is_ok(), changed == good);
        }
    }

    #[test]
    fn times_agree_with_a_reference(
        times in [time(), time(), time()],
        now in time(),
        leeway in prop_oneof![0..=300_i64, Just(0), Just(300)],
        max_age in proptest::option::of(prop_oneof![1..700_i64, 1..=i64::MAX]),
    ) {
        // A clock has no time before 1970.
        let now = now.max(0);
        let [exp, nbf, iat] = times;
        let mut claims = claims_with("exp", exp);
        claims["nbf"] = nbf.into();
        claims["iat"] = iat.into();
        let clock = FixedClock(NumericDate::from_unix_seconds(now));
        let mut verifier: JwtVerifier<RegisteredClaims> = key(Algorithm::HS256)
            .verifier()
            .with_clock(clock)
            .with_leeway(Duration::from_secs(leeway as u64))
            .unwrap();
        if let Some(max_age) = max_age {
            verifier = verifier.with_max_age(Duration::from_secs(max_age as u64)).unwrap();
        }
        let verdict = verifier.verify_now(&key(Algorithm::HS256).token(&claims));
        let kind = verdict.err().map(|rejection| rejection.kind());
        prop_assert_eq!(kind, reference(times, now, leeway, max_age));
    }

    #[test]
    fn fractions_of_times_agree_with_whole_ones(
        seconds in 0..(1_i64 << 33),
        quarters in 0..4_i64,
        now in 0..(1_i64 << 33),
        near in any::<bool>(),
    ) {
        let now = if near { seconds + now % 3 - 1 } else { now }.max(0);
        // Quarters are exact in binary.
        let exp = format!("{seconds}.{:02}", 25 * quarters);
        let text = claims_with("exp", 0).to_string().replace("\"exp\":0", &format!("\"exp\":{exp}"));
        let verifier = key(Algorithm::HS256)
            .verifier()
            .with_clock(FixedClock(NumericDate::from_unix_seconds(now)))
            .with_leeway(Duration::ZERO)
            .unwrap();
        let text = text.replace(&format!("\"iat\":{}", NOW - 60), "\"iat\":0");
        let verdict = verifier.verify_now(&signed(HEADER, text));
        let kind = verdict.err().map(|rejection| rejection.kind());
        let expired = 4 * now >= 4 * seconds + quarters;
        prop_assert_eq!(kind, expired.then_some(RejectionKind::ExpiredToken));
    }
}
