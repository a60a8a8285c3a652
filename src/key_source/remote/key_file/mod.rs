//! The file that remembers the last good set of a source across restarts.

mod disk;
mod saved;
mod store;
mod tasks;

use std::path::PathBuf;
use std::time::Duration;

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::digest::sha256;
pub(super) use crate::key_source::remote::key_file::store::{FetchedSet, Remembered};
pub(super) use crate::key_source::remote::key_file::tasks::{KeyFileTasks, Reading};

/// A short text for what a set belongs to, from which the parts cannot be read.
pub(super) fn identity(parts: &[&str]) -> String {
    let parts: Vec<[&[u8]; 2]> = parts.iter().map(|part| [part.as_bytes(), b"\n"]).collect();
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(parts.as_flattened()))
}

/// A file that remembers the last good JWK set of one source across restarts, so that a service can start while its
/// issuer is down. [`JwksUrl::with_key_file`](crate::JwksUrl::with_key_file) and `OidcDiscovery::with_key_file` use it.
///
/// **Everyone who can write the file can sign any token**, and can start the service with a key that the issuer has
/// withdrawn. Put it in a folder that only the service can write to, on a local disk.
///
/// | case | what happens |
/// |---|---|
/// | a set was fetched | the file is replaced as a whole: a new file in the same folder, for its owner alone (0600), which is synchronized and then renamed. A set that has not changed renews the time in the file once a minute at most |
/// | the first fetch begins | the file is read beside it. Its keys are used if the fetch fails, and replaced by those of the fetch as a whole. Until a fetch succeeds they are [stale and unconfirmed](crate::KeyStatus::is_unconfirmed), and an unknown `kid` is 503 |
/// | age | its keys end when they would have ended without a restart: 1 hour after they were fresh, or after `stale-if-error`. [`with_max_age`](Self::with_max_age) replaces this |
/// | the file is damaged, too old, more than 1 minute in the future, of another source, longer than 1 MiB, not a regular file (such as a symbolic link), writable by everyone, or, on Unix, of another user than this process or root | it is ignored, with a `warn` event |
/// | the file cannot be read because of an error of the system | a `warn` event. It is read again after each failed fetch |
/// | the file cannot be written | a `warn` event, once a minute at most, and another attempt every 15 seconds. If the set has changed, the old file is removed, because it may have a key that was withdrawn. The keys in memory are not affected |
///
/// The file is read and written by threads that may block. A file with other contents is not replaced, unless it is empty.
/// Each source needs a file of its own, and so does each instance of the service, or they share the set fetched last.
///
/// # Example: keys that outlive a restart
///
/// ```no_run
/// # #[cfg(feature = "reqwest-0_13")] {
/// use tower_jwt_auth::{JwksUrl, JwtVerifier, KeyFile};
///
/// let file = KeyFile::new("/var/lib/orders/issuer-keys")?;
/// let keys = JwksUrl::new("https://issuer.example/jwks")?.with_key_file(file);
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys)?;
/// # }
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
    max_age: Option<Duration>,
}

impl KeyFile {
    const MIN_AGE: Duration = Duration::from_secs(60);
    const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// Creates the setting. The file need not exist, but its folder must. Nothing is read or written yet.
    ///
    /// # Errors
    ///
    /// When the path does not end in the name of a file.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, ConfigError> {
        let path = path.into();
        let ends_in_separator =
            path.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
        if path.file_name().is_none() || ends_in_separator {
            let message = "the path of a file for keys does not end in the name of a file";
            return Err(ConfigError::new(ConfigErrorKind::KeyFile, message));
        }
        Ok(Self { path, max_age: None })
    }

    /// Replaces the age at which keys from the file end, counted from the time at which the issuer last confirmed them.
    /// By default they end when they would have ended without a restart.
    ///
    /// With a longer age, a service that restarts during a long outage of its issuer accepts tokens that a running one
    /// would refuse with 503. It then also accepts a key for longer that was withdrawn in the meantime.
    ///
    /// # Errors
    ///
    /// When the age is shorter than 1 minute or longer than 7 days.
    pub fn with_max_age(self, max_age: Duration) -> Result<Self, ConfigError> {
        if !(Self::MIN_AGE..=Self::MAX_AGE).contains(&max_age) {
            let message = "the age of keys in a file is at least 1 minute and at most 7 days";
            return Err(ConfigError::new(ConfigErrorKind::Duration, message));
        }
        Ok(Self { max_age: Some(max_age), ..self })
    }
}
