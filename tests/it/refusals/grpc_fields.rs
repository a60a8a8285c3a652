//! The fields that only a gRPC refusal has, and the size of all fields together.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tower_jwt_auth::{JwtAuthLayer, Rejection, RejectionKind, Scope};

use super::{TABLE, grpc, refusing, refusing_with};
use crate::support::requests::{Body, bearer, challenge, field, send};

use RejectionKind as K;

const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// The size of a header, as HTTP/2 counts it.
fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// Decodes a `grpc-message` as clients do.
fn decoded(message: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = message.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let hex = [*high, *low];
                bytes.push(u8::from_str_radix(str::from_utf8(&hex).unwrap(), 16).unwrap());
                after
            }
            _ => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn message_round_trips_for_every_character() {
    let ascii: String = (0x20..0x7f).map(char::from).collect();
    for text in [&*ascii, "100 % sure", "%41", "%", "Schlüssel, ключ, 鍵, 🔑", "~\u{a0}\u{ffff}"]
    {
        let response = send(
            &refusing_with(Rejection::invalid_token().with_description(text.to_owned())),
            grpc(),
        );
        let message = field(&response, "grpc-message").unwrap();
        assert_eq!(decoded(message), text);
        let may_be_there = |byte: u8| matches!(byte, b' '..=b'~');
        assert!(message.bytes().all(may_be_there), "{message}");
        let percents = message.matches('%').count();
        assert_eq!(percents, text.bytes().filter(|b| *b == b'%' || !may_be_there(*b)).count());
    }
}

#[test]
fn status_is_decimal_without_a_leading_zero() {
    for row in TABLE {
        let response = send(&refusing(row.kind), grpc());
        let status = field(&response, "grpc-status").unwrap();
        assert_eq!(status.parse::<u8>().unwrap().to_string(), status, "{:?}", row.kind);
    }
}

#[test]
fn status_is_not_the_one_that_clients_make_of_the_http_status() {
    // gRPC's table for clients of servers that answer by HTTP: a 400 would be INTERNAL (13).
    for (kind, http, grpc_status) in
        [(K::MalformedCredentials, 400, "16"), (K::MultipleCredentials, 400, "16")]
    {
        let layer = refusing(kind);
        assert_eq!(send(&layer, bearer("abc")).status(), http);
        assert_eq!(field(&send(&layer, grpc()), "grpc-status"), Some(grpc_status));
    }
}

#[test]
fn outage_tells_clients_with_a_retry_policy_when_to_try_again() {
    let outage = |seconds| {
        refusing_with(Rejection::unavailable("down").with_retry_after(Duration::from_secs(seconds)))
    };
    for (layer, expected) in [
        (refusing(K::Unavailable), "5000"),
        (outage(0), "1000"),
        (outage(90), "90000"),
        (outage(u64::MAX), "2147483647"),
    ] {
        assert_eq!(field(&send(&layer, grpc()), PUSHBACK), Some(expected));
        assert_eq!(field(&send(&layer, bearer("abc")), PUSHBACK), None, "over HTTP");
    }
    for kind in [K::MissingCredentials, K::ExpiredToken, K::InsufficientScope] {
        assert_eq!(field(&send(&refusing(kind), grpc()), PUSHBACK), None, "{kind:?}");
    }
    let own = Rejection::unavailable("down")
        .with_header(HeaderName::from_static(PUSHBACK), HeaderValue::from_static("-1"));
    assert_eq!(field(&send(&refusing_with(own), grpc()), PUSHBACK), Some("-1"), "do not retry");
}

fn assert_is_small(response: &Response<Body>) {
    assert!(size(response.headers()) <= 8192 - 256, "{:?}", response.headers());
}

fn with_error_info(layer: JwtAuthLayer<()>) -> JwtAuthLayer<()> {
    #[cfg(feature = "grpc-error-info")]
    return layer.with_grpc_error_info(&"d".repeat(253)).unwrap();
    #[cfg(not(feature = "grpc-error-info"))]
    layer
}

#[test]
fn metadata_stays_below_eight_kibibytes() {
    for row in TABLE {
        let response = send(&with_error_info(refusing(row.kind)), grpc());
        assert_is_small(&response);
        assert_eq!(challenge(&response), row.challenge, "{:?}", row.kind);
    }
    // The longest message: 256 characters of 12 bytes each.
    let long = || Rejection::invalid_token().with_description("\u{10ffff}".repeat(300));
    let response = send(&with_error_info(refusing_with(long())), grpc());
    assert_is_small(&response);
    assert_eq!(field(&response, "grpc-message").unwrap().len(), 256 * 12);
    assert!(challenge(&response).is_some());
}

#[test]
fn status_outlives_a_header_that_is_too_large() {
    let scope = |length: usize| Rejection::insufficient_scope(Scope::from(&*"s".repeat(length)));
    for (rejection, has_details, has_challenge, has_message) in [
        (scope(2000), true, true, true),
        (scope(4000), false, true, true),
        (scope(9000), false, false, true),
        (
            scope(10)
                .with_description("\u{10ffff}".repeat(300))
                .with_header(HeaderName::from_static("x"), "x".repeat(7000).parse().unwrap()),
            false,
            false,
            false,
        ),
    ] {
        let response = send(&with_error_info(refusing_with(rejection)), grpc());
        assert_is_small(&response);
        assert_eq!(field(&response, "grpc-status"), Some("7"));
        let has = |name| field(&response, name).is_some();
        assert_eq!(
            has("grpc-status-details-bin"),
            has_details && cfg!(feature = "grpc-error-info")
        );
        assert_eq!((has("www-authenticate"), has("grpc-message")), (has_challenge, has_message));
    }
}
