//! A name that changes its address, servers and name servers that are slow, and too many fetches.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::dns::Resolve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::resolver::{CheckedResolver, Lookup};
use super::*;

/// Answers differently each time, and counts.
#[derive(Default)]
struct Changing(Mutex<VecDeque<&'static [&'static str]>>);

impl Changing {
    fn new(answers: &[&'static [&'static str]]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.iter().copied().collect())))
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Lookup for Changing {
    fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        let next = self.0.lock().unwrap().pop_front().unwrap();
        Ok(next.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect())
    }
}

/// A server that sends this to each connection, byte by byte if it has a pause. Returns the number of connections.
async fn serve(listener: TcpListener, response: String, pause: Duration) -> Arc<Mutex<usize>> {
    let connections = Arc::new(Mutex::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            *count.lock().unwrap() += 1;
            let response = response.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                for part in response.as_bytes().chunks(if pause.is_zero() { 4096 } else { 1 }) {
                    let _ = stream.write_all(part).await;
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    connections
}

fn json(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

async fn local() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap().to_string();
    (listener, at)
}

fn allowing(host: &str) -> DocumentClient {
    DocumentClient::new().dangerous_allow_hosts([host]).unwrap()
}

async fn fetch(client: &DocumentClient, url: &str) -> Result<String, DocumentErrorKind> {
    let url = client.url(url).unwrap();
    client.fetch(&url).await.map(|found| found.text().to_owned()).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_fetch_looks_its_name_up_once_and_connects_to_what_was_checked() {
    let (first, at) = local().await;
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    let at_first = serve(first, json("1"), Duration::ZERO).await;
    let at_second = serve(second, json("2"), Duration::ZERO).await;
    let lookup = Changing::new(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let client = DocumentClient::with_lookup(lookup.clone()).dangerous_allow_hosts(["a.test"]);
    let client = client.unwrap();
    let url = format!("http://a.test:{port}/client");
    assert_eq!(fetch(&client, &url).await.unwrap(), "1", "{at}");
    assert_eq!((lookup.left(), *at_first.lock().unwrap(), *at_second.lock().unwrap()), (1, 1, 0));
    // No connection is used again, so the next fetch looks up again.
    assert_eq!(fetch(&client, &url).await.unwrap(), "2");
    assert_eq!((*at_first.lock().unwrap(), *at_second.lock().unwrap()), (1, 1));
}

#[tokio::test]
async fn a_name_of_a_private_address_is_not_connected_to() {
    let (listener, _) = local().await;
    let port = listener.local_addr().unwrap().port();
    let connections = serve(listener, json("1"), Duration::ZERO).await;
    for addresses in [
        &["127.0.0.1"] as &[&str],
        &["::ffff:127.0.0.1"],
        &["::ffff:1.1.1.1"],
        &["64:ff9b::7f00:1", "10.0.0.1"],
        &["169.254.169.254"],
        &[],
    ] {
        let client = DocumentClient::with_lookup(Changing::new(&[addresses]));
        let url = format!("https://rebinding.example:{port}/client");
        let kind = fetch(&client, &url).await.unwrap_err();
        assert_eq!(kind, DocumentErrorKind::Forbidden, "{addresses:?}");
    }
    assert_eq!(*connections.lock().unwrap(), 0);
}

#[tokio::test]
async fn of_a_name_with_several_addresses_the_private_ones_are_left_out() {
    let lookup =
        Changing::new(&[&["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"], &["127.0.0.1"]]);
    let resolver = CheckedResolver::new(lookup, Arc::new(Semaphore::new(1)), Access::Global);
    let found = resolver.resolve("a.example".parse().unwrap()).await.unwrap();
    let found: Vec<String> = found.map(|address| address.ip().to_string()).collect();
    assert_eq!(found, ["1.1.1.1", "2606:4700::1111"]);
    // The same name, a moment later.
    assert!(resolver.resolve("a.example".parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn the_system_knows_the_name_of_this_machine_and_it_is_refused() {
    let client = DocumentClient::with_lookup(Arc::new(Localhost));
    let kind = fetch(&client, "https://not-localhost.example/client").await.unwrap_err();
    assert_eq!(kind, DocumentErrorKind::Forbidden);
}

/// The system's addresses of `localhost`, under any name.
struct Localhost;

impl Lookup for Localhost {
    fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        SystemLookup.lookup("localhost")
    }
}

#[tokio::test]
async fn a_server_that_sends_slowly_is_given_up() {
    let limit = Duration::from_millis(300);
    for response in [json("[1, 2, 3]"), "HTTP/1.1 200 OK\r\n".to_owned(), String::new()] {
        let (listener, at) = local().await;
        serve(listener, response, Duration::from_millis(60)).await;
        let client = allowing(&at).with_time_limit(limit).unwrap();
        let start = Instant::now();
        let kind = fetch(&client, &format!("http://{at}/client")).await.unwrap_err();
        assert_eq!(kind, DocumentErrorKind::Unreachable);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn more_fetches_at_once_than_allowed_fail_at_once() {
    let (listener, at) = local().await;
    let connections = serve(listener, String::new(), Duration::ZERO).await;
    // The server closes no connection before its stream is dropped, so it answers nothing in time.
    let (silent, silent_at) = local().await;
    let client = allowing("127.0.0.1").with_max_concurrent(2).unwrap();
    let client = client.with_time_limit(Duration::from_secs(1)).unwrap();
    let url = format!("http://{silent_at}/client");
    let (one, two) = (client.clone(), client.clone());
    let running = [fetch(&one, &url), fetch(&two, &url)];
    let (running, third) = tokio::join!(futures_util::future::join_all(running), async {
        let _first = silent.accept().await.unwrap();
        let _second = silent.accept().await.unwrap();
        fetch(&client, &format!("http://{at}/client")).await
    });
    assert_eq!(third.unwrap_err(), DocumentErrorKind::Busy);
    assert_eq!(*connections.lock().unwrap(), 0);
    assert!(running.iter().all(|one| one == &Err(DocumentErrorKind::Unreachable)));
    // They have ended, so there is room again.
    assert_eq!(
        fetch(&client, &format!("http://{at}/client")).await.unwrap_err(),
        DocumentErrorKind::Unreachable
    );
}

/// Blocks until it is told to go on.
struct Slow(Mutex<Receiver<()>>);

impl Lookup for Slow {
    fn lookup(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
        let _ = self.0.lock().unwrap().recv();
        Err(io::ErrorKind::NotFound.into())
    }
}

#[tokio::test]
async fn a_look_up_that_was_given_up_still_counts() {
    let (go_on, wait) = channel();
    let client = DocumentClient::with_lookup(Arc::new(Slow(Mutex::new(wait))));
    let client = client.with_max_concurrent(1).unwrap();
    let client = client.with_time_limit(Duration::from_millis(50)).unwrap();
    let url = "https://slow.example/client";
    assert_eq!(fetch(&client, url).await.unwrap_err(), DocumentErrorKind::Unreachable);
    // The thread is still blocked.
    assert_eq!(fetch(&client, url).await.unwrap_err(), DocumentErrorKind::Busy);
    go_on.send(()).unwrap();
    for _ in 0..200 {
        match fetch(&client, url).await.unwrap_err() {
            DocumentErrorKind::Busy => tokio::time::sleep(Duration::from_millis(10)).await,
            kind => return assert_eq!(kind, DocumentErrorKind::Unreachable),
        }
    }
    panic!("the permit never comes back");
}

#[tokio::test]
async fn an_error_names_the_url_without_its_query() {
    let (listener, at) = local().await;
    serve(
        listener,
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(),
        Duration::ZERO,
    )
    .await;
    let client = allowing(&at);
    let url = client.url(&format!("http://{at}/client?canary")).unwrap();
    let error = client.fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), DocumentErrorKind::Unusable);
    assert_eq!(error.to_string(), format!("http://{at}/client responds with 404 Not Found"));
    drop(client);
    let closed = DocumentClient::new().dangerous_allow_hosts(["127.0.0.1:1"]).unwrap();
    let url = closed.url("http://127.0.0.1:1/client?canary").unwrap();
    let error = closed.fetch(&url).await.unwrap_err();
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn a_url_of_another_client_is_checked_again() {
    let (_, at) = local().await;
    let url = allowing(&at).url(&format!("http://{at}/client")).unwrap();
    let error = DocumentClient::new().fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), DocumentErrorKind::Forbidden);
    let url = FetchUrl::new(&format!("http://{at}/client")).unwrap();
    let error = DocumentClient::new().fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), DocumentErrorKind::Forbidden);
}

#[test]
fn settings_have_bounds() {
    let client = DocumentClient::new;
    let second = Duration::from_secs(1);
    assert_eq!(client().with_max_length(0).unwrap_err().kind(), ConfigErrorKind::Length);
    assert_eq!(client().with_max_length(1 << 21).unwrap_err().kind(), ConfigErrorKind::Length);
    let zero = client().with_time_limit(Duration::ZERO).unwrap_err();
    assert_eq!(zero.kind(), ConfigErrorKind::Duration);
    let long = client().with_time_limit(second * 61).unwrap_err();
    assert_eq!(long.kind(), ConfigErrorKind::Duration);
    for number in [0, 257] {
        let error = client().with_max_concurrent(number).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Capacity);
    }
    let error = client().with_freshness(second * 2, second).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Duration);
    assert!(client().with_freshness(second, second).is_ok());
}
