//! Starts without the issuer: initial keys, a file that remembers keys, and a closure that is told of changed keys.

mod changed_keys;
mod first_attempt;
mod initial_json;
mod initial_keys;
mod key_file;
mod key_file_faults;
mod key_file_writes;
#[cfg(feature = "tracing")]
mod log;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{ChangedKeys, JwkSet, JwksUrl, JwtVerifier, KeyFile, KeySource};

use crate::key_engine::pass;

/// A verifier with these keys.
fn verifier(issuer: &MockIssuer, keys: impl KeySource) -> JwtVerifier {
    JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap()
}

fn published(issuer: &MockIssuer) -> JwkSet {
    JwkSet::from_json(&issuer.jwk_set()).unwrap()
}

/// A verifier of an issuer that is down, with the keys that it had before.
fn of_initial_keys(issuer: &MockIssuer) -> JwtVerifier {
    let keys = issuer.keys().with_initial_keys(published(issuer)).unwrap();
    issuer.set_answer(MockAnswer::Refuse);
    verifier(issuer, keys)
}

/// The keys of several restarts, in a folder that is removed.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("issuer-keys")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap_or_default()
    }

    fn file(&self) -> KeyFile {
        KeyFile::new(self.path()).unwrap()
    }

    /// The source of a process that has just started.
    fn keys(&self, issuer: &MockIssuer) -> JwksUrl {
        issuer.keys().with_key_file(self.file())
    }

    fn verifier(&self, issuer: &MockIssuer) -> JwtVerifier {
        verifier(issuer, self.keys(issuer))
    }

    /// Writes the file by a process that fetches the keys of the issuer and ends.
    async fn remember(&self, issuer: &MockIssuer) {
        let before = self.text();
        let verifier = self.verifier(issuer);
        verifier.refresh().await.unwrap();
        while self.text() == before {
            pass(1).await;
        }
    }

    /// Changes a number in the file, as if it had been written so.
    fn set(&self, member: &str, change: impl Fn(u64) -> u64) {
        let text = self.text();
        let (_, json) = text.split_once('\n').unwrap();
        let mut saved: serde_json::Value = serde_json::from_str(json).unwrap();
        saved[member] = change(saved[member].as_u64().unwrap()).into();
        self.write_sealed(&saved.to_string());
    }

    /// Writes a file with the right digest.
    fn write_sealed(&self, json: &str) {
        use base64::Engine;
        use sha2::Digest;

        let digest = sha2::Sha256::digest(json.as_bytes());
        let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
        let text = format!("tower-jwt-auth keys 1 sha256:{digest}\n{json}\n");
        std::fs::write(self.path(), text).unwrap();
    }
}

/// What a closure was told.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<ChangedKeys>>>);

impl Told {
    fn note(&self, changed: &ChangedKeys) {
        self.0.lock().unwrap().push(changed.clone());
    }

    fn all(&self) -> Vec<ChangedKeys> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until this many sets were told.
    async fn wait_for(&self, count: usize) -> Vec<ChangedKeys> {
        while self.all().len() < count {
            pass(1).await;
        }
        self.all()
    }
}
