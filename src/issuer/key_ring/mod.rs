//! The keys of an issuer: the one that signs, those before it, and the next one.

mod due_key;
mod settings;
mod source;
mod state;
mod status;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

pub use self::due_key::DueKey;
use self::settings::Settings;
pub(super) use self::state::Published;
use self::state::{Entry, Stage, State};
pub use self::status::{RingKeyState, RingKeyStatus};
use crate::claims::NumericDate;
use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::issuer::signing_key::SigningKey;

/// The signing keys of an issuer, each with the time from which it signs.
///
/// The state of a key follows from these times alone, so several processes with the same list agree:
///
/// | state | when | signs | is published and verifies |
/// |---|---|---|---|
/// | next | its time has not come | no | yes |
/// | current | its time has come, and no later key's time has | yes | yes |
/// | retired | a later key signs | no | until the last token that it may have signed has expired |
/// | gone | after that | no | no |
///
/// A retired key is gone after the start of its successor, plus the
/// [maximum lifetime](Self::with_max_token_lifetime) of a token, plus 10 minutes for the leeway of verifiers and for
/// clocks that differ. If no key's time has come, such as after a clock was set back, the earliest key is current: the
/// first key signs at once.
///
/// Publish the public keys with [`JwkSetService`](crate::JwkSetService) or [`jwk_set`](Self::jwk_set). In the same
/// process, the ring is a [`KeySource`](crate::KeySource), and verifies also tokens that are signed with a secret.
/// A token that a *next* key signed is accepted: another process, whose clock is ahead, may already sign with it.
///
/// Clones share their keys. Nothing runs in the background: call [`rotate_if_due`](Self::rotate_if_due), for example
/// once an hour.
///
/// A ring uses at most 64 keys. A longer list is not an error, so that a service always starts and learns of a key that
/// was removed: keys that are gone are left out, then keys that sign later than those that are published now, then
/// retired and next keys that sign for the shortest time. A key that is left out is as one that is gone.
///
/// # Example: keys that rotate
///
/// ```
/// use tower_jwt_auth::{Algorithm, JwtVerifier, KeyRing, RingKeyState, SigningKey, TokenIssuer};
///
/// let ring = KeyRing::new(SigningKey::generate(Algorithm::ES256)?)?;
/// let issuer = TokenIssuer::new("https://issuer.example", ring.clone())?
///     .with_audience("https://api.example")?;
/// let verifier =
///     JwtVerifier::new("https://issuer.example", "https://api.example", ring.clone())?;
///
/// // In a task, once an hour:
/// if ring.rotate_if_due()? {
///     println!("a new key is published");
/// }
///
/// let token = issuer.issue(&serde_json::json!({"sub": "alice"})).unwrap();
/// assert!(verifier.verify_now(&token).is_ok());
/// assert_eq!(ring.keys()[0].state(), RingKeyState::Current);
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
///
/// # Example: keys from a database, for several processes
///
/// ```
/// use tower_jwt_auth::{Algorithm, ConfigError, KeyRing, NumericDate, SigningKey};
///
/// /// A row: the private key, when it begins to sign, and the `kid` of the key that it follows, with a unique index.
/// struct Row(String, i64, Option<String>);
///
/// fn keys(rows: &[Row]) -> Result<Vec<(SigningKey, NumericDate)>, ConfigError> {
///     let key = |Row(pem, signs_from, _): &Row| {
///         let key = SigningKey::from_pem(pem.as_bytes(), Algorithm::ES256)?;
///         Ok((key, NumericDate::from_unix_seconds(*signs_from)))
///     };
///     rows.iter().map(key).collect()
/// }
///
/// /// Every minute, in each process. `insert` does nothing if another process has stored a key that follows the same
/// /// one: `INSERT … ON CONFLICT DO NOTHING`.
/// fn refresh(
///     ring: &KeyRing,
///     load: impl Fn() -> Vec<Row>,
///     insert: impl Fn(Row),
/// ) -> Result<(), ConfigError> {
///     ring.set_keys(keys(&load())?)?;
///     if let Some(due) = ring.due_key() {
///         let key = SigningKey::generate(Algorithm::ES256)?;
///         let (pem, signs_from) = (key.private_pem()?, due.signs_from().unix_seconds());
///         insert(Row(pem.as_str().to_owned(), signs_from, Some(due.follows().to_owned())));
///         ring.set_keys(keys(&load())?)?;
///     }
///     Ok(())
/// }
/// # let first = SigningKey::generate(Algorithm::ES256)?;
/// # let pem = first.private_pem()?;
/// # let rows = || vec![Row(pem.as_str().to_owned(), 1_700_000_000, None)];
/// # refresh(&KeyRing::from_keys(keys(&rows())?)?, rows, |_| ())?;
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    settings: Settings,
    state: ArcSwap<State>,
    /// Held while the keys are replaced. Readers do not wait for it.
    writing: Mutex<()>,
}

impl KeyRing {
    /// Creates a ring with one key, which signs at once.
    ///
    /// Its [age](Self::with_rotation) counts from now: for a key that is loaded again at each start, use
    /// [`from_keys`](Self::from_keys).
    ///
    /// # Errors
    ///
    /// When the `kid` of the key is empty, longer than 1,024 bytes or contains control characters.
    pub fn new(key: SigningKey) -> Result<Self, ConfigError> {
        let (clock, settings) = (Arc::new(SystemClock), Settings::default());
        let state = State::new(vec![Entry::new(key, clock.now())], &settings, clock.now())?;
        Ok(Self::with(clock, settings, state.of_new_ring()))
    }

    /// Creates a ring with these keys, each with the time from which it signs, in any order. Of two keys with the same
    /// time, the one with the greater `kid` signs. A fraction of a second is dropped. Keys that are gone may be in the
    /// list: which ones these are follows from the clock and the lifetime that are set later.
    ///
    /// # Errors
    ///
    /// When there is no key, when two keys have the same `kid`, or when a `kid` is empty, longer than 1,024 bytes or
    /// contains control characters.
    pub fn from_keys(
        keys: impl IntoIterator<Item = (SigningKey, NumericDate)>,
    ) -> Result<Self, ConfigError> {
        let (clock, settings) = (Arc::new(SystemClock), Settings::default());
        let state = State::new(entries(keys), &settings, clock.now())?;
        Ok(Self::with(clock, settings, state))
    }

    fn with(clock: Arc<dyn Clock>, settings: Settings, state: State) -> Self {
        let state = ArcSwap::from_pointee(state);
        Self(Arc::new(Inner { clock, settings, state, writing: Mutex::new(()) }))
    }

    /// Replaces the clock; [`SystemClock`] by default. Call it, as the other `with_…` methods, before the ring is
    /// cloned: earlier clones do not change, and no longer share their keys with this one. A
    /// [`TokenIssuer`](crate::TokenIssuer) has its own clock, for `iat` and `exp`.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        let state = self.0.state.load().for_clock(&self.0.settings, clock.now());
        Self::with(Arc::new(clock), self.0.settings, state)
    }

    /// Replaces the longest lifetime of a token; 24 hours by default. A fraction of a second is dropped. Retired keys
    /// are published for this time, so a [`TokenIssuer`](crate::TokenIssuer) with this ring refuses a longer one.
    ///
    /// All processes of an issuer need the same value.
    ///
    /// # Errors
    ///
    /// When the lifetime is less than a second or more than a hundred years, or, with 10 minutes more, at least 61 times
    /// the age at which a key is replaced: then a ring would have more than 64 keys. For a longer lifetime, call
    /// [`with_rotation`](Self::with_rotation) before.
    pub fn with_max_token_lifetime(self, lifetime: Duration) -> Result<Self, ConfigError> {
        let settings = self.0.settings.with_max_token_lifetime(lifetime)?;
        self.with_settings(settings)
    }

    /// Replaces the age at which a key is replaced, and how long its successor is published before it signs. By default
    /// a key signs for 90 days, and its successor is published for the last 7 days of them.
    ///
    /// The second time must be longer than verifiers cache the set: it is longer than a day by default, since many
    /// refresh their keys daily. Until a verifier has the new key, it refuses good tokens, unless it fetches the set
    /// again for an unknown `kid`, as `JwksUrl` of this crate does.
    ///
    /// # Errors
    ///
    /// When a key is published for less than 2 minutes before it signs, or for longer than its predecessor signs, when
    /// the age is more than a hundred years, or when it is so short that a ring would have more than 64 keys: the default
    /// lifetime of tokens needs 24 minutes. For a shorter age, call
    /// [`with_max_token_lifetime`](Self::with_max_token_lifetime) before.
    ///
    /// # Example: every week
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_jwt_auth::{Algorithm, KeyRing, SigningKey};
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let ring = KeyRing::new(SigningKey::generate(Algorithm::EdDSA)?)?
    ///     .with_rotation(7 * DAY, 2 * DAY)?;
    /// assert!(ring.rotation_due().is_none());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_rotation(
        self,
        age: Duration,
        published_before: Duration,
    ) -> Result<Self, ConfigError> {
        let settings = self.0.settings.with_rotation(age, published_before)?;
        self.with_settings(settings)
    }

    fn with_settings(self, settings: Settings) -> Result<Self, ConfigError> {
        let state = self.0.state.load().with_settings(&settings, self.0.clock.now())?;
        Ok(Self::with(Arc::clone(&self.0.clock), settings, state))
    }

    /// Adds a key that signs from this time on; a fraction of a second is dropped. It is published at once.
    ///
    /// Verifiers that have cached the set do not know the key yet, so leave them the time of
    /// [`with_rotation`](Self::with_rotation). Replace a key that has leaked with [`set_keys`](Self::set_keys).
    ///
    /// # Errors
    ///
    /// When the time is more than 10 minutes in the past or before that of the current key, when the ring has a key
    /// with the same `kid`, when the `kid` is empty, longer than 1,024 bytes or contains control characters, or when
    /// the ring has 64 keys that are not gone. The keys of the ring do not change then.
    pub fn add_next(&self, key: SigningKey, signs_from: NumericDate) -> Result<(), ConfigError> {
        self.update(|state, now| self.added(state, Entry::new(key, signs_from), now).map(Some))
    }

    /// Replaces all keys at once, as [`from_keys`](Self::from_keys) reads them. With the same keys and times, nothing
    /// changes, so it can be called often.
    ///
    /// A key that is left out is gone at once, with the tokens that it signed: so a key that has leaked is revoked. The
    /// processes of an issuer need a new list before its next key signs.
    ///
    /// # Errors
    ///
    /// When [`from_keys`](Self::from_keys) would fail. The keys of the ring do not change then.
    pub fn set_keys(
        &self,
        keys: impl IntoIterator<Item = (SigningKey, NumericDate)>,
    ) -> Result<(), ConfigError> {
        let entries = entries(keys);
        self.update(|state, now| {
            let new = State::new(entries, &self.0.settings, now)?;
            Ok((!new.has_keys_of(state)).then_some(new))
        })
    }

    /// The key to publish next, if it is time for it: see [`with_rotation`](Self::with_rotation). `None` as long as the
    /// newest key is young enough. For keys in a database; otherwise [`rotate_if_due`](Self::rotate_if_due) does all of
    /// it.
    ///
    /// Several processes find a key due at the same time. Store it only if none is stored that follows the same key, as
    /// the example above does. If it is due again afterwards, then a stored key with a time in the far future follows that
    /// key, from a process whose clock was wrong: delete it.
    pub fn due_key(&self) -> Option<DueKey> {
        self.0.settings.due_key(&self.0.state.load(), self.0.clock.now())
    }

    /// The time of the [`due_key`](Self::due_key), if it is time to publish one.
    pub fn rotation_due(&self) -> Option<NumericDate> {
        self.due_key().map(|due| due.signs_from())
    }

    /// Generates the next key if it is time to publish one: see [`with_rotation`](Self::with_rotation). It has the
    /// algorithm of the newest key. Returns whether there is a new key.
    ///
    /// # Errors
    ///
    /// When the system has no random bytes, or the ring has 64 keys that are not gone.
    pub fn rotate_if_due(&self) -> Result<bool, ConfigError> {
        let mut is_new = false;
        self.update(|state, now| {
            let Some(due) = self.0.settings.due_key(state, now) else {
                return Ok(None);
            };
            is_new = true;
            let key = SigningKey::generate(state.newest_algorithm())?;
            self.added(state, Entry::new(key, due.signs_from()), now).map(Some)
        })?;
        Ok(is_new)
    }

    /// The keys that are not gone, in the order of their times.
    pub fn keys(&self) -> Vec<RingKeyStatus> {
        self.0.state.load().status(self.0.clock.now())
    }

    /// The public keys that are not gone, as the JSON of a JWK set (RFC 7517 section 5). Secrets are left out. See
    /// [`JwkSetService`](crate::JwkSetService), which serves it.
    pub fn jwk_set(&self) -> String {
        String::from_utf8_lossy(&self.published().document).into_owned()
    }

    /// The longest lifetime of a token: see [`with_max_token_lifetime`](Self::with_max_token_lifetime).
    pub fn max_token_lifetime(&self) -> Duration {
        self.0.settings.max_token_lifetime
    }

    /// The key that signs now.
    pub(super) fn current(&self) -> SigningKey {
        self.0.state.load().current(self.0.clock.now()).clone()
    }

    pub(super) fn published(&self) -> Published {
        self.at_stage(Stage::published)
    }

    /// How long a client may cache the document.
    pub(super) fn max_age(&self) -> Duration {
        self.0.settings.max_age()
    }

    /// Uses the keys that are not gone.
    fn at_stage<T>(&self, use_it: impl FnOnce(&Stage) -> T) -> T {
        let state = self.0.state.load();
        use_it(state.stage(|| self.0.clock.now()))
    }

    /// Replaces the keys by what `new` makes of them.
    fn update(
        &self,
        new: impl FnOnce(&State, NumericDate) -> Result<Option<State>, ConfigError>,
    ) -> Result<(), ConfigError> {
        let _writing = self.0.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = new(&self.0.state.load(), self.0.clock.now())? {
            self.0.state.store(Arc::new(state));
        }
        Ok(())
    }

    fn added(&self, state: &State, entry: Entry, now: NumericDate) -> Result<State, ConfigError> {
        self.0.settings.check_start(entry.signs_from, state, now)?;
        state.with(entry, &self.0.settings, now)
    }
}

/// One key, which is never retired: its tokens may have any lifetime.
impl TryFrom<SigningKey> for KeyRing {
    type Error = ConfigError;

    fn try_from(key: SigningKey) -> Result<Self, ConfigError> {
        Self::new(key)?.with_settings(Settings::of_single_key())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

fn entries(keys: impl IntoIterator<Item = (SigningKey, NumericDate)>) -> Vec<Entry> {
    keys.into_iter().map(|(key, signs_from)| Entry::new(key, signs_from)).collect()
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::KeySet, message)
}
