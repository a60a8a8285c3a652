use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::crypto::Algorithm;
use crate::key::{KeyCandidates, KeyHint};
use crate::key_source::error::KeySourceError;

/// What a source of keys may know of a token that is not verified yet: its algorithm, and the names
/// that it gives its key: `kid`, `x5t` and `x5t#S256`.
///
/// `kid` outranks the other two: a token that has one is looked up by it alone. The names come from
/// an untrusted client, up to 3 KiB of any text: compare them exactly, and neither log them nor put
/// them into a path or a URL.
///
/// # Example: keys by their names
///
/// ```
/// use std::collections::HashMap;
/// use tower_jwt_auth::{
///     Algorithm, KeyCandidates, KeyLookup, KeyQuery, KeySource, VerificationKey,
/// };
///
/// #[derive(Debug)]
/// struct Named(HashMap<String, VerificationKey>);
///
/// impl KeySource for Named {
///     fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
///         let named = query.kid().and_then(|kid| self.0.get(kid));
///         let fitting = named.filter(|key| key.algorithms().any(|a| a == query.algorithm()));
///         KeyLookup::ready(Ok(fitting.cloned().map(KeyCandidates::from).unwrap_or_default()))
///     }
/// }
///
/// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
/// let keys = Named(HashMap::from([("2026-01".into(), key)]));
/// # let _ = keys;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
#[derive(Clone, Copy)]
pub struct KeyQuery<'a> {
    hint: KeyHint<'a>,
    may_wait: bool,
    #[cfg_attr(
        not(feature = "jwks-url"),
        allow(dead_code, reason = "only fetched keys write a log")
    )]
    is_quiet: bool,
}

impl<'a> KeyQuery<'a> {
    pub(crate) fn new(hint: KeyHint<'a>) -> Self {
        Self { hint, may_wait: true, is_quiet: false }
    }

    pub(crate) fn hint(&self) -> &KeyHint<'a> {
        &self.hint
    }

    /// The caller takes only what is known at once.
    pub(crate) fn without_waiting(self) -> Self {
        Self { may_wait: false, ..self }
    }

    /// Whether the name of the issuer may have been made up by an untrusted client: a source that was
    /// made for it does not write the log above `debug` before it has had keys.
    pub(crate) fn quiet(self, is_quiet: bool) -> Self {
        Self { is_quiet, ..self }
    }

    /// The token's `kid`, if it has one (RFC 7515 section 4.1.4).
    pub fn kid(&self) -> Option<&'a str> {
        self.hint.kid
    }

    /// The token's `x5t`, if it has one (RFC 7515 section 4.1.7). It counts only in a token without
    /// `kid`.
    pub fn x5t(&self) -> Option<&'a str> {
        self.hint.x5t
    }

    /// The token's `x5t#S256`, if it has one (RFC 7515 section 4.1.8). It counts only in a token
    /// without `kid`.
    pub fn x5t_s256(&self) -> Option<&'a str> {
        self.hint.x5t_s256
    }

    /// The token's `alg` (RFC 7515 section 4.1.1). A key that is not bound to it is never used,
    /// whatever the source returns.
    pub fn algorithm(&self) -> Algorithm {
        self.hint.algorithm
    }

    /// Whether the caller can wait for a fetch. [`JwtVerifier::verify_now`](crate::JwtVerifier::verify_now)
    /// cannot: a source then returns what is in memory, and makes no fetch that only an unknown `kid`
    /// asks for.
    pub fn may_wait(&self) -> bool {
        self.may_wait
    }

    #[cfg(feature = "jwks-url")]
    pub(crate) fn is_quiet(&self) -> bool {
        self.is_quiet
    }
}

impl fmt::Debug for KeyQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyQuery").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

type Found = Result<KeyCandidates, KeySourceError>;

/// The answer of a [`KeySource`](crate::KeySource): a few candidates at once, or later.
///
/// No candidates means that there is no such key (the client gets 401); an error means that it
/// cannot be told (503).
///
/// # Example: from memory, or from afar
///
/// ```
/// use tower_jwt_auth::{KeyCandidates, KeyLookup, KeySourceError};
///
/// # async fn fetch() -> Result<KeyCandidates, KeySourceError> { Ok(KeyCandidates::default()) }
/// fn find(known: Option<KeyCandidates>) -> KeyLookup {
///     match known {
///         Some(keys) => KeyLookup::ready(Ok(keys)),
///         None => KeyLookup::pending(fetch()),
///     }
/// }
/// assert!(find(Some(KeyCandidates::default())).is_ready());
/// assert!(!find(None).is_ready());
/// ```
pub struct KeyLookup(pub(crate) LookupState);

pub(crate) enum LookupState {
    Ready(Found),
    Pending(Pin<Box<dyn Future<Output = Found> + Send>>),
}

impl KeyLookup {
    /// The answer is known.
    ///
    /// # Example: no such key
    ///
    /// ```
    /// use tower_jwt_auth::{KeyCandidates, KeyLookup};
    ///
    /// assert!(KeyLookup::ready(Ok(KeyCandidates::default())).is_ready());
    /// ```
    pub fn ready(found: Result<KeyCandidates, KeySourceError>) -> Self {
        Self(LookupState::Ready(found))
    }

    /// The answer takes time. The request waits for it; when the client goes away, the future is
    /// dropped, so work that others wait for belongs into a task of its own.
    ///
    /// # Example: a refresh that others wait for too
    ///
    /// ```
    /// use tower_jwt_auth::{KeyCandidates, KeyLookup, KeySourceError};
    ///
    /// # async fn fetch() -> Result<KeyCandidates, KeySourceError> { Ok(KeyCandidates::default()) }
    /// fn refresh() -> KeyLookup {
    ///     KeyLookup::pending(async {
    ///         // It goes on, whoever stops waiting.
    ///         match tokio::spawn(fetch()).await {
    ///             Ok(found) => found,
    ///             Err(error) => Err(KeySourceError::new("the refresh failed").with_source(error)),
    ///         }
    ///     })
    /// }
    /// assert!(!refresh().is_ready());
    /// ```
    pub fn pending(
        found: impl Future<Output = Result<KeyCandidates, KeySourceError>> + Send + 'static,
    ) -> Self {
        Self(LookupState::Pending(Box::pin(found)))
    }

    /// Waits for the answer, if it is not known yet: for a source that wraps another one.
    ///
    /// # Errors
    ///
    /// When the source cannot tell whether there is such a key.
    pub async fn wait(self) -> Result<KeyCandidates, KeySourceError> {
        match self.0 {
            LookupState::Ready(found) => found,
            LookupState::Pending(found) => found.await,
        }
    }

    /// Whether the answer is known already.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, LookupState::Ready(_))
    }
}

impl fmt::Debug for KeyLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            LookupState::Ready(found) => f.debug_tuple("Ready").field(found).finish(),
            LookupState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
