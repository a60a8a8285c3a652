//! A real disk without space.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::server::{folder, is_root, own};
use super::{Faulty, run_on};
use crate::grants::{refresh, refresh_token};
use crate::store::new_database;
use crate::support::GOOD;

/// A small disk, which only root can make.
struct Disk(TempDir);

impl Disk {
    fn new() -> Option<Self> {
        if !is_root() {
            return None;
        }
        let folder = folder();
        let mount = ["-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).output().unwrap();
        own(folder.path());
        mounted.status.success().then_some(Self(folder))
    }

    /// Fills it with one file.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = File::create(&path).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_503_and_loses_nothing_that_was_acknowledged() {
    let Ok(server) = std::env::var("POSTGRES_URL") else { return };
    let Some(disk) = Disk::new() else { return };
    let space = disk.0.path().join("space");
    std::fs::create_dir(&space).unwrap();
    own(&space);
    let url = new_database(&server).await;
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    run_on(&server, &format!("CREATE TABLESPACE \"{name}\" LOCATION '{}'", space.display())).await;
    run_on(&server, &format!("ALTER DATABASE \"{name}\" SET TABLESPACE \"{name}\"")).await;
    let faulty = Faulty::on(url).await;
    let client = &faulty.client;
    let calls = faulty.calls().await;

    let login = client.post_as_demo("/token", GOOD).await;
    let (access, mut token) = (login.text("access_token"), refresh_token(&login));
    let revocation = format!("token={access}");
    assert_eq!(client.post_as_demo("/revoke", &revocation).await.status, 200);
    let filler = disk.fill();
    let mut rotations = 0;
    let refused = loop {
        let answer = client.post_as_demo("/token", &refresh(&token)).await;
        if answer.status != 200 {
            break answer;
        }
        token = refresh_token(&answer);
        rotations += 1;
        assert!(rotations < 900);
    };
    refused.assert_error(503, "temporarily_unavailable");
    for call in calls.iter().filter(|call| !call.writes) {
        call.assert_served(client).await;
    }
    std::fs::remove_file(filler).unwrap();
    faulty.assert_all_served(&calls).await;
    let answer = client.post_as_demo("/token", &refresh(&token)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let shown = client.post_as_demo("/introspect", &revocation).await;
    assert_eq!(shown.json()["active"], false);
    run_on(&server, &format!("DROP DATABASE \"{name}\" WITH (FORCE)")).await;
    run_on(&server, &format!("DROP TABLESPACE \"{name}\"")).await;
}
