//! Writes that fail, and files of another user.

use std::fs;

use tower_jwt_auth::KeyFile;
use tower_jwt_auth::test_util::MockIssuer;

use super::{Disk, published, verifier};
use crate::key_engine::{kind, pass};

fn kid(issuer: &MockIssuer) -> String {
    published(issuer).keys().next().unwrap().kid().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn set_that_could_not_be_written_is_written_later_without_another_fetch() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    let folder = disk.path();
    let file = KeyFile::new(folder.join("keys")).unwrap();
    let verifier = verifier(&issuer, issuer.keys().with_key_file(file));
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    pass(20).await;
    assert!(!folder.exists());
    fs::create_dir(&folder).unwrap();
    pass(20).await;
    assert!(fs::read_to_string(folder.join("keys")).unwrap().contains(&kid(&issuer)));
    assert_eq!(issuer.key_fetches(), 1);
}

#[cfg(unix)]
const CHILD: &str = "TOWER_JWT_AUTH_TEST_FETCHES_WITH_A_FULL_DISK";
#[cfg(unix)]
const NAME: &str = concat!(
    "cold_starts::key_file_writes::",
    "full_disk_removes_the_older_set_which_may_have_a_withdrawn_key"
);

#[tokio::test(start_paused = true)]
#[cfg(unix)]
async fn full_disk_removes_the_older_set_which_may_have_a_withdrawn_key() {
    use std::process::Command;

    if let Some(path) = std::env::var_os(CHILD) {
        // Another issuer with the same name: a set without the key in the file.
        let issuer = MockIssuer::new();
        let file = KeyFile::new(path).unwrap();
        let verifier = verifier(&issuer, issuer.keys().with_key_file(file));
        verifier.refresh().await.unwrap();
        pass(40).await;
        return assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    }
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    // A process that may not write any byte into a file, and is not killed by the signal of this limit.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(CHILD, disk.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(!disk.path().exists());
    assert_eq!(fs::read_dir(disk.path().parent().unwrap()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
#[cfg(unix)]
async fn file_of_another_user_is_ignored() {
    let (issuer, disk) = (MockIssuer::new(), Disk::new());
    disk.remember(&issuer).await;
    // Only root can give a file away.
    if std::os::unix::fs::chown(disk.path(), Some(54321), None).is_err() {
        return;
    }
    issuer.set_answer(tower_jwt_auth::test_util::MockAnswer::Refuse);
    let verifier = disk.verifier(&issuer);
    assert!(kind(&verifier, &issuer.token().build()).await.is_some());
    assert!(!verifier.key_status().is_ready());
}
