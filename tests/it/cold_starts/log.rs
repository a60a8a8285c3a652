//! What the operator's log says about the file.

use std::fs;

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

use super::{Disk, published, verifier};
use crate::key_engine::{kind, pass};
use crate::support::log_text::Log;

#[tokio::test(start_paused = true)]
async fn ignored_file_is_one_warning_with_the_reason() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    disk.set("confirmed_at", |at| at + 1000);
    let (log, _guard) = Log::start(tracing::Level::INFO);
    issuer.set_answer(MockAnswer::Refuse);
    let verifier = disk.verifier(&issuer);
    for _ in 0..20 {
        kind(&verifier, &issuer.token().build()).await;
        pass(10).await;
    }
    assert_eq!(log.count("the file of keys is ignored"), 1, "{}", log.text());
    assert!(log.text().contains("from the future"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn remembered_keys_are_an_event_with_their_age_and_no_file_is_none() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    disk.set("confirmed_at", |at| at - 500);
    issuer.set_answer(MockAnswer::Refuse);
    let (log, _guard) = Log::start(tracing::Level::INFO);
    kind(&disk.verifier(&issuer), &issuer.token().build()).await;
    assert_eq!(log.count("keys of a file are used"), 1, "{}", log.text());
    assert!(log.text().contains("age=50"), "{}", log.text());
    assert_eq!(log.count("the keys cannot be fetched"), 1, "{}", log.text());

    fs::remove_file(disk.path()).unwrap();
    let (log, _guard) = Log::start(tracing::Level::INFO);
    kind(&disk.verifier(&issuer), &issuer.token().build()).await;
    assert_eq!(log.count("file"), 0, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn outage_with_initial_keys_is_told_once_a_minute_like_any_other() {
    let issuer = MockIssuer::new();
    let keys = issuer.keys().with_initial_keys(published(&issuer)).unwrap();
    let verifier = verifier(&issuer, keys);
    issuer.set_answer(MockAnswer::Refuse);
    let (log, _guard) = Log::start(tracing::Level::INFO);
    for _ in 0..300 {
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
        pass(1).await;
    }
    assert!((4..=6).contains(&log.count("the keys cannot be fetched")), "{}", log.text());
}
