//! Files that must not be used, and disks that fail: the start is as without a file.

use std::fs;

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{JwksUrl, OidcDiscovery, RejectionKind};

use super::{Disk, verifier};
use crate::key_engine::{kind, pass, secs};

/// Asserts that a process which starts now has no keys while the issuer is down, and then those of the issuer.
async fn assert_ignored(issuer: &MockIssuer, disk: &Disk, case: &str) {
    issuer.set_answer(MockAnswer::Refuse);
    let verifier = disk.verifier(issuer);
    let refused = kind(&verifier, &issuer.token().build()).await;
    assert_eq!(refused, Some(RejectionKind::Unavailable), "{case}");
    assert!(!verifier.key_status().is_ready(), "{case}");
    issuer.set_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{case}");
}

#[tokio::test(start_paused = true)]
async fn truncated_or_damaged_file_is_ignored_and_replaced() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let good = disk.text();
    let bytes = good.as_bytes();
    let mut cases: Vec<Vec<u8>> = vec![
        Vec::new(),
        // Long enough to show that it is a file of this crate.
        bytes[..20].to_vec(),
        bytes[..bytes.len() / 2].to_vec(),
        bytes[..bytes.len() - 1].to_vec(),
        [bytes, b"x"].concat(),
        good.replace("\"fresh_seconds\":600", "\"fresh_seconds\":900").into_bytes(),
        good.replace("keys 1 sha256", "keys 1 sha256:x").into_bytes(),
    ];
    // One bit in each tenth byte, and bytes that are not UTF-8.
    cases.extend((29..bytes.len()).step_by(10).map(|at| {
        let mut changed = bytes.to_vec();
        changed[at] ^= 0x81;
        changed
    }));
    for (number, case) in cases.into_iter().enumerate() {
        fs::write(disk.path(), &case).unwrap();
        assert_ignored(&issuer, &disk, &format!("case {number}")).await;
        while disk.text().len() != good.len() || disk.text().as_bytes() == case {
            pass(1).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn file_of_another_version_or_with_other_members_is_ignored() {
    let issuer = MockIssuer::new();
    for json in ["{}", "[]", "null", "{\"identity\":1}", "", "\u{0}"] {
        let disk = Disk::new();
        disk.write_sealed(json);
        assert_ignored(&issuer, &disk, json).await;
    }
    let disk = Disk::new();
    fs::write(disk.path(), "tower-jwt-auth keys 2 sha256:\n{}\n").unwrap();
    assert_ignored(&issuer, &disk, "version 2").await;
    // It is the file of a later version of this crate, or of another program.
    pass(1).await;
    assert_eq!(disk.text(), "tower-jwt-auth keys 2 sha256:\n{}\n");
}

#[tokio::test(start_paused = true)]
async fn file_of_another_issuer_or_url_is_ignored() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    issuer.set_answer(MockAnswer::Refuse);
    let token = issuer.token().build();
    let at = |url: &str| JwksUrl::new_with(url, issuer.clone()).unwrap().with_key_file(disk.file());
    for url in [
        "https://issuer.test/jwks?tenant=2",
        "https://issuer.test/jwks/",
        "https://other.test/jwks",
        "https://issuer.test:8443/jwks",
    ] {
        let refused = kind(&verifier(&issuer, at(url)), &token).await;
        assert_eq!(refused, Some(RejectionKind::Unavailable), "{url}");
    }
    let discovery = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    let discovery = verifier(&issuer, discovery.with_key_file(disk.file()));
    issuer.set_metadata_answer(MockAnswer::Refuse);
    assert_eq!(kind(&discovery, &token).await, Some(RejectionKind::Unavailable));
    // The same source as before.
    assert_eq!(kind(&verifier(&issuer, at("https://issuer.test/jwks")), &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn file_from_the_future_is_ignored_because_its_age_is_unknown() {
    let issuer = MockIssuer::new();
    for seconds in [100, u64::from(u32::MAX), u64::MAX / 2] {
        let disk = Disk::new();
        disk.remember(&issuer).await;
        disk.set("confirmed_at", |at| at + seconds);
        assert_ignored(&issuer, &disk, &format!("{seconds}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn lifetime_in_the_file_is_bounded() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    disk.set("fresh_seconds", |_| u64::MAX);
    disk.set("stale_seconds", |_| u64::MAX);
    disk.set("confirmed_at", |at| at - 2 * 24 * 60 * 60 - 1);
    assert_ignored(&issuer, &disk, "two days").await;
}

#[tokio::test(start_paused = true)]
async fn set_in_the_file_is_read_by_the_rules_of_a_fetched_one() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let json = disk.text().split_once('\n').unwrap().1.to_owned();
    let secret = r#"{"keys": [{"kty": "oct", "alg": "HS256", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#;
    for jwks in [secret, "{\"keys\": []}", "{}", ""] {
        let mut saved: serde_json::Value = serde_json::from_str(&json).unwrap();
        saved["jwks"] = jwks.into();
        let disk = Disk::new();
        disk.write_sealed(&saved.to_string());
        assert_ignored(&issuer, &disk, jwks).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_regular_file_is_ignored_and_left_alone() {
    let issuer = MockIssuer::new();
    let disk = Disk::new();
    fs::create_dir(disk.path()).unwrap();
    assert_ignored(&issuer, &disk, "a folder").await;
    assert!(disk.path().is_dir());

    #[cfg(unix)]
    {
        let (disk, target) = (Disk::new(), Disk::new());
        target.remember(&issuer).await;
        let before = target.text();
        std::os::unix::fs::symlink(target.path(), disk.path()).unwrap();
        assert_ignored(&issuer, &disk, "a symbolic link").await;
        issuer.rotate();
        disk.verifier(&issuer).refresh().await.unwrap();
        pass(1).await;
        assert!(disk.path().is_symlink());
        assert_eq!(target.text(), before);

        // Opening a pipe would wait for a writer.
        let disk = Disk::new();
        let status = std::process::Command::new("mkfifo").arg(disk.path()).status().unwrap();
        assert!(status.success());
        assert_ignored(&issuer, &disk, "a pipe").await;
    }
}

#[tokio::test(start_paused = true)]
#[cfg(unix)]
async fn file_that_everyone_can_write_is_ignored_and_a_new_one_is_for_its_owner() {
    use std::os::unix::fs::PermissionsExt;

    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    let mode = || fs::metadata(disk.path()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(disk.path(), fs::Permissions::from_mode(0o666)).unwrap();
    assert_ignored(&issuer, &disk, "0666").await;
    while mode() != 0o600 {
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn folder_that_does_not_exist_or_file_of_another_program_hurts_nothing() {
    let issuer = MockIssuer::new();
    let disk = Disk::new();
    let folder = disk.path();
    let file = tower_jwt_auth::KeyFile::new(folder.join("keys")).unwrap();
    let nowhere = verifier(&issuer, issuer.keys().with_key_file(file));
    assert_eq!(kind(&nowhere, &issuer.token().build()).await, None);
    pass(1).await;
    assert!(!folder.exists());

    fs::write(disk.path(), issuer.jwk_set()).unwrap();
    assert_ignored(&issuer, &disk, "a JWK set").await;
    pass(1).await;
    assert_eq!(disk.text(), issuer.jwk_set());
}

#[tokio::test(start_paused = true)]
async fn process_that_was_killed_while_it_wrote_leaves_the_old_keys() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    // What it had written of the new file, before the rename.
    let half = &disk.text()[..disk.text().len() / 2];
    let folder = disk.path().parent().unwrap().to_owned();
    fs::write(folder.join(".tower-jwt-auth-keys-Ab12Cd"), half).unwrap();
    issuer.set_answer(MockAnswer::Refuse);
    assert_eq!(kind(&disk.verifier(&issuer), &issuer.token().build()).await, None);
}

#[tokio::test(start_paused = true)]
async fn set_that_does_not_change_is_not_written_for_each_fetch() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    let verifier = disk.verifier(&issuer);
    verifier.refresh().await.unwrap();
    while disk.text().is_empty() {
        pass(1).await;
    }
    fs::remove_file(disk.path()).unwrap();
    for _ in 0..5 {
        verifier.refresh().await.unwrap();
        pass(1).await;
    }
    assert!(!disk.path().exists());
    issuer.rotate();
    verifier.refresh().await.unwrap();
    while disk.text().is_empty() {
        pass(1).await;
    }
    let names = fs::read_dir(disk.path().parent().unwrap()).unwrap();
    assert_eq!(names.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn file_contains_no_secret_of_the_url() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    issuer.set_jwks_uri("https://issuer.test/jwks?key=canary");
    disk.remember(&issuer).await;
    assert!(disk.text().contains("https://issuer.test/jwks\""), "{}", disk.text());
    assert!(!disk.text().contains("canary"), "{}", disk.text());
    issuer.set_answer(MockAnswer::Refuse);
    let start = tokio::time::Instant::now();
    assert_eq!(kind(&disk.verifier(&issuer), &issuer.token().build()).await, None);
    assert!(start.elapsed() < secs(1));
}
