//! The endpoint: who asks it, how many requests it gets, and when it gets none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::form_urlencoded::Serializer;

use crate::key_source::{FetchUrl, KeySourceError, PostFault, Poster, wait_until};
use crate::trace;
use crate::verify::introspection::client_authentication::ClientAuthentication;

/// How long the endpoint gets no request after it refused our credentials: some servers lock a client out.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause that the endpoint can ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Between two events about failures.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Endpoint {
    poster: Poster,
    client: ClientAuthentication,
    /// One for each request that may be under way.
    slots: Semaphore,
    slot_count: usize,
    /// Held by the first of the new tokens that wait for a slot, so that a token which was accepted lately waits behind
    /// one of them at most.
    turn: Semaphore,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    paused_until: Option<Instant>,
    /// Our credentials, and none of them was good since.
    refuses_credentials: bool,
    /// While it refuses them, one request at a time tries again.
    is_tried: bool,
    /// Since the last event.
    failures: u32,
    reported_at: Option<Instant>,
}

impl Endpoint {
    pub(super) const DEFAULT_SLOTS: usize = 32;

    pub(super) fn new(poster: Poster, client: ClientAuthentication, slot_count: usize) -> Self {
        let (slots, turn) = (Semaphore::new(slot_count), Semaphore::new(1));
        Self { poster, client, slots, slot_count, turn, health: Mutex::default() }
    }

    /// The same endpoint, asked in another way.
    pub(super) fn with_poster(&self, change: impl FnOnce(Poster) -> Poster) -> Self {
        Self::new(change(self.poster.clone()), self.client.clone(), self.slot_count)
    }

    /// The same endpoint with another number of requests under way.
    pub(super) fn with_slots(&self, slot_count: usize) -> Self {
        Self::new(self.poster.clone(), self.client.clone(), slot_count)
    }

    pub(super) fn url(&self) -> &FetchUrl {
        self.poster.url()
    }

    pub(super) fn client_id(&self) -> &str {
        self.client.client_id()
    }

    /// Waits until one more request may be sent, for a token that was accepted lately before others.
    pub(super) async fn slot(
        &self,
        was_accepted: bool,
        until: Instant,
    ) -> Result<Slot<'_>, KeySourceError> {
        // The semaphores are never closed.
        let permit = async {
            let _turn = if was_accepted { None } else { self.turn.acquire().await.ok() };
            self.slots.acquire().await.ok()
        };
        let Some(permit) = wait_until(permit, until).await? else {
            let error = "too many other tokens wait for the endpoint";
            return Err(KeySourceError::new(error).with_retry_after(PAUSE));
        };
        Ok(Slot { endpoint: self, tries: self.check_pause()?, _permit: permit })
    }

    /// Asks about a token, and returns the text of the response; `None` if the server cannot handle such a token.
    async fn ask(
        &self,
        token: &str,
        accept: HeaderValue,
    ) -> Result<Option<String>, KeySourceError> {
        let (headers, form) = self.request(token, accept)?;
        let fault = match self.poster.post(headers, form).await {
            Ok(text) => {
                self.health().refuses_credentials = false;
                return Ok(Some(text));
            }
            Err(fault) => fault,
        };
        Err(match fault {
            PostFault::UnsupportedToken => {
                self.health().refuses_credentials = false;
                return Ok(None);
            }
            PostFault::Credentials(error) => {
                self.health().refuses_credentials = true;
                self.pause(PAUSE);
                KeySourceError::new(format!(
                    "the endpoint refuses the credentials of the client {}",
                    self.client_id()
                ))
                .with_source(error)
            }
            PostFault::Busy(wait, error) => {
                let wait = wait.min(LONGEST_PAUSE);
                self.pause(wait);
                error.with_retry_after(wait)
            }
            PostFault::Other(error) => error,
        })
    }

    /// The headers and the form of a request (RFC 7662 section 2.1).
    fn request(
        &self,
        token: &str,
        accept: HeaderValue,
    ) -> Result<(HeaderMap, String), KeySourceError> {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ACCEPT, accept);
        let mut form = Serializer::new(String::new());
        form.append_pair("token", token).append_pair("token_type_hint", "access_token");
        self.client.add_to(&mut headers, &mut form)?;
        Ok((headers, form.finish()))
    }

    /// Whether the request tries the credentials again.
    fn check_pause(&self) -> Result<bool, KeySourceError> {
        let now = Instant::now();
        let mut health = self.health();
        let rest =
            health.paused_until.map_or(Duration::ZERO, |it| it.saturating_duration_since(now));
        if rest.is_zero() && !health.is_tried {
            health.is_tried = health.refuses_credentials;
            return Ok(health.is_tried);
        }
        let error = "the endpoint refused the last request, and gets no other one for the moment";
        let wait = if rest.is_zero() { PAUSE } else { rest };
        Err(KeySourceError::new(error).with_retry_after(wait))
    }

    /// The later of two pauses counts.
    fn pause(&self, by: Duration) {
        let mut health = self.health();
        health.paused_until = health.paused_until.max(Instant::now().checked_add(by));
    }

    /// Writes an event about a failure, at most one in a while.
    pub(super) fn report(&self, error: &KeySourceError) {
        let now = Instant::now();
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        let is_due = |at: Instant| now.saturating_duration_since(at) >= REPORT_INTERVAL;
        if health.reported_at.is_none_or(is_due) {
            health.reported_at = Some(now);
            let failures = std::mem::take(&mut health.failures);
            drop(health);
            trace::introspection_failed(self.url().name(), failures, &error.chain());
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the requests that may be under way.
pub(super) struct Slot<'a> {
    endpoint: &'a Endpoint,
    /// The credentials, again.
    tries: bool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Slot<'_> {
    /// Sends the request. See [`Endpoint::ask`].
    pub(super) async fn ask(
        self,
        token: &str,
        accept: HeaderValue,
    ) -> Result<Option<String>, KeySourceError> {
        self.endpoint.ask(token, accept).await
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if self.tries {
            self.endpoint.health().is_tried = false;
        }
    }
}
