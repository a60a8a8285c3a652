//! The program with keys that encrypt the keys in its database.

use std::fs;
use std::process::Output;
use std::sync::Arc;

use sqlx::Connection;
use token_service::store::{KeyEncryption, KeyEncryptionKey, SqlStore, Store, Target};
use token_service::{Settings, upkeep};

use crate::process::{Database, Server, program};
use crate::support::{Client, ISSUER};

const FLAG: &str = "--key-encryption-key-file";
const VARIABLE: &str = "TOKEN_SERVICE_KEY_ENCRYPTION_KEYS";
const NOT_ENCRYPTED: &str = "are not encrypted in the database";
const NOT_YET: &str = "are not encrypted yet";

/// A new key, in a file for its owner alone.
fn key_file(database: &Database, name: &str) -> String {
    let file = database.file(name);
    write(&file, &String::from_utf8(generate().stdout).unwrap(), 0o600);
    file
}

fn generate() -> Output {
    let output = program(&["keys", "generate-encryption-key"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    output
}

fn write(file: &str, text: &str, mode: u32) {
    fs::write(file, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The fields of the lines of `keys encryption` for signing keys and secrets: name, key ID, state.
fn listed(database: &Database, flags: &[&str]) -> Vec<[String; 3]> {
    let list = database.succeed(&[flags, &["keys", "encryption"]].concat(), "");
    let rows = list.lines().filter(|line| !line.starts_with("encryption_key"));
    let fields = rows.map(|line| line.split('\t').skip(1).map(str::to_owned).collect::<Vec<_>>());
    fields.map(|fields| fields.try_into().unwrap()).collect()
}

fn states(database: &Database, flags: &[&str]) -> Vec<String> {
    listed(database, flags).into_iter().map(|[_, _, state]| state).collect()
}

/// The key IDs that are given, by their states.
fn given(database: &Database, flags: &[&str]) -> Vec<(String, String)> {
    let list = database.succeed(&[flags, &["keys", "encryption"]].concat(), "");
    let fields = list.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let keys = fields.filter(|fields| fields[0] == "encryption_key");
    keys.map(|fields| (fields[1].to_owned(), fields[3].to_owned())).collect()
}

/// Waits until the instance publishes this signing key.
fn wait_for_key(server: &Server, kid: &str) {
    for _ in 0..300 {
        if server.get("/jwks.json").1.contains(kid) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{kid} is not published");
}

fn added(output: &str) -> String {
    output.trim_end().strip_prefix("added ").unwrap().to_owned()
}

#[test]
fn without_a_key_the_log_says_so_once() {
    let database = Database::new();
    let (_, log) = database.serve(&[]).stop();
    assert_eq!(log.matches(NOT_ENCRYPTED).count(), 1, "{log}");
    let (_, log) = Server::start(&["--demo"]).stop();
    assert!(!log.contains(NOT_ENCRYPTED), "{log}");

    let file = key_file(&database, "key");
    let (_, log) = database.serve(&[FLAG, &file]).stop();
    assert_eq!((log.matches(NOT_YET).count(), log.matches(NOT_ENCRYPTED).count()), (1, 0), "{log}");
    let flags = [FLAG, file.as_str()];
    database.succeed(&[&flags[..], &["keys", "encrypt"]].concat(), "");
    let (_, log) = database.serve(&flags).stop();
    assert!(!log.contains("encrypt"), "{log}");
}

#[test]
fn a_new_database_has_no_readable_key_and_needs_the_key() {
    let database = Database::new();
    let (file, other) = (key_file(&database, "key"), key_file(&database, "other"));
    database.succeed(&[FLAG, &file, "user", "add", "alice"], "wonderland");
    let flags = ["--issuer=https://issuer.example", FLAG, &file];
    let server = database.serve(&flags);
    let token = server.token("alice", "wonderland");
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(states(&database, &[FLAG, &file]), ["encrypted"; 3]);
    let bytes = fs::read(database.file("service.db")).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"PRIVATE KEY"));

    let server = database.serve(&flags);
    assert_eq!(server.protected(&token), 200);
    drop(server);

    let key_id = given(&database, &[FLAG, &file])[0].0.clone();
    for flags in [&[][..], &[FLAG, &other]] {
        for command in [&[][..], &["keys", "list"], &["keys", "rotate"], &["token", "--subject=a"]]
        {
            let issuer = ["--listen=127.0.0.1:0", "--issuer=http://127.0.0.1:8000"];
            let issuer = if command.is_empty() { &issuer[..] } else { &issuer[1..] };
            let said = database.fail(&[issuer, flags, command].concat(), "", 2);
            let expected = format!("is encrypted with the key {key_id}, which is not given");
            assert!(said.contains(&expected), "{said}");
            let key = fs::read_to_string(&other).unwrap();
            assert!(!said.contains(key.trim()), "{said}");
        }
        assert_eq!(states(&database, flags), ["missing"; 3]);
    }
    // What needs no signing key works.
    database.succeed(&["user", "list"], "");
}

#[test]
fn a_fleet_gets_the_key_is_encrypted_and_replaces_the_key_while_it_serves() {
    let database = Database::new();
    database.succeed(&["user", "add", "alice"], "wonderland");
    let (old, new) = (key_file(&database, "old"), key_file(&database, "new"));
    let issuer = "--issuer=https://issuer.example";
    let serve = |keys: &[&str]| {
        let flags: Vec<&str> = keys.iter().flat_map(|&key| [FLAG, key]).collect();
        database.serve(&[&[issuer], &flags[..]].concat())
    };
    let admin = |keys: &[&str], command: &[&str]| {
        let flags: Vec<&str> = keys.iter().flat_map(|&key| [FLAG, key]).collect();
        database.succeed(&[&flags[..], command].concat(), "")
    };
    // Each step: the keys of both instances, and how the database is encrypted.
    let mut instances = [serve(&[]), serve(&[])];
    let token = instances[0].token("alice", "wonderland");
    let check = |instances: &[Server; 2], kid: &str| {
        for instance in instances {
            wait_for_key(instance, kid);
            assert_eq!(instance.protected(&token), 200);
        }
        let fresh = instances[0].token("alice", "wonderland");
        assert_eq!(instances[1].protected(&fresh), 200);
    };
    let now = ["keys", "rotate", "--after=0"];

    // One instance has the key: it writes nothing that the other one cannot read.
    instances[0] = serve(&[&old]);
    check(&instances, &added(&admin(&[&old], &now)));
    instances[1] = serve(&[&old]);
    assert!(states(&database, &[FLAG, &old]).iter().all(|state| state == "plaintext"));
    let said = admin(&[&old], &["keys", "encrypt"]);
    let key_id = given(&database, &[FLAG, &old])[0].0.clone();
    assert!(said.ends_with(&format!("all keys are encrypted with {key_id}\n")), "{said}");
    assert_eq!(said.lines().filter(|line| line.starts_with("encrypted signing_key ")).count(), 2);
    assert_eq!(said.lines().filter(|line| line.starts_with("encrypted secret ")).count(), 2);
    check(&instances, &added(&admin(&[&old], &now)));

    // The same for the next key.
    instances[0] = serve(&[&new, &old]);
    check(&instances, &added(&admin(&[&new, &old], &now)));
    assert_eq!(states(&database, &[FLAG, &new, FLAG, &old]), ["other"; 6]);
    instances[1] = serve(&[&new, &old]);
    let planned = admin(&[&new, &old], &["keys", "encrypt", "--dry-run"]);
    assert_eq!(planned.lines().filter(|line| line.starts_with("would encrypt ")).count(), 6);
    assert_eq!(states(&database, &[FLAG, &new, FLAG, &old]), ["other"; 6]);
    admin(&[&new, &old], &["keys", "encrypt"]);
    assert_eq!(states(&database, &[FLAG, &new]), ["encrypted"; 6]);
    check(&instances, &added(&admin(&[&new, &old], &now)));
    instances = [serve(&[&new]), serve(&[&new])];
    check(&instances, &added(&admin(&[&new], &now)));
    for instance in instances {
        let (status, log) = instance.stop();
        assert_eq!(status, Some(0));
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[tokio::test]
async fn an_instance_without_the_key_keeps_the_keys_that_it_has() {
    let client = Client::new().await;
    let key = KeyEncryptionKey::from_text(&KeyEncryptionKey::generate()).unwrap();
    let store = SqlStore::clone(&client.store).with_key_encryption(KeyEncryption::new([key]));
    store.store_keys_as(Target::FirstKey, |_| {}).await.unwrap();
    for _ in 0..2 {
        let error = upkeep::follow_keys(&client.service).await.unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains("which is not given"), "{cause}");
        let bearer = format!("Bearer {}", client.token().await);
        assert_eq!(client.get_with("/protected", &bearer).await.status, 200);
        assert_eq!(client.get("/readyz").await.status, 200);
    }
    // It starts again with the key, and follows.
    let (secret, inner) = (client.secret.clone(), Arc::clone(&client.store));
    let again = Client::over(Settings::new(ISSUER), Arc::new(store), inner, secret).await;
    let bearer = format!("Bearer {}", client.token().await);
    assert_eq!(again.get_with("/protected", &bearer).await.status, 200);
    upkeep::follow_keys(&again.service).await.unwrap();
}

#[tokio::test]
async fn all_keys_are_revoked_although_the_row_of_one_is_damaged() {
    let database = Database::new();
    let file = key_file(&database, "key");
    let flags = [FLAG, file.as_str()];
    drop(database.serve(&flags));
    let store = SqlStore::open(&database.url()).await.unwrap();
    let before = store.signing_key_ids().await.unwrap();
    store.close().await;
    let mut connection = sqlx::AnyConnection::connect(&database.url()).await.unwrap();
    sqlx::query("UPDATE signing_keys SET private_key = 'encrypted:1:damaged'")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    database.fail(&[&flags[..], &["keys", "list"]].concat(), "", 2);
    let rotate = [&flags[..], &["keys", "rotate", "--revoke-others"]].concat();
    let kid = added(&database.succeed(&rotate, ""));
    assert!(!before.contains(&kid));
    assert_eq!(listed(&database, &flags)[0][0], kid);
    assert_eq!(states(&database, &flags), ["encrypted"; 3]);
}

#[tokio::test]
async fn a_key_that_is_added_without_encryption_is_warned_of_once() {
    const ADDED: &str = "was added to the database without encryption";
    let database = Database::new();
    let file = key_file(&database, "key");
    let server = database.serve(&[FLAG, &file, "--issuer=https://issuer.example"]);
    // As a version without encryption does.
    let key = token_service::keys::generate(1_700_000_000, 4_000_000_000).unwrap();
    SqlStore::open(&database.url()).await.unwrap().close().await;
    let mut connection = sqlx::AnyConnection::connect(&database.url()).await.unwrap();
    let insert = "INSERT INTO signing_keys (kid, algorithm, private_key, created_at, signs_from, token_lifetime) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(insert)
        .bind(&key.kid)
        .bind(&key.algorithm)
        .bind(key.private_key.as_str())
        .bind(key.created_at)
        .bind(key.signs_from)
        .bind(key.token_lifetime)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    wait_for_key(&server, &key.kid);
    // It looks every 5 seconds: twice, and the second time says nothing.
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let (_, log) = server.stop();
    assert_eq!((log.matches(ADDED).count(), log.matches(NOT_YET).count()), (1, 0), "{log}");
    assert!(log.contains(&key.kid) && !log.contains("PRIVATE KEY"), "{log}");
}

#[test]
fn keys_are_decrypted_again_for_an_older_version() {
    let database = Database::new();
    let file = key_file(&database, "key");
    drop(database.serve(&[FLAG, &file]));
    let said = database.succeed(&[FLAG, &file, "keys", "dangerous-decrypt"], "");
    assert!(said.ends_with("no key is encrypted\n"), "{said}");
    assert_eq!(states(&database, &[]), ["plaintext"; 3]);
    drop(database.serve(&[]));
}

#[test]
fn the_keys_can_come_from_the_environment() {
    let database = Database::new();
    let keys = [generate(), generate()].map(|output| String::from_utf8(output.stdout).unwrap());
    let run = |value: &str, arguments: &[&str]| {
        let url = database.url();
        let arguments = [&["--database", &url], arguments].concat();
        program(&arguments).env(VARIABLE, value).output().unwrap()
    };
    let output = run(&keys.join(" "), &["keys", "encryption"]);
    let list = String::from_utf8(output.stdout).unwrap();
    let states: Vec<&str> = list.lines().map(|line| line.rsplit('\t').next().unwrap()).collect();
    assert_eq!(states, ["first", "other"]);

    let file = key_file(&database, "key");
    let short = "A".repeat(42);
    for (value, flags, why) in [
        ("", &[][..], "is empty"),
        (" \n", &[], "is empty"),
        (&short, &[], "32 random bytes"),
        ("hunter2", &[], "32 random bytes"),
        (&keys[0], &[FLAG, &file], "cannot be used together"),
    ] {
        let output = run(value, &[flags, &["keys", "encryption"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(why) && said.contains(VARIABLE), "{said}");
        assert!(value.trim().is_empty() || !said.contains(value.trim()), "{said}");
    }
    let help = program(&["--help"]).env(VARIABLE, &keys[0]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains(VARIABLE) && !help.contains(keys[0].trim()));
}

#[test]
fn files_that_are_no_key_are_one_sentence_and_status_2() {
    let database = Database::new();
    let text = String::from_utf8(generate().stdout).unwrap();
    for (name, text, mode, why) in [
        ("short", &text[1..], 0o600, "32 random bytes"),
        ("two", &text.repeat(2), 0o600, "32 random bytes"),
        ("empty", "", 0o600, "32 random bytes"),
        ("long", &"A".repeat(2000), 0o600, "longer than a key"),
        ("open", &text, 0o602, "everyone can write it"),
    ] {
        let file = database.file(name);
        write(&file, text, mode);
        let said = database.fail(&[FLAG, &file, "keys", "encrypt"], "", 2);
        assert!(said.contains(why) && said.contains(name), "{said}");
        assert!(text.trim().is_empty() || !said.contains(text.trim()), "{said}");
    }
    for missing in ["/nowhere/key", &database.file("")] {
        assert!(database.fail(&[FLAG, missing, "keys", "list"], "", 2).contains(missing));
    }
    assert!(database.fail(&["keys", "encrypt"], "", 2).contains(FLAG));
    let file = key_file(&database, "key");
    let output = program(&["--demo", "--listen=127.0.0.1:0", FLAG, &file]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn a_file_that_everyone_can_read_is_warned_of() {
    let database = Database::new();
    let file = key_file(&database, "key");
    write(&file, &fs::read_to_string(&file).unwrap(), 0o444);
    let output = database.run(&[FLAG, &file, "keys", "encryption"], "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("can read the key encryption key") && said.contains(&file), "{said}");
    write(&file, &fs::read_to_string(&file).unwrap(), 0o440);
    database.succeed(&[FLAG, &file, "keys", "encryption"], "");
}

#[test]
fn a_new_key_needs_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        program(&["keys", "generate-encryption-key"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.stdout.len(), 44);
    assert!(output.stderr.is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
