//! Which key? Where verification keys come from, and the look-up that is ready or waits.

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
#[cfg(all(feature = "oidc-discovery", feature = "reqwest-0_13"))]
pub(crate) use self::remote::HttpFetch;
#[cfg(feature = "oidc-discovery")]
pub use self::remote::OidcDiscovery;
#[cfg(feature = "jwks-url")]
pub(crate) use self::remote::wait_until;
#[cfg(feature = "jwks-url")]
pub use self::remote::{Fetch, FetchFuture, FetchRequest, JwksUrl};
#[cfg(feature = "oidc-discovery")]
pub(crate) use self::remote::{FetchUrl, HttpHosts, IssuerLocation};
pub use self::status::KeyStatus;

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
///     // Each set has another one: what the old keys verified is not remembered.
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
    /// The keys that a token with this `kid` and algorithm may have been signed with.
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup;

    /// The generation of the keys that a look-up would use now. Whatever remembers what a key has
    /// verified keeps the generation of its [candidates](crate::KeyCandidates::generation), and compares the
    /// two: when they differ, or one is missing, the token is verified anew.
    ///
    /// `None` by default: nothing that these keys verify may be remembered. Each key and each set of
    /// a process has a number of its own, so a source that holds a set can return that of the set.
    ///
    /// # Example: a set that was exchanged
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, JwkSet, KeySource, VerificationKey};
    ///
    /// let key = || VerificationKey::from_secret(&[7; 32], Algorithm::HS256);
    /// let (one, other) = (JwkSet::from_keys([key()?])?, JwkSet::from_keys([key()?])?);
    /// assert_eq!(one.generation(), one.clone().generation());
    /// assert_ne!(one.generation(), other.generation());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    fn generation(&self) -> Option<u64> {
        None
    }

    /// The issuer whose keys these are, where the source knows it; `None` by default.
    ///
    /// A verifier that does not expect this issuer is an error. One that expects it beside others is
    /// not: they are taken for other names of the same issuer, whose tokens these keys verify.
    fn issuer(&self) -> Option<&str> {
        None
    }

    /// What the source knows of itself. By default it [does not know](KeyStatus::unknown), and is
    /// not ready.
    fn status(&self) -> KeyStatus {
        KeyStatus::unknown()
    }

    /// Fetches the keys anew, now, for an operator who asks for it; the future ends with that
    /// fetch. By default there is nothing to fetch, and it ends at once: a source that fetches, and
    /// one that wraps another, has to provide it.
    fn refresh(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Waits, for as long as it takes, until there are keys to look up. By default there is nothing
    /// to wait for, as with [`refresh`](Self::refresh).
    fn until_ready(&self) -> KeyTask {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What [`KeySource::refresh`] and [`KeySource::until_ready`] return.
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
