//! Which key? Where verification keys come from, and the look-up that is ready or waits.

mod error;
mod lookup;
mod static_keys;
mod status;
mod stranger;

#[cfg(feature = "jwks-url")]
mod cache_headers;
#[cfg(feature = "jwks-url")]
mod document;
#[cfg(feature = "jwks-url")]
mod fetch;
#[cfg(feature = "jwks-url")]
mod fetch_url;
#[cfg(feature = "jwks-url")]
mod http_fetch;
#[cfg(feature = "oidc-discovery")]
mod issuer_location;
#[cfg(feature = "jwks-url")]
mod jwks_url;
#[cfg(feature = "jwks-url")]
mod keeper;
#[cfg(feature = "jwks-url")]
mod key_cache;
#[cfg(feature = "oidc-discovery")]
mod metadata;
#[cfg(feature = "oidc-discovery")]
mod oidc_discovery;
#[cfg(feature = "jwks-url")]
mod retry_after;
#[cfg(feature = "jwks-url")]
mod schedule;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use self::error::KeySourceError;
#[cfg(feature = "jwks-url")]
pub use self::fetch::{Fetch, FetchFuture, FetchRequest};
#[cfg(feature = "oidc-discovery")]
pub(crate) use self::http_fetch::HttpFetch;
#[cfg(feature = "jwks-url")]
pub use self::jwks_url::JwksUrl;
pub(crate) use self::lookup::LookupState;
pub use self::lookup::{KeyLookup, KeyQuery};
#[cfg(feature = "oidc-discovery")]
pub use self::oidc_discovery::OidcDiscovery;
pub use self::status::KeyStatus;
pub(crate) use self::stranger::for_a_stranger;

/// Where a verifier finds the keys that a token may have been signed with.
///
/// A [`VerificationKey`](crate::VerificationKey) by itself and a [`JwkSet`](crate::JwkSet) are
/// sources already, and so are, with their features, `JwksUrl` and
/// `OidcDiscovery`. Write your own for keys that come from elsewhere: answer
/// at once with what is in memory ([`KeyLookup::ready`]), and only where something has to be fetched,
/// later ([`KeyLookup::pending`]).
///
/// # Example: keys that an administrator replaces while the server runs
///
/// ```
/// use std::sync::{Arc, RwLock};
/// use tower_jwt_auth::{
///     Algorithm, JwkSet, JwtVerifier, KeyLookup, KeyQuery, KeySource, VerificationKey,
/// };
///
/// #[derive(Clone, Debug)]
/// struct Replaceable(Arc<RwLock<JwkSet>>);
///
/// impl KeySource for Replaceable {
///     fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
///         match self.0.read() {
///             Ok(keys) => keys.find_key(query),
///             Err(poisoned) => poisoned.into_inner().find_key(query),
///         }
///     }
/// }
///
/// let old = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let new = VerificationKey::from_secret(&[8; 32], Algorithm::HS256)?;
/// let keys = Replaceable(Arc::new(RwLock::new(JwkSet::from_keys([old])?)));
/// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", keys.clone())?;
/// *keys.0.write().unwrap() = JwkSet::from_keys([new])?; // The verifier sees it at once.
/// # let _ = verifier;
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
    /// The keys that a token with this `kid` and algorithm may have been signed with.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup;

    /// Counts the changes of the set: whoever remembers what a key verified can tell that it may
    /// be gone. 0, and for ever so, by default: a source that never changes.
    ///
    /// # Example: keys in memory never change
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, KeySource, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// assert_eq!(key.generation(), 0);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    fn generation(&self) -> u64 {
        0
    }

    /// What the source knows of itself. By default it is ready, and says no more: keys in memory.
    fn status(&self) -> KeyStatus {
        KeyStatus::new(true)
    }

    /// Fetches the keys anew, now, for an operator who asks for it; the future ends with that
    /// fetch. By default there is nothing to fetch.
    fn refresh(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Waits, for as long as it takes, until there are keys to answer with. By default there are
    /// some.
    fn until_ready(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What [`KeySource::refresh`] and [`KeySource::until_ready`] answer.
pub type KeyTask = Pin<Box<dyn Future<Output = Result<(), KeySourceError>> + Send>>;

impl<K: KeySource + ?Sized> KeySource for Arc<K> {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        (**self).find_key(query)
    }

    fn generation(&self) -> u64 {
        (**self).generation()
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
