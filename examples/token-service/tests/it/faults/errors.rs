//! Errors of the database: each is 503, and nothing is lost.

use super::{Faulty, calls, within};

/// Makes each statement that writes to the tables of the tokens fail with an error of this number.
async fn fail_writes(faulty: &Faulty, code: &str) {
    let mut statements = format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END $$;"
    );
    for table in ["users", "grants", "refresh_tokens", "codes", "sessions", "revoked_tokens"] {
        statements += &format!(
            "CREATE OR REPLACE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON {table} \
             EXECUTE FUNCTION fail();"
        );
    }
    faulty.run(&statements).await;
}

#[tokio::test]
async fn every_error_of_a_write_is_503_and_reading_goes_on() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    // The disk or the memory is full, it only reads, it shuts down, a deadlock, a conflict, a time limit.
    for code in ["53100", "53200", "25006", "57P01", "40P01", "40001", "57014"] {
        fail_writes(&faulty, code).await;
        for call in &calls {
            match call.writes {
                true => call.assert_unavailable(&faulty.client).await,
                false => call.assert_served(&faulty.client).await,
            }
        }
    }
    faulty.run("DROP FUNCTION fail() CASCADE").await;
    faulty.assert_all_served(&calls).await;
}

#[tokio::test]
async fn a_change_of_the_tables_beside_the_service_is_followed_within_seconds() {
    let Some(faulty) = Faulty::new().await else { return };
    let calls = faulty.calls().await;
    faulty.assert_all_served(&faulty.calls().await).await;
    for table in ["users", "clients", "grants", "refresh_tokens", "codes", "sessions"] {
        faulty.run(&format!("ALTER TABLE {table} ADD COLUMN later TEXT NOT NULL DEFAULT ''")).await;
    }
    // The statements that are prepared no longer fit: "cached plan must not change result type".
    for call in &calls {
        within(5, "served", async || call.is_served(&faulty.client).await).await;
    }
}

#[tokio::test]
async fn too_many_connections_are_served_by_those_there_are() {
    let Some(admin) = Faulty::new().await else { return };
    let role =
        format!("few_{}", token_service::secret::random_id().replace('-', "_").to_lowercase());
    admin
        .run(&format!("CREATE ROLE \"{role}\" LOGIN; GRANT ALL ON SCHEMA public TO \"{role}\""))
        .await;
    let url = crate::store::new_database(&std::env::var("POSTGRES_URL").unwrap()).await;
    let name = url.rsplit_once('/').unwrap().1.to_owned();
    admin.run(&format!("ALTER DATABASE \"{name}\" OWNER TO \"{role}\"")).await;
    let limited = url.replace("service@", &format!("{role}@"));
    let faulty = Faulty::on(limited).await;
    let calls = faulty.calls().await;
    let reads: Vec<_> = calls.into_iter().filter(|call| !call.writes).collect();

    // Fewer than the pool has.
    admin.run(&format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 4")).await;
    let served = calls::at_once(&faulty.client, &reads, 20).await;
    assert!(served >= 18, "{served} of 20");

    admin.run(&format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 0")).await;
    admin
        .run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        ))
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    for call in &reads {
        call.assert_unavailable(&faulty.client).await;
    }
    admin.run(&format!("ALTER ROLE \"{role}\" CONNECTION LIMIT -1")).await;
    faulty.ready().await;
    faulty.assert_all_served(&reads).await;
}
