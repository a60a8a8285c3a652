//! `/metrics`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use prometheus_parse::{Scrape, Value};

use super::{FORM, SHOWN, raw, scrape, send, status, use_all};
use crate::process::Server;

const DOCS: &str = include_str!("../../../OBSERVING.md");

fn parse(text: &str) -> Scrape {
    Scrape::parse(text.lines().map(|line| io::Result::Ok(line.to_owned()))).unwrap()
}

/// Name to type, labels and description.
type Table = BTreeMap<String, (String, BTreeSet<String>, String)>;

/// The metrics that the documentation lists.
fn listed() -> Table {
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, what] = cells[..] else { return None };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        Some((name.to_owned(), (kind.to_owned(), labels, what.to_owned())))
    };
    DOCS.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect()
}

/// Those that a service prints. All samples of a metric must have the same labels.
fn printed(text: &str) -> Table {
    let scrape = parse(text);
    let mut table = Table::new();
    for sample in &scrape.samples {
        let kind = match sample.value {
            Value::Counter(_) => "counter",
            Value::Gauge(_) => "gauge",
            Value::Histogram(_) => "histogram",
            // The sum and the count of a histogram.
            Value::Untyped(_) if sample.metric.ends_with("_seconds_sum") => continue,
            Value::Untyped(_) if sample.metric.ends_with("_seconds_count") => continue,
            _ => panic!("{sample:?}"),
        };
        let labels: BTreeSet<_> = sample.labels.keys().cloned().collect();
        let what = scrape.docs.get(&sample.metric).cloned().unwrap_or_default();
        let row = (kind.to_owned(), labels, what);
        let before = table.insert(sample.metric.clone(), row.clone());
        assert!(before.is_none_or(|before| before == row), "{}", sample.metric);
    }
    table
}

/// The value of a sample whose line begins so.
#[track_caller]
fn value(text: &str, sample: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}: {text}")).parse().unwrap()
}

#[test]
fn the_documentation_lists_what_a_service_prints() {
    let server = Server::start(&SHOWN);
    use_all(&server);
    let (listed, printed) = (listed(), printed(&scrape(&server)));
    assert!(listed.len() > 20, "{listed:?}");
    assert_eq!(printed, listed);
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    for (name, (kind, labels, _)) in listed() {
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(kind != "histogram" || name.ends_with("_duration_seconds"), "{name}");
        assert!(!labels.contains("le"), "{name}");
    }
}

#[test]
fn the_figures_are_those_of_the_requests() {
    let server = Server::start(&SHOWN);
    let before = scrape(&server);
    assert_eq!(value(&before, r#"token_service_logins_total{result="wrong"}"#), 0.0);
    use_all(&server);
    let text = scrape(&server);
    for (sample, expected) in [
        (r#"token_service_tokens_issued_total{grant="password"}"#, 1.0),
        (r#"token_service_tokens_issued_total{grant="refresh_token"}"#, 2.0),
        (r#"token_service_tokens_issued_total{grant="client_credentials"}"#, 1.0),
        (r#"token_service_tokens_issued_total{grant="authorization_code"}"#, 0.0),
        (r#"token_service_logins_total{result="right"}"#, 1.0),
        (r#"token_service_logins_total{result="wrong"}"#, 1.0),
        ("token_service_refresh_rotations_total", 2.0),
        (r#"token_service_reuses_detected_total{kind="refresh_token"}"#, 1.0),
        (r#"token_service_revocations_total{kind="access_token"}"#, 1.0),
        (r#"token_service_http_requests_total{method="POST",route="/token",status="4xx"}"#, 2.0),
        (r#"token_service_http_requests_total{method="GET",route="unmatched",status="4xx"}"#, 1.0),
        (r#"token_service_refusals_total{route="/token",error="invalid_grant"}"#, 2.0),
        (r#"token_service_refusals_total{route="/protected",error="invalid_token"}"#, 1.0),
        ("token_service_http_requests_running", 0.0),
        (r#"token_service_store_failures_total{operation="rotate",kind="error"}"#, 0.0),
        (r#"token_service_store_failures_total{operation="rotate",kind="cancelled"}"#, 0.0),
        (r#"token_service_store_operation_duration_seconds_count{operation="rotate"}"#, 3.0),
        ("token_service_store_operations_waiting", 0.0),
        (r#"token_service_signing_keys{state="current"}"#, 1.0),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample}");
    }
    let next = value(&text, "token_service_signing_key_next_seconds");
    assert!((89.0 * 86_400.0..=90.0 * 86_400.0).contains(&next), "{next}");
    assert!(value(&text, "process_resident_memory_bytes") > 1e6);
}

#[test]
fn nothing_that_a_client_sends_becomes_a_label() {
    let server = Server::start(&[&SHOWN[..], &["--requests-per-second", "0"]].concat());
    use_all(&server);
    let invent = |number: u32| {
        let mark = format!("marker{number}");
        let form = format!(
            "grant_type={mark}&client_id={mark}&client_secret={mark}&username={mark}&password={mark}&scope={mark}"
        );
        let headers = format!(
            "{FORM}x-request-id: {mark}\r\nuser-agent: {mark}\r\norigin: http://{mark}\r\ncookie: {mark}={mark}\r\n"
        );
        for line in [
            format!("GET /{mark}/x"),
            format!("{} /token", mark.to_uppercase()),
            format!("GET /docs/{mark}"),
            format!("GET /authorize?client_id={mark}&response_type={mark}&redirect_uri={mark}"),
            format!("GET /.well-known/{mark}"),
        ] {
            assert!(
                (300..500).contains(&status(&send(&server.address, &line, &headers, ""))),
                "{line}"
            );
        }
        for path in ["/token", "/revoke", "/introspect"] {
            let answer = send(&server.address, &format!("POST {path}"), &headers, &form);
            assert!((400..500).contains(&status(&answer)), "{path}: {answer}");
        }
        let grant = form.replacen(&mark, "password", 1);
        send(&server.address, "POST /token", &headers, &grant);
        let bearer = format!("authorization: Bearer {mark}\r\n");
        assert_eq!(status(&send(&server.address, "GET /protected", &bearer, "")), 401);
        // Not HTTP at all.
        raw(&server.address, &format!("{mark}\r\n\r\n"));
    };
    let names = |text: &str| -> BTreeSet<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
    };
    // The first ones show routes and errors that were not there before, and use up the wrong guesses; the others show
    // nothing new.
    (0..20).for_each(invent);
    let first = names(&scrape(&server));
    (20..50).for_each(invent);
    let second = scrape(&server);
    let new: Vec<_> = names(&second).difference(&first).cloned().collect();
    assert!(new.is_empty(), "{new:?}");
    assert!(!second.to_lowercase().contains("marker"), "{second}");
    assert!(
        second.contains(r#"method="other""#) && second.contains(r#"route="/docs/file""#),
        "{second}"
    );
}

#[test]
fn the_public_port_has_no_metrics() {
    let server = Server::start(&SHOWN);
    assert_eq!(server.get("/metrics").0, 404);
    let address = server.said("metrics on http://").strip_suffix("/metrics").unwrap();
    assert_eq!(status(&send(address, "GET /jwks.json", "", "")), 404);
    assert_eq!(status(&send(address, "POST /metrics", FORM, "x=y")), 405);
}

#[test]
fn a_port_for_metrics_that_is_taken_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let flags = ["--demo", "--listen", "127.0.0.1:0", "--metrics-listen", &address];
    let output = crate::process::program(&flags).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&address));
}
