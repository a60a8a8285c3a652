//! A verification with the cache in front of it.

use serde::de::DeserializeOwned;

#[cfg(feature = "token-cache")]
use crate::config_error::ConfigError;
use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::key::KeyCandidates;
use crate::key_source::KeySourceError;
use crate::rejection::Rejection;
use crate::verify::by_name::Input;
use crate::verify::jwt::stage::Recorder;
use crate::verify::jwt::{JwtVerifier, MayWait, Step};
use crate::verify::token_cache::{Current, Note, Sought, Validity};
use crate::verify::verified_token::VerifiedToken;

#[cfg(feature = "token-cache")]
impl<C> JwtVerifier<C> {
    /// Keeps verified tokens, so that a token that was seen before costs no signature check and is not parsed; off
    /// by default. The capacity is in tokens of up to 1 KiB, which take 5 KiB each at most, beside what the
    /// claims type makes of them and the scopes that a [hierarchy](Self::with_scope_hierarchy) adds; a longer token
    /// counts more (one of 4 KiB as 3.4). A small capacity is raised to that of two tokens of the
    /// [greatest length](Self::with_max_cached_token_length) that the cache keeps.
    ///
    /// The verifier accepts and refuses exactly the same tokens as without a cache:
    ///
    /// - a token is found by all its bytes, compared whole;
    /// - `exp`, `nbf`, `iat` and the maximum age are compared with the clock for each request;
    /// - all tokens are verified again when the [source of keys](crate::KeySource::generation) has a new set; for
    ///   a source without generations nothing is cached;
    /// - refusals are not kept, so a client cannot fill the cache with tokens that it makes up;
    /// - [checks](crate::VerifyToken::with_check) and rules run for each request.
    ///
    /// Requests with the same token share its claims, so do not keep data of a request in them (in a `Mutex`, for
    /// example). Each token is verified again after five minutes. Clones share the cache. A setter that is called
    /// later makes an empty one of the same capacity, so a verifier never finds a token that other rules accepted.
    ///
    /// An [`IssuerSet`](crate::IssuerSet) does not use the caches of its verifiers: it has its
    /// [own](crate::IssuerSet::with_token_cache).
    ///
    /// # Errors
    ///
    /// When the capacity is 0, or more than 16777216.
    ///
    /// # Example: ten thousand tokens
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, JwtVerifier, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let verifier = JwtVerifier::new("https://issuer.example", "https://api.example", key)?
    ///     .with_token_cache(10_000)?;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_token_cache(self, capacity: usize) -> Result<Self, ConfigError> {
        let settings = self.rules.cache().settings().with_capacity(capacity)?;
        Ok(Self { rules: self.rules.with_cache(settings), ..self })
    }

    /// Replaces the greatest length of a token that the [cache](Self::with_token_cache) keeps, in bytes; 4096 by
    /// default. A longer token is verified each time. Tokens of ML-DSA-65 and ML-DSA-87 are longer. This setting
    /// alone turns no cache on; the order of the two calls does not matter.
    ///
    /// # Errors
    ///
    /// When the length is less than 128 or more than 65536.
    pub fn with_max_cached_token_length(self, bytes: usize) -> Result<Self, ConfigError> {
        let settings = self.rules.cache().settings().with_max_length(bytes)?;
        Ok(Self { rules: self.rules.with_cache(settings), ..self })
    }
}

impl Recorder for Note {
    #[inline(always)]
    fn keep(
        &mut self,
        token: Input<'_>,
        copies_text: bool,
        validity: Validity,
    ) -> Option<PresentedToken> {
        Self::keep(self, token, copies_text, validity)
    }
}

impl<C> JwtVerifier<C> {
    /// The token, if it is in the cache.
    #[inline]
    fn recall(&self, token: Sought<'_>) -> Option<VerifiedToken<C>> {
        self.rules.cache().find(token, |(), validity| Some(self.current(validity)))
    }

    /// The token of a request that was not extracted yet, if it is in the cache.
    #[cfg(feature = "token-cache")]
    pub(super) fn recall_raw(&self, token: &mut RawBearer<'_>) -> Option<VerifiedToken<C>> {
        self.recall(self.rules.cache().sought(token)?)
    }

    /// What a hit with these times is compared with. The keys come first: the clock may be behind them, but not the
    /// other way round.
    pub(in crate::verify) fn current(&self, validity: Validity) -> Current {
        let generation = self.keys.generation();
        Current { generation, position: validity.position(&*self.rules.context.clock) }
    }
}

impl<C: DeserializeOwned> JwtVerifier<C> {
    /// `begin`, unless the token is in the cache.
    #[inline]
    pub(super) fn begin_or_recall(&self, token: Input<'_>, may_wait: MayWait) -> Step<C> {
        match self.recall(token.into()) {
            Some(verified) => Step::Done(Ok(verified)),
            None => self.begin_and_keep(token, may_wait),
        }
    }

    /// `begin`, and keeps the token in the cache. A function of its own, for its large buffers on the stack.
    #[inline(never)]
    fn begin_and_keep(&self, token: Input<'_>, may_wait: MayWait) -> Step<C> {
        let cache = self.rules.cache();
        if !cache.is_on() {
            return self.begin(token, may_wait, &mut ());
        }
        let mut note = cache.note();
        let step = self.begin(token, may_wait, &mut note);
        if let Step::Done(Ok(verified)) = &step {
            cache.store(note, verified, || ());
        }
        step
    }

    /// `resume`, and keeps the token in the cache.
    pub(super) fn resume_and_keep(
        &self,
        token: Input<'_>,
        found: Result<KeyCandidates, KeySourceError>,
    ) -> Result<VerifiedToken<C>, Rejection> {
        let cache = self.rules.cache();
        let mut note = cache.note();
        let verified = self.resume(token, found, &mut note)?;
        cache.store(note, &verified, || ());
        Ok(verified)
    }
}
