//! A refused call by its HTTP/2 frames, which no client library shows.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower_jwt_auth::JwtAuthLayer;

use super::{CHECK, expired, layer, listen, serve_axum};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block without compression: literal fields that are not indexed (RFC 7541 section 6.2.2).
fn header_block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // An integer with a prefix of seven bits (section 5.1).
            let mut rest = text.len();
            if rest < 127 {
                block.push(rest as u8);
            } else {
                block.push(127);
                rest -= 127;
                while rest >= 128 {
                    block.push(rest as u8 | 0x80);
                    rest >>= 7;
                }
                block.push(rest as u8);
            }
            block.extend(text.bytes());
        }
    }
    block
}

/// Kind, flags and payload of the frames on the stream of one call, until the server has answered a ping that was
/// sent after it.
async fn frames_of(address: SocketAddr, extra: &[(&str, &str)]) -> Vec<(u8, u8, Vec<u8>)> {
    let mut fields = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", CHECK),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    fields.extend(extra);
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    sent.extend(frame(HEADERS, END_HEADERS, 1, &header_block(&fields)));
    // A message without fields.
    sent.extend(frame(DATA, END_STREAM, 1, &[0; 5]));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&sent).await.unwrap();

    let mut seen = Vec::new();
    let mut is_pinged = false;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.unwrap();
        let (kind, flags, id) =
            (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]));
        if id == 1 {
            seen.push((kind, flags, payload));
        } else if kind == PING && flags == ACK {
            return seen;
        }
        if !is_pinged && seen.last().is_some_and(|(_, flags, _)| flags & END_STREAM != 0) {
            is_pinged = true;
            stream.write_all(&frame(PING, 0, 0, &[0; 8])).await.unwrap();
        }
    }
}

async fn serve_tonic(layer: JwtAuthLayer) -> SocketAddr {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let (listener, address) = listen().await;
    tokio::spawn(
        Server::builder()
            .layer(layer)
            .add_service(health)
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    address
}

#[tokio::test]
async fn refused_call_is_one_headers_frame_with_end_stream() {
    let router = Router::new().fallback(any(async || "reached")).layer(layer());
    for address in [serve_tonic(layer()).await, serve_axum(router).await] {
        for authorization in [None, Some(expired()), Some("Bearer".into())] {
            let fields: Vec<_> =
                authorization.iter().map(|value| ("authorization", value.as_str())).collect();
            let frames = tokio::time::timeout(Duration::from_secs(10), frames_of(address, &fields));
            let frames = frames.await.unwrap();
            let [(kind, flags, block)] = &frames[..] else { panic!("{frames:?}") };
            assert_eq!((*kind, *flags), (HEADERS, END_HEADERS | END_STREAM));
            // `:status: 200` is the 8th field of the static table (RFC 7541 appendix A).
            assert_eq!(block[0], 0x88);
        }
    }
}

#[tokio::test]
async fn accepted_call_is_headers_data_and_trailers() {
    let address = serve_tonic(layer()).await;
    let good = super::good();
    let frames = frames_of(address, &[("authorization", &good)]).await;
    let kinds: Vec<_> = frames.iter().map(|(kind, flags, _)| (*kind, flags & END_STREAM)).collect();
    assert_eq!(kinds, [(HEADERS, 0), (DATA, 0), (HEADERS, END_STREAM)]);
}
