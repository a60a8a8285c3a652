//! The program on its database: the flag, the environment, restarts, and databases that it cannot use.

use std::fs;

use tokio::time::Instant;

use crate::process::{Database, Server, program};

#[test]
fn a_start_without_demo_makes_the_database_and_a_restart_keeps_keys_users_and_tokens() {
    let database = Database::new();
    let server = database.serve(&["--issuer", "https://issuer.example"]);
    database.succeed(&["user", "add", "alice"], "wonderland");
    let token = server.token("alice", "wonderland");
    let keys = server.get("/jwks.json");
    let (status, log) = server.stop();
    assert_eq!(status, Some(0));
    assert!(log.contains("RFC 9700"), "{log}");
    assert!(!log.contains("wonderland") && !log.contains(&token), "{log}");

    let server = database.serve(&["--issuer", "https://issuer.example"]);
    assert_eq!(server.get("/jwks.json"), keys);
    assert_eq!(server.protected(&token), 200);
    assert_eq!(server.log_in("alice", "wonderland").0, 200);
}

#[test]
fn a_restart_does_not_forget_wrong_passwords() {
    let database = Database::new();
    database.succeed(&["user", "add", "alice"], "wonderland");
    let begin = Instant::now();
    let guesses = |server: &Server| {
        let is_checked = |guess: &u64| server.log_in("alice", &guess.to_string()).0 != 429;
        (0..60).take_while(is_checked).count() as u64
    };
    let server = database.serve(&[]);
    assert!(guesses(&server) >= 10);
    drop(server);
    // One comes back in six seconds; a new budget has ten.
    let server = database.serve(&[]);
    let after = guesses(&server);
    assert!(after <= begin.elapsed().as_secs() / 6 + 1, "{after}");
}

#[test]
fn the_default_database_is_in_the_current_folder() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(&["user", "list"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(folder.path().join("token-service.db").exists());
}

#[test]
fn flags_can_come_from_the_environment_and_the_url_from_a_file() {
    let database = Database::new();
    database.succeed(&["user", "add", "alice"], "wonderland");
    let run = |variable: &str, value: &str| {
        let output = program(&["user", "list"]).env(variable, value).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run("TOKEN_SERVICE_DATABASE", &database.url()), "alice\tenabled\tread\n");
    let file = database.file("url");
    fs::write(&file, format!("{}\n", database.url())).unwrap();
    assert_eq!(run("TOKEN_SERVICE_DATABASE_FILE", &file), "alice\tenabled\tread\n");

    for (variable, value) in [
        ("TOKEN_SERVICE_DATABASE_FILE", "/nowhere/url"),
        ("TOKEN_SERVICE_ISSUER", "issuer.example"),
        ("TOKEN_SERVICE_LIFETIME", "0"),
        ("TOKEN_SERVICE_AUDIENCE", "https://api.example nonsense"),
        ("TOKEN_SERVICE_TRUSTED_PROXY", "10.0.0.1 nonsense"),
        ("TOKEN_SERVICE_SCOPE", "read=Read; =x"),
        ("TOKEN_SERVICE_DEMO", "perhaps"),
    ] {
        let url = database.url();
        let database =
            if variable.contains("DATABASE") { vec![] } else { vec!["--database", &url] };
        let flags = [&["--listen=127.0.0.1:0"], &database[..]].concat();
        let output = program(&flags).env(variable, value).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {said}");
        assert_eq!(said.lines().count(), 1, "{variable}: {said}");
    }
}

#[test]
fn a_url_with_a_password_is_not_shown() {
    let flags = ["user", "list"];
    let url = "postgres://service:hunter2@localhost/db";
    let output = program(&flags).env("TOKEN_SERVICE_DATABASE", url).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let help = program(&["--help"]).env("TOKEN_SERVICE_DATABASE", url).output().unwrap();
    for text in [output.stderr, help.stdout] {
        assert!(!String::from_utf8(text).unwrap().contains("hunter2"));
    }
}

#[test]
fn several_instances_need_the_name_of_their_issuer() {
    for scheme in ["postgres", "postgresql"] {
        let url = format!("{scheme}://service:hunter2@127.0.0.1:1/db");
        for flags in [&["--listen=127.0.0.1:0"][..], &["token", "--subject=alice"]] {
            let output = program(&[&["--database", &url], flags].concat()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(said.contains("--issuer") && !said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn a_database_that_cannot_be_used_is_one_sentence_and_status_2() {
    let database = Database::new();
    let corrupt = database.file("corrupt.db");
    fs::write(&corrupt, "this is not a database, and long enough to have a header ".repeat(100))
        .unwrap();
    let folder = database.file("");
    for (url, why) in [
        (format!("sqlite:{corrupt}"), "corrupt.db"),
        ("sqlite:/nowhere/service.db".to_owned(), "/nowhere/service.db"),
        (format!("sqlite:{folder}"), "cannot be opened"),
        ("sqlite:".to_owned(), "must name a file"),
        ("mysql://localhost/db".to_owned(), "must begin with"),
        (String::new(), "must begin with"),
    ] {
        for command in [&["--listen=127.0.0.1:0"][..], &["user", "list"]] {
            let output = program(&[&["--database", &url], command].concat()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{url}: {said}");
            assert_eq!(said.lines().count(), 1, "{url}: {said}");
            assert!(said.contains(why), "{url}: {said}");
        }
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_only_if_it_breaks_this_version() {
    for (description, works) in [("clients by a document", true), ("breaking client ids", false)] {
        let database = Database::new();
        database.succeed(&["user", "add", "alice"], "wonderland");
        let pool = sqlx::SqlitePool::connect(&database.url()).await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (9999, $1, TRUE, x'00', 0)",
        )
        .bind(description)
        .execute(&pool)
        .await
        .unwrap();
        sqlx::query("ALTER TABLE users ADD COLUMN email TEXT").execute(&pool).await.unwrap();
        pool.close().await;
        if works {
            assert_eq!(database.succeed(&["user", "list"], ""), "alice\tenabled\tread\n");
            let server = database.serve(&[]);
            assert_eq!(server.log_in("alice", "wonderland").0, 200);
            server.stop();
        } else {
            let said = database.fail(&["user", "list"], "", 2);
            assert!(said.contains("newer version"), "{said}");
        }
    }
}
