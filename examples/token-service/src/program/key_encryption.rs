//! The keys that encrypt the keys in the database: from files, or from the environment.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use token_service::store::{KeyEncryption, KeyEncryptionKey, Protection, SqlStore, StoreError};
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::failure::Failure;

/// The keys themselves, separated by white space. It is no flag: other users of the machine see the flags of a process.
const VARIABLE: &str = "TOKEN_SERVICE_KEY_ENCRYPTION_KEYS";

/// The longest file, in bytes.
const MAX_BYTES: u64 = 1024;

/// The keys of these files, or of the environment.
pub(super) fn from_flags(files: &[PathBuf]) -> Result<KeyEncryption, Failure> {
    let variable = match std::env::var(VARIABLE) {
        Ok(text) => Some(Zeroizing::new(text)),
        Err(std::env::VarError::NotPresent) => None,
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(Failure::bad(format!("{VARIABLE} is not UTF-8")));
        }
    };
    let keys = match variable {
        None => files.iter().map(|path| from_file(path)).collect(),
        Some(_) if !files.is_empty() => {
            let flag = "--key-encryption-key-file";
            Err(Failure::bad(format!("{flag} and {VARIABLE} cannot be used together")))
        }
        // Someone meant to give a key.
        Some(text) if text.trim().is_empty() => Err(Failure::bad(format!("{VARIABLE} is empty"))),
        Some(text) => text.split_whitespace().map(|text| key(VARIABLE, text)).collect(),
    };
    let keys: Vec<KeyEncryptionKey> = keys?;
    Ok(KeyEncryption::new(keys))
}

fn key(place: &str, text: &str) -> Result<KeyEncryptionKey, Failure> {
    KeyEncryptionKey::from_text(text).map_err(|error| Failure::bad(format!("{place}: {error}")))
}

fn from_file(path: &Path) -> Result<KeyEncryptionKey, Failure> {
    let text = read(path)
        .map_err(|error| Failure::bad(format!("{} cannot be read: {error}", path.display())))?;
    key(&path.display().to_string(), &text)
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let file = File::open(path)?;
    check_permissions(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_BYTES.saturating_add(1)).read_to_string(&mut text)?;
    match u64::try_from(text.len()).is_ok_and(|length| length <= MAX_BYTES) {
        true => Ok(text),
        false => Err(io::Error::other("it is longer than a key")),
    }
}

/// Refuses a file that everyone can write, and warns of one that everyone can read: so are the files that Docker and
/// Kubernetes make of secrets, in a container where nobody else is.
#[cfg(unix)]
fn check_permissions(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode();
    if metadata.is_file() && mode & 0o002 != 0 {
        return Err(io::Error::other("everyone can write it"));
    }
    if metadata.is_file() && mode & 0o004 != 0 {
        tracing::warn!(path = %path.display(), "everyone on this machine can read the key encryption key");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_permissions(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// How often it is looked for keys that are not encrypted.
const WATCH: Duration = Duration::from_secs(5);

/// Warns of keys that can be read by everyone who reads the database, or a copy of it. Returns their rows.
pub(super) async fn warn(store: &SqlStore) -> Result<BTreeSet<String>, Failure> {
    if store.key_encryption().keys().is_empty() {
        tracing::warn!(
            "the keys that sign tokens are not encrypted in the database: give a key by \
             --key-encryption-key-file"
        );
        return Ok(BTreeSet::new());
    }
    let readable = readable(store).await?;
    if !readable.is_empty() {
        tracing::warn!(
            readable = readable.len(),
            "keys in the database are not encrypted yet: run `token-service keys encrypt` when \
             every instance has the key encryption key"
        );
    }
    Ok(readable)
}

/// The rows that are not encrypted.
async fn readable(store: &SqlStore) -> Result<BTreeSet<String>, StoreError> {
    let rows = store.key_rows().await?;
    let readable = rows.iter().filter(|row| row.protection() == Protection::Plaintext);
    Ok(readable.map(|row| row.row().to_string()).collect())
}

/// Warns, once for each change, of keys that are added without encryption: a version that knows none does so. `seen` are the
/// rows that were warned of at the start. Runs until it is dropped.
pub(super) async fn watch(store: SqlStore, mut seen: BTreeSet<String>) {
    if store.key_encryption().keys().is_empty() {
        return;
    }
    loop {
        sleep(WATCH).await;
        // A failure of the database is logged by the upkeep.
        let Ok(now) = readable(&store).await else { continue };
        let added: Vec<&str> = now.difference(&seen).map(String::as_str).collect();
        if !added.is_empty() {
            let rows = added.join(", ");
            tracing::warn!(
                rows,
                "a key was added to the database without encryption: stop instances of a version \
                 that does not encrypt, run `token-service keys encrypt`, and rotate the keys"
            );
        }
        seen = now;
    }
}
