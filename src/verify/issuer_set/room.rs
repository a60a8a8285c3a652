//! The issuers that are held, and who gives way to whom. Nothing here calls what the application
//! gave: it is what the lock is held for.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::held::{Instant, Issuer, now};
use super::{IssuerTemplate, unusable};
use crate::{ConfigError, KeySourceError, Rejection, RejectionKind};

/// How long an issuer may try to get its first keys: two fetches that hang, or some that fail, with
/// the pauses between them.
const PROBATION: Duration = Duration::from_secs(10);
/// After so long without a token, an issuer of a template gives way in a full set.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// After so long without a token, an issuer leaves whose keys were never there: else its keys would
/// be tried for ever.
const FORGOTTEN: Duration = Duration::from_secs(60);
/// How often those are looked for, when tokens come.
const SWEEP: Duration = Duration::from_secs(60);
/// After nobody gave way, for how long nobody is asked again.
const PAUSE: Duration = Duration::from_millis(10);
/// How often the operator is told that there is no room.
const WARNING: Duration = Duration::from_secs(60);

pub(super) struct Issuers<C> {
    by_name: HashMap<Arc<str>, Arc<Issuer<C>>>,
    templates: Vec<IssuerTemplate<C>>,
    capacity: usize,
    /// When nobody gave way; `None` again as soon as somebody goes.
    full_at: Option<Instant>,
    warned_at: Option<Instant>,
    swept_at: Instant,
}

/// What there is for a name.
pub(super) enum Found<C> {
    Held(Arc<Issuer<C>>),
    /// Those that fit it, before they are asked.
    Templates(Vec<IssuerTemplate<C>>),
}

/// Whether there is room for a further issuer.
pub(super) enum Room<C> {
    Free,
    /// Not a moment ago: strangers must not make us count all the time.
    NoneOfLate,
    /// If one of those gives way: they are to be asked without the lock.
    AskThose(Vec<Arc<Issuer<C>>>),
}

/// Issuers that may give way to others.
pub(super) struct Leaving<C> {
    /// Those that had their time and are unproven; the oldest first.
    unproven: Vec<Arc<Issuer<C>>>,
    /// Those that nobody has used for long; the least recently used first.
    idle: Vec<Arc<Issuer<C>>>,
}

impl<C> Issuers<C> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            by_name: HashMap::new(),
            templates: Vec::new(),
            capacity,
            full_at: None,
            warned_at: None,
            swept_at: now(),
        }
    }

    /// `false` when there is no room for those that are there.
    pub(super) fn set_capacity(&mut self, capacity: usize) -> bool {
        let is_enough = capacity >= self.by_name.len().max(1);
        if is_enough {
            self.capacity = capacity;
            self.full_at = None;
        }
        is_enough
    }

    pub(super) fn add(&mut self, issuer: &Arc<Issuer<C>>) -> Result<(), ConfigError> {
        let names = issuer.names();
        if names.iter().any(|name| self.by_name.contains_key(&**name)) {
            return Err(unusable("this issuer is there already: remove it first"));
        }
        if self.by_name.len().saturating_add(names.len()) > self.capacity {
            return Err(unusable("there is no room for a further issuer"));
        }
        for name in names {
            self.by_name.insert(name.as_str().into(), Arc::clone(issuer));
        }
        Ok(())
    }

    pub(super) fn add_template(&mut self, template: IssuerTemplate<C>) {
        self.templates.push(template);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Arc<Issuer<C>>> {
        let issuer = Arc::clone(self.by_name.get(name)?);
        self.remove_this(&issuer);
        Some(issuer)
    }

    /// Removes this very issuer, and no other one of its name.
    pub(super) fn remove_this(&mut self, issuer: &Arc<Issuer<C>>) {
        for name in issuer.names() {
            if self.by_name.get(&**name).is_some_and(|held| Arc::ptr_eq(held, issuer)) {
                self.by_name.remove(&**name);
                self.full_at = None;
            }
        }
    }

    /// The templates of this text and what they made, which are to be dropped without the lock.
    #[allow(clippy::type_complexity, reason = "two lists")]
    pub(super) fn remove_template(
        &mut self,
        text: &str,
    ) -> (Vec<IssuerTemplate<C>>, Vec<Arc<Issuer<C>>>) {
        let (removed, kept) =
            self.templates.drain(..).partition(|template| template.text() == text);
        self.templates = kept;
        let is_of_it = |issuer: &&Arc<Issuer<C>>| {
            issuer.template().is_some_and(|template| template.text() == text)
        };
        let issuers: Vec<_> = self.by_name.values().filter(is_of_it).cloned().collect();
        for issuer in &issuers {
            self.remove_this(issuer);
        }
        (removed, issuers)
    }

    pub(super) fn find(&self, name: &str) -> Found<C> {
        match self.by_name.get(name) {
            Some(issuer) => Found::Held(Arc::clone(issuer)),
            None => {
                let fits = |template: &&IssuerTemplate<C>| template.tenant(name).is_some();
                Found::Templates(self.templates.iter().filter(fits).cloned().collect())
            }
        }
    }

    pub(super) fn look_for_room(&self, template: &IssuerTemplate<C>, now: Instant) -> Room<C> {
        let is_recent = |at| now.saturating_duration_since(at) < PAUSE;
        if template.is_open() && self.full_at.is_some_and(is_recent) {
            return Room::NoneOfLate;
        }
        if self.has_room(template, &Leaving::default()) {
            return Room::Free;
        }
        Room::AskThose(self.made())
    }

    fn made(&self) -> Vec<Arc<Issuer<C>>> {
        let is_made = |issuer: &&Arc<Issuer<C>>| issuer.template().is_some();
        self.by_name.values().filter(is_made).cloned().collect()
    }

    /// Whether there is room when as many of those leave as need be.
    pub(super) fn has_room(&self, template: &IssuerTemplate<C>, leaving: &Leaving<C>) -> bool {
        let has_unproven = !leaving.unproven.is_empty();
        (self.by_name.len() < self.capacity || has_unproven || !leaving.idle.is_empty())
            && (!self.is_full_of_unproven(template) || has_unproven)
    }

    /// Whether a further issuer of this template must wait for the keys of another one.
    fn is_full_of_unproven(&self, template: &IssuerTemplate<C>) -> bool {
        let places = (self.capacity / 4).max(1);
        template.is_open()
            && self.by_name.values().filter(|issuer| issuer.is_unproven()).count() >= places
    }

    /// Nobody gave way. Answers whether it is time to tell the operator.
    pub(super) fn found_no_room(&mut self, now: Instant) -> bool {
        self.full_at = Some(now);
        let is_recent = |at| now.saturating_duration_since(at) < WARNING;
        let tell = !self.warned_at.is_some_and(is_recent);
        if tell {
            self.warned_at = Some(now);
        }
        tell
    }

    pub(super) fn is_sweep_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.swept_at) >= SWEEP
    }

    /// Those that are to be asked whether they stay; none when another request was quicker.
    pub(super) fn begin_sweep(&mut self, now: Instant) -> Vec<Arc<Issuer<C>>> {
        if !self.is_sweep_due(now) {
            return Vec::new();
        }
        self.swept_at = now;
        self.made()
    }

    /// Keeps what a template made, unless another request was quicker. Of those that may leave, as
    /// many do as must; the caller drops them.
    pub(super) fn hold(
        &mut self,
        name: &str,
        issuer: &Arc<Issuer<C>>,
        leaving: &Leaving<C>,
    ) -> Result<Arc<Issuer<C>>, Rejection> {
        if let Some(held) = self.by_name.get(name) {
            return Ok(Arc::clone(held));
        }
        let is_there = |by: &&IssuerTemplate<C>| {
            self.templates.iter().any(|template| template.text() == by.text())
        };
        // It may have been removed meanwhile.
        let template = issuer.template().filter(is_there).ok_or(RejectionKind::WrongIssuer)?;
        let now = now();
        // Since they were judged their keys may have come, or a token.
        let mut unproven = leaving.unproven.iter().filter(|issuer| issuer.is_unproven());
        let idle = leaving.idle.iter().filter(|issuer| issuer.idle(now) >= IDLE);
        while self.is_full_of_unproven(template) {
            self.remove_this(unproven.next().ok_or_else(no_room)?);
        }
        let mut others = unproven.chain(idle);
        while self.by_name.len() >= self.capacity {
            self.remove_this(others.next().ok_or_else(no_room)?);
        }
        self.by_name.insert(name.into(), Arc::clone(issuer));
        Ok(Arc::clone(issuer))
    }

    pub(super) fn named(&self) -> Vec<(Arc<str>, Arc<Issuer<C>>)> {
        self.by_name.iter().map(|(name, issuer)| (Arc::clone(name), Arc::clone(issuer))).collect()
    }

    /// The names, the templates and the capacity.
    pub(super) fn parts(&self) -> (Vec<Arc<str>>, Vec<IssuerTemplate<C>>, usize) {
        (self.by_name.keys().cloned().collect(), self.templates.clone(), self.capacity)
    }
}

impl<C> Leaving<C> {
    /// Asks those that a template made. Calls what the application gave.
    pub(super) fn among(made: &[Arc<Issuer<C>>], now: Instant) -> Self {
        let mut leaving = Self::default();
        for issuer in made {
            issuer.prove();
            let (list, is_over) = match issuer.is_unproven() {
                true => (&mut leaving.unproven, issuer.age(now) >= PROBATION),
                false => (&mut leaving.idle, issuer.idle(now) >= IDLE),
            };
            if is_over {
                list.push(Arc::clone(issuer));
            }
        }
        leaving.unproven.sort_by_key(|issuer| std::cmp::Reverse(issuer.age(now)));
        leaving.idle.sort_by_key(|issuer| std::cmp::Reverse(issuer.idle(now)));
        leaving
    }

    /// Those that were never proven and that nobody asks for any longer.
    pub(super) fn forgotten(&self, now: Instant) -> impl Iterator<Item = &Arc<Issuer<C>>> {
        self.unproven.iter().filter(move |issuer| issuer.idle(now) >= FORGOTTEN)
    }
}

impl<C> Default for Leaving<C> {
    fn default() -> Self {
        Self { unproven: Vec::new(), idle: Vec::new() }
    }
}

pub(super) fn no_room() -> Rejection {
    let error = KeySourceError::new("there is no room for a further issuer");
    Rejection::without_keys(error.with_retry_after(Duration::from_secs(1)))
}
