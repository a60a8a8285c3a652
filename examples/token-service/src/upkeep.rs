//! What runs beside the requests: the keys follow the store, and expired rows are deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{Service, keys};

/// How often the keys are read.
const KEYS: Duration = Duration::from_secs(2);
/// How often expired rows are deleted.
const PURGE: Duration = Duration::from_secs(60);
/// The most rows of a table that one pass deletes, so that it does not hold up requests.
const ROWS: u32 = 500;
/// The most passes at a time.
const PASSES: u32 = 20;

/// Runs until it is dropped. A failure of the store is logged once, and tried again.
pub async fn run(service: Arc<Service>) {
    let mut keys = interval(KEYS);
    let mut purge = interval(PURGE);
    keys.set_missed_tick_behavior(MissedTickBehavior::Delay);
    purge.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        let result = tokio::select! {
            _ = keys.tick() => follow_keys(&service).await,
            _ = purge.tick() => purge_expired(&service).await,
        };
        match result {
            Ok(()) => has_failed = false,
            Err(error) if has_failed => tracing::debug!(error = &*error, "the upkeep failed again"),
            Err(error) => {
                has_failed = true;
                tracing::error!(error = &*error, "the upkeep failed, and is tried again");
            }
        }
    }
}

/// Takes over keys that changed in the store, and adds the next one when it is due.
///
/// # Errors
///
/// If the store fails, or a key in it cannot be read.
pub async fn follow_keys(service: &Service) -> Result<(), keys::KeysError> {
    keys::follow(&*service.store, &service.keys, service.now()).await
}

/// Deletes expired rows, a bounded number at a time.
///
/// # Errors
///
/// If the store fails.
pub async fn purge_expired(service: &Service) -> Result<(), keys::KeysError> {
    for _ in 0..PASSES {
        if service.store.purge(ROWS, service.now()).await? < u64::from(ROWS) {
            break;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}
