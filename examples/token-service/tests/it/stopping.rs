//! What SIGTERM does with `--drain`.

use std::io::{Read, Write};
use std::time::Duration;

use tokio::time::Instant;

use crate::process::{Database, Server};

/// Polls until `/readyz` has this status.
fn wait_for(server: &Server, status: u16) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (seen, body) = server.get("/readyz");
        if seen == status {
            return body;
        }
        assert!(Instant::now() < end, "{seen} {body}");
    }
}

#[test]
fn before_the_end_it_is_not_ready_serves_on_and_closes_connections_after_a_response() {
    let database = Database::new();
    database.succeed(&["user", "add", "alice"], "wonderland");
    let server = database.serve(&["--drain", "600"]);
    let token = server.token("alice", "wonderland");
    wait_for(&server, 200);
    let mut kept = server.connect();
    let request = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = [0; 4096];
    kept.write_all(request.as_bytes()).unwrap();
    let length = kept.read(&mut first).unwrap();
    let first = String::from_utf8_lossy(&first[..length]).to_lowercase();
    assert!(first.starts_with("http/1.1 200") && !first.contains("connection: close"), "{first}");

    server.terminate();
    assert_eq!(wait_for(&server, 503), r#"{"status":"stopping"}"#);
    // The connection of before, and new ones.
    kept.write_all(request.as_bytes()).unwrap();
    let mut rest = String::new();
    kept.read_to_string(&mut rest).unwrap();
    let rest = rest.to_lowercase();
    assert!(rest.starts_with("http/1.1 200") && rest.contains("connection: close"), "{rest}");
    assert_eq!(server.protected(&token), 200);
    assert_eq!(server.log_in("alice", "wonderland").0, 200);
    // A second signal ends that.
    let begin = Instant::now();
    assert_eq!(server.stop().0, Some(0));
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn after_that_time_it_ends_by_itself() {
    let database = Database::new();
    let server = database.serve(&["--drain", "5"]);
    let begin = Instant::now();
    server.terminate();
    wait_for(&server, 503);
    let (status, log) = server.wait();
    assert_eq!(status, Some(0), "{log}");
    assert!(begin.elapsed() >= Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(!log.contains("ERROR"), "{log}");
}
