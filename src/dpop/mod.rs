//! DPoP: proofs that the sender of a token holds the key that the token is bound to (RFC 9449).

mod check;
mod fault;
mod forwarded;
mod nonce;
mod proof;
mod target;
#[cfg(test)]
mod tests;
mod uri;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

pub(crate) use self::check::{DpopCheck, DpopPassed};
pub use self::forwarded::ProxyHeaders;
use self::nonce::Nonces;
use self::target::Target;
use crate::clock::{Clock, SystemClock};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, KeyType};
use crate::replay_store::{MemoryReplayStore, ReplayStore, StoreId};

/// How DPoP proofs are checked (RFC 9449): that the sender of a token holds the key that the token is bound to.
///
/// A client signs a proof for each request, and sends it in the header `DPoP`. The proof names the method and the URI
/// of the request, the token, and an ID that is used once. So nobody who sees a request can use its token, or send it
/// once more. [The page on DPoP](crate::docs::dpop) shows a server and a client.
///
/// | setting | default |
/// |---|---|
/// | URI | the public URL of [`new`](Self::new), followed by the path of the request |
/// | algorithms | all that have a public key |
/// | age of a proof | at most 60 seconds by its `iat`, and 30 seconds of leeway for clocks that differ, in both directions |
/// | nonces | not required |
/// | used proofs | a [`MemoryReplayStore`] |
///
/// Clones share the settings and the store. Layers that are nested, such as an optional one outside and a strict one
/// inside, need clones of one value: then the inner layer knows the use that the outer one recorded for the same request.
///
/// # Example: several instances behind one URL
///
/// ```
/// use tower_jwt_auth::{ConfigError, Dpop, ReplayStore};
///
/// fn dpop(shared: impl ReplayStore, nonce_key: &[u8]) -> Result<Dpop, ConfigError> {
///     Dpop::new("https://api.example")?
///         .with_replay_store(shared) // All instances know the used proofs,
///         .with_nonce_key(nonce_key) // and accept the nonces of each other.
/// }
/// # assert!(dpop(tower_jwt_auth::MemoryReplayStore::new(), &[7; 32]).is_ok());
/// ```
#[derive(Clone)]
pub struct Dpop(Arc<Settings>);

#[derive(Clone)]
struct Settings {
    target: Target,
    algorithms: Vec<Algorithm>,
    max_age: u64,
    leeway: u64,
    nonces: Option<Nonces>,
    nonce_lifetime: Duration,
    store: Store,
    store_id: StoreId,
    clock: Arc<dyn Clock>,
}

/// The default follows the clock of the proofs.
#[derive(Clone)]
enum Store {
    Default(MemoryReplayStore),
    Custom(Arc<dyn ReplayStore>),
}

impl Dpop {
    const MAX_AGE: u64 = 60;
    const LEEWAY: u64 = 30;
    const NONCE_LIFETIME: Duration = Duration::from_secs(300);
    const AGES: std::ops::RangeInclusive<u64> = 1..=3600;
    const MAX_LEEWAY: u64 = 300;

    /// Creates the settings for a server that clients reach at this URL, such as `https://api.example`.
    ///
    /// The `htu` of a proof must be this URL, followed by the path of the request as the layer sees it. `Host` and all
    /// other headers are ignored. The URL may have a path: the prefix that a proxy or axum's `Router::nest` removes
    /// before the layer sees the request. Below such a prefix, the root is accepted with and without a slash at its end.
    ///
    /// # Errors
    ///
    /// When the URL is not an `https` or `http` URL, or has a user name, a query or a fragment.
    pub fn new(public_url: &str) -> Result<Self, ConfigError> {
        Target::public(public_url).map(Self::of)
    }

    /// Creates the settings for a server that takes the host of each request: from `:authority` or an absolute URI, or
    /// else from `Host`. The scheme, `https` or `http`, is that of requests without an absolute URI.
    ///
    /// **Dangerous**: a client chooses the host. A server that gets a proof for itself can send it here under its own
    /// name, so something before this layer must refuse all hosts but those of this server. With
    /// [`new`](Self::new) and [`add_public_url`](Self::add_public_url) this layer does.
    ///
    /// # Errors
    ///
    /// When the scheme is not `https` or `http`.
    pub fn dangerous_host_of_request(scheme: &str) -> Result<Self, ConfigError> {
        Target::of_request(scheme).map(Self::of)
    }

    fn of(target: Target) -> Self {
        Self(Arc::new(Settings {
            target,
            algorithms: Algorithm::ALL.iter().copied().filter(|a| is_usable(*a)).collect(),
            max_age: Self::MAX_AGE,
            leeway: Self::LEEWAY,
            nonces: None,
            nonce_lifetime: Self::NONCE_LIFETIME,
            store: Store::Default(MemoryReplayStore::new()),
            store_id: StoreId::new(),
            clock: Arc::new(SystemClock),
        }))
    }

    /// Adds another URL at which clients reach this server. A proof must name one of them, followed by the path.
    ///
    /// # Errors
    ///
    /// When [`new`](Self::new) refuses the URL, or when the host of each request is taken.
    pub fn add_public_url(mut self, public_url: &str) -> Result<Self, ConfigError> {
        self.settings_mut().target.add_public(public_url)?;
        Ok(self)
    }

    /// Takes the scheme and the host that a client has used from headers of a trusted proxy, if it sent them; by default
    /// they are ignored.
    ///
    /// They select among the public URLs, of [`new`](Self::new) and [`add_public_url`](Self::add_public_url): a proof
    /// for one name is then refused at the others. A request for a host that no public URL has gets 401. With
    /// [`dangerous_host_of_request`](Self::dangerous_host_of_request) every host counts, so the proxy must refuse foreign
    /// ones.
    ///
    /// `is_from_proxy` must be true only for requests that come from the proxy, for example by the address of the peer.
    /// For other requests the headers are ignored. A proxy whose headers cannot be read gets 401.
    ///
    /// # Example: two names behind a proxy on the same machine
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use tower_jwt_auth::{ConfigError, Dpop, ProxyHeaders};
    ///
    /// fn dpop() -> Result<Dpop, ConfigError> {
    ///     let dpop = Dpop::new("https://one.example")?.add_public_url("https://two.example")?;
    ///     Ok(dpop.with_trusted_proxy(ProxyHeaders::Forwarded, |head| {
    ///         // The address of the peer, as the server puts it into the extensions.
    ///         head.extensions.get::<SocketAddr>().is_some_and(|peer| peer.ip().is_loopback())
    ///     }))
    /// }
    /// # assert!(dpop().is_ok());
    /// ```
    #[must_use]
    pub fn with_trusted_proxy<F>(mut self, headers: ProxyHeaders, is_from_proxy: F) -> Self
    where
        F: Fn(&Parts) -> bool + Send + Sync + 'static,
    {
        self.settings_mut().target.set_proxy(headers, Arc::new(is_from_proxy));
        self
    }

    /// Replaces the algorithms of proofs; by default all that have a public key, except ML-DSA, in the order of
    /// [`Algorithm::ALL`]. The challenge lists them (RFC 9449 section 7.1).
    ///
    /// # Errors
    ///
    /// When the list is empty, or contains an algorithm with a secret, one of ML-DSA, or one that the crypto backend
    /// lacks.
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, ConfigError> {
        let mut accepted = Vec::new();
        for algorithm in algorithms {
            if !is_usable(algorithm) {
                return Err(ConfigError::new(
                    ConfigErrorKind::Algorithm,
                    format!(
                        "{algorithm} is not an algorithm of DPoP proofs with this crypto backend"
                    ),
                ));
            }
            if !accepted.contains(&algorithm) {
                accepted.push(algorithm);
            }
        }
        if accepted.is_empty() {
            return Err(ConfigError::new(
                ConfigErrorKind::Algorithm,
                "no algorithm was given: name at least one",
            ));
        }
        self.settings_mut().algorithms = accepted;
        Ok(self)
    }

    /// Replaces the greatest age of a proof, by its `iat`, in whole seconds; 60 seconds by default (RFC 9449 section
    /// 11.1). The [leeway](Self::with_leeway) is added. The store remembers a proof for longer than it is accepted, by the
    /// leeway once more, for instances whose clocks are behind.
    ///
    /// # Errors
    ///
    /// When the age is not 1 second to 1 hour.
    pub fn with_max_age(mut self, max_age: Duration) -> Result<Self, ConfigError> {
        if !Self::AGES.contains(&max_age.as_secs()) {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "the maximum age of a DPoP proof must be 1 second to 1 hour",
            ));
        }
        self.settings_mut().max_age = max_age.as_secs();
        Ok(self)
    }

    /// Replaces the leeway for clocks that differ, in whole seconds; 30 seconds by default. A proof may be that much
    /// older than the maximum age, and created that long in the future. So the same proof is accepted for at most the
    /// maximum age and twice the leeway.
    ///
    /// # Errors
    ///
    /// When the leeway is more than 5 minutes.
    pub fn with_leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        if leeway > Duration::from_secs(Self::MAX_LEEWAY) {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "the leeway must be at most 5 minutes (300 seconds)",
            ));
        }
        self.settings_mut().leeway = leeway.as_secs();
        Ok(self)
    }

    /// Requires a nonce of this server in each proof (RFC 9449 sections 8 and 9); by default none is required.
    ///
    /// A proof without a current nonce gets 401 `use_dpop_nonce` and the header `DPoP-Nonce`; clients then send another
    /// proof. So a proof cannot be made in advance. The server stores no nonce: it seals the time with a key, which is
    /// random in each process. For several instances, see [`with_nonce_key`](Self::with_nonce_key). A client gets a new
    /// nonce with a response when the old one has passed half of its lifetime.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn require_nonce(mut self) -> Result<Self, ConfigError> {
        if self.0.nonces.is_none() {
            self.settings_mut().nonces = Some(Nonces::random()?);
        }
        Ok(self)
    }

    /// Requires a nonce, as [`require_nonce`](Self::require_nonce) does, and replaces the key that seals nonces: all
    /// instances behind one URL need the same one. Previous keys remain. Use a key for nothing else.
    ///
    /// # Errors
    ///
    /// When the key is shorter than 32 bytes.
    pub fn with_nonce_key(mut self, key: &[u8]) -> Result<Self, ConfigError> {
        match &mut self.settings_mut().nonces {
            Some(nonces) => nonces.set_key(key)?,
            nonces => *nonces = Some(Nonces::with_key(key)?),
        }
        Ok(self)
    }

    /// Accepts nonces of a previous key too, while the keys of the instances are replaced. A client that has such a
    /// nonce gets a new one.
    ///
    /// # Errors
    ///
    /// When the key is shorter than 32 bytes, or when no nonce is required.
    pub fn add_previous_nonce_key(mut self, key: &[u8]) -> Result<Self, ConfigError> {
        match &mut self.settings_mut().nonces {
            Some(nonces) => nonces.add_previous(key)?,
            None => {
                return Err(ConfigError::new(
                    ConfigErrorKind::Key,
                    "no nonce is required: call `with_nonce_key` first",
                ));
            }
        }
        Ok(self)
    }

    /// Requires a nonce, as [`require_nonce`](Self::require_nonce) does, and replaces the lifetime of a nonce, in whole
    /// seconds; 5 minutes by default.
    ///
    /// # Errors
    ///
    /// When the lifetime is not 2 seconds to 1 hour, or when the system has no random numbers.
    pub fn with_nonce_lifetime(self, lifetime: Duration) -> Result<Self, ConfigError> {
        if !(2..=3600).contains(&lifetime.as_secs()) {
            return Err(ConfigError::new(
                ConfigErrorKind::Duration,
                "the lifetime of a nonce must be 2 seconds to 1 hour",
            ));
        }
        let mut dpop = self.require_nonce()?;
        dpop.settings_mut().nonce_lifetime = Duration::from_secs(lifetime.as_secs());
        Ok(dpop)
    }

    /// Replaces the store of used proofs; a [`MemoryReplayStore`] of this value by default, which its clones share.
    ///
    /// The store is asked after all checks of the proof and after the verifier inside of the
    /// [`SenderConstrained`](crate::SenderConstrained). So put [checks](crate::VerifyToken::with_check) inside: what they
    /// refuse does not use up the proof.
    #[must_use]
    pub fn with_replay_store(mut self, store: impl ReplayStore) -> Self {
        let settings = self.settings_mut();
        settings.store = Store::Custom(Arc::new(store));
        settings.store_id = StoreId::new();
        self
    }

    /// Replaces the clock for proofs and nonces, and that of the default store, in any order of the calls;
    /// [`SystemClock`] by default. The store of [`with_replay_store`](Self::with_replay_store) keeps its own clock: give
    /// a [`MemoryReplayStore`] the same one, by its [`with_clock`](MemoryReplayStore::with_clock).
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(clock);
        let settings = self.settings_mut();
        settings.clock = Arc::clone(&clock);
        if let Store::Default(store) = &settings.store {
            settings.store = Store::Default(store.clone().with_clock(clock));
        }
        self
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}

/// Whether a proof can have this algorithm: its key is public, and the backend has it. None of
/// ML-DSA is: a key and a signature of ML-DSA-65 or ML-DSA-87 are longer than a proof may be.
fn is_usable(algorithm: Algorithm) -> bool {
    match algorithm.key_type() {
        KeyType::Secret | KeyType::MlDsa44 | KeyType::MlDsa65 | KeyType::MlDsa87 => false,
        KeyType::P521 => cfg!(feature = "aws-lc-rs"),
        KeyType::Rsa | KeyType::P256 | KeyType::P384 | KeyType::Ed25519 => true,
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dpop")
            .field("target", &self.0.target)
            .field("algorithms", &self.0.algorithms)
            .field("requires_nonce", &self.0.nonces.is_some())
            .finish_non_exhaustive()
    }
}
