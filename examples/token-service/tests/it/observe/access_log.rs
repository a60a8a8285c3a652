//! The access log.

use serde_json::{Value, json};

use super::{FORM, Line, SHOWN, header, lines, member, raw, send, status, use_all};
use crate::process::Server;

/// The fields of a line with this route.
#[track_caller]
fn of<'a>(lines: &'a [Line], route: &str) -> Vec<&'a Line> {
    let found: Vec<_> = lines.iter().filter(|line| line["route"] == route).collect();
    assert!(!found.is_empty(), "no {route}: {lines:?}");
    found
}

fn get<'a>(line: &'a Line, name: &str) -> &'a Value {
    line.get(name).unwrap_or(&Value::Null)
}

#[test]
fn each_request_is_one_line() {
    let server = Server::start(&[&SHOWN[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    let answer = send(&server.address, "GET /jwks.json?x=y", "x-request-id: of-the-proxy\r\n", "");
    let length: u64 = header(&answer, "content-length").parse().unwrap();
    use_all(&server);
    let (status, log) = server.stop();
    assert_eq!(status, Some(0));
    let lines = lines(&log);
    // `use_all` makes 11 requests.
    assert_eq!(lines.len(), 12, "{log}");

    let keys = of(&lines, "/jwks.json")[0];
    assert_eq!(get(keys, "request_id"), "of-the-proxy");
    assert_eq!((get(keys, "method"), get(keys, "status")), (&json!("GET"), &json!(200)));
    assert_eq!(
        (get(keys, "bytes"), get(keys, "client_address")),
        (&json!(length), &json!("127.0.0.1"))
    );
    assert!(get(keys, "duration_ms").as_f64().unwrap() >= 0.0);
    assert_eq!((get(keys, "client_id"), get(keys, "error")), (&Value::Null, &Value::Null));

    let login = of(&lines, "/token")[0];
    assert_eq!(
        (get(login, "client_id"), get(login, "grant_type")),
        (&json!("demo"), &json!("password"))
    );
    let reuse = of(&lines, "/token")[3];
    assert_eq!(
        (get(reuse, "error"), get(reuse, "grant_type")),
        (&json!("invalid_grant"), &json!("refresh_token"))
    );
    let refused = of(&lines, "/protected")[1];
    assert_eq!(
        (get(refused, "error"), get(refused, "reason")),
        (&json!("invalid_token"), &json!("RevokedToken"))
    );
    assert_eq!((get(refused, "client_id"), get(refused, "status")), (&json!("demo"), &json!(401)));
    assert_eq!(get(of(&lines, "unmatched")[0], "status"), 404);
}

#[test]
fn a_warning_has_the_id_of_its_request() {
    let server = Server::start(&SHOWN);
    use_all(&server);
    let log = server.stop().1;
    let warning = log.lines().find(|line| line.contains("was used again")).unwrap();
    let warning: Value = serde_json::from_str(warning).unwrap();
    let id = warning["span"]["id"].as_str().unwrap();
    assert_eq!(get(of(&lines(&log), "/token")[3], "request_id"), id);
}

#[test]
fn probes_do_not_fill_the_log() {
    let server = Server::start(&SHOWN);
    for _ in 0..20 {
        assert_eq!((server.get("/readyz").0, server.get("/healthz").0), (200, 200));
    }
    let lines = lines(&server.stop().1);
    assert_eq!((of(&lines, "/readyz").len(), of(&lines, "/healthz").len()), (1, 1));
}

#[test]
fn the_address_is_that_of_the_client_behind_trusted_proxies() {
    let server = Server::start(&[&SHOWN[..], &["--trusted-proxy", "127.0.0.1"]].concat());
    let proxied = "x-forwarded-for: 203.0.113.9, 192.0.2.7\r\n";
    assert_eq!(status(&send(&server.address, "GET /openapi.json", proxied, "")), 200);
    let lines = lines(&server.stop().1);
    assert_eq!(get(of(&lines, "/openapi.json")[0], "client_address"), "192.0.2.7");
}

#[test]
fn a_client_is_named_only_once_it_is_known() {
    let server = Server::start(&SHOWN);
    let form = "grant_type=client_credentials&client_id=demo&client_secret=wrong";
    assert_eq!(status(&send(&server.address, "POST /token", FORM, form)), 401);
    let form = "grant_type=password&client_id=invented&username=alice&password=wonderland";
    assert_eq!(status(&send(&server.address, "POST /token", FORM, form)), 200);
    let lines = lines(&server.stop().1);
    let [wrong, invented] = of(&lines, "/token")[..] else { panic!("{lines:?}") };
    assert_eq!(
        (get(wrong, "client_id"), get(wrong, "error")),
        (&Value::Null, &json!("invalid_client"))
    );
    assert_eq!((get(invented, "client_id"), get(invented, "status")), (&Value::Null, &json!(200)));
}

#[test]
fn a_client_that_goes_away_is_logged() {
    let server = Server::start(&SHOWN);
    {
        use std::io::Write;
        let mut stream = server.connect();
        let head = "POST /token HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
    }
    // A later request on the same port shows that the service goes on.
    assert_eq!(server.get("/healthz").0, 200);
    let lines = lines(&server.stop().1);
    let aborted = of(&lines, "/token")[0];
    let body_was_cut = get(aborted, "status") == 400;
    assert!(body_was_cut || get(aborted, "aborted") == true, "{aborted:?}");
}

#[test]
fn without_the_flag_there_is_no_access_log() {
    let server = Server::start_with(&["--demo"], &[("RUST_LOG", "info")]);
    assert_eq!(server.get("/jwks.json").0, 200);
    let log = server.stop().1;
    assert!(!log.contains("jwks.json"), "{log}");
}

#[test]
fn a_line_of_text_has_no_line_break_of_the_client() {
    let server = Server::start(&["--demo", "--access-log"]);
    let request = "GET /x%0a%0dforged%1b[31m HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-request-id: a%0ab\r\n\r\n";
    assert_eq!(status(&raw(&server.address, request)), 404);
    let token = server.token("alice", "wonderland");
    assert_eq!(server.protected(&token), 200);
    let log = server.stop().1;
    let lines: Vec<_> = log.lines().filter(|line| line.contains(" access: ")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].contains("route=\"unmatched\"") && lines[0].contains("status=404"), "{log}");
    assert!(!log.contains("forged") && !log.contains('\u{1b}') && !log.contains(&token), "{log}");
}

#[test]
fn the_tokens_of_a_good_login_are_not_in_the_log() {
    let server = Server::start_with(&SHOWN, &[("RUST_LOG", "debug")]);
    let secret = use_all(&server);
    let form = format!("grant_type=client_credentials&client_id=demo&client_secret={secret}");
    let token = member(&send(&server.address, "POST /token", FORM, &form), "access_token");
    let log = server.stop().1;
    for hidden in [&secret, &token, "wonderland"] {
        assert!(!log.contains(hidden), "{log}");
    }
}
