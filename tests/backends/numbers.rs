//! A user's service in which `serde_json` has `arbitrary_precision` and `preserve_order`: features
//! unify, so that any crate of the user's may turn them on for all. `scripts/backends` builds and
//! runs it.

use serde::Deserialize;
use serde_json::Value;
use tower_jwt_auth::{
    FixedClock, JwtVerifier, LayerConfig, NumericDate, RejectionKind, VerificationKey,
};

const SECRET: &[u8; 64] = &[7; 64];
const NOW: i64 = 1_700_000_000;

#[derive(Debug, Deserialize)]
struct Claims {
    exp: NumericDate,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Plain {
    exp: f64,
}

#[derive(Debug, Deserialize)]
struct Whole {
    exp: u64,
    nbf: i64,
    iat: u8,
}

fn main() {
    // Number, and what is expected: `None` is accepted.
    use RejectionKind::{ExpiredToken, MalformedClaims};
    for (exp, expected) in [
        ("1700000600", None),
        ("1700000600.0", None),
        ("1700000600.25", None),
        ("1.7000006e9", None),
        ("17000006E+2", None),
        ("1700000600.000000000000000000000000000000001", None),
        ("9223372036854775807", None),
        ("4102444800000", None),
        ("1600000000", Some(ExpiredToken)),
        ("1.6e9", Some(ExpiredToken)),
        ("0", Some(ExpiredToken)),
        ("-0", Some(ExpiredToken)),
        ("-0.0", Some(ExpiredToken)),
        ("1e-400", Some(ExpiredToken)),
        ("-1", Some(MalformedClaims)),
        ("-1.5", Some(MalformedClaims)),
        ("18446744073709551616", Some(MalformedClaims)),
        ("1e30", Some(MalformedClaims)),
        ("1e999", Some(MalformedClaims)),
        ("\"1700000600\"", Some(MalformedClaims)),
        ("{}", Some(MalformedClaims)),
        ("null", Some(MalformedClaims)),
    ] {
        let claims = format!(
            r#"{{"z":1,"iss":"i","a":123456789012345678901234567890,"aud":["x","a"],"nbf":1500000000.5,"iat":1699999999.5,"exp":{exp}}}"#
        );
        let token = token(&claims);
        let verifier = verifier();
        let found = verifier.verify_now(&token).err().map(|rejection| rejection.kind());
        assert_eq!(found, expected, "{exp}");
        let typed = verifier.clone().with_claims::<Claims>().verify_now(&token);
        assert_eq!(typed.as_ref().err().map(|rejection| rejection.kind()), expected, "{exp}");
        let value = verifier.clone().with_claims::<Value>().verify_now(&token);
        assert_eq!(value.as_ref().err().map(|rejection| rejection.kind()), expected, "{exp}");
        let plain = verifier.with_claims::<Plain>().verify_now(&token);
        assert_eq!(plain.as_ref().err().map(|rejection| rejection.kind()), expected, "{exp}");
        if let (Ok(typed), Ok(value), Ok(plain)) = (typed, value, plain) {
            // The order is that of the token, as are the digits.
            assert!(
                claims.starts_with(value.claims().to_string().split("\"exp\"").next().unwrap())
            );
            let names: Vec<_> = typed.others.keys().map(String::as_str).collect();
            assert_eq!(names, ["z", "iss", "a", "aud", "nbf", "iat"]);
            assert!(typed.exp > NumericDate::from_unix_seconds(NOW) && plain.exp > NOW as f64);
        }
    }
    // The name by which `serde_json` hands numbers on cannot be told from a number; still it takes an
    // issuer to sign it, and it says when the token ends.
    let odd = r#"{"iss":"i","aud":"a","exp":{"$serde_json::private::Number":"1600000000"}}"#;
    let kind = verifier().verify_now(&token(odd)).unwrap_err().kind();
    assert_eq!(kind, ExpiredToken);
    // A whole number is handed on as one, whatever its sign.
    let whole = r#"{"iss":"i","aud":"a","exp":1700000600,"nbf":-0,"iat":1}"#;
    let whole = verifier().with_claims::<Whole>().verify_now(&token(whole)).unwrap();
    assert_eq!((whole.exp, whole.nbf, whole.iat), (1_700_000_600, 0, 1));
    jwk_set();
    configuration();
}

/// A number of a configuration is a number, and no list of text with one entry.
fn configuration() {
    let config = |member: &str| {
        let json = format!(r#"{{"token_cache": {{"capacity": 1}}, "issuers": [{{{member}}}]}}"#);
        serde_json::from_str::<LayerConfig>(&json).map_err(|error| error.to_string())
    };
    for seconds in ["30", "\"30\""] {
        config(&format!(r#""leeway_seconds": {seconds}"#)).unwrap();
    }
    for seconds in ["-1", "1.5", "1e400", "{}", "18446744073709551616"] {
        let error = config(&format!(r#""leeway_seconds": {seconds}"#)).unwrap_err();
        assert!(error.contains("expected a whole number"), "{error}");
    }
    for member in ["issuer", "audience", "required_claims", "algorithms"] {
        for number in ["7", "7.5", "7e1", "12345678901234567890123"] {
            let error = config(&format!(r#""{member}": {number}"#)).unwrap_err();
            assert!(error.contains("expected text (a number in quotes)"), "{error}");
        }
    }
}

/// Keys are read from JSON too.
fn jwk_set() {
    let key = tower_jwt_auth::JwkSet::from_json(
        r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "n": 1e999, "exp": 12345678901234567890123,
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}, 7]}"#,
    )
    .unwrap();
    assert_eq!((key.len(), key.skipped().len()), (1, 1));
}

fn verifier() -> JwtVerifier {
    let key = VerificationKey::from_secret(SECRET, tower_jwt_auth::Algorithm::HS256).unwrap();
    JwtVerifier::new("i", "a", key)
        .unwrap()
        .with_clock(FixedClock(NumericDate::from_unix_seconds(NOW)))
}

fn token(claims: &str) -> String {
    let b64 = |bytes: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes);
    let header = b64(br#"{"alg":"HS256","big":123456789012345678901234567890,"real":1e999}"#);
    let message = format!("{header}.{}", b64(claims.as_bytes()));
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET).unwrap();
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
    format!("{message}.{}", signature.unwrap())
}
