//! Several issuers: a token's `iss` picks the verifier, among those that are allowed.

mod template;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use http::request::Parts;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

pub use self::template::IssuerTemplate;
use super::expected::Expected;
use crate::strict_json::{self, NameSeed, NameSet};
use crate::token::{BearerToken, CompactJws, Scratch};
use crate::{
    ConfigError, ConfigErrorKind, JwtVerifier, KeySourceError, KeyStatus, RegisteredClaims,
    Rejection, RejectionKind, Verification, VerifiedToken, VerifyToken,
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
/// | issuers that carry a tenant | none | [`add_template`](Self::add_template) |
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

struct Issuers<C> {
    by_name: HashMap<String, Issuer<C>>,
    templates: Vec<IssuerTemplate<C>>,
    capacity: usize,
}

/// One way to write an issuer's name.
struct Issuer<C> {
    verifier: JwtVerifier<C>,
    /// Made by a template, for a token: so it can be made again.
    by_template: bool,
}

impl<C> IssuerSet<C> {
    const CAPACITY: usize = 100;

    /// A set without issuers, which refuses every token.
    pub fn new() -> Self {
        Self(Arc::new(RwLock::new(Issuers {
            by_name: HashMap::new(),
            templates: Vec::new(),
            capacity: Self::CAPACITY,
        })))
    }

    /// Replaces how many issuers are held at once, also for the clones; 100 by default. Several
    /// spellings of one issuer count each.
    ///
    /// It bounds what a template makes: each issuer has keys of its own, which are fetched. When there
    /// is no room, those of a template whose keys could never be fetched give way; after that,
    /// tokens of a further issuer get 503.
    ///
    /// # Errors
    ///
    /// When it is 0, or less than the number of issuers that are there.
    pub fn with_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        {
            let mut issuers = self.write();
            if capacity == 0 || capacity < issuers.by_name.len() {
                return Err(unusable("there is no room for the issuers"));
            }
            issuers.capacity = capacity;
        }
        Ok(self)
    }

    /// Adds an issuer, under every name that its verifier expects.
    ///
    /// # Errors
    ///
    /// When the verifier expects any issuer, when one of its names is here already, or when there is
    /// no room.
    #[allow(clippy::needless_pass_by_value, reason = "it moves in, under one name or several")]
    pub fn add(&self, verifier: JwtVerifier<C>) -> Result<(), ConfigError> {
        let names = verifier.issuer_names().ok_or_else(|| {
            unusable("a verifier of any issuer has no place among others: name its issuer")
        })?;
        let names = names.to_vec();
        let mut issuers = self.write();
        if names.iter().any(|name| issuers.by_name.contains_key(name)) {
            return Err(unusable("this issuer is there already: remove it first"));
        }
        if issuers.by_name.len().saturating_add(names.len()) > issuers.capacity {
            return Err(unusable("there is no room for a further issuer"));
        }
        for name in names {
            let issuer = Issuer { verifier: verifier.clone(), by_template: false };
            issuers.by_name.insert(name, issuer);
        }
        Ok(())
    }

    /// Removes an issuer by one of its names; `false` when it was not there. Its tokens are refused
    /// from then on, and what fetched its keys ends with the requests that still wait for them.
    ///
    /// One that a template allows comes back with its next token.
    pub fn remove(&self, issuer: &str) -> bool {
        let mut issuers = self.write();
        let Some(removed) = issuers.by_name.remove(issuer) else { return false };
        for name in removed.verifier.issuer_names().unwrap_or_default() {
            issuers.by_name.remove(name);
        }
        true
    }

    /// Adds a template for issuers that carry a tenant: see [`IssuerTemplate`].
    pub fn add_template(&self, template: IssuerTemplate<C>) {
        self.write().templates.push(template);
    }

    /// The issuers that are here, each with what is known of its keys, in the order of their names.
    /// For a readiness probe: it starts to fetch the keys, where nothing has yet.
    pub fn key_status(&self) -> Vec<(String, KeyStatus)> {
        let verifiers: Vec<_> = {
            let issuers = self.read();
            let named =
                |(name, issuer): (&String, &Issuer<C>)| (name.clone(), issuer.verifier.clone());
            issuers.by_name.iter().map(named).collect()
        };
        let status = |(name, verifier): (String, JwtVerifier<C>)| (name, verifier.key_status());
        let mut all: Vec<_> = verifiers.into_iter().map(status).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// The verifier for a token of this issuer.
    fn verifier(&self, name: &str) -> Result<JwtVerifier<C>, Rejection> {
        let template = {
            let issuers = self.read();
            if let Some(issuer) = issuers.by_name.get(name) {
                return Ok(issuer.verifier.clone());
            }
            let fits = |template: &&IssuerTemplate<C>| template.allows(name);
            issuers.templates.iter().find(fits).cloned()
        };
        // Outside of the lock: it calls what the application gave.
        let template = template.ok_or(RejectionKind::WrongIssuer)?;
        let verifier = template.verifier(name).map_err(Rejection::without_keys)?;
        self.hold(name, verifier)
    }

    /// Keeps what a template made, unless another request was quicker.
    fn hold(&self, name: &str, verifier: JwtVerifier<C>) -> Result<JwtVerifier<C>, Rejection> {
        let mut issuers = self.write();
        if let Some(issuer) = issuers.by_name.get(name) {
            return Ok(issuer.verifier.clone());
        }
        if issuers.by_name.len() >= issuers.capacity {
            issuers.by_name.retain(|_, issuer| {
                let status = issuer.verifier.key_status();
                !issuer.by_template || status.is_ready() || status.fetches_failed() == 0
            });
        }
        if issuers.by_name.len() >= issuers.capacity {
            let full = KeySourceError::new("there is no room for a further issuer");
            return Err(Rejection::without_keys(full));
        }
        let issuer = Issuer { verifier: verifier.clone(), by_template: true };
        issuers.by_name.insert(name.to_owned(), issuer);
        Ok(verifier)
    }

    fn read(&self) -> RwLockReadGuard<'_, Issuers<C>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Issuers<C>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The verifier that a token's own `iss` picks.
    fn pick(&self, token: &[u8]) -> Result<JwtVerifier<C>, Rejection> {
        let mut scratch = Scratch::new();
        let jws = CompactJws::parse(token, &mut scratch)?;
        let issuer = claimed_issuer(jws.payload)?;
        self.verifier(&issuer)
    }
}

impl<C: DeserializeOwned> IssuerSet<C> {
    /// Verifies a token that did not come with a request; see [`JwtVerifier::verify`].
    ///
    /// # Errors
    ///
    /// As there; and [`RejectionKind::WrongIssuer`] for an issuer that is not here.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken<C>, Rejection> {
        self.pick(token.as_bytes())?.verify(token).await
    }
}

impl<C> VerifyToken<C> for IssuerSet<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    fn verify_bearer(&self, token: &BearerToken, head: &Parts) -> Verification<C> {
        match self.pick(token.as_bytes()) {
            Ok(verifier) => verifier.verify_bearer(token, head),
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
        let issuers = self.read();
        let mut names: Vec<_> = issuers.by_name.keys().collect();
        names.sort_unstable();
        f.debug_struct("IssuerSet")
            .field("issuers", &names)
            .field("templates", &issuers.templates)
            .field("capacity", &issuers.capacity)
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

/// The `iss` of claims that nobody has verified, to pick a verifier by and for nothing else. Read as
/// strictly as the verifier will: one JSON object, no name twice, a string.
fn claimed_issuer(payload: &[u8]) -> Result<Cow<'_, str>, RejectionKind> {
    let text = strict_json::text(payload).ok_or(RejectionKind::MalformedClaims)?;
    let Ok(ClaimedIssuer(issuer)) = serde_json::from_str(text) else {
        return Err(RejectionKind::MalformedClaims);
    };
    issuer.ok_or(RejectionKind::MissingClaim)
}

struct ClaimedIssuer<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for ClaimedIssuer<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ClaimedIssuerVisitor)
    }
}

struct ClaimedIssuerVisitor;

impl<'de> Visitor<'de> for ClaimedIssuerVisitor {
    type Value = ClaimedIssuer<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("claims")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut issuer, mut names) = (None, NameSet::default());
        while let Some(name) = map.next_key_seed(NameSeed)? {
            match &*name {
                "iss" => issuer = Some(map.next_value_seed(NameSeed)?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if !names.insert(name) {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(ClaimedIssuer(issuer))
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Issuer, message)
}
