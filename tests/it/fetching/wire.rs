//! What the client that comes with the crate sends, and the forms of HTTP/1 that it reads.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{JwksUrl, KeySource, OidcDiscovery};

use super::verifies;

/// Answers each connection with these bytes, and keeps the heads of the requests.
struct Raw {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Raw {
    async fn answering(answer: impl Into<Vec<u8>>, stays_open: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, heads) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<_>>>::default());
        let (answer, kept) = (answer.into(), Arc::clone(&heads));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                kept.lock().unwrap().push(String::from_utf8(head).unwrap());
                stream.write_all(&answer).await.unwrap();
                if stays_open {
                    // Until the client goes away.
                    let _ = stream.read(&mut [0]).await;
                }
            }
        });
        Self { address, heads }
    }

    fn keys(&self) -> JwksUrl {
        JwksUrl::new(&format!("http://{}/jwks", self.address)).unwrap()
    }
}

#[tokio::test]
async fn client_asks_for_json_without_a_coding() {
    let set = MockIssuer::new().jwk_set();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{set}", set.len());
    let server = Raw::answering(answer, false).await;
    server.keys().refresh().await.unwrap();
    let head = server.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get /jwks http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
    assert!(head.contains("\r\naccept: application/json, "), "{head}");
    for absent in ["authorization", "cookie", "referer", "content-length"] {
        assert!(!head.contains(&format!("\r\n{absent}:")), "{head}");
    }
}

#[tokio::test]
async fn every_form_of_http_1_is_read() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    let length = set.len();
    let (first, second) = set.split_at(length / 2);
    let chunks = format!(
        "{:x};ext=1\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        first.len(),
        second.len()
    );
    for (name, answer) in [
        ("a length", format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{set}")),
        ("no length", format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{set}")),
        ("no reason", format!("HTTP/1.1 200\r\nContent-Length: {length}\r\n\r\n{set}")),
        ("HTTP/1.0", format!("HTTP/1.0 200 OK\r\n\r\n{set}")),
        ("chunks", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")),
        ("odd case", format!("HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: {length}\r\n\r\n{set}")),
        ("no space", format!("HTTP/1.1 200 OK\r\nContent-Length:{length}\r\n\r\n{set}")),
        ("space after", format!("HTTP/1.1 200 OK\r\nContent-Length: {length} \t\r\n\r\n{set}")),
        ("space before", format!("HTTP/1.1 200 OK\r\nContent-Length : {length}\r\n\r\n{set}")),
        (
            "a folded line",
            format!("HTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\nContent-Length: {length}\r\n\r\n{set}"),
        ),
        (
            "an interim response",
            format!(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                 HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{set}"
            ),
        ),
    ] {
        let server = Raw::answering(answer, false).await;
        let refreshed = server.keys().refresh().await;
        assert!(refreshed.is_ok(), "{name}: {}", refreshed.unwrap_err());
        assert!(verifies(server.keys(), &issuer).await, "{name}");
    }
}

#[tokio::test]
async fn status_is_named_without_waiting_for_the_body() {
    for (name, body) in [
        ("hangs", "Content-Length: 10\r\n\r\n".to_owned()),
        ("long", format!("Content-Length: 300000\r\n\r\n{}", "x".repeat(300_000))),
    ] {
        let answer = format!("HTTP/1.1 502 Bad Gateway\r\n{body}");
        let server = Raw::answering(answer, true).await;
        let refreshed = tokio::time::timeout(Duration::from_secs(3), server.keys().refresh()).await;
        let error = refreshed.unwrap().unwrap_err().to_string();
        assert!(error.contains("responds with 502"), "{name}: {error}");
    }
}

#[tokio::test]
async fn long_web_page_is_named_as_a_page() {
    let page = "x".repeat(300_000);
    let answer =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{page}");
    let server = Raw::answering(answer, true).await;
    let error = server.keys().refresh().await.unwrap_err().to_string();
    assert!(error.contains("web page (text/html)"), "{error}");
}

#[tokio::test]
async fn cause_of_a_failed_connection_is_named() {
    let server = Raw::answering("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", false).await;
    let error = server.keys().refresh().await.unwrap_err().to_string();
    assert!(error.contains("/jwks cannot be fetched"), "{error}");

    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let keys = JwksUrl::new(&format!("http://{}/jwks", free.local_addr().unwrap())).unwrap();
    drop(free);
    let error = keys.refresh().await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
}

/// A host of a container network, by a client that resolves it.
#[tokio::test]
async fn listed_host_is_fetched_by_plain_http_on_the_wire() {
    let issuer = MockIssuer::listen("/realms/shop").await;
    let address: SocketAddr =
        issuer.issuer().split('/').nth(2).and_then(|address| address.parse().ok()).unwrap();
    let client =
        reqwest::Client::builder().no_proxy().resolve("keycloak", address).build().unwrap();
    let base = format!("http://keycloak:{}/realms/shop", address.port());
    let keys = OidcDiscovery::dangerous_allow_http_hosts(issuer.issuer(), ["keycloak"]).unwrap();
    let keys = keys.with_fetch_base(&base).unwrap().with_client(client.clone());
    assert!(verifies(keys, &issuer).await);
    let keys = JwksUrl::dangerous_allow_http_hosts(&format!("{base}/jwks"), ["keycloak"]).unwrap();
    assert!(verifies(keys.with_client(client), &issuer).await);
    let set = "/realms/shop/jwks";
    assert_eq!(issuer.requests(), ["/realms/shop/.well-known/openid-configuration", set, set]);
}

/// Runs itself in a child process whose trust store is empty.
#[tokio::test]
async fn plain_http_on_this_machine_needs_no_trust_store() {
    const NOWHERE: &str = "/nowhere/certificates";

    if std::env::var_os("SSL_CERT_FILE").is_none_or(|file| file != NOWHERE) {
        let this = "fetching::wire::plain_http_on_this_machine_needs_no_trust_store";
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", this, "--nocapture"])
            .env("SSL_CERT_FILE", NOWHERE)
            .env("SSL_CERT_DIR", NOWHERE)
            .output()
            .unwrap();
        let output = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && output.contains("1 passed"), "{output}");
        return;
    }
    let issuer = MockIssuer::listen("").await;
    let keys = OidcDiscovery::new(issuer.issuer()).unwrap();
    let refreshed = keys.refresh().await;
    assert!(refreshed.is_ok(), "{}", refreshed.unwrap_err());
    assert!(verifies(keys, &issuer).await);

    // There is indeed none, and the error says what is missing.
    #[cfg(target_os = "linux")]
    {
        let https = issuer.jwks_url().replace("http://", "https://");
        let error = JwksUrl::new(&https).unwrap().refresh().await.unwrap_err().to_string();
        assert!(error.contains("CA certificates") && error.contains("SSL_CERT_FILE"), "{error}");
    }
}
