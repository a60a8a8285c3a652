//! Several issuers: the `iss` of a token selects the verifier.

mod describe;
mod entry;
mod explain;
mod first_fetches;
mod issuer_hint;
mod registry;
mod remembered;
mod status;
mod template;
mod verify_token;

use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde::de::DeserializeOwned;

pub(super) use self::issuer_hint::issuer_hint;
pub use self::status::IssuerKeyStatus;
pub use self::template::{IssuerTemplate, TemplateMatch};
use crate::claims::RegisteredClaims;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits, Scratch};
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::by_name::Input;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::issuer_set::registry::Registry;
use crate::verify::issuer_set::remembered::Chosen;
use crate::verify::jwt::{JwtVerifier, MayWait, PendingKeys, Recorder, Step};
use crate::verify::token_cache::TokenCache;
use crate::verify::verified_token::VerifiedToken;

/// Verifies tokens of several issuers, each with its own keys, audience and algorithms (RFC 8725 sections 3.1
/// and 3.8).
///
/// The `iss` of a token selects the verifier by exact comparison. That verifier checks the whole token,
/// including `iss`. A token of an issuer that was not added, and that no template allows, is refused as
/// [`WrongIssuer`](RejectionKind::WrongIssuer), and causes no fetch. A key of one issuer never verifies a
/// token of another, even with the same `kid`.
///
/// Clones share state: issuers can be added and removed while the layer serves.
///
/// | | default | setter |
/// |---|---|---|
/// | issuers | none | [`add`](Self::add), [`remove`](Self::remove) |
/// | issuers that differ in their tenant | none | [`add_template`](Self::add_template), [`remove_template`](Self::remove_template) |
/// | capacity for issuers that the predicate of a template ([`allow_if`](IssuerTemplate::allow_if)) allows | 100 | [`with_capacity`](Self::with_capacity) |
///
/// # Example: add and remove issuers
///
/// ```
/// use tower_jwt_auth::{Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, VerificationKey};
///
/// let key = |secret: &[u8; 32]| VerificationKey::from_secret(secret, Algorithm::HS256);
/// let issuers = IssuerSet::new();
/// issuers.add(JwtVerifier::new("https://old.example", "https://api.example", key(&[7; 32])?)?)?;
/// issuers.add(JwtVerifier::new("https://new.example", "orders", key(&[8; 32])?)?)?;
/// let layer: JwtAuthLayer = JwtAuthLayer::new(issuers.clone());
///
/// assert!(issuers.remove("https://old.example"));
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct IssuerSet<C = RegisteredClaims> {
    shared: Arc<Shared<C>>,
    cache: TokenCache<C, Arc<Chosen<C>>>,
}

struct Shared<C> {
    registry: RwLock<Registry<C>>,
    /// The number of the last verified token of an issuer that a predicate allows. It orders these issuers by
    /// last use.
    verified: AtomicU64,
    /// The number of changes that the application has made: see [`change`](IssuerSet::change).
    changes: AtomicU64,
    /// The number of issuers that the application has added. It orders them.
    added: AtomicU64,
    /// What [`accepted_tokens`](VerifyToken::accepted_tokens) returned, after this number of changes.
    listed: Mutex<Option<(u64, AcceptedTokens)>>,
}

impl<C> IssuerSet<C> {
    const CAPACITY: usize = 100;

    /// Creates a set without issuers, which refuses every token.
    pub fn new() -> Self {
        let registry = RwLock::new(Registry::new(Self::CAPACITY));
        let [verified, changes, added] = [(); 3].map(|()| AtomicU64::new(0));
        let shared = Shared { registry, verified, changes, added, listed: Mutex::new(None) };
        Self { shared: Arc::new(shared), cache: TokenCache::default() }
    }

    /// Replaces the capacity for issuers that [predicates allow](IssuerTemplate::allow_if), also for all
    /// clones; 100 by default. If more issuers use it, those with the oldest verified tokens are evicted at once.
    ///
    /// | issuer | uses capacity | is evicted |
    /// |---|---|---|
    /// | [added](Self::add), or [named by a template](IssuerTemplate::allow_tenants) | no | never |
    /// | allowed by a predicate, seen with a verified token | yes | when another issuer is seen with its first verified token and the capacity is used up: the issuer whose last verified token is the oldest |
    /// | allowed by a predicate, not yet seen with a verified token | no: there are 16 more slots | when another such issuer needs a slot: the issuer that was added first, but none for whose first keys a request waits |
    ///
    /// So only a verified token can evict an issuer that was seen with a verified token. The next token of an
    /// evicted issuer adds the issuer and fetches its keys again: choose a capacity of at least the number of
    /// tenants in use.
    ///
    /// While requests wait for the first keys of 16 issuers, a token of one more issuer gets 503 with
    /// `Retry-After: 1`, without a fetch. So it does when 64 permits are used up: adding an issuer takes one, each
    /// second gives one back, up to 64, and so does the first verified token of the issuer.
    ///
    /// # Errors
    ///
    /// When the capacity is 0.
    pub fn with_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        if capacity == 0 {
            return Err(unusable("the capacity must be at least 1"));
        }
        // Dropped after the lock is released, here and below: a source of keys may be a custom type.
        let removed = self.change(|registry| registry.set_capacity(capacity));
        drop(removed);
        Ok(self)
    }

    /// Adds an issuer, under every name that its verifier expects. Issuers that a template added under one of
    /// these names are replaced.
    ///
    /// # Errors
    ///
    /// When the verifier accepts any issuer. Also when an earlier call of `add` added an issuer under one of
    /// these names: to replace that issuer, [`remove`](Self::remove) it first. An error changes nothing.
    pub fn add(&self, verifier: JwtVerifier<C>) -> Result<(), ConfigError> {
        let number = self.shared.added.fetch_add(1, Ordering::Relaxed);
        let issuer = Arc::new(Issuer::new(verifier, None).with_number(number));
        if issuer.names().is_empty() {
            return Err(unusable(
                "a verifier that accepts any issuer cannot be added to a set: name its issuer",
            ));
        }
        let removed = self.change(|registry| registry.add(&issuer));
        removed.map(drop)
    }

    /// Removes the issuer with this name, under all its names; `false` if the issuer is not in the set. From then
    /// on its tokens are refused, unless a template allows the issuer: then its next token adds it again.
    /// Requests that already wait for the issuer's keys are still completed; then the keys are dropped.
    pub fn remove(&self, issuer: &str) -> bool {
        let removed = self.change(|registry| registry.remove(issuer));
        removed.is_some()
    }

    /// Adds a template for issuers that differ in their tenant: see [`IssuerTemplate`]. An issuer that was
    /// [added](Self::add) has precedence; of several templates that allow an issuer, the first one is used.
    pub fn add_template(&self, template: IssuerTemplate<C>) {
        self.change(|registry| registry.add_template(template));
    }

    /// Removes the templates with this text, as given to [`IssuerTemplate::new`], and the issuers that these
    /// templates added; `false` if there is no such template. From then on tokens of those issuers are refused,
    /// unless another template allows them.
    pub fn remove_template(&self, template: &str) -> bool {
        let (templates, _issuers) = self.change(|registry| registry.remove_template(template));
        !templates.is_empty()
    }

    /// The issuers of the set with the status of their keys, sorted by name, for a readiness probe. The call
    /// starts to fetch keys that were not fetched yet. An issuer with several names is listed once for each name.
    ///
    /// An issuer that a predicate allows is listed after its first verified token, as long as the predicate
    /// allows it. So an untrusted client cannot make a probe fail with an invented issuer.
    pub fn key_status(&self) -> Vec<IssuerKeyStatus> {
        let known = self.read().known();
        let mut all = Vec::with_capacity(known.len());
        for (name, issuer) in known {
            match issuer.is_still_allowed(&name) {
                true => all.push(IssuerKeyStatus::new(name, issuer.verifier.key_status())),
                false => self.write().remove_this(&issuer),
            }
        }
        all
    }

    /// Returns the issuer with this name. Code of the application (predicates, the closures of templates,
    /// sources of keys) is called and dropped without the lock.
    fn issuer(&self, name: &str) -> Result<Arc<Issuer<C>>, Rejection> {
        let found = self.read().find(name);
        let templates = match found {
            Ok(issuer) if issuer.is_still_allowed(name) => return Ok(issuer),
            Ok(issuer) => {
                self.write().remove_this(&issuer);
                return Err(RejectionKind::WrongIssuer.into());
            }
            Err(templates) => templates,
        };
        let template = templates
            .into_iter()
            .find(|template| template.allows(name))
            .ok_or(RejectionKind::WrongIssuer)?;
        if template.is_open() {
            self.read().has_slot()?;
        }
        let verifier = template.verifier(name).map_err(Rejection::from)?;
        let issuer = Arc::new(Issuer::new(verifier, Some(template)));
        let (held, _evicted) = self.write().hold(name, &issuer)?;
        Ok(held)
    }

    /// Records that a token of this issuer was verified.
    fn verified(&self, issuer: &Arc<Issuer<C>>) {
        let Some(last) = issuer.last_verified() else { return };
        if last != 0 && last == self.shared.verified.load(Ordering::Relaxed) {
            return;
        }
        let number = self.shared.verified.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        issuer.set_last_verified(number);
        if last == 0 {
            let _evicted = self.write().keep(issuer);
        }
    }

    /// A change by the application. Tokens that were verified before are then verified again: so it is counted
    /// after it was made.
    fn change<T>(&self, change: impl FnOnce(&mut Registry<C>) -> T) -> T {
        let changed = change(&mut self.write());
        self.shared.changes.fetch_add(1, Ordering::Release);
        changed
    }

    fn read(&self) -> RwLockReadGuard<'_, Registry<C>> {
        self.shared.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registry<C>> {
        self.shared.registry.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: DeserializeOwned> IssuerSet<C> {
    /// Verifies a token without a request; see [`JwtVerifier::verify`].
    ///
    /// # Errors
    ///
    /// When the token names no issuer, or one that was not added and that no template allows; when a limit of
    /// [`with_capacity`](Self::with_capacity) is reached; or when the issuer's verifier refuses the token.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        let token = Input::Text(token);
        if let Some((_, verified)) = self.recall(token.into()) {
            return Ok(verified);
        }
        let mut note = self.note();
        match self.begin(token, |_| {}, &mut note.token)? {
            (issuer, Step::Done(result)) => self.keep(note, &issuer, result),
            (issuer, Step::Wait(keys)) => {
                let result = self.finish(&issuer, token, keys, &mut note.token).await;
                self.keep(note, &issuer, result)
            }
        }
    }

    /// Parses the token once: to select the issuer, and for the issuer's verifier. `note` is called with the
    /// issuer as soon as it is selected.
    fn begin(
        &self,
        input: Input<'_>,
        note: impl Fn(&Issuer<C>),
        recorder: &mut impl Recorder,
    ) -> Result<(Arc<Issuer<C>>, Step<C>), Rejection> {
        let token = input.as_bytes();
        let select = |payload: &[u8]| {
            let issuer = self.issuer(&issuer_hint(payload)?)?;
            note(&issuer);
            Ok::<_, Rejection>(issuer)
        };
        let mut scratch = Scratch::new();
        let (issuer, step) = match CompactJws::parse(token, Limits::DEFAULT, &mut scratch) {
            Ok(jws) => {
                let issuer = select(jws.payload)?;
                issuer.verifier.check_length(token)?;
                let step = issuer.verifier.begin_parsed(input, &jws, MayWait::Yes, recorder);
                (issuer, step)
            }
            Err(kind) => {
                let issuer = select(self.payload_over_limits(token, kind, &mut scratch)?)?;
                let step = issuer.verifier.begin(input, MayWait::Yes, recorder);
                (issuer, step)
            }
        };
        if let Step::Done(Ok(_)) = &step {
            self.verified(&issuer);
        }
        Ok((issuer, step))
    }

    /// The payload of a token that the default limits refuse. The limits of an issuer may be larger. The payload
    /// alone selects the issuer: a large header is only read if the issuer's limits allow it.
    fn payload_over_limits<'s>(
        &self,
        token: &[u8],
        refused: RejectionKind,
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u8], Rejection> {
        match refused {
            RejectionKind::TokenTooLong if token.len() <= self.read().max_token_length() => {
                Ok(CompactJws::decode_payload(token, scratch)?)
            }
            kind => Err(kind.into()),
        }
    }

    async fn finish(
        &self,
        issuer: &Arc<Issuer<C>>,
        token: Input<'_>,
        mut keys: PendingKeys,
        recorder: &mut impl Recorder,
    ) -> Result<VerifiedToken<C>, Rejection> {
        // After the keys were loaded, the request may continue to wait for an unknown `kid`.
        let found = poll_fn(|context| {
            issuer.note_keys();
            keys.as_mut().poll(context)
        });
        let found = found.await;
        let result = issuer.verifier.resume(token, found, recorder)?;
        self.verified(issuer);
        Ok(result)
    }
}

impl<C> Clone for IssuerSet<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), cache: self.cache.clone() }
    }
}

impl<C> Default for IssuerSet<C> {
    fn default() -> Self {
        Self::new()
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Issuer, message)
}
