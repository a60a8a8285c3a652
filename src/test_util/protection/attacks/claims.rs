//! Claims that are malformed, or of a token that is expired or for another service. The signatures
//! are valid.

use serde_json::{Value, json};

use crate::test_util::protection::attack::{Attack, token};
use crate::test_util::protection::good_token::{GoodToken, text_of as text};

const OBJECT: &str = "RFC 7519 section 7.2: the claims are one JSON object in UTF-8";
const TWICE: &str = "RFC 7519 section 4: names are unique. A parser may read the last value, but then another program \
     that reads the first one sees other claims";
const FIRST: &str =
    "RFC 7519 section 4: of two claims with one name, a parser reads the last, or refuses both";
const EXP: &str = "RFC 7519 section 4.1.4: a token is not accepted after `exp`";
const EXP_REQUIRED: &str = "RFC 9068 section 2.2: a token without `exp` is valid for ever";
const EXP_TYPE: &str = "RFC 7519 sections 2 and 4.1.4 and CVE-2026-25537: `exp` is a number of seconds, another \
     type is not an absent claim";
const NBF: &str = "RFC 7519 section 4.1.5: a token is not accepted before `nbf`";
const NBF_TYPE: &str = "RFC 7519 sections 2 and 4.1.5: `nbf` is a number of seconds, another type is not an absent \
     claim";
const IAT: &str = "RFC 7519 section 4.1.6: `iat` is when the token was issued, so a token of the future was \
     not issued, or a clock is wrong. The RFC has no rule for it";
const IAT_TYPE: &str = "RFC 7519 sections 2 and 4.1.6: `iat` is a number of seconds";
const ISS: &str =
    "RFC 8725 section 3.8 and RFC 9068 section 4: the issuer is exactly the expected one";
const ISS_TYPE: &str = "RFC 7519 section 4.1.1 and CVE-2025-30144: `iss` is a string";
const AUD: &str = "RFC 8725 section 3.9 and RFC 9700 section 2.3: the token is for this service, compared \
     exactly";
const AUD_TYPE: &str = "RFC 7519 section 4.1.3 and CVE-2020-26160: `aud` is a string or a list of strings, and \
     names somebody";
const SUB: &str = "RFC 7519 section 4.1.2: `sub` is a string";

pub(super) static ATTACKS: [Attack; 60] = [
    token("claims: list", OBJECT, |good| replaced(good, "[]")),
    token("claims: text", OBJECT, |good| replaced(good, "\"admin\"")),
    token("claims: number", OBJECT, |good| replaced(good, "1")),
    token("claims: null", OBJECT, |good| replaced(good, "null")),
    token("claims: empty object", EXP_REQUIRED, |good| replaced(good, "{}")),
    token("claims: not JSON", OBJECT, |good| replaced(good, "sub=admin")),
    token("claims: byte order mark", OBJECT, |good| {
        good.with_claims_json(|claims| format!("\u{feff}{claims}"))
    }),
    token("claims: text after the object", OBJECT, |good| {
        good.with_claims_json(|claims| format!("{claims}{{}}"))
    }),
    token("claims: comment", OBJECT, |good| {
        good.with_claims_json(|claims| claims.replacen('{', "{/* */", 1))
    }),
    token("claims: NaN", OBJECT, |good| {
        good.with_claims_json(|claims| claims.replacen('{', "{\"x\":NaN,", 1))
    }),
    token("claims: not UTF-8", OBJECT, |good| {
        let mut claims = text(good.claims()).into_bytes();
        claims.pop();
        claims.extend(b",\"x\":\"\xff\xfe\"}");
        good.signed_bytes(text(good.header()), claims)
    }),
    token("claims: exp twice", TWICE, |good| twice(good, "exp", "1")).strict(),
    token("claims: aud twice", TWICE, |good| twice(good, "aud", "\"https://other.invalid\""))
        .strict(),
    token("claims: sub twice", TWICE, |good| twice(good, "sub", "\"admin\"")).strict(),
    token("claims: a name twice", TWICE, |good| {
        good.with_claims_json(|claims| claims.replacen('{', "{\"x\":1,\"x\":2,", 1))
    })
    .strict(),
    token("claims: exp twice, the good one first", FIRST, |good| then(good, "exp", "1")),
    token("claims: aud twice, the good one first", FIRST, |good| {
        then(good, "aud", "\"https://other.invalid\"")
    }),
    token("claims: iss twice, the good one first", FIRST, |good| {
        then(good, "iss", "\"https://other.invalid\"")
    }),
    token("exp: an hour ago", EXP, |good| {
        let mut claims = good.claims();
        claims.insert("iat".to_owned(), good.hours_from_now(-2).into());
        claims.insert("exp".to_owned(), good.hours_from_now(-1).into());
        good.signed(good.header(), claims)
    }),
    token("exp: an hour and a fraction ago", EXP, |good| {
        let exp = good.hours_from_now(-1);
        raw(good, "exp", &format!("{exp}.5"))
    }),
    token("exp: zero", EXP, |good| good.with_claim("exp", 0)),
    token("exp: negative", EXP_TYPE, |good| good.with_claim("exp", -1)),
    token("exp: missing", EXP_REQUIRED, |good| good.without_claim("exp")),
    token("exp: null", EXP_TYPE, |good| good.with_claim("exp", Value::Null)),
    token("exp: text", EXP_TYPE, |good| good.with_claim("exp", good.hours_from_now(1).to_string())),
    token("exp: text, an hour ago", EXP_TYPE, |good| {
        good.with_claim("exp", good.hours_from_now(-1).to_string())
    }),
    token("exp: list", EXP_TYPE, |good| good.with_claim("exp", json!([good.hours_from_now(1)]))),
    token("exp: true", EXP_TYPE, |good| good.with_claim("exp", true)),
    token("exp: 1e400", EXP_TYPE, |good| raw(good, "exp", "1e400")),
    token("nbf: in an hour", NBF, |good| good.with_claim("nbf", good.hours_from_now(1))),
    token("nbf: text, in an hour", NBF_TYPE, |good| {
        good.with_claim("nbf", good.hours_from_now(1).to_string())
    }),
    token("nbf: null", NBF_TYPE, |good| good.with_claim("nbf", Value::Null)),
    token("nbf: list", NBF_TYPE, |good| good.with_claim("nbf", json!([0]))),
    token("iat: in an hour", IAT, |good| good.with_claim("iat", good.hours_from_now(1))).strict(),
    token("iat: text", IAT_TYPE, |good| good.with_claim("iat", good.hours_from_now(0).to_string())),
    token("iss: another", ISS, |good| good.with_issuer("https://other.invalid")),
    token("iss: missing", ISS, |good| good.without_claim("iss")),
    token("iss: null", ISS_TYPE, |good| good.with_claim("iss", Value::Null)),
    token("iss: number", ISS_TYPE, |good| good.with_claim("iss", 1)),
    token("iss: list with the good one", ISS_TYPE, |good| {
        good.with_claim("iss", json!([issuer(good)?, "https://other.invalid"]))
    }),
    token("iss: empty", ISS, |good| good.with_claim("iss", "")),
    token("iss: the beginning", ISS, |good| good.with_issuer(&beginning(issuer(good)?)?)),
    token("iss: the beginning of a longer one", ISS, |good| {
        good.with_issuer(&longer(issuer(good)?)?)
    }),
    token("iss: in upper case", ISS, |good| good.with_issuer(&upper(issuer(good)?)?)),
    token("iss: with or without a slash", ISS, |good| {
        good.with_issuer(&other_slash(issuer(good)?)?)
    }),
    token("aud: another", AUD, |good| good.with_claim("aud", "https://other.invalid")),
    token("aud: missing", AUD, |good| good.without_claim("aud")),
    token("aud: null", AUD_TYPE, |good| good.with_claim("aud", Value::Null)),
    token("aud: number", AUD_TYPE, |good| good.with_claim("aud", 1)),
    token("aud: empty", AUD_TYPE, |good| good.with_claim("aud", "")),
    token("aud: empty list", AUD_TYPE, |good| good.with_claim("aud", json!([]))),
    token("aud: list of others", AUD, |good| {
        good.with_claim("aud", json!(["https://other.invalid", "https://third.invalid"]))
    }),
    token("aud: list with a number", AUD_TYPE, |good| {
        let mut names: Vec<Value> = good.audiences().into_iter().map(Value::from).collect();
        names.first()?;
        names.push(1.into());
        good.with_claim("aud", names)
    }),
    token("aud: the beginning", AUD, |good| good.with_audiences(beginning)),
    token("aud: the beginning of a longer one", AUD, |good| good.with_audiences(longer)),
    token("aud: in upper case", AUD, |good| good.with_audiences(upper)),
    token("aud: with or without a slash", AUD, |good| good.with_audiences(other_slash)),
    token("sub: number", SUB, |good| good.with_claim("sub", 1)),
    token("sub: list", SUB, |good| good.with_claim("sub", json!(["alice", "admin"]))),
    token("sub: null", SUB, |good| good.with_claim("sub", Value::Null)),
];

/// A token with these claims in place of the good ones.
fn replaced(good: &GoodToken, claims: &str) -> Option<String> {
    good.with_claims_json(|_| claims.to_owned())
}

/// A token with this claim before the good one of the same name; `None` if there is none.
fn twice(good: &GoodToken, name: &str, value: &str) -> Option<String> {
    good.claims().get(name)?;
    let first = format!("{{\"{name}\":{value},");
    good.with_claims_json(|claims| claims.replacen('{', &first, 1))
}

/// A token with this claim after the good one of the same name; `None` if there is none.
fn then(good: &GoodToken, name: &str, value: &str) -> Option<String> {
    good.claims().get(name)?;
    good.with_claims_json(|claims| {
        let claims = claims.strip_suffix('}').unwrap_or(&claims);
        format!("{claims},\"{name}\":{value}}}")
    })
}

/// A token with this claim in place of the good one, written as it is.
fn raw(good: &GoodToken, name: &str, value: &str) -> Option<String> {
    let mut claims = good.claims();
    claims.remove(name);
    let first = format!("{{\"{name}\":{value},");
    good.signed_bytes(text(good.header()), text(claims).replacen('{', &first, 1))
}

/// A name without its last character.
fn beginning(name: &str) -> Option<String> {
    let mut name = name.to_owned();
    name.pop()?;
    Some(name)
}

/// A name in upper case, if it is another one.
fn upper(name: &str) -> Option<String> {
    Some(name.to_uppercase()).filter(|upper| upper != name)
}

/// A host that begins like the good one, and is another.
fn longer(name: &str) -> Option<String> {
    Some(format!("{name}.attacker.invalid"))
}

fn other_slash(name: &str) -> Option<String> {
    Some(name.strip_suffix('/').map_or_else(|| format!("{name}/"), str::to_owned))
}

fn issuer(good: &GoodToken) -> Option<&str> {
    good.claim_text("iss")
}
