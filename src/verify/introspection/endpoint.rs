//! The endpoint: who asks it, how many requests it gets, and when it gets none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::form_urlencoded::Serializer;

use crate::key_source::{FetchUrl, KeySourceError, PostFault, Poster};
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
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    paused_until: Option<Instant>,
    /// Since the last event.
    failures: u32,
    reported_at: Option<Instant>,
}

impl Endpoint {
    pub(super) const DEFAULT_SLOTS: usize = 32;

    pub(super) fn new(poster: Poster, client: ClientAuthentication, slot_count: usize) -> Self {
        let (slots, health) = (Semaphore::new(slot_count), Mutex::default());
        Self { poster, client, slots, slot_count, health }
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

    /// Asks about a token, and returns the text of the response; `None` if the server cannot handle such a token.
    pub(super) async fn ask(
        &self,
        token: &str,
        accept: HeaderValue,
    ) -> Result<Option<String>, KeySourceError> {
        // Never closed.
        let _slot = self.slots.acquire().await;
        self.check_pause()?;
        let (headers, form) = self.request(token, accept)?;
        let fault = match self.poster.post(headers, form).await {
            Ok(text) => return Ok(Some(text)),
            Err(fault) => fault,
        };
        Err(match fault {
            PostFault::UnsupportedToken => return Ok(None),
            PostFault::Credentials(error) => {
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

    fn check_pause(&self) -> Result<(), KeySourceError> {
        let now = Instant::now();
        let mut health = self.health();
        let Some(until) = health.paused_until else { return Ok(()) };
        if now >= until {
            health.paused_until = None;
            return Ok(());
        }
        let error = "the endpoint refused the last request, and gets no other one for the moment";
        Err(KeySourceError::new(error).with_retry_after(until.saturating_duration_since(now)))
    }

    fn pause(&self, by: Duration) {
        self.health().paused_until = Instant::now().checked_add(by);
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
