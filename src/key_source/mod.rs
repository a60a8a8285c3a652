//! Where verification keys come from, and the look-up of a key.

mod error;
mod in_memory;
mod lookup;
#[cfg(feature = "jwks-url")]
mod remote;
mod status;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::error::KeySourceError;
pub(crate) use self::lookup::LookupState;
pub use self::lookup::{KeyLookup, KeyQuery};
#[cfg(all(
    any(feature = "config", feature = "introspection", feature = "oidc-discovery"),
    feature = "reqwest-0_13"
))]
pub(crate) use self::remote::HttpFetch;
#[cfg(any(
    feature = "introspection",
    feature = "oidc-discovery",
    all(feature = "jwks-url", feature = "config")
))]
pub(crate) use self::remote::HttpHosts;
#[cfg(feature = "oidc-discovery")]
pub(crate) use self::remote::IssuerLocation;
#[cfg(feature = "key-file")]
pub use self::remote::KeyFile;
#[cfg(feature = "oidc-discovery")]
pub use self::remote::OidcDiscovery;
#[cfg(feature = "jwks-url")]
pub(crate) use self::remote::wait_until;
#[cfg(feature = "jwks-url")]
pub use self::remote::{ChangedKeys, Fetch, FetchFuture, FetchRequest, FetchUrl, JwksUrl};
#[cfg(feature = "reqwest-0_13")]
pub use self::remote::{DocumentClient, DocumentError, DocumentErrorKind, FetchedDocument};
#[cfg(feature = "introspection")]
pub(crate) use self::remote::{PostFault, Poster};
pub use self::status::KeyStatus;
use crate::summary::Summary;

/// A source of verification keys: finds the keys that may have signed a token.
///
/// A single [`VerificationKey`](crate::VerificationKey) and a [`JwkSet`](crate::JwkSet) are sources, and so are
/// `JwksUrl` (feature `jwks-url`) and `OidcDiscovery` (feature `oidc-discovery`). Implement this trait to load
/// keys from elsewhere. Return keys in memory with [`KeyLookup::ready`], and use [`KeyLookup::pending`] only
/// for a fetch.
///
/// # Example: keys that an administrator replaces while the server runs
///
/// ```
/// use std::sync::{Arc, PoisonError, RwLock};
/// use tower_jwt_auth::{
///     Algorithm, JwkSet, JwtVerifier, KeyLookup, KeyQuery, KeySource, KeyStatus, VerificationKey,
/// };
///
/// #[derive(Clone, Debug)]
/// struct Replaceable(Arc<RwLock<JwkSet>>);
///
/// impl Replaceable {
///     fn now(&self) -> JwkSet {
///         self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
///     }
/// }
///
/// impl KeySource for Replaceable {
///     fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
///         self.now().find_key(query)
///     }
///
///     // Each set has its own: results that were cached for the old keys are not used.
///     fn generation(&self) -> Option<u64> {
///         self.now().generation()
///     }
///
///     fn status(&self) -> KeyStatus {
///         self.now().status()
///     }
/// }
///
/// let old = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let new = VerificationKey::from_secret(&[8; 32], Algorithm::HS256)?;
/// let keys = Replaceable(Arc::new(RwLock::new(JwkSet::from_keys([old])?)));
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys.clone())?;
///
/// let before = keys.generation();
/// *keys.0.write().unwrap() = JwkSet::from_keys([new])?; // The verifier sees it at once.
/// assert_ne!(keys.generation(), before);
/// assert!(verifier.key_status().is_ready());
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of verification keys",
    label = "not a `KeySource`",
    note = "give a `VerificationKey` or a `JwkSet`; several keys become a set by \
            `JwkSet::from_keys(keys)?`, and a raw secret becomes a key by \
            `VerificationKey::from_secret(secret, Algorithm::HS256)?`"
)]
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Returns the keys that may have signed a token with these header parameters: at most four, in the order in
    /// which they are tried.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup;

    /// The generation of the keys that a look-up would use now: a number that changes with the keys. A cache of
    /// verified tokens keeps the generation of the [candidates](crate::KeyCandidates::generation) with each
    /// token, and compares it with this generation. If the two generations differ, or one is `None`, the token is
    /// verified again.
    ///
    /// For a token in the cache only this method is called. So a source that starts a fetch when a key is looked up
    /// must start it here too.
    ///
    /// `None` by default: then a token that these keys verify is not cached. Each key and each set of a
    /// process has its own number, from 1, so a source that holds a set can return the number of the set.
    fn generation(&self) -> Option<u64> {
        None
    }

    /// The issuer of these keys, spelled as in `iss`, if the source knows it; `None` by default.
    ///
    /// A verifier that expects only other issuers is a configuration error. If a verifier expects other
    /// issuers too, these count as other names of the same issuer, and the keys verify tokens with any of the
    /// names. If it accepts any issuer, this one is not compared.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// Describes the source for the log line at start-up: see [`Summary`]. The text follows the word `keys`, such
    /// as `in memory (1: HS256)`. `None` by default: the line then reads
    /// `keys of a source of the application`. A source that wraps another one must forward this call too,
    /// since the line names each `dangerous_…` setting in force.
    fn describe(&self) -> Option<Summary> {
        None
    }

    /// The status of the source, for a readiness probe. By default [unknown](KeyStatus::unknown), which is not
    /// ready.
    fn status(&self) -> KeyStatus {
        KeyStatus::unknown()
    }

    /// Fetches the keys now, when an operator asks for it. The future ends when that fetch ends, with an error
    /// if the fetch failed.
    ///
    /// By default there is nothing to fetch, and the future ends at once. A source that fetches must implement
    /// this method, and so must a source that wraps another one.
    fn refresh(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Waits until keys are loaded, without a time limit. A failed fetch does not end the wait; an error means
    /// that waiting is useless, for example without a runtime. By default there is nothing to wait for, and the
    /// future ends at once. A source that fetches must implement this method, and so must a source that wraps
    /// another one.
    fn until_ready(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The future that [`KeySource::refresh`] and [`KeySource::until_ready`] return.
pub type KeyTask = Pin<Box<dyn Future<Output = Result<(), KeySourceError>> + Send>>;

impl<K: KeySource + ?Sized> KeySource for Arc<K> {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        (**self).find_key(query)
    }

    fn generation(&self) -> Option<u64> {
        (**self).generation()
    }

    fn issuer(&self) -> Option<&str> {
        (**self).issuer()
    }

    fn describe(&self) -> Option<Summary> {
        (**self).describe()
    }

    fn status(&self) -> KeyStatus {
        (**self).status()
    }

    fn refresh(&self) -> KeyTask {
        (**self).refresh()
    }

    fn until_ready(&self) -> KeyTask {
        (**self).until_ready()
    }
}
