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

#[cfg(test)]
mod https;

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

/// The addresses with a port, which is connected to if the URL has none.
struct OnPort(Arc<Changing>, u16);

impl Lookup for OnPort {
    fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let found = self.0.lookup(name)?;
        Ok(found.into_iter().map(|at| SocketAddr::new(at.ip(), self.1)).collect())
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

fn with_lookup(lookup: Arc<dyn Lookup>) -> DocumentClient {
    DocumentClient::with_network(Network::new(lookup))
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
    let client = with_lookup(lookup.clone()).dangerous_allow_hosts(["a.test"]);
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
        let lookup = OnPort(Changing::new(&[addresses]), port);
        let client = with_lookup(Arc::new(lookup));
        let kind = fetch(&client, "https://rebinding.example/client").await.unwrap_err();
        assert_eq!(kind, DocumentErrorKind::Forbidden, "{addresses:?}");
    }
    assert_eq!(*connections.lock().unwrap(), 0);
}

fn resolver(lookup: Arc<Changing>) -> CheckedResolver {
    CheckedResolver::new(lookup, Arc::new(Semaphore::new(1)), Access::Global, is_global)
}

async fn resolve(resolver: &CheckedResolver) -> Vec<String> {
    let found = resolver.resolve("a.example".parse().unwrap()).await.unwrap();
    found.map(|address| address.ip().to_string()).collect()
}

#[tokio::test]
async fn of_many_addresses_four_are_connected_to_each_once() {
    const MANY: &[&str] = &["1.1.1.1", "1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"];
    for (addresses, few) in [
        (MANY, &["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"] as &[&str]),
        // Both families.
        (
            &[
                "2003::1", "2003::2", "2003::3", "2003::4", "1.1.1.1", "2003::1", "1.1.1.2",
                "1.1.1.3",
            ],
            &["2003::1", "1.1.1.1", "2003::2", "1.1.1.2"],
        ),
        (
            &["1.1.1.1", "1.1.1.2", "1.1.1.3", "2003::1"],
            &["1.1.1.1", "2003::1", "1.1.1.2", "1.1.1.3"],
        ),
        // Private ones take no place.
        (&["10.0.0.1", "10.0.0.2", "10.0.0.3", "::1", "10.0.0.4", "1.1.1.1"], &["1.1.1.1"]),
    ] {
        assert_eq!(resolve(&resolver(Changing::new(&[addresses]))).await, few, "{addresses:?}");
    }
}

#[tokio::test]
async fn a_host_with_many_addresses_is_connected_to_four_times_at_most() {
    // The fifth one would accept the connection.
    let listener = TcpListener::bind("127.0.0.9:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = serve(listener, json("1"), Duration::ZERO).await;
    let many = &["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.9"];
    let client = with_lookup(Changing::new(&[many])).dangerous_allow_hosts(["a.test"]).unwrap();
    let kind = fetch(&client, &format!("http://a.test:{port}/client")).await.unwrap_err();
    assert_eq!((kind, *connections.lock().unwrap()), (DocumentErrorKind::Unreachable, 0));
}

#[tokio::test]
async fn of_a_name_with_several_addresses_the_private_ones_are_left_out() {
    let lookup =
        Changing::new(&[&["10.0.0.1", "1.1.1.1", "::1", "2606:4700::1111"], &["127.0.0.1"]]);
    let resolver = resolver(lookup);
    assert_eq!(resolve(&resolver).await, ["1.1.1.1", "2606:4700::1111"]);
    // The same name, a moment later.
    assert!(resolver.resolve("a.example".parse().unwrap()).await.is_err());
}

#[tokio::test]
async fn the_system_knows_the_name_of_this_machine_and_it_is_refused() {
    let client = with_lookup(Arc::new(Localhost));
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
    let client = with_lookup(Arc::new(Slow(Mutex::new(wait))));
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
async fn a_redirect_is_not_followed() {
    let (elsewhere, to) = local().await;
    let at_elsewhere = serve(elsewhere, json("1"), Duration::ZERO).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let (listener, at) = local().await;
        let response = format!(
            "HTTP/1.1 {status}\r\nlocation: http://{to}/client\r\ncontent-type: application/json\r\n\
             content-length: 1\r\n\r\n1"
        );
        let connections = serve(listener, response, Duration::ZERO).await;
        // Even to a host that is listed.
        let client = DocumentClient::new().dangerous_allow_hosts([&at, &to]).unwrap();
        let kind = fetch(&client, &format!("http://{at}/client")).await.unwrap_err();
        assert_eq!(kind, DocumentErrorKind::Unusable, "{status}");
        assert_eq!((*connections.lock().unwrap(), *at_elsewhere.lock().unwrap()), (1, 0));
    }
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
