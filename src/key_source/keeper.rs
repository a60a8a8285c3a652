//! The task that fetches: one for each issuer, so that there is never more than one fetch at a time,
//! and so that nobody who goes away takes it with him.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, timeout, timeout_at};

use super::fetch::{Document, FETCH_TIMEOUT};
use super::key_cache::{Held, Shared};
use super::schedule::after;
use crate::{JwkSet, KeySourceError, trace};

/// Goes with the task: however it ends, those who wait are told, and the next one may start.
pub(super) struct Guard(pub(super) Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.schedule().lose(Instant::now(), std::thread::panicking());
        self.0.running.store(false, Ordering::Release);
        self.0.announce();
    }
}

/// Fetches whenever a fetch is due or asked for, until the task is aborted.
pub(super) async fn keep(guard: Guard) {
    let shared = &guard.0;
    loop {
        let wait_until = shared.schedule().wait_until(Instant::now());
        if let Some(wait_until) = wait_until {
            let _ = timeout_at(wait_until, shared.wake.notified()).await;
            continue;
        }
        shared.schedule().begin();
        let held = shared.held.load_full();
        let etag = held.as_ref().and_then(|held| held.etag.clone());
        let loaded = timeout(FETCH_TIMEOUT, shared.loader.load(etag)).await;
        let loaded = loaded
            .unwrap_or_else(|_| Err(KeySourceError::new("no complete answer within 5 seconds")));
        match loaded.and_then(|document| held_from(document, held.as_deref())) {
            Ok(new) => {
                shared.loader.accepted();
                accept(shared, new, held.as_deref());
            }
            Err(error) => refuse(shared, &error),
        }
        shared.announce();
    }
}

/// What is held from now on, by a document and what was held before.
fn held_from(document: Document, before: Option<&Held>) -> Result<Held, KeySourceError> {
    let unusable = |error| KeySourceError::new("the JWK set cannot be used").with_source(error);
    let (set, body, etag, generation) = match (document.body, before) {
        (None, None) => return Err(KeySourceError::new("not modified, yet nothing is held")),
        (None, Some(before)) => {
            let etag = document.etag.or_else(|| before.etag.clone());
            (before.set.clone(), before.body.clone(), etag, before.generation)
        }
        (Some(body), Some(before)) if body == before.body => {
            (before.set.clone(), body, document.etag, before.generation)
        }
        (Some(body), before) => {
            let set = JwkSet::from_fetched(&body).map_err(unusable)?;
            let generation = before.map_or(0, |before| before.generation).saturating_add(1);
            (set, body, document.etag, generation)
        }
    };
    let now = Instant::now();
    let fresh_until = after(now, document.lifetime.fresh);
    Ok(Held {
        set,
        body,
        etag,
        generation,
        confirmed_at: now,
        fresh_until,
        usable_until: after(fresh_until, document.lifetime.stale),
    })
}

fn accept(shared: &Shared, new: Held, before: Option<&Held>) {
    if before.is_none_or(|before| before.generation != new.generation) {
        trace::keys_changed(shared.loader.name(), new.generation, &new.set);
    }
    let fresh = new.fresh_until.saturating_duration_since(new.confirmed_at);
    let now = new.confirmed_at;
    shared.held.store(Some(Arc::new(new)));
    // Afterwards, so that whoever sees that the fetch succeeded sees its keys as well.
    shared.schedule().succeed(now, fresh);
}

fn refuse(shared: &Shared, error: &KeySourceError) {
    let text: Arc<str> = error.chain().into();
    let failures = shared.schedule().fail(Instant::now(), Arc::clone(&text));
    let is_unproven = shared.is_for_a_stranger && shared.held.load().is_none();
    match failures {
        Some(failures) if !is_unproven => {
            trace::refresh_failed(shared.loader.name(), failures, &text);
        }
        Some(failures) => trace::first_fetch_failed(shared.loader.name(), failures, &text),
        None => {}
    }
}
