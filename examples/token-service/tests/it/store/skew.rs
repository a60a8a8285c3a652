//! Instances whose clocks differ, on one PostgreSQL. SQLite has the clock of the one machine.

use std::time::Duration;

use token_service::store::{Rotation, Store};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{Clock, NumericDate, SystemClock};

use super::*;

const GRACE: Duration = Duration::from_secs(30);
const PERIOD: Duration = Duration::from_secs(6);

/// An instance with a good clock, and one whose clock is ahead by so many seconds.
async fn pair(server: &str, ahead: i64) -> (SqlStore, SqlStore) {
    let url = new_database(server).await;
    let good = SqlStore::open(&url).await.unwrap();
    let now = SystemClock.now().unix_seconds();
    let clock = ManualClock::new(NumericDate::from_unix_seconds(now + ahead));
    let other = SqlStore::open(&url).await.unwrap().with_process_clock(clock);
    (good, other)
}

#[tokio::test]
async fn a_clock_that_is_wrong_neither_shortens_nor_lengthens_the_grace() {
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    for ahead in [60, -60, 600, -600] {
        let (good, other) = pair(&server, ahead).await;
        let rotate = async |store: &SqlStore, at: i64| {
            store.rotate("0", &refresh_token("1"), GRACE, NOW + at).await.unwrap()
        };
        add_alice(&good).await;
        add_grant(&good, &grant("family", "alice"), Some(&refresh_token("0"))).await;
        assert_eq!(rotate(&good, 0).await, Rotation::Successor);
        // A second on each side, since a manual clock stands still and the other one runs.
        assert_eq!(rotate(&other, ahead + 25).await, Rotation::Successor, "{ahead}");
        assert_eq!(rotate(&good, 25).await, Rotation::Successor, "{ahead}");
        assert_eq!(rotate(&other, ahead + 35).await, Rotation::Reused, "{ahead}");
        good.close().await;
        other.close().await;
    }
}

#[tokio::test]
async fn a_guess_at_an_instance_whose_clock_is_wrong_locks_no_other_one() {
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    for ahead in [60, -60, 600] {
        let (good, other) = pair(&server, ahead).await;
        let at = |ahead: i64| (NOW + ahead) * 1000;
        other.take("alice", 10, PERIOD, at(ahead)).await.unwrap().unwrap();
        let left = good.left("alice", 10, PERIOD, at(0)).await.unwrap().unwrap();
        assert!((8..=9).contains(&left), "{ahead}: {left}");
        while good.take("alice", 10, PERIOD, at(0)).await.unwrap().is_ok() {}
        // And nobody gets more guesses at an instance whose clock is ahead, save one for the rounding.
        let _ = other.take("alice", 10, PERIOD, at(ahead)).await.unwrap();
        other.take("alice", 10, PERIOD, at(ahead)).await.unwrap().unwrap_err();
        good.close().await;
        other.close().await;
    }
}
