//! Slow, idle and many connections, and the end of the service.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use token_service::{ConnectionLimits, connections};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

fn limits() -> ConnectionLimits {
    let mut limits = ConnectionLimits::new(Vec::new());
    limits.header = Duration::from_millis(300);
    limits.idle = Duration::from_millis(600);
    limits.grace = Duration::from_secs(2);
    limits
}

async fn serve(limits: ConnectionLimits) -> Server {
    let slow = || async {
        sleep(Duration::from_secs(1)).await;
        "slow"
    };
    let router = Router::new().route("/", get(|| async { "fast" })).route("/slow", get(slow));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(connections::serve(listener, router, limits, stopped));
    Server { address, stop, task }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// What the server sends until it closes the connection, and the time until then.
async fn until_closed(stream: &mut TcpStream) -> (String, Duration) {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let closed = timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    let _ = closed.expect("the server does not close the connection");
    (String::from_utf8_lossy(&bytes).into_owned(), start.elapsed())
}

#[tokio::test]
async fn clients_that_send_nothing_or_half_a_header_are_closed() {
    let server = serve(limits()).await;
    for sent in [
        &b""[..],
        // It could begin HTTP/2.
        b"PRI",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(sent).await.unwrap();
        let (_, time) = until_closed(&mut stream).await;
        assert!(time < Duration::from_secs(3), "{sent:?}: {time:?}");
    }
}

#[tokio::test]
async fn a_header_that_comes_a_byte_at_a_time_is_not_waited_for() {
    let server = serve(limits()).await;
    let mut stream = server.connect().await;
    let start = Instant::now();
    for byte in REQUEST.iter().cycle() {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
        assert!(start.elapsed() < Duration::from_secs(5));
        if stream.try_read(&mut [0; 1024]).is_ok() {
            break;
        }
    }
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_kept_connection_may_be_idle_for_longer_than_a_header_may_take() {
    let server = serve(ConnectionLimits { idle: Duration::from_secs(3), ..limits() }).await;
    let mut stream = server.connect().await;
    // The second time of a connection that was idle is no other one.
    for _ in 0..2 {
        sleep(Duration::from_millis(5)).await;
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"fast"), "{:?}", &answer[..length]);
        sleep(Duration::from_millis(600)).await;
    }
    stream.write_all(REQUEST).await.unwrap();
    let (text, time) = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("fast"), "{text}");
    let bounds = Duration::from_millis(2_900)..Duration::from_secs(8);
    assert!(bounds.contains(&time), "{time:?}");
}

/// A body that the handler did not read is read after the response: it is no header.
#[tokio::test]
async fn a_body_that_was_not_read_does_not_shorten_the_idle_time() {
    let server = serve(ConnectionLimits { idle: Duration::from_secs(1), ..limits() }).await;
    let mut stream = server.connect().await;
    let request = b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";
    stream.write_all(request).await.unwrap();
    let (text, time) = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("fast"), "{text}");
    assert!(time > Duration::from_millis(900), "{time:?}");
}

#[tokio::test]
async fn a_later_header_on_a_kept_connection_has_a_limit_from_its_first_byte() {
    let server = serve(ConnectionLimits { idle: Duration::from_secs(8), ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(answer[..length].ends_with(b"fast"));
    let start = Instant::now();
    for byte in REQUEST.iter().cycle().take(100) {
        let is_closed = stream.write_all(&[*byte]).await.is_err();
        sleep(Duration::from_millis(50)).await;
        if is_closed || matches!(stream.try_read(&mut answer), Ok(0)) {
            break;
        }
    }
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_idle_time_is_answered() {
    let server = serve(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.0.ends_with("slow"));
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused() {
    let server = serve(limits()).await;
    let mut stream = server.connect().await;
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(128 * 1024));
    let _ = stream.write_all(header.as_bytes()).await;
    let (text, _) = until_closed(&mut stream).await;
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn an_address_has_a_number_of_connections_and_gets_them_back() {
    let header = Duration::from_secs(2);
    let server = serve(ConnectionLimits { per_address: 2, header, ..limits() }).await;
    let mut kept = [server.connect().await, server.connect().await];
    sleep(Duration::from_millis(100)).await;
    let mut third = server.connect().await;
    let _ = third.write_all(REQUEST).await;
    assert_eq!(until_closed(&mut third).await.0, "");
    for stream in &mut kept {
        until_closed(stream).await;
    }
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(until_closed(&mut stream).await.0.ends_with("fast"));
}

#[tokio::test]
async fn a_trusted_proxy_has_no_number_of_its_own() {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = serve(ConnectionLimits { per_address: 0, trusted_proxies, ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    assert!(until_closed(&mut stream).await.0.ends_with("fast"));
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_one_to_end() {
    let server = serve(ConnectionLimits { connections: 1, ..limits() }).await;
    let _idle = server.connect().await;
    sleep(Duration::from_millis(50)).await;
    let mut second = server.connect().await;
    second.write_all(REQUEST).await.unwrap();
    assert!(until_closed(&mut second).await.0.ends_with("fast"));
}

#[tokio::test]
async fn a_request_in_flight_is_answered_when_the_service_stops() {
    let server = serve(limits()).await;
    let mut stream = server.connect().await;
    let mut idle = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(200)).await;
    server.stop.send(()).unwrap();
    let (text, _) = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("slow"), "{text}");
    until_closed(&mut idle).await;
    timeout(Duration::from_secs(3), server.task).await.unwrap().unwrap();
    TcpStream::connect(server.address).await.unwrap_err();
}

#[tokio::test]
async fn a_request_that_does_not_end_does_not_hold_up_the_stop() {
    let server = serve(ConnectionLimits { grace: Duration::from_millis(300), ..limits() }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    let start = Instant::now();
    server.stop.send(()).unwrap();
    timeout(Duration::from_secs(3), server.task).await.unwrap().unwrap();
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
}

#[tokio::test]
async fn connections_that_are_made_as_the_service_stops_get_an_answer() {
    let server = serve(ConnectionLimits { header: Duration::from_secs(2), ..limits() }).await;
    let mut accepted = server.connect().await;
    sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    // Without a turn for the server: the system makes this connection, and the server has not seen it yet.
    let waiting = std::net::TcpStream::connect(server.address).unwrap();
    waiting.set_nonblocking(true).unwrap();
    let mut waiting = TcpStream::from_std(waiting).unwrap();
    for stream in [&mut accepted, &mut waiting] {
        stream.write_all(REQUEST).await.unwrap();
        let (text, _) = until_closed(stream).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("fast"), "{text}");
    }
    timeout(Duration::from_secs(3), server.task).await.unwrap().unwrap();
    TcpStream::connect(server.address).await.unwrap_err();
}
