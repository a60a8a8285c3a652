//! The signing keys of several instances on one store, with a clock that is turned.

use std::sync::Arc;
use std::time::Duration;

use token_service::store::{SqlStore, Store};
use token_service::{Service, Settings, keys, upkeep};
use tower_jwt_auth::NumericDate;
use tower_jwt_auth::test_util::ManualClock;

use crate::support::{Client, GOOD, ISSUER};

const START: i64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(86_400);

fn settings(clock: &ManualClock) -> Settings {
    let mut settings = Settings::new(ISSUER);
    settings.clock = Arc::new(clock.clone());
    settings
}

fn clock() -> ManualClock {
    ManualClock::new(NumericDate::from_unix_seconds(START))
}

async fn kids(store: &SqlStore) -> Vec<String> {
    store.signing_keys().await.unwrap().into_iter().map(|key| key.kid).collect()
}

/// The key ID in the header of a token.
fn kid_of(token: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn of_instances_that_start_at_once_one_makes_the_first_key() {
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let clock = clock();
    let starts = (0..8).map(|_| Service::new(settings(&clock), store.clone()));
    for service in futures_util::future::join_all(starts).await {
        service.unwrap();
    }
    assert_eq!(kids(&store).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_published_before_it_signs_and_removed_after_its_last_token() {
    let clock = clock();
    let client = Client::with(settings(&clock)).await;
    let first = kids(&client.store).await;

    clock.advance(82 * DAY);
    upkeep::follow_keys(&client.service).await.unwrap();
    assert_eq!(kids(&client.store).await, first);

    clock.advance(DAY);
    upkeep::follow_keys(&client.service).await.unwrap();
    let both = kids(&client.store).await;
    assert_eq!(both.len(), 2);
    let published = client.get("/jwks.json").await.body;
    assert!(both.iter().all(|kid| published.contains(kid)));
    assert_eq!(kid_of(&client.token().await), first[0]);

    clock.advance(7 * DAY);
    upkeep::follow_keys(&client.service).await.unwrap();
    let token = client.token().await;
    assert_eq!(kid_of(&token), both[1]);
    assert_eq!(kids(&client.store).await, both);

    clock.advance(2 * DAY);
    upkeep::follow_keys(&client.service).await.unwrap();
    assert_eq!(kids(&client.store).await, both[1..]);
    assert!(!client.get("/jwks.json").await.body.contains(&first[0]));
}

#[tokio::test]
async fn instances_add_one_key_together_and_accept_each_other_s_tokens() {
    let clock = clock();
    let store = Arc::new(SqlStore::in_memory().await.unwrap());
    let mut services = Vec::new();
    for _ in 0..4 {
        services.push(Service::new(settings(&clock), store.clone()).await.unwrap());
    }
    for _ in 0..10 {
        clock.advance(30 * DAY);
        let all = services.iter().map(upkeep::follow_keys);
        for result in futures_util::future::join_all(all).await {
            result.unwrap();
        }
        // All have the same keys after one more look.
        for service in &services {
            upkeep::follow_keys(service).await.unwrap();
        }
        assert!((1..=2).contains(&kids(&store).await.len()), "{:?}", kids(&store).await);
    }
}

#[tokio::test]
async fn a_token_of_before_a_rotation_is_good_until_it_expires() {
    let clock = clock();
    let mut settings = settings(&clock);
    settings.lifetime = Duration::from_secs(3600);
    let client = Client::with(settings).await;
    for _ in 0..10 {
        clock.advance(83 * DAY);
        upkeep::follow_keys(&client.service).await.unwrap();
        clock.advance(7 * DAY - Duration::from_secs(60));
        let token = client.post(GOOD).await.json()["access_token"].as_str().unwrap().to_owned();
        clock.advance(Duration::from_secs(3598));
        upkeep::follow_keys(&client.service).await.unwrap();
        let bearer = format!("Bearer {token}");
        assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
        clock.advance(Duration::from_secs(2));
        assert_eq!(client.get_with("/protected", &bearer).await.status, 401);
        assert_ne!(kid_of(&client.token().await), kid_of(&token));
    }
}

#[tokio::test]
async fn a_shorter_lifetime_ends_no_earlier_tokens() {
    let clock = clock();
    let mut long = settings(&clock);
    long.lifetime = 7 * DAY;
    let before = Client::with(long).await;
    let first = kids(&before.store).await;
    clock.advance(83 * DAY);
    upkeep::follow_keys(&before.service).await.unwrap();
    clock.advance(7 * DAY - Duration::from_secs(60));
    let bearer = format!("Bearer {}", before.token().await);

    let after = before.restarted(settings(&clock)).await;
    for days in 0..7 {
        upkeep::follow_keys(&after.service).await.unwrap();
        assert_eq!(after.get_with("/protected", &bearer).await.status, 200, "day {days}");
        assert!(kids(&after.store).await.contains(&first[0]), "day {days}");
        clock.advance(DAY);
    }
    clock.advance(DAY);
    upkeep::follow_keys(&after.service).await.unwrap();
    assert!(!kids(&after.store).await.contains(&first[0]));
}

#[tokio::test]
async fn an_instance_with_shorter_tokens_leaves_the_keys_of_longer_ones() {
    let clock = clock();
    let short = Client::with(settings(&clock)).await;
    let mut long = settings(&clock);
    long.lifetime = 7 * DAY;
    let long = short.restarted(long).await;
    let first = kids(&short.store).await;
    clock.advance(83 * DAY);
    upkeep::follow_keys(&short.service).await.unwrap();
    upkeep::follow_keys(&long.service).await.unwrap();
    clock.advance(7 * DAY - Duration::from_secs(60));
    let bearer = format!("Bearer {}", long.token().await);
    clock.advance(3 * DAY);
    for instance in [&short, &long, &short] {
        upkeep::follow_keys(&instance.service).await.unwrap();
    }
    assert!(kids(&short.store).await.contains(&first[0]));
    assert_eq!(long.get_with("/protected", &bearer).await.status, 200);
}

#[tokio::test]
async fn keys_that_disappear_or_cannot_be_read_leave_the_ring_as_it_is() {
    let clock = clock();
    let client = Client::with(settings(&clock)).await;
    let mut broken = keys::generate(START, START + 1).unwrap();
    broken.private_key = "not a key".to_owned().into();
    let seen = kids(&client.store).await;
    assert!(client.store.add_signing_key(&broken, &seen).await.unwrap());
    let error = upkeep::follow_keys(&client.service).await.unwrap_err();
    assert!(!error.to_string().contains("not a key"));
    client.token().await;

    for kid in kids(&client.store).await {
        client.store.remove_signing_key(&kid).await.unwrap();
    }
    upkeep::follow_keys(&client.service).await.unwrap_err();
    client.token().await;
}

#[tokio::test]
async fn a_token_of_a_key_that_another_instance_has_just_begun_to_use_is_known_and_can_be_revoked()
{
    let one = Client::new().await;
    let (asked, revoking) =
        (one.restarted(Settings::new(ISSUER)).await, one.restarted(Settings::new(ISSUER)).await);
    // As `keys rotate --revoke-others` does.
    let rows = one.store.signing_keys().await.unwrap();
    let (now, seen) = (rows[0].created_at, [rows[0].kid.clone()]);
    let key = keys::generate(now, now).unwrap();
    assert!(one.store.replace_signing_keys(&key, &seen).await.unwrap());
    upkeep::follow_keys(&one.service).await.unwrap();
    let token = one.token().await;
    assert_eq!(kid_of(&token), key.kid);

    let form = format!("token={token}");
    let answer = asked.post_as_demo("/introspect", &form).await;
    assert_eq!(answer.json()["active"], true, "{}", answer.body);
    assert_eq!(revoking.post_to("/revoke", &form, &[]).await.status, 200);
    assert_eq!(one.get_with("/protected", &format!("Bearer {token}")).await.status, 401);
}
