//! The deny-list in memory: when an entry ends, and what happens when the list is full.

use std::time::Duration;

use serde_json::json;
use tower_jwt_auth::{
    ConfigErrorKind, DenyList, MemoryRevocationStore, RejectionKind, Revocation, RevokeErrorKind,
};

use super::{HOUR, Hands, at, layer, list, named, refused, token_of, verified, verifier};
use crate::support::{ISSUER, NOW, claims};

fn is_revoked(store: &MemoryRevocationStore, id: &str) -> bool {
    let refusal = refused(&layer(store.clone()), &named(id));
    assert!(matches!(refusal, None | Some((RejectionKind::RevokedToken, None))), "{refusal:?}");
    refusal.is_some()
}

fn token(id: &str) -> Revocation {
    Revocation::token(ISSUER, id)
}

#[test]
fn entry_ends_after_its_time_and_leaves_its_place() {
    let clock = Hands::new();
    let store = list(1, &clock);
    store.revoke(&token("1"), Duration::from_millis(9_001)).unwrap();
    clock.set(NOW + 9);
    assert!(is_revoked(&store, "1"));
    assert_eq!(store.revoke(&token("2"), HOUR).unwrap_err().kind(), RevokeErrorKind::Full);
    clock.set(NOW + 10);
    assert!(!is_revoked(&store, "1"));
    assert_eq!(store.len(), 1);
    store.revoke(&token("2"), HOUR).unwrap();
    assert_eq!(store.len(), 1);
    assert!(is_revoked(&store, "2"));
}

#[test]
fn full_list_refuses_a_new_entry_and_forgets_none() {
    let store = list(3, &Hands::new());
    for id in ["1", "2", "3"] {
        store.revoke(&token(id), HOUR).unwrap();
    }
    let error = store.revoke(&token("4"), HOUR).unwrap_err();
    assert_eq!(error.kind(), RevokeErrorKind::Full);
    assert_eq!(error.to_string(), "the deny-list is full");
    for (id, expected) in [("1", true), ("2", true), ("3", true), ("4", false)] {
        assert_eq!(is_revoked(&store, id), expected, "{id}");
    }
    // An entry that exists can be prolonged, and one for everything always fits.
    store.revoke(&token("1"), 2 * HOUR).unwrap();
    store.revoke(&Revocation::all_before(at(NOW)), HOUR).unwrap();
    assert!(is_revoked(&store, "4"));
}

#[test]
fn keys_are_bounded_by_their_bytes_too() {
    let store = list(4, &Hands::new());
    let long = "x".repeat(900);
    store.revoke(&token(&long), HOUR).unwrap();
    assert_eq!(store.revoke(&token(&long[1..]), HOUR).unwrap_err().kind(), RevokeErrorKind::Full);
    store.revoke(&token("1"), HOUR).unwrap();
    assert!(store.restore(&token(&long)));
    store.revoke(&token(&long[1..]), HOUR).unwrap();
}

#[test]
fn entry_takes_a_bounded_amount_of_memory() {
    // A little more than what makes the tables grow.
    const ENTRIES: usize = 14_500;
    // An eighth is kept for others.
    let store = list(ENTRIES * 8 / 7 + 8, &Hands::new());
    let verifier = verifier().with_claims_by_name();
    let of_token = |number| {
        let mut claims = named(&format!("{number:032}"));
        claims["sub"] = json!(format!("subject {number}"));
        Revocation::of(&verifier.verify_now(&token_of(&claims)).unwrap()).unwrap()
    };
    let revocations = Vec::from_iter((0..ENTRIES).map(of_token));
    let info = allocation_counter::measure(|| {
        for revocation in &revocations {
            store.revoke(revocation, HOUR).unwrap();
        }
    });
    let per_entry = usize::try_from(info.bytes_current).unwrap() / ENTRIES;
    assert!(per_entry <= 320 + revocations[0].key().len(), "{per_entry} bytes");
}

#[test]
fn later_end_and_later_time_apply_to_an_entry_that_is_added_twice() {
    let clock = Hands::new();
    let store = list(10, &clock);
    store.revoke(&token("1"), HOUR).unwrap();
    store.revoke(&token("1"), Duration::from_secs(1)).unwrap();
    store.revoke(&Revocation::issuer_before(ISSUER, at(NOW - 30)), 2 * HOUR).unwrap();
    store.revoke(&Revocation::issuer_before(ISSUER, at(NOW - 90)), HOUR).unwrap();
    assert_eq!(store.len(), 2);
    clock.set(NOW + 3599);
    assert!(is_revoked(&store, "1"));
    // Issued a minute before `NOW`.
    clock.set(NOW + 7199);
    assert!(is_revoked(&store, "2"));
    clock.set(NOW + 7200);
    assert!(!is_revoked(&store, "1"));
}

#[test]
fn entry_is_removed_only_once() {
    let store = list(10, &Hands::new());
    assert!(store.is_empty());
    store.revoke(&token("1"), HOUR).unwrap();
    assert!(store.restore(&token("1")));
    assert!(!store.restore(&token("1")));
    assert!(store.is_empty());
    assert!(!is_revoked(&store, "1"));
}

#[tokio::test]
async fn token_without_a_name_cannot_be_revoked_alone() {
    let store = list(10, &Hands::new());
    let mut malformed = named("1");
    malformed["jti"] = json!(7);
    for claims in [claims(), named(""), malformed] {
        let unnamed = verified(verifier().with_claims::<serde_json::Value>(), &claims).await;
        let error = store.revoke_token(&unnamed).unwrap_err();
        assert_eq!(error.kind(), RevokeErrorKind::NotIdentified);
        assert!(error.to_string().contains("no `jti`"), "{error}");
        assert_eq!(Revocation::of(&unnamed), None);
    }
    // The text of a token that was verified without a request is not kept.
    let unread = verifier().verify_now(&token_of(&named("1"))).unwrap();
    let error = store.revoke_token(&unread).unwrap_err();
    assert_eq!(error.kind(), RevokeErrorKind::NotIdentified);
    assert!(error.to_string().contains("with_claims_by_name"), "{error}");
    let read = verifier().with_claims_by_name().verify_now(&token_of(&named("1"))).unwrap();
    assert_eq!(Revocation::of(&read), Some(token("1")));
}

#[test]
fn capacity_out_of_bounds_is_an_error() {
    for entries in [0, 10_000_001] {
        let error = MemoryRevocationStore::new(entries).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
        assert!(error.to_string().contains(&entries.to_string()), "{error}");
    }
}

#[test]
fn debug_shows_no_subject_and_no_id() {
    let store = list(10, &Hands::new());
    let revocation = Revocation::subject(ISSUER, "canary-of-a-subject");
    store.revoke(&revocation, HOUR).unwrap();
    let deny_list = DenyList::new(verifier(), store.clone());
    for shown in [format!("{store:?}"), format!("{revocation:?}"), format!("{deny_list:?}")] {
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.is_empty());
    }
}

#[test]
fn entries_are_found_while_others_are_added_and_end() {
    let clock = Hands::new();
    let store = list(64, &clock);
    store.revoke(&token("stolen"), 24 * HOUR).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, clock) = (&store, &clock);
            scope.spawn(move || {
                for at in 0..200 {
                    clock.set(NOW + at % 50);
                    // A full list is an error, and nothing else.
                    let _ = store.revoke(&token(&format!("{thread}-{at}")), Duration::from_secs(2));
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..200 {
                assert!(is_revoked(&store, "stolen"));
            }
        });
    });
    assert!(store.len() <= 64);
    assert!(is_revoked(&store, "stolen"));
}
