//! One fetch at a time for each URL: requests that come meanwhile wait for its result.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::Fault;
use crate::store::ClientDocument;

type Outcome = Result<ClientDocument, Fault>;
type Running = HashMap<String, Arc<OnceCell<Outcome>>>;

/// The running fetches of this process.
#[derive(Default)]
pub(super) struct Flights(Mutex<Running>);

impl Flights {
    /// The result of the running fetch of this URL, or else of this one. If the request whose fetch runs is cancelled, the fetch
    /// of one that waits takes over.
    pub(super) async fn share(&self, url: &str, fetch: impl Future<Output = Outcome>) -> Outcome {
        let cell = Arc::clone(self.running().entry(url.to_owned()).or_default());
        let seat = Seat { flights: self, url, cell };
        let outcome = seat.cell.get_or_init(|| fetch).await.clone();
        // Requests that come later begin a new fetch, or find the document in the store.
        self.forget(url, &seat.cell);
        outcome
    }

    fn forget(&self, url: &str, cell: &Arc<OnceCell<Outcome>>) {
        let mut running = self.running();
        if running.get(url).is_some_and(|one| Arc::ptr_eq(one, cell)) {
            running.remove(url);
        }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Flights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").finish_non_exhaustive()
    }
}

/// A request that waits. The last one that is cancelled takes the fetch out of the map.
struct Seat<'a> {
    flights: &'a Flights,
    url: &'a str,
    cell: Arc<OnceCell<Outcome>>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut running = self.flights.running();
        // The map has the other one. Nobody else can take one while the lock is held.
        let is_last = Arc::strong_count(&self.cell) == 2;
        if is_last && running.get(self.url).is_some_and(|one| Arc::ptr_eq(one, &self.cell)) {
            running.remove(self.url);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    fn found(url: &str) -> ClientDocument {
        ClientDocument {
            url: url.to_owned(),
            document: String::new(),
            jwk_set: None,
            fetched_at: 0,
            fresh_until: 0,
            expires_at: 0,
            used_at: 0,
        }
    }

    #[tokio::test]
    async fn requests_for_one_url_share_a_fetch() {
        let (flights, fetches) = (&Flights::default(), &AtomicU32::new(0));
        let ask = |url| {
            flights.share(url, async move {
                fetches.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                match url {
                    "bad" => Err(Fault::Document),
                    url => Ok(found(url)),
                }
            })
        };
        let outcomes = join_all(["a", "a", "b", "bad", "bad", "a"].map(ask)).await;
        assert_eq!(fetches.load(Ordering::SeqCst), 3);
        let is_found: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(is_found, [true, true, true, false, false, true]);
        assert!(flights.running().is_empty());
        ask("a").await.unwrap();
        assert_eq!(fetches.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn a_request_that_waits_takes_over_from_a_cancelled_one() {
        let (flights, never) = (Arc::new(Flights::default()), Notify::new());
        let mut first = Box::pin(flights.share("a", async {
            never.notified().await;
            Err(Fault::Busy)
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(flights.share("a", async { Ok(found("a")) }));
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        second.await.unwrap();
        assert!(flights.running().is_empty());
    }

    #[tokio::test]
    async fn a_fetch_that_nobody_waits_for_is_forgotten() {
        let flights = Flights::default();
        let mut first = Box::pin(flights.share("a", std::future::pending()));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert_eq!(flights.running().len(), 1);
        drop(first);
        assert!(flights.running().is_empty());
    }
}
