//! `token-service keys …`.

use std::time::Duration;

use clap::Subcommand;
use token_service::store::{SqlStore, Store};
use tower_jwt_auth::RingKeyState;

use super::{encryption, line, now, print};
use crate::program::failure::Failure;
use crate::program::flags::Serve;
use crate::program::options;

const LIST: &str = "\
Each line has the key ID, the algorithm, the state, and the time from which the key signs (seconds since 1970),
separated by tabs. The states: `next` is published and does not sign yet, `current` signs, `retired` is published
until the last token that it signed has expired.

Example, the key that signs:
  token-service keys list | awk -F '\\t' '$3 == \"current\" { print $1 }'";

const ROTATE: &str = "\
The service rotates by itself: see --key-age. Running services read the new key within seconds.

Examples:
  A new key, which signs in an hour, when every service that caches the keys has it:
    token-service keys rotate

  A key has leaked: a new one signs at once, and the tokens of all others are refused:
    token-service keys rotate --revoke-others";

#[derive(Subcommand)]
pub(in crate::program) enum KeysCommand {
    /// List the keys that are published
    #[command(after_help = LIST)]
    List,
    /// List how the keys in the database are encrypted
    #[command(after_help = encryption::LIST)]
    Encryption,
    /// Encrypt the keys in the database with the first key encryption key
    #[command(after_help = encryption::ENCRYPT)]
    Encrypt {
        /// Only say what would be encrypted
        #[arg(long)]
        dry_run: bool,
    },
    /// Store the keys in the database without encryption, for a version that cannot decrypt them
    #[command(after_help = encryption::DECRYPT)]
    DangerousDecrypt,
    /// Print a new key encryption key, without a database
    #[command(after_help = encryption::GENERATE)]
    GenerateEncryptionKey,
    /// Publish a new key
    #[command(after_help = ROTATE)]
    Rotate {
        /// How long the key is published before it signs
        #[arg(
            long,
            value_name = "SECONDS",
            default_value_t = 3600,
            conflicts_with = "revoke_others"
        )]
        after: u32,
        /// Remove all other keys, and let the new one sign at once
        #[arg(long)]
        revoke_others: bool,
    },
}

pub(super) async fn run(
    store: &SqlStore,
    flags: &Serve,
    command: KeysCommand,
) -> Result<(), Failure> {
    match command {
        KeysCommand::List => list(store, flags).await,
        KeysCommand::Rotate { after, revoke_others } => {
            let wait = Duration::from_secs(if revoke_others { 0 } else { after.into() });
            rotate(store, wait, revoke_others).await
        }
        KeysCommand::Encryption => encryption::list(store).await,
        KeysCommand::Encrypt { dry_run } => encryption::encrypt(store, dry_run).await,
        KeysCommand::DangerousDecrypt => encryption::decrypt(store).await,
        KeysCommand::GenerateEncryptionKey => encryption::generate(),
    }
}

async fn list(store: &dyn Store, flags: &Serve) -> Result<(), Failure> {
    let settings = options::settings(flags, "http://127.0.0.1".to_owned())?;
    if store.signing_keys().await?.is_empty() {
        return Ok(());
    }
    let (keys, _) = token_service::keys::load(store, &settings)
        .await
        .map_err(|error| Failure::bad_because(&*error))?;
    let lines = keys.keys().into_iter().map(|key| {
        let state = match key.state() {
            RingKeyState::Next => "next",
            RingKeyState::Current => "current",
            _ => "retired",
        };
        line([
            key.kid(),
            &key.algorithm().to_string(),
            state,
            &key.signs_from().unix_seconds().to_string(),
        ])
    });
    print(&lines.collect::<String>())
}

async fn rotate(store: &dyn Store, wait: Duration, revoke_others: bool) -> Result<(), Failure> {
    // After a leak, a row that cannot be decrypted hinders nothing.
    let (seen, times): (Vec<String>, Vec<i64>) = if revoke_others {
        (store.signing_key_ids().await?, Vec::new())
    } else {
        store.signing_keys().await?.into_iter().map(|key| (key.kid, key.signs_from)).unzip()
    };
    if seen.len() >= token_service::keys::MAX_KEYS && !revoke_others {
        return Err(Failure::refused(format!(
            "there are {} keys already: wait until old ones are gone",
            seen.len()
        )));
    }
    let wait = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
    // Of two keys of the same second, the earlier one might go on to sign.
    let mut signs_from = now().saturating_add(wait);
    while times.contains(&signs_from) && signs_from < i64::MAX {
        signs_from = signs_from.saturating_add(1);
    }
    let key = token_service::keys::generate(now(), signs_from)
        .map_err(|error| Failure::bad_because(&error))?;
    let is_added = if revoke_others {
        store.replace_signing_keys(&key, &seen).await?
    } else {
        store.add_signing_key(&key, &seen).await?
    };
    if !is_added {
        return Err(Failure::refused(
            "another rotation took place at the same time: look at `keys list`",
        ));
    }
    print(&format!("added {}\n", key.kid))
}
