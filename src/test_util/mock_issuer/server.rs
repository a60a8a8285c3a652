//! The mock issuer on a port, with the part of HTTP/1.1 that its good and bad responses need.

use std::fmt::Write as _;
use std::sync::{Arc, Weak};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::test_util::mock_issuer::{Inner, MockAnswer, MockIssuer, Reply};

impl MockIssuer {
    /// Starts an issuer on a free port of 127.0.0.1, over plain HTTP. The name of the issuer is
    /// `http://127.0.0.1:PORT`, followed by `path`, which is empty or begins with a slash, such as
    /// `/realms/test`. The port is free again when the last clone is dropped.
    ///
    /// # Panics
    ///
    /// When there is no free port or no tokio runtime with I/O, or when no ES256 key can be
    /// generated.
    pub async fn listen(path: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("the port that was bound");
        let issuer = Self::with_issuer(format!("http://{address}{path}"));
        let server = tokio::spawn(serve(listener, Arc::downgrade(&issuer.0)));
        issuer.state().server = Some(server.abort_handle());
        issuer
    }
}

async fn serve(listener: TcpListener, issuer: Weak<Inner>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Weak::clone(&issuer)));
    }
}

/// Responds to one request. Errors are not reported here; the client sees them.
async fn answer(mut stream: TcpStream, issuer: Weak<Inner>) -> Option<()> {
    let head = read_head(&mut stream).await?;
    let path = head.split(' ').nth(1)?;
    let Reply { answer, response } = issuer.upgrade()?.reply(path);

    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        let _ = write!(bytes, "{name}: {}\r\n", value.to_str().unwrap_or_default());
    }
    let length = response.body().len();
    let _ = write!(bytes, "content-length: {length}\r\nconnection: close\r\n\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend_from_slice(response.body());
    match answer {
        MockAnswer::Refuse => {}
        // Until the client disconnects.
        MockAnswer::Hang => drop(stream.read(&mut [0]).await.ok()?),
        MockAnswer::HalfBody => {
            let half = bytes.len().saturating_sub(length / 2);
            stream.write_all(bytes.get(..half)?).await.ok()?;
        }
        MockAnswer::Drip(pause) => {
            for byte in bytes {
                stream.write_all(&[byte]).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        _ => stream.write_all(&bytes).await.ok()?,
    }
    stream.shutdown().await.ok()
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 * 1024 {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
