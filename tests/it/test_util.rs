use std::time::Duration;

use serde_json::json;
use tower_jwt_auth::test_util::{
    ManualClock, TestIssuer, TokenBuilder, accept_all, verified_token,
};
use tower_jwt_auth::{
    Clock, JwkSet, JwtAuthLayer, JwtVerifier, NumericDate, RejectionKind, VerifiedToken,
};

use crate::support::requests::{bearer, reached, refusal, request, send};

#[track_caller]
fn assert_refused(token: &TokenBuilder, kind: RejectionKind) {
    let rejection = TestIssuer::new().verifier().verify_now(&token.build()).unwrap_err();
    assert_eq!(rejection.kind(), kind);
}

#[test]
fn a_forged_proof_holds_its_claims() {
    let token = verified_token(json!({"tenant": 7}));
    assert_eq!(token["tenant"], 7);
    assert!(token.header().is_none() && token.expires_at().is_none());
}

#[test]
fn every_bearer_token_is_accepted_and_no_other_request() {
    let layer = JwtAuthLayer::new(accept_all(7_u32));
    let response = send(&layer, bearer("x"));
    let seen: &VerifiedToken<u32> =
        VerifiedToken::from_extensions(&reached(&response).unwrap().extensions).unwrap();
    assert_eq!(*seen.claims(), 7);

    for (authorization, kind) in [
        (vec![], RejectionKind::MissingCredentials),
        (vec!["Bearer"], RejectionKind::MalformedCredentials),
    ] {
        let response = send(&layer, request(authorization));
        assert_eq!(refusal(&response), Some(kind));
    }
}

#[test]
fn a_minted_token_passes_the_layer() {
    let issuer = TestIssuer::new();
    let layer = JwtAuthLayer::new(issuer.verifier());
    let token = issuer.token().subject("bob").scope("read write");
    let response = send(&layer, request([token.bearer()]));
    let seen: &VerifiedToken =
        VerifiedToken::from_extensions(&reached(&response).unwrap().extensions).unwrap();
    assert_eq!(seen.sub.as_deref(), Some("bob"));
    assert!(seen.scope.as_ref().unwrap().contains("write"));

    let response = send(&layer, request([token.forged().bearer()]));
    assert_eq!(refusal(&response), Some(RejectionKind::InvalidSignature));
}

#[test]
fn a_token_is_right_until_it_is_told_otherwise() {
    let issuer = TestIssuer::new();
    let token = issuer.token();
    assert!(issuer.verifier().require_rfc9068().verify_now(&token.build()).is_ok());
    assert!(TestIssuer::default().verifier().verify_now(&token.to_string()).is_ok());
    assert!(issuer.verifier().verify_now(&String::from(token)).is_ok());

    let first = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
    let second = issuer.verifier().verify_now(&issuer.token().build()).unwrap();
    assert_ne!(first.jti, second.jti);
}

#[test]
fn each_way_of_being_wrong_has_its_refusal() {
    let issuer = TestIssuer::new();
    let token = || issuer.token();
    assert_refused(&token().expired(), RejectionKind::ExpiredToken);
    assert_refused(&token().not_yet_valid(), RejectionKind::ImmatureToken);
    assert_refused(&token().issuer("other"), RejectionKind::WrongIssuer);
    assert_refused(&token().audience("other"), RejectionKind::WrongAudience);
    assert_refused(&token().audience(["other", "third"]), RejectionKind::WrongAudience);
    assert_refused(&token().without("exp"), RejectionKind::MissingClaim);
    assert_refused(&token().without("iss"), RejectionKind::MissingClaim);
    assert_refused(&token().forged(), RejectionKind::InvalidSignature);
    assert_refused(&token().forged().expired(), RejectionKind::InvalidSignature);
    assert_refused(&token().header("typ", "dpop+jwt"), RejectionKind::WrongTokenType);
    assert_refused(&token().header("alg", "none"), RejectionKind::UnsupportedAlgorithm);
    assert_refused(&token().header("kid", "other"), RejectionKind::UnknownKey);
    assert_refused(&token().header("crit", ["x"]), RejectionKind::UnsupportedCriticalHeader);
    assert_refused(&token().claim("sub", 7), RejectionKind::MalformedClaims);
    assert_refused(&token().claim("client_id", 7), RejectionKind::UnexpectedClaims);

    let bare = token().without_header("kid").without_header("typ").build();
    assert!(issuer.verifier().verify_now(&bare).is_ok());
    assert_eq!(token().forged().build().split('.').count(), 3);
}

#[test]
fn an_issuer_takes_the_names_of_the_service() {
    let issuer = TestIssuer::new().with_issuer("https://a.example").with_audience("b");
    let keys = JwkSet::from_json(&issuer.jwk_set()).unwrap();
    let verifier = JwtVerifier::new("https://a.example", "b", keys).unwrap();
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    let verifier = JwtVerifier::new("https://a.example", "b", issuer.verification_keys()).unwrap();
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    assert!(TestIssuer::new().verifier().verify_now(&issuer.token().build()).is_err());
}

#[test]
fn claims_of_a_type_are_merged() {
    let issuer = TestIssuer::new();
    let token = issuer.token().claims(&json!({"sub": "carol", "tenant": 7})).claim("tenant", 8);
    let verifier = issuer.verifier().with_claims::<serde_json::Value>();
    let verified = verifier.verify_now(&token.build()).unwrap();
    assert_eq!((&verified["sub"], &verified["tenant"]), (&json!("carol"), &json!(8)));
}

#[test]
#[should_panic(expected = "JSON object")]
fn claims_that_are_no_object_are_a_mistake_of_the_test() {
    let _ = TestIssuer::new().token().claims(&7);
}

#[test]
fn a_clock_is_turned_by_hand() {
    let start = NumericDate::from_unix_seconds(1_000);
    let clock = ManualClock::new(start);
    let other = clock.clone();
    other.advance(Duration::from_millis(60_500));
    assert_eq!(clock.now().unix_seconds(), 1_060);
    clock.set(start);
    assert_eq!(other.now(), start);
    other.advance(Duration::MAX);
    assert_eq!(clock.now().unix_seconds(), i64::MAX);

    clock.set(start);
    let issuer = TestIssuer::new().with_clock(clock.clone());
    let token = issuer.token().build();
    clock.advance(Duration::from_secs(1829));
    assert!(issuer.verifier().verify_now(&token).is_ok());
    clock.advance(Duration::from_secs(1));
    let rejection = issuer.verifier().verify_now(&token).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::ExpiredToken);
}

#[test]
fn debug_shows_no_claims() {
    let token = TestIssuer::new().token().subject("canary");
    let text = format!("{token:?} {:?} {:?}", accept_all("canary"), TestIssuer::new());
    assert!(!text.contains("canary"), "{text}");
}

fn at(seconds: i64) -> TokenBuilder {
    let now = NumericDate::from_unix_seconds(seconds);
    TestIssuer::new().with_clock(ManualClock::new(now)).token()
}

/// Rather than a token that is good after all.
#[test]
#[should_panic(expected = "the issuer's clock shows 3600")]
fn a_clock_without_room_before_it_makes_no_expired_token() {
    let _ = at(7200).expired();
    let _ = at(3600).expired();
}

#[test]
#[should_panic(expected = "the issuer's clock shows 9223372036854775807")]
fn a_clock_without_room_after_it_makes_no_token_for_later() {
    let _ = at(i64::MAX - 7200).not_yet_valid();
    let _ = at(i64::MAX).not_yet_valid();
}
