//! API keys, JWTs and opaque tokens behind one layer, with claims of one type.

use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, IssuerSet, JwtAuthLayer, JwtVerifier, PresentedToken, Rejection,
    RejectionKind, TokenKinds, TokenScheme, VerifiedToken, VerifyToken, verify_async_fn, verify_fn,
};

use crate::support::requests::{bearer, reached, refusal, send, send_later};
use crate::support::{AUDIENCE, claims, claims_with, key, now};

/// Which kind of token a request had, and whose it was.
#[derive(Debug, PartialEq)]
struct Caller(&'static str, String);

/// Accepts what ends in `good`.
fn rule(kind: &'static str) -> impl VerifyToken<Caller> + Clone {
    verify_fn(move |token: &PresentedToken| match token.as_str().ends_with("good") {
        true => Ok(Caller(kind, token.as_str().to_owned())),
        false => Err(Rejection::invalid_token()),
    })
}

fn jwt(kind: &'static str, verifier: JwtVerifier) -> impl VerifyToken<Caller> {
    verifier.map_claims(move |claims| Caller(kind, claims.sub.clone().unwrap_or_default()))
}

fn of_issuer(issuer: &str) -> JwtVerifier {
    let keys = key(Algorithm::ES256).verification_key();
    JwtVerifier::new(issuer, AUDIENCE, keys).unwrap().with_clock(now())
}

fn everything() -> TokenKinds<Caller> {
    TokenKinds::new()
        .with_otherwise(rule("other"))
        .with_jwt(jwt("jwt", key(Algorithm::ES256).verifier()))
        .add_issuer("https://a.example", jwt("a", of_issuer("https://a.example")))
        .unwrap()
        .add_prefix("sk_", rule("key"))
        .unwrap()
        .add_prefix("pat_", rule("personal"))
        .unwrap()
}

/// The kind that accepted a token, or the refusal.
fn ask(kinds: &TokenKinds<Caller>, token: &str) -> Result<&'static str, RejectionKind> {
    let response = send(&JwtAuthLayer::new(kinds.clone()), bearer(token));
    match reached(&response) {
        Some(head) => Ok(head.extensions.get::<VerifiedToken<Caller>>().unwrap().0),
        None => Err(refusal(&response).unwrap()),
    }
}

fn signed(issuer: &str) -> String {
    key(Algorithm::ES256).token(&claims_with("iss", issuer))
}

#[test]
fn each_kind_of_token_goes_to_its_verifier() {
    let kinds = everything();
    assert_eq!(ask(&kinds, "sk_good"), Ok("key"));
    assert_eq!(ask(&kinds, "pat_good"), Ok("personal"));
    assert_eq!(ask(&kinds, &key(Algorithm::ES256).token(&claims())), Ok("jwt"));
    assert_eq!(ask(&kinds, &signed("https://a.example")), Ok("a"));
    for opaque in ["good", "sk-good", "SK_good", "a.b.c.good", "a.good", "..good", "a.b.c~good"] {
        assert_eq!(ask(&kinds, opaque), Ok("other"), "{opaque}");
    }
}

#[test]
fn a_token_goes_to_one_verifier_and_to_no_other_when_that_refuses_it() {
    let kinds = everything();
    assert_eq!(ask(&kinds, "sk_bad"), Err(RejectionKind::InvalidToken));
    // The last kind would accept it by its end; it has the shape of a JWT, so it does not get it.
    assert_eq!(ask(&kinds, "a.b.good"), Err(RejectionKind::MalformedToken));
    assert_eq!(ask(&kinds, &signed("https://b.example")), Err(RejectionKind::WrongIssuer));
    // The prefix decides, whatever follows.
    assert_eq!(ask(&kinds, "sk_a.b.good"), Ok("key"));
}

#[test]
fn the_unverified_issuer_only_chooses() {
    let kinds = TokenKinds::new()
        .add_issuer("https://a.example", jwt("a", of_issuer("https://other.example")))
        .unwrap();
    assert_eq!(ask(&kinds, &signed("https://a.example")), Err(RejectionKind::WrongIssuer));
    let forged = key(Algorithm::EdDSA).token(&claims_with("iss", "https://a.example"));
    assert_eq!(ask(&kinds, &forged), Err(RejectionKind::UnknownKey));
}

#[test]
fn a_token_that_fits_no_kind_is_invalid() {
    let keys = TokenKinds::new().add_prefix("sk_", rule("key")).unwrap();
    for token in ["good", "a.b.c", "s", "sk", &signed("https://a.example")] {
        assert_eq!(ask(&keys, token), Err(RejectionKind::InvalidToken), "{token}");
    }
    assert_eq!(ask(&TokenKinds::new(), "good"), Err(RejectionKind::InvalidToken));
}

#[test]
fn a_jwt_without_a_verifier_of_its_own_goes_to_the_last_kind() {
    let kinds = TokenKinds::new()
        .add_issuer("https://a.example", jwt("a", of_issuer("https://a.example")))
        .unwrap()
        .with_otherwise(verify_fn(|_: &PresentedToken| Ok(Caller("other", String::new()))));
    assert_eq!(ask(&kinds, &signed("https://b.example")), Ok("other"));
    assert_eq!(ask(&kinds, &signed("https://a.example")), Ok("a"));
}

#[test]
fn a_kind_that_is_given_twice_is_replaced() {
    let kinds = everything().with_otherwise(rule("replaced"));
    assert_eq!(ask(&kinds, "good"), Ok("replaced"));
}

#[test]
fn prefixes_that_cannot_be_told_apart_are_errors() {
    let kinds = || TokenKinds::new().add_prefix("sk_", rule("key")).unwrap();
    for prefix in ["sk_", "sk_live_", "s", "sk", "", "s k", "ü", "e", "ey", "eyJ", "eyJhbGci"] {
        let error = kinds().add_prefix(prefix, rule("key")).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::TokenKind, "{prefix}: {error}");
    }
    // What a header that begins with `{ ` or `{\n` looks like in base64url.
    for prefix in ["eyA", "ewo", "ew0K", "ewk", "e_", "e-"] {
        assert!(kinds().add_prefix(prefix, rule("key")).is_err(), "{prefix}");
    }
    for prefix in ["pk_", "eu_", "ea_"] {
        assert!(kinds().add_prefix(prefix, rule("key")).is_ok(), "{prefix}");
    }
}

#[test]
fn an_issuer_is_added_once() {
    let add = |issuer: &str| everything().add_issuer(issuer, rule("a"));
    for issuer in ["https://a.example", ""] {
        assert_eq!(add(issuer).unwrap_err().kind(), ConfigErrorKind::TokenKind);
    }
    assert!(add("https://a.example/").is_ok());
}

#[tokio::test]
async fn kinds_may_wait_and_take_checks() {
    let keys = verify_async_fn(async |token: PresentedToken| {
        tokio::task::yield_now().await;
        Ok(Caller("key", token.as_str().to_owned()))
    });
    let checked = TokenKinds::new().add_prefix("sk_", keys).unwrap().with_check(
        async |token, _| match &*token.1 {
            "sk_disabled" => Err(Rejection::invalid_token()),
            _ => Ok(()),
        },
    );
    let layer = JwtAuthLayer::new(checked);
    assert_eq!(send_later(&layer, bearer("sk_alice")).await.status(), 204);
    assert_eq!(send_later(&layer, bearer("sk_disabled")).await.status(), 401);
}

#[test]
fn mapped_claims_keep_header_and_expiry() {
    let issuers = IssuerSet::new();
    issuers.add(key(Algorithm::ES256).verifier()).unwrap();
    let mapped = issuers.map_claims(|claims| claims.sub.clone());
    assert_eq!(VerifyToken::schemes(&mapped), [TokenScheme::Bearer]);
    let token = key(Algorithm::ES256).token(&claims());
    let response = send(&JwtAuthLayer::new(mapped), bearer(&token));
    let verified: &VerifiedToken<Option<String>> =
        reached(&response).unwrap().extensions.get().unwrap();
    assert_eq!(verified.claims().as_deref(), Some("alice"));
    assert_eq!(verified.header().unwrap().kid(), Some("ES256"));
    assert!(verified.expires_at().is_some());
}

#[test]
fn debug_shows_names_and_no_verifier() {
    let shown = format!("{:?}", everything());
    assert!(shown.contains("sk_") && shown.contains("https://a.example"), "{shown}");
}
