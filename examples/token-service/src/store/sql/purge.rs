use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::deadlock::retried;
use super::pool::Pool;
use crate::store::{PURGE_MARGIN, Seconds, StoreError};

/// Between two batches, so that requests come between: this time, and twice that of the batch.
const PAUSE: Duration = Duration::from_millis(10);
/// The same with SQLite. A batch locks the whole database, and who waits for it sleeps for up to 100 ms before another try.
const SQLITE_PAUSE: Duration = Duration::from_millis(110);

/// [`DOCUMENTS_KEPT`](crate::store::DOCUMENTS_KEPT) before the first parameter.
macro_rules! unused {
    () => {
        "$1 - CAST(2592000 AS BIGINT)"
    };
}

/// Statements that take turns, each with the number of its time units in a second. Each deletes at most so many rows, so
/// that it holds its locks for a short time only. What may have got more time since it was chosen is looked at again.
type Turns = &'static [(&'static str, i64)];

const STATEMENTS: [Turns; 8] = [
    &[(
        "DELETE FROM refresh_tokens WHERE token_hash IN \
         (SELECT token_hash FROM refresh_tokens WHERE expires_at <= $1 AND used_at IS NULL LIMIT $2)",
        1,
    )],
    // Refresh tokens go before their grant, which may have many, and the grants without any in between, so that they are
    // not looked at again.
    &[
        (
            "DELETE FROM refresh_tokens WHERE token_hash IN \
             (SELECT token_hash FROM refresh_tokens JOIN grants ON grants.id = refresh_tokens.grant_id \
             WHERE grants.expires_at <= $1 LIMIT $2)",
            1,
        ),
        (
            "DELETE FROM grants WHERE id IN (SELECT id FROM grants WHERE expires_at <= $1 AND \
             NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE refresh_tokens.grant_id = grants.id) LIMIT $2)",
            1,
        ),
    ],
    // A used code expires with its grant. An earlier version of the program left it its own time, so it is looked for.
    &[(
        "DELETE FROM codes WHERE code_hash IN \
         (SELECT code_hash FROM codes WHERE expires_at <= $1 AND (grant_id IS NULL OR \
         NOT EXISTS (SELECT 1 FROM grants WHERE grants.id = codes.grant_id AND grants.expires_at > $1)) LIMIT $2)",
        1,
    )],
    &[(
        "DELETE FROM sessions WHERE cookie_hash IN \
         (SELECT cookie_hash FROM sessions WHERE expires_at <= $1 LIMIT $2) AND expires_at <= $1",
        1,
    )],
    &[(
        "DELETE FROM revoked_tokens WHERE token_id IN \
         (SELECT token_id FROM revoked_tokens WHERE expires_at <= $1 LIMIT $2)",
        1,
    )],
    &[(
        "DELETE FROM used_once WHERE id IN \
         (SELECT id FROM used_once WHERE expires_at <= $1 LIMIT $2)",
        1,
    )],
    &[(
        concat!(
            "DELETE FROM client_documents WHERE used_at <= ",
            unused!(),
            " AND url IN (SELECT url FROM client_documents WHERE used_at <= ",
            unused!(),
            " AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.client_id = client_documents.url AND \
             client_document IS NOT NULL AND revoked_at IS NULL AND grants.expires_at > $1) LIMIT $2)",
        ),
        1,
    )],
    &[(
        "DELETE FROM limits WHERE id IN (SELECT id FROM limits WHERE full_at <= $1 LIMIT $2) AND full_at <= $1",
        1000,
    )],
];

/// `limits` is the time of the budgets, which are by the clock of the database.
pub(super) async fn purge(
    pool: &Pool,
    is_remote: bool,
    (batch, most): (u32, u32),
    now: Seconds,
    limits: Seconds,
) -> Result<u64, StoreError> {
    let pause = if is_remote { PAUSE } else { SQLITE_PAUSE };
    let (mut deleted, mut failure) = (0_u64, None);
    for turns in STATEMENTS {
        let result = delete(pool, pause, turns, (batch, most), |units| {
            let now = if units == 1 { now } else { limits };
            now.saturating_sub(PURGE_MARGIN).saturating_mul(units)
        });
        match result.await {
            Ok(rows) => deleted = deleted.saturating_add(rows),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(deleted), Err)
}

/// Goes on until no batch is full, or there were `most`.
async fn delete(
    pool: &Pool,
    pause: Duration,
    turns: Turns,
    (batch, most): (u32, u32),
    before: impl Fn(i64) -> i64,
) -> Result<u64, StoreError> {
    let mut deleted = 0_u64;
    for _ in 0..most {
        let (mut is_full, start) = (false, Instant::now());
        for &(statement, units) in turns {
            let rows = retried!(delete_batch(pool, statement, before(units), batch))?;
            deleted = deleted.saturating_add(rows);
            is_full |= rows >= u64::from(batch);
        }
        if !is_full {
            break;
        }
        sleep(start.elapsed().saturating_mul(2).saturating_add(pause)).await;
    }
    Ok(deleted)
}

async fn delete_batch(
    pool: &Pool,
    statement: &'static str,
    before: i64,
    batch: u32,
) -> Result<u64, StoreError> {
    let statement = sqlx::query(statement).bind(before).bind(i64::from(batch));
    Ok(statement.execute(pool).await?.rows_affected())
}

#[cfg(test)]
mod tests {
    use crate::store::DOCUMENTS_KEPT;

    #[test]
    fn the_statement_has_the_time_that_documents_are_kept() {
        assert!(unused!().contains(&format!("({DOCUMENTS_KEPT} ")));
    }
}
