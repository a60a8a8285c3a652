//! Several issuers: a token's `iss` picks the verifier, among those that are allowed.

mod claimed_issuer;
mod held;
mod room;
mod template;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::request::Parts;
use serde::de::DeserializeOwned;

use self::claimed_issuer::claimed_issuer;
use self::held::{Instant, Issuer, now};
use self::room::{Found, Issuers, Leaving, Room, no_room};
pub use self::template::IssuerTemplate;
use super::expected::Expected;
use crate::token::{BearerToken, CompactJws, Scratch};
use crate::{
    ConfigError, ConfigErrorKind, JwtVerifier, KeyStatus, RegisteredClaims, Rejection,
    RejectionKind, Verification, VerifiedToken, VerifyToken, trace,
};

/// Verifies tokens of several issuers, each with its own keys, audience and algorithms (RFC 8725
/// sections 3.1 and 3.8).
///
/// The `iss` of a token, which nobody has verified yet, picks the verifier among those that are
/// here; that verifier then does all of its work, and compares the `iss` once more. An issuer that
/// is not here is refused before anything is fetched. No key of one issuer ever verifies a token of
/// another, whatever their `kid`s.
///
/// Clones are one: issuers can be added and removed while the layer serves.
///
/// | | default | setter |
/// |---|---|---|
/// | issuers | none | [`add`](Self::add), [`remove`](Self::remove) |
/// | issuers that carry a tenant | none | [`add_template`](Self::add_template), [`remove_template`](Self::remove_template) |
/// | issuers held at once | 100 | [`with_capacity`](Self::with_capacity) |
///
/// # Example: two issuers, one of them for a while
///
/// ```
/// use tower_jwt_auth::{Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, VerificationKey};
///
/// # let key = || VerificationKey::from_secret(&[7; 32], Algorithm::HS256);
/// let issuers = IssuerSet::new();
/// issuers.add(JwtVerifier::new("https://old.example", "https://api.example", key()?)?)?;
/// issuers.add(JwtVerifier::new("https://new.example", "orders", key()?)?)?;
/// let layer: JwtAuthLayer = JwtAuthLayer::new(issuers.clone());
///
/// assert!(issuers.remove("https://old.example"));
/// # let _ = layer;
/// # Ok::<(), tower_jwt_auth::ConfigError>(())
/// ```
pub struct IssuerSet<C = RegisteredClaims>(Arc<RwLock<Issuers<C>>>);

impl<C> IssuerSet<C> {
    const CAPACITY: usize = 100;

    /// A set without issuers, which refuses every token.
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(Issuers::new(Self::CAPACITY))))
    }

    /// Replaces how many issuers are held at once, also for the clones; 100 by default. Several
    /// spellings of one issuer count each.
    ///
    /// It bounds what templates make, since each issuer has keys of its own, which are fetched:
    ///
    /// | an issuer that a template made | |
    /// |---|---|
    /// | its keys were never there, and a predicate allows it | is unproven; a quarter of the places, and at least one, is for these |
    /// | unproven for 10 seconds | gives way to a further one, the oldest first; and leaves when no token came for some minutes |
    /// | any other, such as one with keys in memory or of a tenant that is named | keeps its place; in a full set the one that was used least recently gives way, if no token came for 10 minutes |
    ///
    /// Where nobody gives way, the tokens of a further issuer get 503 at once, and nothing is
    /// fetched; the log has a warning, once a minute at most. The issuers that are
    /// [added](Self::add) never give way.
    ///
    /// # Errors
    ///
    /// When it is 0, or less than the number of issuers that are there.
    ///
    /// # Example: 1,000 customers, of whom 250 may be new at the same time
    ///
    /// ```
    /// use tower_jwt_auth::IssuerSet;
    ///
    /// let issuers: IssuerSet = IssuerSet::new().with_capacity(1000)?;
    /// assert!(issuers.with_capacity(0).is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn with_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        let is_set = self.write().set_capacity(capacity);
        is_set.then_some(self).ok_or_else(|| unusable("there is no room for the issuers"))
    }

    /// Adds an issuer, under every name that its verifier expects.
    ///
    /// # Errors
    ///
    /// When the verifier expects any issuer, when one of its names is here already, or when there is
    /// no room.
    pub fn add(&self, verifier: JwtVerifier<C>) -> Result<(), ConfigError> {
        let issuer = Arc::new(Issuer::added(verifier));
        if issuer.names().is_empty() {
            return Err(unusable(
                "a verifier of any issuer has no place among others: name its issuer",
            ));
        }
        self.write().add(&issuer)
    }

    /// Removes an issuer by one of its names; `false` when it was not there. Its tokens are refused
    /// from then on, and what fetched its keys ends with the requests that still wait for them.
    ///
    /// One that a template allows comes back with its next token.
    pub fn remove(&self, issuer: &str) -> bool {
        // Dropped when the lock is free again: sources of keys are the application's.
        let removed = self.write().remove(issuer);
        removed.is_some()
    }

    /// Adds a template for issuers that carry a tenant: see [`IssuerTemplate`].
    pub fn add_template(&self, template: IssuerTemplate<C>) {
        self.write().add_template(template);
    }

    /// Removes the templates of this text, the one that [`IssuerTemplate::new`] was given, and the
    /// issuers that they made; `false` when there are none. Tokens of those issuers are refused from
    /// then on, unless another template allows them.
    ///
    /// # Example: no tenants any longer
    ///
    /// ```
    /// use tower_jwt_auth::{Algorithm, IssuerSet, IssuerTemplate, JwtVerifier, VerificationKey};
    ///
    /// let key = VerificationKey::from_secret(&[7; 32], Algorithm::HS256)?;
    /// let template = "https://issuer.example/{tenant}";
    /// let issuers: IssuerSet = IssuerSet::new();
    /// issuers.add_template(IssuerTemplate::new(template, move |issuer, _| {
    ///     JwtVerifier::new(issuer, "orders", key.clone())
    /// })?);
    /// assert!(issuers.remove_template(template));
    /// assert!(!issuers.remove_template(template));
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn remove_template(&self, template: &str) -> bool {
        // Dropped when the lock is free again, as with `remove`.
        let (templates, _issuers) = self.write().remove_template(template);
        !templates.is_empty()
    }

    /// The issuers that are here, each with what is known of its keys, in the order of their names.
    /// For a readiness probe: it starts to fetch the keys, where nothing has yet.
    pub fn key_status(&self) -> Vec<(String, KeyStatus)> {
        let issuers = self.read().named();
        let status =
            |(name, issuer): &(Arc<str>, Arc<Issuer<C>>)| (name.to_string(), issuer.key_status());
        let mut all: Vec<_> = issuers.iter().map(status).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The issuer of a token by its name. Everything of the application's is called without the
    /// lock: predicates, what makes verifiers, and sources of keys, also where they are dropped.
    fn issuer(&self, name: &str, now: Instant) -> Result<Arc<Issuer<C>>, Rejection> {
        let found = self.read().find(name);
        match found {
            Found::Held(issuer) if issuer.is_still_allowed(name, now) => Ok(issuer),
            Found::Held(issuer) => {
                self.write().remove_this(&issuer);
                Err(RejectionKind::WrongIssuer.into())
            }
            Found::Templates(templates) => {
                let template = templates
                    .into_iter()
                    .find(|template| template.allows(name))
                    .ok_or(RejectionKind::WrongIssuer)?;
                let leaving = self.room_for(&template, now)?;
                let verifier = template.verifier(name).map_err(Rejection::without_keys)?;
                let issuer = Arc::new(Issuer::made(template, verifier));
                self.write().hold(name, &issuer, &leaving)
            }
        }
    }

    /// Lets those go, now and then, that strangers made up and have forgotten.
    fn sweep(&self, now: Instant) {
        let is_due = self.read().is_sweep_due(now);
        if !is_due {
            return;
        }
        let made = self.write().begin_sweep(now);
        let leaving = Leaving::among(&made, now);
        let mut issuers = self.write();
        for issuer in leaving.forgotten(now) {
            issuers.remove_this(issuer);
        }
    }

    /// Who gives way to a further issuer of this template, where somebody must.
    fn room_for(
        &self,
        template: &IssuerTemplate<C>,
        now: Instant,
    ) -> Result<Leaving<C>, Rejection> {
        let room = self.read().look_for_room(template, now);
        let made = match room {
            Room::Free => return Ok(Leaving::default()),
            Room::NoneOfLate => return Err(no_room()),
            Room::AskThose(made) => made,
        };
        let leaving = Leaving::among(&made, now);
        let is_enough = self.read().has_room(template, &leaving);
        if is_enough {
            return Ok(leaving);
        }
        let tell = self.write().found_no_room(now);
        if tell {
            trace::no_room_for_an_issuer();
        }
        Err(no_room())
    }

    fn read(&self) -> RwLockReadGuard<'_, Issuers<C>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Issuers<C>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The issuer that a token's own `iss` picks.
    fn pick(&self, token: &[u8]) -> Result<Arc<Issuer<C>>, Rejection> {
        let mut scratch = Scratch::new();
        let jws = CompactJws::parse(token, &mut scratch)?;
        let name = claimed_issuer(jws.payload)?;
        let now = now();
        let issuer = self.issuer(&name, now);
        self.sweep(now);
        issuer
    }
}

impl<C: DeserializeOwned> IssuerSet<C> {
    /// Verifies a token that did not come with a request; see [`JwtVerifier::verify`].
    ///
    /// # Errors
    ///
    /// As there; and [`RejectionKind::WrongIssuer`] for an issuer that is not here.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        self.pick(token.as_bytes())?.verifier.verify(token).await
    }
}

impl<C> VerifyToken<C> for IssuerSet<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    fn verify_bearer(&self, token: &BearerToken, head: &Parts) -> Verification<C> {
        match self.pick(token.as_bytes()) {
            Ok(issuer) => issuer.verifier.verify_bearer(token, head),
            Err(rejection) => Verification::verified(Err(rejection)),
        }
    }
}

impl<C> Clone for IssuerSet<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C> Default for IssuerSet<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> fmt::Debug for IssuerSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Copied first: what it is written to is the application's, too.
        let (mut issuers, templates, capacity) = self.read().parts();
        issuers.sort_unstable();
        f.debug_struct("IssuerSet")
            .field("issuers", &issuers)
            .field("templates", &templates)
            .field("capacity", &capacity)
            .finish_non_exhaustive()
    }
}

impl<C> JwtVerifier<C> {
    /// The issuers that it expects, of which any will do; `None` for any whatsoever.
    fn issuer_names(&self) -> Option<&[String]> {
        match self.rules.issuer() {
            Expected::Any => None,
            Expected::OneOf { values, .. } => Some(values),
        }
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Issuer, message)
}
