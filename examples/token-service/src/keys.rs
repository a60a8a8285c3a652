//! The signing keys: in the store, so that tokens survive a restart and all instances sign with the same key.
//!
//! When a key signs follows from the stored times alone ([`KeyRing`]). Each instance reads the keys every few seconds, and
//! adds the next one when it is due; of several instances that do so at once, the store lets one succeed.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tower_jwt_auth::{Algorithm, ConfigError, KeyRing, NumericDate, SigningKey};

use crate::Settings;
use crate::store::{Seconds, Store, StoredKey, seconds};

/// The algorithm of the keys.
const ALGORITHM: Algorithm = Algorithm::ES256;
/// The longest lifetime of a token by default: a retired key is published for this time.
const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);
/// The longest lifetime of a token in the ring, unless the settings have a longer one.
///
/// The ring lets no key go by itself: other instances may have longer tokens, and may start later. What has ended follows
/// from the lifetimes in the store.
const LONGEST_IN_RING: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How much longer a retired key stays, in seconds: that of [`KeyRing`].
const MARGIN: Seconds = 600;
/// The most keys that may be stored. The ring has room for a few more.
pub const MAX_KEYS: usize = 50;

/// The failure of an operation on the keys: of the store, or of a key in it.
pub type KeysError = Box<dyn Error + Send + Sync>;

/// Generates a key that signs from this time on.
///
/// # Errors
///
/// If the system has no random numbers.
pub fn generate(now: Seconds, signs_from: Seconds) -> Result<StoredKey, ConfigError> {
    let key = SigningKey::generate(ALGORITHM)?;
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        algorithm: ALGORITHM.name().to_owned(),
        private_key: key.private_pem()?.as_str().to_owned().into(),
        created_at: now,
        signs_from,
        token_lifetime: seconds(LONGEST_LIFETIME),
    })
}

/// The longest lifetime of a token with these settings.
pub(crate) fn longest_lifetime(settings: &Settings) -> Duration {
    settings.lifetime.max(LONGEST_LIFETIME)
}

/// Stores that tokens with this lifetime may be signed with the keys, so that they stay as long as these tokens, also if the
/// lifetime becomes shorter.
async fn raise_lifetime(
    store: &dyn Store,
    rows: &[StoredKey],
    lifetime: Duration,
) -> Result<(), KeysError> {
    if rows.iter().any(|row| row.token_lifetime < seconds(lifetime)) {
        store.raise_token_lifetime(seconds(lifetime)).await?;
    }
    Ok(())
}

/// The keys of a ring, so that some of them can be removed when the others cannot be read from the store.
#[derive(Debug)]
pub struct Held(Vec<(SigningKey, NumericDate)>);

impl Held {
    /// Whether all keys of the ring were removed. Until the store has one that can be read, the ring has a key that
    /// nobody else knows, and that must not sign.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The keys of the store. Adds the first one if there is none.
///
/// # Errors
///
/// If the store fails, or a key in it cannot be read.
pub async fn load(store: &dyn Store, settings: &Settings) -> Result<(KeyRing, Held), KeysError> {
    let mut rows = store.signing_keys().await?;
    if rows.is_empty() {
        let now = settings.clock.now().unix_seconds();
        // If another instance has added one in the meantime, that one is used.
        store.add_signing_key(&generate(now, now)?, &[]).await?;
        rows = store.signing_keys().await?;
    }
    let lifetime = longest_lifetime(settings);
    raise_lifetime(store, &rows, lifetime).await?;
    let now = settings.clock.now().unix_seconds();
    // A ring has room for the keys of 60 rotations.
    let in_ring = LONGEST_IN_RING.min(settings.key_age.saturating_mul(60)).max(lifetime);
    let held = Held(read(&in_use(&rows, lifetime, now))?);
    let ring = KeyRing::from_keys(held.0.clone())?
        .with_max_token_lifetime(in_ring)?
        .with_rotation(settings.key_age, settings.key_published_before)?;
    Ok((ring.with_clock(Arc::clone(&settings.clock)), held))
}

/// Follows the store, for an instance whose tokens have at most this lifetime: takes over changed keys, adds the next
/// key when it is due, and removes keys that are gone.
///
/// # Errors
///
/// If the store fails, or a key in it cannot be read. Then the keys of the ring stay whose rows are still there, or all of
/// them if no row is.
pub async fn follow(
    store: &dyn Store,
    ring: &KeyRing,
    held: &mut Held,
    lifetime: Duration,
    now: Seconds,
) -> Result<(), KeysError> {
    let mut rows = match take_over(store, ring, held, lifetime, now).await {
        Ok(rows) => rows,
        Err(error) => {
            if let Ok(kids) = store.signing_key_ids().await {
                remove_gone(ring, held, &kids, now)?;
            }
            return Err(error);
        }
    };
    raise_lifetime(store, &rows, lifetime).await?;
    if let Some(signs_from) = ring.rotation_due().filter(|_| rows.len() < MAX_KEYS) {
        let mut key = generate(now, signs_from.unix_seconds())?;
        let longest = rows.iter().map(|row| row.token_lifetime).max().unwrap_or(0);
        key.token_lifetime = longest.max(seconds(lifetime));
        let seen: Vec<String> = rows.iter().map(|row| row.kid.clone()).collect();
        if store.add_signing_key(&key, &seen).await? {
            tracing::info!(
                kid = key.kid,
                signs_from = key.signs_from,
                "a new signing key is published"
            );
        }
        rows = take_over(store, ring, held, lifetime, now).await?;
    }
    let in_use = in_use(&rows, lifetime, now);
    for row in rows.iter().filter(|row| in_use.iter().all(|one| one.kid != row.kid)) {
        store.remove_signing_key(&row.kid).await?;
        tracing::info!(kid = row.kid, "a signing key is removed: its last token has expired");
    }
    Ok(())
}

/// Reads the keys into the ring.
async fn take_over(
    store: &dyn Store,
    ring: &KeyRing,
    held: &mut Held,
    lifetime: Duration,
    now: Seconds,
) -> Result<Vec<StoredKey>, KeysError> {
    let rows = store.signing_keys().await?;
    update(ring, held, &in_use(&rows, lifetime, now))?;
    Ok(rows)
}

/// Removes the keys of the ring whose rows are gone. `kids` are those that are stored.
fn remove_gone(
    ring: &KeyRing,
    held: &mut Held,
    kids: &[String],
    now: Seconds,
) -> Result<(), KeysError> {
    let is_stored = |key: &SigningKey| kids.iter().any(|kid| kid == key.kid());
    // Without any row, the database is not what it was, and no key has replaced these.
    if kids.is_empty() || held.0.iter().all(|(key, _)| is_stored(key)) {
        return Ok(());
    }
    let (kept, gone): (Vec<_>, Vec<_>) =
        held.0.iter().cloned().partition(|(key, _)| is_stored(key));
    match kept.is_empty() {
        // A ring is never empty.
        true => ring
            .set_keys([(SigningKey::generate(ALGORITHM)?, NumericDate::from_unix_seconds(now))])?,
        false => ring.set_keys(kept.iter().cloned())?,
    }
    held.0 = kept;
    for (key, _) in gone {
        tracing::warn!(kid = key.kid(), "a signing key is removed, because its row is gone");
    }
    Ok(())
}

/// The keys whose last token has not expired: the tokens of this instance have at most this lifetime, and those of the
/// others at most that of the store.
fn in_use(rows: &[StoredKey], lifetime: Duration, now: Seconds) -> Vec<StoredKey> {
    let has_ended = |row: &StoredKey, next: &StoredKey| {
        let longest = row.token_lifetime.max(seconds(lifetime));
        next.signs_from.saturating_add(longest).saturating_add(MARGIN) <= now
    };
    let next = rows.iter().skip(1).map(Some).chain([None]);
    let kept = rows.iter().zip(next);
    let kept = kept.filter(|(row, next)| next.is_none_or(|next| !has_ended(row, next)));
    kept.map(|(row, _)| row.clone()).collect()
}

/// Replaces the keys of the ring, unless it has them already.
fn update(ring: &KeyRing, held: &mut Held, rows: &[StoredKey]) -> Result<(), KeysError> {
    let is_same = |key: &tower_jwt_auth::RingKeyStatus, row: &StoredKey| {
        key.kid() == row.kid && key.signs_from().unix_seconds() == row.signs_from
    };
    let keys = ring.keys();
    // Rows of keys that the ring has let go are at the front.
    let gone = rows.len().saturating_sub(keys.len());
    let kept = rows.get(gone..).unwrap_or_default();
    if keys.len() == kept.len() && keys.iter().zip(kept).all(|(key, row)| is_same(key, row)) {
        return Ok(());
    }
    if rows.is_empty() {
        return Err("the signing keys in the database are gone".into());
    }
    let keys = read(rows)?;
    ring.set_keys(keys.iter().cloned())?;
    held.0 = keys;
    Ok(())
}

fn read(rows: &[StoredKey]) -> Result<Vec<(SigningKey, NumericDate)>, KeysError> {
    let key = |row: &StoredKey| {
        let algorithm: Algorithm = row.algorithm.parse()?;
        let key = SigningKey::from_pem(row.private_key.as_bytes(), algorithm)?;
        Ok((key.with_kid(row.kid.as_str()), NumericDate::from_unix_seconds(row.signs_from)))
    };
    rows.iter().map(key).collect::<Result<_, KeysError>>()
}
