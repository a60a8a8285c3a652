//! `token-service keys encryption`, `encrypt`, `dangerous-decrypt` and `generate-encryption-key`.

use token_service::store::{
    KeyEncryptionKey, KeyRow, Protection, SqlStore, StoreError, StoredText, Target,
};

use super::{line, print};
use crate::program::failure::Failure;

pub(super) const LIST: &str = "\
Each line has `encryption_key`, `signing_key` or `secret`, its ID or name, the ID of the key that encrypts it, and a
state, separated by tabs. It needs no key. The states of the keys that are given: `first` encrypts, `other` only
decrypts. Those of the rest: `encrypted` with the first key, `other` with another one that is given, `missing` with
one that is not given, `plaintext`, `unknown`.

Example, what `keys encrypt` would change:
  token-service keys encryption | awk -F '\\t' '$1 != \"encryption_key\" && $4 != \"encrypted\"'";

pub(super) const ENCRYPT: &str = "\
Services that run need every key that is in use, so give the key to all of them before, and restart them. The
command can be repeated: it changes what is not encrypted with the first key. Copies of the database that were made
before contain the keys as they were: see OPERATING.md.

Examples:
  Encrypt for the first time:
    token-service --key-encryption-key-file /etc/token-service/key keys encrypt

  Replace the key encryption key, which every instance has as its second one:
    token-service --key-encryption-key-file new --key-encryption-key-file old keys encrypt";

pub(super) const DECRYPT: &str = "\
Everyone who can read the database, or a copy of it, can sign tokens after that.

Example:
  token-service --key-encryption-key-file /etc/token-service/key keys dangerous-decrypt";

pub(super) const GENERATE: &str = "\
It is 32 random bytes in base64. Keep a copy apart from the copies of the database: without it, all tokens are lost.

Example:
  (set -o noclobber; umask 077; token-service keys generate-encryption-key > /etc/token-service/key)";

/// Prints a new key.
pub(super) fn generate() -> Result<(), Failure> {
    print(&format!("{}\n", *KeyEncryptionKey::generate()))
}

/// Prints each key and how it is stored.
pub(super) async fn list(store: &SqlStore) -> Result<(), Failure> {
    let given = store.key_encryption().keys();
    let position = |id: &str| given.iter().position(|key| key.id() == id);
    let mut lines = String::new();
    for key in given {
        let state = if position(key.id()) == Some(0) { "first" } else { "other" };
        lines += &line(["encryption_key", key.id(), "", state]);
    }
    for row in store.key_rows().await? {
        let (kind, name) = fields(row.row());
        let (key_id, state) = match row.protection() {
            Protection::Plaintext => ("", "plaintext"),
            Protection::Unknown => ("", "unknown"),
            Protection::Encrypted { key_id } => match position(key_id) {
                Some(0) => (key_id, "encrypted"),
                Some(_) => (key_id, "other"),
                None => (key_id, "missing"),
            },
        };
        lines += &line([kind, name, key_id, state]);
    }
    print(&lines)
}

/// Encrypts what is not encrypted with the first key.
pub(super) async fn encrypt(store: &SqlStore, dry_run: bool) -> Result<(), Failure> {
    let keys = store.key_encryption().keys();
    let Some(first) = keys.first() else {
        return Err(Failure::bad("give the key by --key-encryption-key-file"));
    };
    if dry_run {
        let rows = store.key_rows_to_change(Target::FirstKey).await?;
        return rows.iter().try_for_each(|row| say("would encrypt", row));
    }
    change(store, Target::FirstKey, "encrypted").await?;
    print(&format!("all keys are encrypted with {}\n", first.id()))
}

/// Decrypts what is encrypted.
pub(super) async fn decrypt(store: &SqlStore) -> Result<(), Failure> {
    change(store, Target::Plaintext, "decrypted").await?;
    print("no key is encrypted\n")
}

async fn change(store: &SqlStore, target: Target, what: &str) -> Result<(), Failure> {
    let mut printed = Ok(());
    let result: Result<(), StoreError> = store
        .store_keys_as(target, |row| {
            if printed.is_ok() {
                printed = say(what, row);
            }
        })
        .await;
    result?;
    printed
}

fn say(what: &str, row: &StoredText) -> Result<(), Failure> {
    let (kind, name) = fields(row.row());
    print(&format!("{what} {kind} {name}\n"))
}

const fn fields(row: KeyRow<'_>) -> (&'static str, &str) {
    match row {
        KeyRow::SigningKey(kid) => ("signing_key", kid),
        KeyRow::Secret(name) => ("secret", name),
    }
}
