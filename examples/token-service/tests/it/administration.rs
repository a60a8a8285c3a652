//! The commands of the administration, also beside a running service.

use crate::process::{Database, program};

#[test]
fn a_user_is_added_changed_and_disabled_beside_a_running_service() {
    let database = Database::new();
    assert_eq!(database.succeed(&["user", "add", "alice"], "wonderland\n"), "added alice\n");
    let server = database.serve(&[]);
    assert_eq!(server.log_in("alice", "wonderland").0, 200);

    let add = ["user", "add", "bob", "--scope", "read", "--scope", "write"];
    database.succeed(&add, "builder");
    assert_eq!(server.log_in("bob", "builder&scope=write").0, 200);

    database.succeed(&["user", "passwd", "bob"], "other\r\n");
    assert_eq!(server.log_in("bob", "builder").0, 401);
    assert_eq!(server.log_in("bob", "other").0, 200);

    assert_eq!(database.succeed(&["user", "disable", "bob"], ""), "disabled bob\n");
    assert_eq!(server.log_in("bob", "other").0, 401);
    let list = database.succeed(&["user", "list"], "");
    assert_eq!(list, "alice\tenabled\tread\nbob\tdisabled\tread write\n");
}

#[test]
fn a_user_that_is_there_or_not_is_status_1() {
    let database = Database::new();
    database.succeed(&["user", "add", "alice"], "wonderland");
    assert!(database.fail(&["user", "add", "alice"], "other", 1).contains("\"alice\""));
    assert!(database.fail(&["user", "passwd", "bob"], "other", 1).contains("no user"));
    assert!(database.fail(&["user", "disable", "bob"], "", 1).contains("no user"));
}

#[test]
fn the_names_of_the_clients_of_the_program_are_reserved() {
    let database = Database::new();
    for name in ["token-service", "token-service-docs"] {
        assert!(database.fail(&["user", "add", name], "wonderland", 1).contains("reserved"));
        let add =
            ["client", "add", "--id", name, "--name", "Mine", "--grant", "client_credentials"];
        assert!(database.fail(&add, "", 1).contains("reserved"));
    }
}

#[test]
fn passwords_that_are_empty_too_long_or_of_two_lines_are_refused() {
    let database = Database::new();
    let longest = "x".repeat(1024);
    database.succeed(&["user", "add", "alice"], &longest);
    for (password, why) in [
        ("", "empty"),
        ("\n", "empty"),
        (&*"x".repeat(1025), "1024"),
        (&*"ä".repeat(100_000), "1024"),
        ("two\nlines\n", "line break"),
        ("a\0b", "control"),
    ] {
        let said = database.fail(&["user", "add", "bob"], password, 1);
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(database.succeed(&["user", "list"], ""), "alice\tenabled\tread\n");
}

#[test]
fn names_and_scopes_that_no_list_can_show_are_status_2() {
    let database = Database::new();
    for name in ["", " alice", "a\tb", "zoë", &*"x".repeat(256)] {
        database.fail(&["user", "add", name], "password", 2);
    }
    for scope in ["", "two words", "quo\"te", "ü"] {
        database.fail(&["user", "add", "bob", "--scope", scope], "password", 2);
    }
}

/// The value after `NAME: ` in a line.
fn value<'a>(output: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    output.lines().find_map(|line| line.strip_prefix(&*prefix)).unwrap()
}

#[test]
fn clients_are_added_listed_and_get_a_new_secret() {
    let database = Database::new();
    let add = ["client", "add", "--name", "My app", "--redirect-uri", "https://app.example/back"];
    let public = database.succeed(&[&add[..], &["--public"]].concat(), "");
    assert_eq!(public.lines().count(), 1);
    let add = [
        "client",
        "add",
        "--id",
        "job",
        "--name",
        "Nightly job",
        "--grant",
        "client_credentials",
        "--scope",
        "read",
        "--scope",
        "write",
    ];
    let confidential = database.succeed(&add, "");
    assert_eq!(value(&confidential, "client_id"), "job");
    let secret = value(&confidential, "client_secret");
    assert_eq!(secret.len(), 43);
    assert!(database.fail(&add, "", 1).contains("\"job\""));

    let rotated = database.succeed(&["client", "rotate-secret", "job"], "");
    assert_ne!(value(&rotated, "client_secret"), secret);
    let public_id = value(&public, "client_id");
    let said = database.fail(&["client", "rotate-secret", public_id], "", 1);
    assert!(said.contains("has no secret"), "{said}");
    for id in ["nobody", "-nobody"] {
        database.fail(&["client", "rotate-secret", id], "", 1);
    }

    let list = database.succeed(&["client", "list"], "");
    assert!(list.contains("job\tNightly job\tclient_secret\tclient_credentials\tread write\t-\n"));
    assert!(list.contains(&format!(
        "{public_id}\tMy app\tnone\tauthorization_code refresh_token\tread\thttps://app.example/back\n"
    )));
    assert!(!list.contains(secret));
}

#[test]
fn a_client_with_keys_of_its_own_gives_the_public_ones() {
    let database = Database::new();
    let public = r#"{"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "1",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let private =
        public.replacen('{', "{\"d\": \"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\",", 1);
    for (keys, status) in [
        (format!("{{\"keys\": [{public}]}}"), 0),
        (format!("{{\"keys\": [{public}, {private}]}}"), 2),
        (format!("{{\"keys\": [{private}]}}"), 2),
        ("{\"keys\": []}".to_owned(), 2),
        ("not JSON".to_owned(), 2),
    ] {
        let file = database.file("keys.json");
        std::fs::write(&file, &keys).unwrap();
        let add =
            ["client", "add", "--name", "Job", "--grant", "client_credentials", "--jwks", &file];
        assert_eq!(database.run(&add, "").status.code(), Some(status), "{keys}");
    }
    let list = database.succeed(&["client", "list"], "");
    assert_eq!(list.lines().count(), 1);
    assert!(list.contains("\tprivate_key_jwt\t"));
}

#[test]
fn clients_that_cannot_work_are_refused() {
    let database = Database::new();
    for flags in [
        &["--redirect-uri", "http://app.example/back"][..],
        &["--redirect-uri", "https://app.example/#fragment"],
        &["--redirect-uri", "https://me@app.example/"],
        &["--redirect-uri", "https://app.example/a b"],
        &["--redirect-uri", "javascript:alert(1)"],
        &["--redirect-uri", "back"],
        &[],
        &["--grant", "implicit"],
        &["--grant", "client_credentials", "--public"],
        &["--grant", "client_credentials", "--id", "two words"],
        &["--grant", "client_credentials", "--id", "zoë"],
        &["--grant", "client_credentials", "--id", &*"x".repeat(256)],
        &["--grant", "client_credentials", "--jwks", "/nowhere"],
        &["--grant", "client_credentials", "--public", "--jwks", "/nowhere"],
    ] {
        database.fail(&[&["client", "add", "--name", "App"], flags].concat(), "", 2);
    }
    for uri in [
        "http://127.0.0.1/back",
        "http://[::1]:1/back",
        "http://localhost/back",
        "com.example.app:/back",
    ] {
        database.succeed(&["client", "add", "--name", "App", "--redirect-uri", uri], "");
    }
}

#[test]
fn a_token_is_issued_without_a_server() {
    let database = Database::new();
    let server = database.serve(&["--issuer", "https://issuer.example"]);
    let mint = ["--issuer", "https://issuer.example", "token", "--subject", "carol"];
    let token = database.succeed(&mint, "");
    assert_eq!(server.protected(token.trim_end()), 200);

    let other = [&mint[..], &["--audience", "https://api.example"]].concat();
    assert_eq!(server.protected(database.succeed(&other, "").trim_end()), 401);
    database.fail(&[&mint[..], &["--lifetime", "0"]].concat(), "", 2);
    database.fail(&[&mint[..], &["--scope", "two words"]].concat(), "", 2);
    database.fail(&["token"], "", 2);

    // It can be revoked, as its help says.
    assert!(database.succeed(&["token", "--help"], "").contains("/revoke"));
    let form = format!("token={}", token.trim_end());
    assert_eq!(server.post("/revoke", &form).0, 200);
    assert_eq!(server.protected(token.trim_end()), 401);
}

/// The key IDs with this state.
fn keys(database: &Database, state: &str) -> Vec<String> {
    let list = database.succeed(&["keys", "list"], "");
    let fields = list.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    fields.filter(|fields| fields[2] == state).map(|fields| fields[0].to_owned()).collect()
}

/// Waits until the key set that is served fulfils this.
fn wait_for_keys(server: &crate::process::Server, is_there: impl Fn(&str) -> bool) {
    for _ in 0..300 {
        let (status, set) = server.get("/jwks.json");
        assert_eq!(status, 200);
        if is_there(&set) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("the keys do not change");
}

#[test]
fn a_running_service_follows_a_rotation_and_a_revocation_of_keys() {
    let database = Database::new();
    assert_eq!(database.succeed(&["keys", "list"], ""), "");
    database.succeed(&["user", "add", "alice"], "wonderland");
    let server = database.serve(&[]);
    let token = server.token("alice", "wonderland");
    let first = keys(&database, "current");
    assert_eq!(first.len(), 1);

    let added = database.succeed(&["keys", "rotate"], "");
    let next = keys(&database, "next");
    assert_eq!(added, format!("added {}\n", next[0]));
    wait_for_keys(&server, |set| set.contains(&next[0]) && set.contains(&first[0]));
    assert_eq!(server.protected(&token), 200);

    database.succeed(&["keys", "rotate", "--revoke-others"], "");
    let current = keys(&database, "current");
    assert_ne!(current, first);
    wait_for_keys(&server, |set| set.contains(&current[0]) && !set.contains(&first[0]));
    assert_eq!(server.protected(&token), 401);
    let token = server.token("alice", "wonderland");
    assert_eq!(server.protected(&token), 200);
}

#[test]
fn of_rotations_within_a_second_each_new_key_signs_after_the_others() {
    let database = Database::new();
    let rotate = |_| database.succeed(&["keys", "rotate", "--after=0"], "");
    let added: Vec<_> = (0..6).map(rotate).collect();
    let list = database.succeed(&["keys", "list"], "");
    let listed = list.lines().map(|line| format!("added {}\n", line.split('\t').next().unwrap()));
    assert_eq!(listed.collect::<Vec<_>>(), added);
}

#[test]
fn help_teaches_with_an_example_for_each_command() {
    for command in [
        &["user", "add"][..],
        &["user", "passwd"],
        &["user", "disable"],
        &["user", "list"],
        &["client", "add"],
        &["client", "rotate-secret"],
        &["client", "list"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["keys", "encryption"],
        &["keys", "encrypt"],
        &["keys", "dangerous-decrypt"],
        &["keys", "generate-encryption-key"],
        &["token"],
        &[],
    ] {
        let output = program(&[command, &["--help"]].concat()).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(help.contains("Example") && help.contains("token-service "), "{command:?}: {help}");
    }
}
