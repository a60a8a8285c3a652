use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::crypto::Algorithm;
use crate::key::{KeyCandidates, KeyHint};
use crate::key_source::error::KeySourceError;

/// The header parameters by which a key source finds the key of a token: the algorithm, and the
/// names of the key, `kid`, `x5t` and `x5t#S256`. The token is not verified yet.
///
/// `kid` outranks the other two names: the key of a token with `kid` is looked up by `kid` alone.
/// The names come from an untrusted client and are any text of up to 3 KiB, or 12 KiB if
/// [`with_max_header_length`](crate::JwtVerifier::with_max_header_length) allows it. Compare them
/// exactly. Do not log them, and do not put them into a path or a URL.
///
/// # Example: keys by name
///
/// ```
/// use std::collections::HashMap;
/// use tower_jwt_auth::{KeyCandidates, KeyLookup, KeyQuery, KeySource, VerificationKey};
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

    /// Marks that the caller cannot wait.
    pub(crate) fn without_waiting(self) -> Self {
        Self { may_wait: false, ..self }
    }

    /// Marks whether an untrusted client may have invented the name of the issuer. A source that
    /// was created for such an issuer logs only at `debug` until it has keys.
    pub(crate) fn quiet(self, is_quiet: bool) -> Self {
        Self { is_quiet, ..self }
    }

    /// The token's `kid`, if it has one (RFC 7515 section 4.1.4).
    pub fn kid(&self) -> Option<&'a str> {
        self.hint.kid
    }

    /// The token's `x5t`, if it has one (RFC 7515 section 4.1.7). Ignore `x5t` if the token has a
    /// `kid`.
    pub fn x5t(&self) -> Option<&'a str> {
        self.hint.x5t
    }

    /// The token's `x5t#S256`, if it has one (RFC 7515 section 4.1.8). Ignore `x5t#S256` if the
    /// token has a `kid`.
    pub fn x5t_s256(&self) -> Option<&'a str> {
        self.hint.x5t_s256
    }

    /// The token's `alg` (RFC 7515 section 4.1.1). A key that is not bound to this algorithm is
    /// never used: if the source returns only such keys, the token is refused.
    pub fn algorithm(&self) -> Algorithm {
        self.hint.algorithm
    }

    /// Whether the caller can wait for a fetch.
    ///
    /// It is `false` only in [`JwtVerifier::verify_now`](crate::JwtVerifier::verify_now): then return
    /// keys that are in memory, and do not start a fetch only because the `kid` is unknown. If a
    /// fetch may find the key, return an error: the token is then refused as
    /// [`Unavailable`](crate::RejectionKind::Unavailable). A pending look-up is dropped, with the same
    /// result.
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

/// The result of [`KeySource::find_key`](crate::KeySource::find_key): up to four candidates, now or
/// later.
///
/// No candidates mean that the source has no key for the token: the client gets 401. An error means
/// that the source does not know whether it has one: the client gets 503.
///
/// # Example: from memory, or by a fetch
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
    /// Creates a look-up whose result is known now.
    pub fn ready(found: Result<KeyCandidates, KeySourceError>) -> Self {
        Self(LookupState::Ready(found))
    }

    /// Creates a look-up whose result comes later, from a future.
    ///
    /// The request waits for the future, without a time limit. If the client disconnects, the future
    /// is dropped. So put work that other requests wait for too into its own task.
    ///
    /// # Example: a refresh that other requests wait for too
    ///
    /// ```
    /// use tower_jwt_auth::{KeyCandidates, KeyLookup, KeySourceError};
    ///
    /// # async fn fetch() -> Result<KeyCandidates, KeySourceError> { Ok(KeyCandidates::default()) }
    /// fn refresh() -> KeyLookup {
    ///     KeyLookup::pending(async {
    ///         // The task continues if this request stops waiting.
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

    /// Waits for the result if it is not known yet, and returns it. A source that wraps another source,
    /// and changes its results, waits for them with this method.
    ///
    /// # Errors
    ///
    /// When the source does not know whether there is such a key.
    pub async fn wait(self) -> Result<KeyCandidates, KeySourceError> {
        match self.0 {
            LookupState::Ready(found) => found,
            LookupState::Pending(found) => found.await,
        }
    }

    /// Whether the result is known now.
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
