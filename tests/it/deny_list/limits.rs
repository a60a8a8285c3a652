//! What one user can take of the list in memory, and how much a call removes.

use std::time::Duration;

use serde_json::json;
use tower_jwt_auth::{
    ConfigErrorKind, MemoryRevocationStore, Revocation, RevokeErrorKind, VerifiedToken,
};

use super::{HOUR, Hands, at, layer, list, named, refused, verified, verifier};
use crate::support::{ISSUER, NOW};

async fn token(sub: &str, id: &str) -> VerifiedToken {
    let mut claims = named(id);
    claims["sub"] = json!(sub);
    verified(verifier(), &claims).await
}

fn add(store: &MemoryRevocationStore, ids: std::ops::Range<usize>, lasts: u64) {
    for id in ids {
        let revocation = Revocation::token(ISSUER, &id.to_string());
        store.revoke(&revocation, Duration::from_secs(lasts)).unwrap();
    }
}

fn kind(result: Result<(), tower_jwt_auth::RevokeError>) -> Option<RevokeErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn subject_cannot_fill_the_list_by_logging_out() {
    let store = list(1000, &Hands::new());
    for id in 0..16 {
        store.revoke_token(&token("mallory", &id.to_string()).await).unwrap();
    }
    let next = token("mallory", "next").await;
    let error = store.revoke_token(&next).unwrap_err();
    assert_eq!(error.kind(), RevokeErrorKind::ShareFull);
    assert_eq!(error.to_string(), "the share of one subject in the deny-list is full");
    let by_entry = store.revoke(&Revocation::of(&next).unwrap(), HOUR);
    assert_eq!(kind(by_entry), Some(RevokeErrorKind::ShareFull));
    // One that is in the list can be revoked again, and others can be revoked.
    store.revoke_token(&token("mallory", "3").await).unwrap();
    store.revoke_token(&token("alice", "a").await).unwrap();
    // One entry is enough for all tokens of the subject.
    store.revoke(&Revocation::subject_before(ISSUER, "mallory", at(NOW)), HOUR).unwrap();
    let mut claims = named("next");
    claims["sub"] = json!("mallory");
    assert!(refused(&layer(store.clone()), &claims).is_some());

    assert!(store.restore(&Revocation::token(ISSUER, "3")));
    store.revoke_token(&next).unwrap();
}

#[tokio::test]
async fn tokens_without_subject_share_the_part_of_one() {
    let store = list(100, &Hands::new()).with_share(2).unwrap();
    let mut claims = named("0");
    claims.as_object_mut().unwrap().remove("sub");
    for (id, expected) in [("1", None), ("2", None), ("3", Some(RevokeErrorKind::ShareFull))] {
        claims["jti"] = json!(id);
        assert_eq!(kind(store.revoke_token(&verified(verifier(), &claims).await)), expected);
    }
}

#[test]
fn single_tokens_leave_room_for_other_entries() {
    let store = list(80, &Hands::new());
    add(&store, 0..70, 3600);
    let next = store.revoke(&Revocation::token(ISSUER, "next"), HOUR);
    assert_eq!(kind(next), Some(RevokeErrorKind::Full));
    for subject in 0..10 {
        store.revoke(&Revocation::subject(ISSUER, &subject.to_string()), HOUR).unwrap();
    }
    let next = store.revoke(&Revocation::subject(ISSUER, "next"), HOUR);
    assert_eq!(kind(next), Some(RevokeErrorKind::Full));
    assert_eq!(store.len(), 80);
}

#[test]
fn long_ids_of_tokens_leave_room_for_other_entries() {
    let store = list(8, &Hands::new());
    let id = "x".repeat(1750);
    store.revoke(&Revocation::token(ISSUER, &id), HOUR).unwrap();
    let next = store.revoke(&Revocation::token(ISSUER, "1"), HOUR);
    assert_eq!(kind(next), Some(RevokeErrorKind::Full));
    store.revoke(&Revocation::subject(ISSUER, "mallory"), HOUR).unwrap();
}

#[test]
fn call_removes_a_bounded_number_of_entries() {
    let clock = Hands::new();
    let store = list(4000, &clock);
    add(&store, 0..3500, 10);
    clock.set(NOW + 10);
    // There is no room for one more token, but there is after one round.
    add(&store, 5000..5001, 3600);
    assert_eq!(store.len(), 2501);
    add(&store, 5001..5002, 3600);
    assert_eq!(store.len(), 1502);
}

#[tokio::test]
async fn share_is_not_full_of_entries_that_have_ended() {
    let clock = Hands::new();
    let store = list(10_000, &clock).with_share(1).unwrap();
    add(&store, 0..2500, 10);
    store.revoke_token(&token("alice", "a").await).unwrap();
    assert_eq!(
        kind(store.revoke_token(&token("alice", "b").await)),
        Some(RevokeErrorKind::ShareFull)
    );
    clock.set(NOW + 3960);
    let later = token("alice", "b").await;
    store.revoke_token(&later).unwrap();
    assert_eq!(store.len(), 1);
}

#[test]
fn share_out_of_bounds_is_an_error() {
    for share in [0, 11] {
        let error = list(10, &Hands::new()).with_share(share).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
        assert!(error.to_string().contains(&share.to_string()), "{error}");
    }
}
