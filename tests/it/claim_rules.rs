//! The rules over claims: what stands in place of an audience, what the operator is told, and how
//! long a token may be.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, ExpectedAudience, IssuerSet, JwtVerifier, Rejection, RejectionKind,
};

use crate::support::{ISSUER, b64, claims, claims_with, claims_without, key, now};

use RejectionKind::*;

fn rejection<C: DeserializeOwned>(verifier: &JwtVerifier<C>, claims: &Value) -> Rejection {
    verifier.verify_now(&key(Algorithm::HS256).token(claims)).err().unwrap()
}

fn kind(verifier: &JwtVerifier, claims: &Value) -> Option<RejectionKind> {
    let verdict = verifier.verify_now(&key(Algorithm::HS256).token(claims));
    verdict.err().map(|rejection| rejection.kind())
}

/// Reason and name, as the operator sees them.
#[track_caller]
fn told<C: DeserializeOwned>(verifier: &JwtVerifier<C>, claims: &Value) -> (RejectionKind, String) {
    let rejection = rejection(verifier, claims);
    (rejection.kind(), rejection.expected().unwrap_or_default().to_owned())
}

fn for_audience(audience: ExpectedAudience) -> JwtVerifier {
    let keys = key(Algorithm::HS256).verification_key();
    JwtVerifier::new(ISSUER, audience, keys).unwrap().with_clock(now())
}

#[test]
fn another_claim_stands_in_place_of_an_audience_that_is_absent() {
    for (audience, claim) in [
        (ExpectedAudience::authorized_parties(["https://app.example", "b"]), "azp"),
        (ExpectedAudience::clients(["https://app.example", "b"]), "client_id"),
    ] {
        let verifier = for_audience(audience);
        let with = |value: Value| {
            let mut claims = claims_without("aud");
            claims[claim] = value;
            claims
        };
        assert_eq!(kind(&verifier, &with("https://app.example".into())), None);
        assert_eq!(kind(&verifier, &with("b".into())), None);
        for other in
            ["", "https://app.example/", "https://App.example", "c", "https://app.example b"]
        {
            assert_eq!(kind(&verifier, &with(other.into())), Some(WrongAudience), "{other}");
        }
        for wrong in [json!(5), json!(["b"]), json!(null), json!({"b": "b"})] {
            let told = told(&verifier, &with(wrong.clone()));
            assert_eq!(told, (MalformedClaims, claim.to_owned()), "{wrong}");
        }
        let told = told(&verifier, &claims_without("aud"));
        assert_eq!(told, (MissingClaim, claim.to_owned()));
        // A token with an audience is for that one, whatever it is.
        for audience in [json!("b"), json!(["https://app.example"]), json!([]), json!("")] {
            let mut claims = with("b".into());
            claims["aud"] = audience;
            assert_eq!(kind(&verifier, &claims), Some(WrongAudience), "{claims}");
        }
        let mut expired = with("b".into());
        expired["exp"] = 1.into();
        assert_eq!(kind(&verifier, &expired), Some(ExpiredToken));
    }
    // The claims are nothing to a verifier that was not told so.
    for claim in ["azp", "client_id"] {
        let mut claims = claims_without("aud");
        claims[claim] = "b".into();
        assert_eq!(kind(&key(Algorithm::HS256).verifier(), &claims), Some(MissingClaim));
    }
}

#[test]
fn nobody_in_place_of_an_audience_is_an_error() {
    for audience in [
        ExpectedAudience::authorized_parties([""; 0]),
        ExpectedAudience::authorized_parties(["a", ""]),
        ExpectedAudience::clients([""; 0]),
        ExpectedAudience::clients([""]),
    ] {
        let keys = key(Algorithm::HS256).verification_key();
        let error = JwtVerifier::new(ISSUER, audience, keys).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience);
    }
}

#[test]
fn the_claim_that_shows_another_kind_of_token_is_named() {
    let verifier = || key(Algorithm::HS256).verifier();
    for (claim, value) in [
        ("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")),
        ("c_hash", json!(5)),
        ("events", json!({"https://event.example": {}})),
        ("token_use", json!("id")),
        ("token_use", json!("refresh")),
        ("typ", json!("Offline")),
    ] {
        let told = told(&verifier(), &claims_with(claim, value));
        assert_eq!(told, (WrongTokenType, claim.to_owned()));
    }
    let told_of_cnf = told(&verifier(), &claims_with("cnf", json!({"jkt": "x"})));
    assert_eq!(told_of_cnf, (UnconfirmedSender, "cnf".to_owned()));
    let told_of_typ = told(&verifier().require_rfc9068(), &claims());
    assert_eq!(told_of_typ, (WrongTokenType, "at+jwt".to_owned()));
}

/// The threat model says so.
#[test]
fn an_id_token_without_a_mark_is_kept_out_by_its_audience_or_its_type() {
    let mut id_token = claims_with("nonce", "n-0S6_WzA2Mj");
    id_token["aud"] = "web".into();
    let for_client = for_audience("web".into());
    assert_eq!(kind(&for_client, &id_token), None, "for the client's own ID, it is accepted");
    let for_api = key(Algorithm::HS256).verifier();
    assert_eq!(kind(&for_api, &id_token), Some(WrongAudience));
    assert_eq!(kind(&for_client.require_rfc9068(), &id_token), Some(WrongTokenType));
}

#[test]
fn a_hash_is_allowed_by_name_and_nothing_else_with_it() {
    let verifier = key(Algorithm::HS256).verifier().allow_at_hash();
    assert_eq!(kind(&verifier, &claims_with("at_hash", "x")), None);
    assert_eq!(kind(&verifier, &claims_with("c_hash", "x")), None);
    for (claim, value) in
        [("typ", json!("ID")), ("token_use", json!("id")), ("events", json!({"a": 1}))]
    {
        let mut claims = claims_with("at_hash", "x");
        claims[claim] = value;
        assert_eq!(kind(&verifier, &claims), Some(WrongTokenType), "{claims}");
    }
}

#[test]
fn a_claim_of_the_wrong_type_is_named_and_its_value_is_not() {
    const CANARY: &str = "canary-claim";

    let verifier = || key(Algorithm::HS256).verifier();
    for claim in ["iss", "sub", "aud", "exp", "nbf", "iat"] {
        let rejection = rejection(&verifier(), &claims_with(claim, json!({CANARY: CANARY})));
        assert_eq!((rejection.kind(), rejection.expected()), (MalformedClaims, Some(claim)));
        assert!(!format!("{rejection:?} {rejection}").contains(CANARY));
    }
    // A name that the token made up is not told.
    let twice = format!(r#"{{"{CANARY}":1,"{CANARY}":2,{}"#, &claims().to_string()[1..]);
    let token = key(Algorithm::HS256).token_of(r#"{"alg":"HS256"}"#, twice);
    let rejection = verifier().verify_now(&token).unwrap_err();
    assert_eq!((rejection.kind(), rejection.expected()), (MalformedClaims, None));
}

#[test]
fn a_claim_that_does_not_fit_the_type_is_named() {
    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Mine {
        #[serde(rename = "https://app.example/tenant")]
        tenant: Option<u8>,
        roles: Option<Vec<String>>,
        realm_access: Option<Roles>,
        needed: Option<Needed>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Roles {
        roles: Vec<String>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Needed {
        inner: u8,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "never built")]
    struct Flattened {
        tenant: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "never built")]
    struct Closed {
        sub: String,
    }

    let verifier = || key(Algorithm::HS256).verifier();
    for (claim, value) in [
        ("https://app.example/tenant", json!("canary")),
        ("https://app.example/tenant", json!(256)),
        ("https://app.example/tenant", json!(7.5)),
        ("roles", json!(["a", 5])),
        ("roles", json!("a")),
        // What it lacks is further down: the claim is named.
        ("realm_access", json!({})),
        ("needed", json!({"inner": "x"})),
    ] {
        let told = told(&verifier().with_claims::<Mine>(), &claims_with(claim, value.clone()));
        assert_eq!(told, (UnexpectedClaims, claim.to_owned()), "{value}");
    }
    // A well-known name is told whatever the type.
    let known =
        told(&verifier().with_claims::<BTreeMap<String, String>>(), &claims_with("exp", 1e10));
    assert_eq!(known, (UnexpectedClaims, "exp".to_owned()));
    let absent = told(&verifier().with_claims::<Flattened>(), &claims());
    assert_eq!(absent, (UnexpectedClaims, "tenant".to_owned()));
    // Neither the token's own names nor its values.
    for rejection in [
        rejection(&verifier().with_claims::<Closed>(), &claims_with("canary", 1)),
        rejection(&verifier().with_claims::<BTreeMap<String, u8>>(), &claims_with("canary", "x")),
    ] {
        assert_eq!(rejection.kind(), UnexpectedClaims);
        assert!(!format!("{rejection:?}").contains("canary"), "{rejection:?}");
    }
}

#[test]
fn a_required_claim_that_says_nothing_is_missing_and_named() {
    let required = |name: &str| key(Algorithm::HS256).verifier().add_required_claim(name);
    for (name, value) in [
        ("tenant", json!(null)),
        ("auth_time", json!(null)),
        ("sub", json!("")),
        ("jti", json!("")),
        ("client_id", json!("")),
        ("azp", json!("")),
    ] {
        let told = told(&required(name), &claims_with(name, value));
        assert_eq!(told, (MissingClaim, name.to_owned()));
    }
    for value in [json!(""), json!(0), json!(false), json!([]), json!({})] {
        assert_eq!(kind(&required("tenant"), &claims_with("tenant", value)), None);
    }
    // A null is no value of another claim, and hides none.
    assert_eq!(kind(&required("sub"), &claims_with("tenant", json!(null))), None);
}

#[test]
fn an_element_of_scope_with_a_space_grants_nothing() {
    let verifier = key(Algorithm::HS256).verifier();
    let token = claims_with("scope", json!(["read", "orders:write admin"]));
    let token = verifier.verify_now(&key(Algorithm::HS256).token(&token)).unwrap();
    let scope = token.scope.as_ref().unwrap();
    assert!(scope.contains("read"));
    assert!(!scope.contains("admin") && !scope.contains("orders:write"), "{scope}");
}

// How long a token may be.

/// A good token of exactly this length, or up to three bytes less.
fn token_of(length: usize) -> String {
    let build = |pad: usize| key(Algorithm::HS256).token(&claims_with("pad", "a".repeat(pad)));
    let start = length.saturating_sub(build(0).len()) / 4 * 3;
    let fits = (start.saturating_sub(3)..).take_while(|pad| build(*pad).len() <= length);
    build(fits.last().unwrap())
}

#[test]
fn a_token_is_as_long_as_its_verifier_allows() {
    let verifier = || key(Algorithm::HS256).verifier();
    for limit in [400, 16_384, 20_000, 65_536] {
        let verifier = verifier().with_max_token_length(limit).unwrap();
        assert!(verifier.verify_now(&token_of(limit)).is_ok(), "{limit}");
        let rejection = verifier.verify_now(&token_of(limit + 4)).unwrap_err();
        assert_eq!(rejection.kind(), TokenTooLong);
        assert_eq!(rejection.to_string(), "the token is too long");
        assert!(rejection.expected().unwrap().contains(&limit.to_string()));
    }
    assert!(verifier().verify_now(&token_of(16_384)).is_ok());
    assert_eq!(verifier().verify_now(&token_of(16_388)).unwrap_err().kind(), TokenTooLong);
    // A forged one is refused by its signature alone.
    let token = token_of(60_000);
    let (message, _) = token.rsplit_once('.').unwrap();
    let long = verifier().with_max_token_length(65_536).unwrap();
    let forged = format!("{message}.{}", b64([1; 32]));
    assert_eq!(long.verify_now(&forged).unwrap_err().kind(), InvalidSignature);
}

#[test]
fn an_issuer_set_reads_tokens_as_long_as_its_verifiers_do() {
    let verifier = |limit| key(Algorithm::HS256).verifier().with_max_token_length(limit).unwrap();
    for limit in [400, 16_384, 60_000] {
        let issuers = IssuerSet::new();
        issuers.add(verifier(limit)).unwrap();
        let verify = |token: &str| issuers.verify(token).now_or_never().unwrap();
        assert!(verify(&token_of(limit)).is_ok(), "{limit}");
        assert_eq!(verify(&token_of(limit + 4)).unwrap_err().kind(), TokenTooLong);
    }
}

#[test]
fn a_header_is_as_long_as_its_verifier_allows() {
    let token = |length: usize| {
        let header = format!("{:<1$}", r#"{"alg":"HS256"}"#, length / 4 * 3);
        key(Algorithm::HS256).token_of(header, claims().to_string())
    };
    for limit in [128, 4_096, 8_000, 16_384] {
        let verifier = key(Algorithm::HS256)
            .verifier()
            .with_max_header_length(limit)
            .and_then(|verifier| verifier.with_max_token_length(65_536))
            .unwrap();
        assert!(verifier.verify_now(&token(limit)).is_ok(), "{limit}");
        assert_eq!(verifier.verify_now(&token(limit + 4)).unwrap_err().kind(), TokenTooLong);
    }
}

#[test]
fn limits_of_length_have_their_bounds() {
    let verifier = || key(Algorithm::HS256).verifier();
    for (bytes, token, header) in [
        (0, false, false),
        (127, false, false),
        (128, true, true),
        (16_384, true, true),
        (16_385, true, false),
        (65_536, true, false),
        (65_537, false, false),
        (usize::MAX, false, false),
    ] {
        let of_token = verifier().with_max_token_length(bytes).err();
        let of_header = verifier().with_max_header_length(bytes).err();
        for (error, fits) in [(of_token, token), (of_header, header)] {
            let kind = error.map(|error| error.kind());
            assert_eq!(kind, (!fits).then_some(ConfigErrorKind::Length), "{bytes}");
        }
    }
}
