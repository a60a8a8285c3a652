//! Brings the tables to the version of this program, beside instances of another version.
//!
//! A migration only adds: tables, columns with a default, indexes. So the version before works on the migrated database:
//! it goes on while the new one starts beside it, and it can be started again. Statements name their columns, since
//! PostgreSQL refuses a prepared `SELECT *` once the table has a further column.
//!
//! A migration that does more has a file name such as `0007_breaking_….sql`. Versions without it refuse its database.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::rows::get;
use crate::store::StoreError;

/// How the name of a migration begins that the version before does not work with.
const BREAKING: &str = "breaking";

/// The SQLSTATE of PostgreSQL for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

/// The migrations of this program. Those of a newer version are not its business.
fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator
}

/// Makes what is missing in a file.
pub(super) async fn run_on_file(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let migrator = migrator();
    let mut result = migrator.run(&mut *connection).await;
    // Two processes that start on a new SQLite file both begin; the slower one fails, and finds all done.
    for _ in 0..3 {
        if !matches!(result, Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        result = migrator.run(&mut *connection).await;
    }
    result.map_err(not_made)?;
    refuse_breaking(connection, &migrator).await
}

/// Makes what is missing on a server. Waits up to 10 seconds while another instance does that, and then takes as long as
/// the migrations take.
pub(super) async fn run(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let migrator = migrator();
    migrator.run(&mut *connection).await.map_err(not_made)?;
    refuse_breaking(connection, &migrator).await
}

/// Checks a database in which nothing is missing. `false` if something is. Does not wait for an instance of another version
/// that makes what that one misses.
pub(super) async fn check(connection: &mut AnyConnection) -> Result<bool, StoreError> {
    let mut migrator = migrator();
    let made = match sqlx::query("SELECT version FROM _sqlx_migrations")
        .fetch_all(&mut *connection)
        .await
        .map_err(StoreError::from)
    {
        Ok(rows) => rows.iter().map(|row| get(row, "version")).collect::<Result<Vec<i64>, _>>()?,
        Err(error) if error.code().as_deref() == Some(UNDEFINED_TABLE) => return Ok(false),
        Err(error) => return Err(error),
    };
    if !migrator.iter().all(|migration| made.contains(&migration.version)) {
        return Ok(false);
    }
    migrator.set_locking(false);
    migrator.run(&mut *connection).await.map_err(not_made)?;
    refuse_breaking(connection, &migrator).await?;
    Ok(true)
}

fn not_made(error: MigrateError) -> StoreError {
    StoreError::new("the tables of the database cannot be made").with_source(error)
}

/// Refuses a database with a breaking migration that this program does not know.
async fn refuse_breaking(
    connection: &mut AnyConnection,
    migrator: &Migrator,
) -> Result<(), StoreError> {
    let rows = sqlx::query("SELECT version, description FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut *connection)
        .await?;
    for row in &rows {
        let (version, description): (i64, String) =
            (get(row, "version")?, get(row, "description")?);
        if !migrator.version_exists(version) && description.starts_with(BREAKING) {
            return Err(StoreError::new(
                "the database was changed by a newer version of this program, so that this one cannot use it",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The statements of a migration, without comments and with single spaces.
    fn statements(sql: &str) -> Vec<String> {
        let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join(" ");
        let words = |one: &str| one.split_whitespace().collect::<Vec<_>>().join(" ");
        text.split(';').map(words).filter(|one| !one.is_empty()).collect()
    }

    /// Whether the version before works as before after this statement.
    fn only_adds(statement: &str) -> bool {
        let statement = statement.to_ascii_uppercase();
        let adds_column = statement.starts_with("ALTER TABLE ")
            && statement.contains(" ADD COLUMN ")
            && statement.matches("ADD ").count() == 1
            && (!statement.contains("NOT NULL") || statement.contains(" DEFAULT "))
            && !["UNIQUE", "CHECK", " DROP ", " ALTER COLUMN ", " RENAME "]
                .iter()
                .any(|word| statement.contains(word));
        statement.starts_with("CREATE TABLE ")
            || statement.starts_with("CREATE INDEX ")
            || adds_column
    }

    #[test]
    fn migrations_only_add_unless_their_name_says_that_they_break() {
        for migration in migrator().iter().filter(|one| !one.description.starts_with(BREAKING)) {
            for statement in statements(migration.sql.as_str()) {
                assert!(only_adds(&statement), "{}: {statement}", migration.version);
            }
        }
        for (statement, adds) in [
            ("ALTER TABLE users ADD COLUMN email TEXT", true),
            ("ALTER TABLE users ADD COLUMN number BIGINT NOT NULL DEFAULT 0", true),
            ("ALTER TABLE users ADD COLUMN number BIGINT NOT NULL", false),
            ("ALTER TABLE users ADD COLUMN email TEXT UNIQUE", false),
            ("ALTER TABLE users ADD COLUMN email TEXT, DROP COLUMN name", false),
            ("ALTER TABLE users DROP COLUMN name", false),
            ("CREATE UNIQUE INDEX users_email ON users (email)", false),
            ("DROP TABLE users", false),
            ("UPDATE users SET scope = ''", false),
        ] {
            assert_eq!(only_adds(statement), adds, "{statement}");
        }
    }

    #[test]
    fn statements_name_the_columns_that_they_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            // The folder of the connections has no such statements.
            if path.is_dir() {
                continue;
            }
            let source = fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            for star in ["SELECT * ", "RETURNING *", ".* FROM"] {
                let code = source.lines().filter(|line| !line.starts_with("//"));
                assert!(!code.into_iter().any(|line| line.contains(star)), "{}", path.display());
            }
        }
    }
}
