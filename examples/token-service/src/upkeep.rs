//! What runs beside the requests: the keys follow the store, and expired rows are deleted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{Service, keys};

/// How often the keys are read.
const KEYS: Duration = Duration::from_secs(2);
/// How often expired rows are deleted.
const PURGE: Duration = Duration::from_secs(60);
/// The rows that one statement deletes, so that it does not hold up requests.
const BATCH: u32 = 500;

/// Runs until it is dropped. A failure is logged once, and tried again. A long purge does not hold up the keys.
pub async fn run(service: Arc<Service>) {
    tokio::join!(repeat(&service, Task::Keys), repeat(&service, Task::Purge));
}

#[derive(Clone, Copy)]
enum Task {
    Keys,
    Purge,
}

async fn repeat(service: &Service, task: Task) {
    let mut ticks = interval(match task {
        Task::Keys => KEYS,
        Task::Purge => PURGE,
    });
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut has_failed = false;
    loop {
        ticks.tick().await;
        let result = match task {
            Task::Keys => follow_keys(service).await,
            Task::Purge => purge_expired(service).await,
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
    let lifetime = keys::longest_lifetime(&service.settings);
    keys::follow(&*service.store, &service.keys, lifetime, service.now()).await
}

/// Deletes expired rows.
///
/// # Errors
///
/// If the store fails.
pub async fn purge_expired(service: &Service) -> Result<(), keys::KeysError> {
    service.store.purge(BATCH, service.now()).await?;
    Ok(())
}
