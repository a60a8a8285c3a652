//! Two instances on one store whose clocks differ.

use std::sync::Arc;
use std::time::Duration;

use token_service::Settings;
use token_service::store::CLOCK_SKEW;
use tower_jwt_auth::NumericDate;
use tower_jwt_auth::test_util::ManualClock;

use crate::support::{Client, GOOD, ISSUER, NOW};

/// An instance, and another one whose clock is so many seconds behind.
async fn pair(behind: i64) -> (Client, Client, ManualClock) {
    let (ahead, _) = Client::with_clock(Settings::new(ISSUER)).await;
    let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW - behind));
    let mut settings = Settings::new(ISSUER);
    settings.clock = Arc::new(clock.clone());
    let behind = ahead.restarted(settings).await;
    (ahead, behind, clock)
}

#[tokio::test]
async fn an_instance_whose_clock_is_behind_accepts_a_fresh_token() {
    for seconds in [2, CLOCK_SKEW] {
        let (ahead, behind, _) = pair(seconds).await;
        let token = ahead.token().await;
        let bearer = format!("Bearer {token}");
        assert_eq!(behind.get_with("/protected", &bearer).await.status, 200, "{seconds}");
        let form = format!("token={token}");
        let shown = behind.post_as_demo("/introspect", &form).await;
        assert_eq!(shown.json()["active"], true, "{seconds}: {}", shown.body);
        assert_eq!(behind.post_to("/revoke", &form, &[]).await.status, 200);
        assert_eq!(ahead.get_with("/protected", &bearer).await.status, 401);
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_at_once_and_can_still_be_revoked() {
    let (ahead, behind, clock) = pair(2).await;
    let token = behind.post(GOOD).await.text("access_token");
    clock.advance(Duration::from_secs(1800));
    let bearer = format!("Bearer {token}");
    let answer = behind.get_with("/protected", &bearer).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").contains("expired"));
    let form = format!("token={token}");
    assert_eq!(behind.post_as_demo("/introspect", &form).await.json()["active"], false);
    // For an instance whose clock is behind it has not expired.
    assert_eq!(ahead.get_with("/protected", &bearer).await.status, 200);
    assert_eq!(behind.post_to("/revoke", &form, &[]).await.status, 200);
    assert_eq!(ahead.get_with("/protected", &bearer).await.status, 401);
}
