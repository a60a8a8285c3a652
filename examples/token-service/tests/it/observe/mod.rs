//! What an operator sees from outside: metrics, the access log, the ID of a request.

mod access_log;
mod metrics;
mod request_id;
mod secrets;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::process::Server;

/// The flags of a service that shows all.
const SHOWN: [&str; 6] =
    ["--demo", "--metrics-listen", "127.0.0.1:0", "--access-log", "--log-format", "json"];

/// The response to a request as text, as it is.
fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request with these headers, each with its line break, and this body.
fn send(address: &str, line: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    let head = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}");
    raw(address, &format!("{head}content-length: {length}\r\n\r\n{body}"))
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_else(|_| panic!("{answer}"))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split_once("\r\n\r\n").unwrap().0;
    let found = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    found.unwrap_or_else(|| panic!("no {name}: {head}"))
}

fn member(answer: &str, name: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
    json[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned()
}

/// What `/metrics` prints.
fn scrape(server: &Server) -> String {
    let address = server.said("metrics on http://").strip_suffix("/metrics").unwrap();
    let answer = send(address, "GET /metrics", "", "");
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(header(&answer, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    body(&answer).to_owned()
}

/// The fields of a line of the log.
type Line = BTreeMap<String, serde_json::Value>;

/// The lines of the access log.
fn lines(log: &str) -> Vec<Line> {
    let all = log.lines().map(|line| {
        serde_json::from_str::<Line>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    all.filter(|line| line["target"] == "access").collect()
}

/// Makes requests that touch every metric, good and bad ones. Returns the secret of the client.
fn use_all(server: &Server) -> String {
    let secret = server.said("demo client: demo, secret: ").to_owned();
    let post = |path: &str, form: &str| {
        let form = format!("{form}&client_id=demo&client_secret={secret}");
        send(&server.address, &format!("POST {path}"), FORM, &form)
    };
    let login = post("/token", "grant_type=password&username=alice&password=wonderland");
    assert_eq!(status(&login), 200, "{login}");
    let (access, refresh) = (member(&login, "access_token"), member(&login, "refresh_token"));
    let bearer = format!("authorization: Bearer {access}\r\n");
    assert_eq!(status(&send(&server.address, "GET /protected", &bearer, "")), 200);
    let form = format!("grant_type=refresh_token&refresh_token={refresh}");
    let next = member(&post("/token", &form), "refresh_token");
    let form = format!("grant_type=refresh_token&refresh_token={next}");
    assert_eq!(status(&post("/token", &form)), 200);
    // The successor was used: a reuse.
    assert_eq!(
        status(&post("/token", &format!("grant_type=refresh_token&refresh_token={refresh}"))),
        400
    );
    assert_eq!(status(&post("/token", "grant_type=client_credentials")), 200);
    assert_eq!(status(&post("/introspect", &format!("token={access}"))), 200);
    assert_eq!(status(&post("/revoke", &format!("token={access}"))), 200);
    assert_eq!(status(&send(&server.address, "GET /protected", &bearer, "")), 401);
    assert_eq!(status(&post("/token", "grant_type=password&username=alice&password=wrong")), 400);
    assert_eq!(status(&send(&server.address, "GET /nothing", "", "")), 404);
    secret
}
