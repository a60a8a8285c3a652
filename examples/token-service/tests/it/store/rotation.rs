use std::time::Duration;

use token_service::store::{Rotation, Store};

use super::*;

const GRACE: Duration = Duration::from_secs(30);

async fn with_family(store: &dyn Store) {
    add_alice(store).await;
    add_grant(store, &grant("family", "alice"), Some(&refresh_token("0"))).await;
}

/// Uses token N, whose successor is N + 1.
async fn rotate(store: &dyn Store, number: u32, at: i64) -> Rotation {
    let successor = refresh_token(&(number + 1).to_string());
    store.rotate(&number.to_string(), &successor, GRACE, NOW + at).await.unwrap()
}

#[tokio::test]
async fn each_token_gives_its_successor() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        for number in 0..5 {
            assert_eq!(rotate(store, number, 100 * i64::from(number)).await, Rotation::Successor);
        }
        let used = store.refresh_token("0").await.unwrap().unwrap();
        assert_eq!(used.used_at, Some(NOW));
        assert_eq!(used.successor_hash.as_deref(), Some("1"));
        assert!(is_in_force(store, "family").await);
    })
    .await;
}

#[tokio::test]
async fn within_the_grace_a_lost_answer_can_be_had_again() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        for at in [0, 1, 30] {
            assert_eq!(rotate(store, 0, at).await, Rotation::Successor, "{at}");
        }
        // The successor is still one unused token.
        assert_eq!(rotate(store, 1, 31).await, Rotation::Successor);
    })
    .await;
}

#[tokio::test]
async fn a_reuse_after_the_grace_revokes_the_family() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        rotate(store, 0, 0).await;
        assert_eq!(rotate(store, 0, 31).await, Rotation::Reused);
        assert!(!is_in_force(store, "family").await);
        assert_eq!(rotate(store, 1, 31).await, Rotation::Invalid);
        assert_eq!(rotate(store, 0, 31).await, Rotation::Invalid);
    })
    .await;
}

#[tokio::test]
async fn a_reuse_is_seen_after_the_token_has_expired_and_rows_were_purged() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        rotate(store, 0, 0).await;
        store.purge(100, NOW + 2 * DAY).await.unwrap();
        assert_eq!(rotate(store, 0, 2 * DAY).await, Rotation::Reused);
        assert!(!is_in_force(store, "family").await);
    })
    .await;
}

#[tokio::test]
async fn the_last_used_tokens_of_a_grant_are_kept() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        let last = MAX_USED_TOKENS + 5;
        let rotate = async |number: i64, at: i64| {
            let token_hash = (number + 1).to_string();
            let successor = NewRefreshToken { token_hash, expires_at: NOW + 20 * DAY };
            store.rotate(&number.to_string(), &successor, GRACE, NOW + at).await.unwrap()
        };
        // The first ones were used more than a day before the last ones.
        for number in 0..last {
            assert_eq!(rotate(number, 100 * number).await, Rotation::Successor);
        }
        for gone in [0, 4] {
            assert_eq!(rotate(gone, 100 * last).await, Rotation::Invalid, "{gone}");
        }
        assert!(is_in_force(store, "family").await);
        // All of them and the unused one go with their grant, in small batches.
        let at = NOW + 31 * DAY;
        assert_eq!(rotate(5, 100 * last).await, Rotation::Reused);
        assert_eq!(store.purge(100, at).await.unwrap(), 1003);
        assert!(store.refresh_token("5").await.unwrap().is_none());
        assert!(store.grant("family").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_grant_whose_tokens_are_used_too_fast_to_keep_them_is_revoked() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        let last = u32::try_from(MAX_USED_TOKENS).unwrap();
        for number in 0..last {
            assert_eq!(rotate(store, number, 0).await, Rotation::Successor);
        }
        assert_eq!(rotate(store, last, 0).await, Rotation::Reused);
        assert!(!is_in_force(store, "family").await);
    })
    .await;
}

#[tokio::test]
async fn clocks_may_differ_a_little_but_not_lengthen_the_grace() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        rotate(store, 0, 3600).await;
        assert_eq!(rotate(store, 0, 3600 - CLOCK_SKEW).await, Rotation::Successor);
        assert_eq!(rotate(store, 0, 3600 - CLOCK_SKEW - 1).await, Rotation::Reused);
    })
    .await;
}

#[tokio::test]
async fn a_reuse_after_the_successor_was_used_revokes_the_family() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        rotate(store, 0, 0).await;
        rotate(store, 1, 1).await;
        assert_eq!(rotate(store, 0, 2).await, Rotation::Reused);
        assert_eq!(rotate(store, 2, 3).await, Rotation::Invalid);
    })
    .await;
}

#[tokio::test]
async fn without_a_grace_every_reuse_revokes_the_family() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        let successor = refresh_token("1");
        for expected in [Rotation::Successor, Rotation::Reused] {
            let rotation = store.rotate("0", &successor, Duration::ZERO, NOW).await.unwrap();
            assert_eq!(rotation, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_expired_or_revoked_token_gives_nothing() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        assert_eq!(rotate(store, 7, 0).await, Rotation::Invalid);
        assert_eq!(rotate(store, 0, DAY).await, Rotation::Invalid);
        assert!(is_in_force(store, "family").await);
        store.revoke_grant("family", NOW).await.unwrap();
        assert_eq!(rotate(store, 0, 0).await, Rotation::Invalid);
        assert!(store.refresh_token("1").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_uses_at_once_give_one_successor() {
    over_every_store(async |store: &dyn Store| {
        with_family(store).await;
        let uses = (0..20).map(|_| rotate(store, 0, 0));
        let results = futures_util::future::join_all(uses).await;
        assert_eq!(results, [Rotation::Successor; 20]);
        assert_eq!(rotate(store, 1, 0).await, Rotation::Successor);
    })
    .await;
}
