//! How long what is revoked or used is remembered: longer than any verifier accepts the token.

use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::{
    DenyList, JwtAuthLayer, JwtVerifier, MemoryReplayStore, NumericDate, OneTimeTokens,
    RegisteredClaims, Rejection, RejectionKind, Revocation, VerifyToken,
};

use super::{HOUR, Hands, at, list, named, token_of, verified, verifier};
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{ISSUER, NOW};

/// Of the tokens of these tests.
const EXP: i64 = NOW + 3600;
/// The greatest leeway.
const GREATEST: u64 = 300;

fn with_leeway(clock: &Hands, seconds: u64) -> JwtVerifier {
    verifier().with_clock(clock.clone()).with_leeway(Duration::from_secs(seconds)).unwrap()
}

async fn answer(layer: &JwtAuthLayer, id: &str) -> Option<RejectionKind> {
    refusal(&send_later(layer, bearer(&token_of(&named(id)))).await)
}

/// A verifier whose tokens are good for ten seconds.
fn capped(verifier: JwtVerifier) -> Arc<dyn VerifyToken<RegisteredClaims>> {
    struct Capped(JwtVerifier);

    impl VerifyToken<RegisteredClaims> for Capped {
        fn verify_token(
            &self,
            token: &tower_jwt_auth::PresentedToken,
            head: &http::request::Parts,
        ) -> tower_jwt_auth::Verification<RegisteredClaims> {
            let verification = self.0.verify_token(token, head);
            verification.map(|accepted| accepted.with_expires_at(at(NOW + 10)))
        }
    }
    Arc::new(Capped(verifier))
}

#[tokio::test]
async fn revoked_token_is_refused_as_long_as_any_verifier_accepts_it() {
    let clock = Hands::new();
    let store = list(10, &clock);
    let short = with_leeway(&clock, 0).with_max_age(Duration::from_secs(120)).unwrap();
    for (id, token) in [
        ("1", verified(short.clone(), &named("1")).await),
        ("2", verified(capped(short), &named("2")).await),
    ] {
        store.revoke_token(&token).unwrap();
        let layer = JwtAuthLayer::new(DenyList::new(with_leeway(&clock, GREATEST), store.clone()));
        for (time, expected) in [
            (NOW, RejectionKind::RevokedToken),
            (EXP + 299, RejectionKind::RevokedToken),
            (EXP + 300, RejectionKind::ExpiredToken),
        ] {
            clock.set(time);
            assert_eq!(answer(&layer, id).await, Some(expected), "{id} at {time}");
        }
        clock.set(NOW);
    }
    clock.set(EXP + 360);
    store.revoke(&Revocation::token(ISSUER, "3"), HOUR).unwrap();
    assert_eq!(store.len(), 1, "the others have ended");
}

#[tokio::test]
async fn revoked_token_is_refused_if_its_end_passes_while_it_is_verified() {
    let clock = Hands::new();
    let store = list(10, &clock);
    let verifier = with_leeway(&clock, GREATEST);
    let token = verified(verifier.clone(), &named("1")).await;
    store.revoke_token(&token).unwrap();
    let hands = clock.clone();
    let slow = verifier.with_check(async move |_, _| {
        hands.set(EXP + 359);
        Ok::<_, Rejection>(())
    });
    clock.set(EXP + 299);
    let layer = JwtAuthLayer::new(DenyList::new(slow, store));
    assert_eq!(answer(&layer, "1").await, Some(RejectionKind::RevokedToken));
}

#[tokio::test]
async fn used_token_is_not_accepted_again_by_a_layer_with_a_larger_leeway() {
    let clock = Hands::new();
    let uses = MemoryReplayStore::new().with_clock(clock.clone());
    let strict = OneTimeTokens::new(with_leeway(&clock, 0), uses.clone());
    let lax = OneTimeTokens::new(with_leeway(&clock, GREATEST), uses);
    let (strict, lax) = (JwtAuthLayer::new(strict), JwtAuthLayer::new(lax));
    clock.set(EXP - 1);
    assert_eq!(answer(&strict, "1").await, None);
    for time in [EXP, EXP + 299] {
        clock.set(time);
        assert_eq!(answer(&lax, "1").await, Some(RejectionKind::UsedToken), "{time}");
    }
    assert_eq!(answer(&lax, "2").await, None, "not used before");
}

#[tokio::test]
async fn used_token_is_remembered_beyond_the_time_that_a_custom_verifier_sets() {
    let clock = Hands::new();
    let uses = MemoryReplayStore::new().with_clock(clock.clone());
    let layer = JwtAuthLayer::new(OneTimeTokens::new(capped(with_leeway(&clock, 30)), uses));
    assert_eq!(answer(&layer, "1").await, None);
    for time in [NOW + 1000, EXP + 29] {
        clock.set(time);
        assert_eq!(answer(&layer, "1").await, Some(RejectionKind::UsedToken), "{time}");
    }
}

#[test]
fn entry_lasts_from_the_later_one_of_now_and_its_time() {
    let end = |revocation: Revocation| revocation.end(at(NOW), HOUR);
    assert_eq!(end(Revocation::token(ISSUER, "1")), at(NOW + 3600));
    assert_eq!(end(Revocation::subject(ISSUER, "alice")), at(NOW + 3600));
    assert_eq!(end(Revocation::all_before(at(NOW - 100))), at(NOW + 3600));
    assert_eq!(end(Revocation::all_before(at(NOW + 100))), at(NOW + 3700));
    assert!(end(Revocation::all_before(at(i64::MAX))) >= at(i64::MAX));
    let broken: NumericDate = serde_json::from_str("1700000000.25").unwrap();
    let end = Revocation::issuer_before(ISSUER, broken).end(at(NOW), Duration::from_millis(500));
    assert_eq!((end > broken, end.unix_seconds_rounded_up()), (true, NOW + 2));
}

#[test]
fn list_in_memory_keeps_an_entry_about_the_future_long_enough() {
    let clock = Hands::new();
    let store = list(10, &clock);
    store.revoke(&Revocation::all_before(at(NOW + 100)), HOUR).unwrap();
    for (time, left) in [(NOW + 3699, 1), (NOW + 3700, 0)] {
        clock.set(time);
        // Adds an entry that ends at once, so that the call removes what has ended.
        store.revoke(&Revocation::token(ISSUER, "1"), Duration::ZERO).unwrap();
        assert_eq!(store.len(), left + 1, "{time}");
    }
}
