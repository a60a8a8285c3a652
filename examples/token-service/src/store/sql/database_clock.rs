//! The clock of the database, which all instances share.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use tower_jwt_auth::{Clock, SystemClock};

use super::pool::Pool;
use super::rows::get;
use crate::store::{Seconds, StoreError};

/// How long a measurement is used, in milliseconds by the clock of the process: so a step of that clock ends it.
const FRESH: u64 = 10_000;

/// How far the database's clock is ahead of that of this process.
///
/// Callers give their time with each operation. Where another instance compares it with its own, it is corrected by this.
/// SQLite has the clock of the process.
#[derive(Clone)]
pub(super) struct DatabaseClock {
    process: Arc<dyn Clock>,
    is_remote: bool,
    /// In place of that of the database.
    replaced: Option<Arc<dyn Clock>>,
    /// When it was measured, and the result.
    measured: Arc<Mutex<Option<(i64, Seconds)>>>,
}

impl DatabaseClock {
    /// Of a database at this URL.
    pub(super) fn of(url: &str) -> Self {
        let is_remote = !url.starts_with("sqlite:");
        Self { process: Arc::new(SystemClock), is_remote, replaced: None, measured: Arc::default() }
    }

    /// Whether it is that of another process, and not SQLite.
    pub(super) const fn is_remote(&self) -> bool {
        self.is_remote
    }

    pub(super) fn with_process(self, clock: impl Clock) -> Self {
        Self { process: Arc::new(clock), measured: Arc::default(), ..self }
    }

    pub(super) fn with_database(self, clock: impl Clock) -> Self {
        Self { replaced: Some(Arc::new(clock)), ..self }
    }

    /// How far it is ahead, rounded to a second, so that the way to the database does not count.
    pub(super) async fn ahead(&self, pool: &Pool) -> Result<Seconds, StoreError> {
        // Nothing panics while the lock is held.
        let lock = || self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = &self.replaced {
            let process = self.process.now().unix_seconds();
            return Ok(database.now().unix_seconds().saturating_sub(process));
        }
        if !self.is_remote {
            return Ok(0);
        }
        if let Some((at, ahead)) = *lock()
            && self.process_millis().abs_diff(at) < FRESH
        {
            return Ok(ahead);
        }
        // First, so that the wait for a connection is not measured.
        let mut connection = pool.acquire().await?;
        let before = self.process_millis();
        let row = sqlx::query(
            "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS millis",
        )
        .fetch_one(&mut *connection)
        .await?;
        let after = self.process_millis();
        connection.release();
        let between = before.saturating_add(after.saturating_sub(before).div_euclid(2));
        let ahead = rounded(get::<i64>(&row, "millis")?.saturating_sub(between));
        *lock() = Some((before, ahead));
        Ok(ahead)
    }

    fn process_millis(&self) -> i64 {
        let time = self.process.now().to_system_time().unwrap_or(UNIX_EPOCH);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Milliseconds in whole seconds.
fn rounded(millis: i64) -> Seconds {
    millis.saturating_add(500).div_euclid(1000)
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("is_remote", &self.is_remote).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn differences_are_rounded_to_a_second() {
        for (millis, seconds) in [(0, 0), (499, 0), (500, 1), (-499, 0), (-1400, -1), (60_020, 60)]
        {
            assert_eq!(rounded(millis), seconds, "{millis}");
        }
    }
}
