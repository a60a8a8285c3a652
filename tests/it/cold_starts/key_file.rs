use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Clock, ConfigErrorKind, KeyFile, NumericDate, OidcDiscovery, RejectionKind, SystemClock,
};

use super::{Disk, Told, published, verifier};
use crate::key_engine::{kind, pass, secs, unknown};

#[tokio::test(start_paused = true)]
async fn remembered_keys_verify_tokens_after_a_restart_while_the_issuer_is_down() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    for answer in [MockAnswer::Refuse, MockAnswer::Hang, MockAnswer::Status(503)] {
        issuer.set_answer(answer.clone());
        let verifier = disk.verifier(&issuer);
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{answer:?}");
        let refused = kind(&verifier, &unknown(&issuer, "another")).await;
        assert_eq!(refused, Some(RejectionKind::Unavailable), "{answer:?}");
        let status = verifier.key_status();
        assert!(status.is_ready() && status.is_stale() && status.is_unconfirmed());
        assert!(status.age().unwrap() < secs(60) && status.changes() == 0);
    }
}

#[tokio::test(start_paused = true)]
async fn key_that_the_first_set_after_a_restart_lacks_is_refused_at_once() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let old = issuer.token().build();
    issuer.rotate_and_drop();
    let verifier = disk.verifier(&issuer);
    assert_eq!(kind(&verifier, &old).await, Some(RejectionKind::UnknownKey));
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert!(!verifier.key_status().is_unconfirmed());
}

#[tokio::test(start_paused = true)]
async fn keys_withdrawn_during_an_outage_are_refused_by_the_fetch_that_succeeds() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let old = issuer.token().build();
    issuer.set_answer(MockAnswer::Refuse);
    let verifier = disk.verifier(&issuer);
    assert_eq!(kind(&verifier, &old).await, None);
    issuer.rotate_and_drop();
    issuer.set_answer(MockAnswer::Good);
    pass(15).await;
    assert_eq!(kind(&verifier, &old).await, Some(RejectionKind::UnknownKey));
    // And the file has followed.
    while !disk
        .text()
        .contains(&published(&issuer).keys().next().unwrap().kid().unwrap().to_owned())
    {
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn remembered_keys_end_when_they_would_have_ended_without_a_restart() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    let token = issuer.token().build();
    // Fresh for 10 minutes, and stale for an hour.
    for (age, expected) in [(4100, None), (4300, Some(RejectionKind::Unavailable))] {
        disk.set("confirmed_at", |at| at - age);
        let verifier = disk.verifier(&issuer);
        assert_eq!(kind(&verifier, &token).await, expected, "{age}");
        disk.set("confirmed_at", |at| at + age);
    }
    // They also age after the restart.
    disk.set("confirmed_at", |at| at - 4000);
    let verifier = disk.verifier(&issuer);
    assert_eq!(kind(&verifier, &token).await, None);
    pass(300).await;
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn max_age_replaces_the_end_of_remembered_keys() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    let token = issuer.token().build();
    let day = 24 * 60 * 60;
    for (max_age, age, is_used) in
        [(120, 60, true), (120, 150, false), (7 * day, 6 * day, true), (7 * day, 8 * day, false)]
    {
        disk.set("confirmed_at", |at| at - age);
        let file = disk.file().with_max_age(secs(max_age)).unwrap();
        let verifier = verifier(&issuer, issuer.keys().with_key_file(file));
        assert_eq!(kind(&verifier, &token).await.is_none(), is_used, "{max_age} {age}");
        disk.set("confirmed_at", |at| at + age);
    }
}

#[tokio::test(start_paused = true)]
async fn ready_ends_with_remembered_keys_after_the_first_fetch_has_failed() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Hang);
    let verifier = disk.verifier(&issuer);
    let start = tokio::time::Instant::now();
    verifier.ready(secs(30)).await.unwrap();
    assert!((secs(4)..=secs(5)).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());

    // Without a file it waits for the issuer.
    let verifier = Disk::new().verifier(&issuer);
    verifier.ready(secs(30)).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn status_is_ready_with_remembered_keys_while_the_first_fetch_hangs() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Hang);
    let verifier = disk.verifier(&issuer);
    assert!(!verifier.key_status().is_ready());
    pass(1).await;
    assert!(verifier.key_status().is_ready());
}

#[tokio::test(start_paused = true)]
async fn discovery_remembers_keys_without_metadata() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    let discovery = || {
        let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
        verifier(&issuer, keys.with_key_file(disk.file()))
    };
    discovery().refresh().await.unwrap();
    while disk.text().is_empty() {
        pass(1).await;
    }
    issuer.set_metadata_answer(MockAnswer::Refuse);
    let verifier = discovery();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
}

#[tokio::test(start_paused = true)]
async fn of_the_file_and_initial_keys_with_a_time_the_newer_ones_are_used() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let old = issuer.token().build();
    issuer.rotate_and_drop();
    let (json, new) = (issuer.jwk_set(), issuer.token().build());
    let now = SystemClock.now().unix_seconds();
    issuer.set_answer(MockAnswer::Refuse);
    disk.set("confirmed_at", |at| at - 1000);
    for (seconds, used, unused) in [(500, &new, &old), (1500, &old, &new)] {
        let at = NumericDate::from_unix_seconds(now - seconds);
        let keys = disk.keys(&issuer).with_initial_json(&json, at).unwrap();
        let verifier = verifier(&issuer, keys);
        assert_eq!(kind(&verifier, used).await, None, "{seconds}");
        let refused = kind(&verifier, unused).await;
        assert_eq!(refused, Some(RejectionKind::Unavailable), "{seconds}");
        assert!(verifier.key_status().is_unconfirmed());
    }
}

#[tokio::test(start_paused = true)]
async fn remembered_keys_replace_initial_keys_as_a_whole() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    let (deployed, old) = (published(&issuer), issuer.token().build());
    issuer.rotate_and_drop();
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    let keys = disk.keys(&issuer).with_initial_keys(deployed.clone()).unwrap();
    let with_both = verifier(&issuer, keys);
    assert_eq!(kind(&with_both, &issuer.token().build()).await, None);
    assert_eq!(kind(&with_both, &old).await, Some(RejectionKind::Unavailable));

    // A file that cannot be used leaves the initial keys.
    disk.set("confirmed_at", |at| at - 100_000);
    let keys = disk.keys(&issuer).with_initial_keys(deployed).unwrap();
    assert_eq!(kind(&verifier(&issuer, keys), &old).await, None);
}

#[tokio::test(start_paused = true)]
async fn same_set_fetched_again_counts_as_the_first_change_and_keeps_its_generation() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    let told = Told::default();
    let note = told.clone();
    let keys = disk.keys(&issuer).on_changed_keys(move |changed| note.note(changed));
    let source = keys.clone();
    let verifier = verifier(&issuer, keys);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    use tower_jwt_auth::KeySource;
    let generation = source.generation();
    pass(1).await;
    // Neither the file nor a failed fetch is a change.
    assert!(generation.is_some() && told.all().is_empty());
    issuer.set_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    assert_eq!(source.generation(), generation);
    assert_eq!(verifier.key_status().changes(), 1);
    assert_eq!(told.wait_for(1).await.len(), 1);
}

#[test]
fn path_and_age_out_of_their_bounds_are_errors() {
    for path in ["", "/", "..", "folder/", "folder/.."] {
        let error = KeyFile::new(path).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::KeyFile, "{path}");
    }
    let file = KeyFile::new("keys").unwrap();
    for seconds in [0, 59, 7 * 24 * 60 * 60 + 1] {
        let error = file.clone().with_max_age(secs(seconds)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration, "{seconds}");
    }
    file.clone().with_max_age(secs(60)).unwrap();
    file.with_max_age(secs(7 * 24 * 60 * 60)).unwrap();
}
