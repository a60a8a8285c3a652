//! The public keys over HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt};
use tower_jwt_auth::{Algorithm, JwkSet, JwkSetService, KeyRing, NumericDate, SigningKey};

use super::{Clock, es256};
use crate::support::NOW;

type Body = Full<Bytes>;

fn ring() -> KeyRing {
    KeyRing::new(es256()).unwrap()
}

async fn send(ring: &KeyRing, method: Method, tags: &[&str]) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri("/jwks.json").body(()).unwrap();
    for tags in tags {
        request.headers_mut().append("if-none-match", tags.parse().unwrap());
    }
    let service = JwkSetService::<Body>::new(ring.clone());
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn the_set_is_served_with_its_type_its_age_and_a_strong_tag() {
    let ring = ring();
    let (status, headers, body) = send(&ring, Method::GET, &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/jwk-set+json");
    assert_eq!(headers["cache-control"], "public, max-age=600");
    assert_eq!(headers["content-length"], body.len().to_string());
    assert_eq!(headers["access-control-allow-origin"], "*");
    let etag = headers["etag"].to_str().unwrap();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() == 45, "{etag}");
    assert_eq!(body, ring.jwk_set());
    assert_eq!(JwkSet::from_json(str::from_utf8(&body).unwrap()).unwrap().len(), 1);
}

#[tokio::test]
async fn a_head_request_gets_the_head_alone() {
    let ring = ring();
    let (_, expected, body) = send(&ring, Method::GET, &[]).await;
    let (status, headers, nothing) = send(&ring, Method::HEAD, &[]).await;
    assert_eq!((status, headers), (StatusCode::OK, expected));
    assert!(nothing.is_empty() && !body.is_empty());
}

#[tokio::test]
async fn a_known_tag_gets_304_in_each_form_of_the_header() {
    let ring = ring();
    let (_, headers, _) = send(&ring, Method::GET, &[]).await;
    let etag = headers["etag"].to_str().unwrap().to_owned();
    let (weak, list) = (format!("W/{etag}"), format!(r#""a,b", W/"c" ,{etag}, "d""#));
    for tags in [&[&*etag][..], &[&weak], &[&list], &["*"], &[" * "], &[r#""a""#, &etag]] {
        for method in [Method::GET, Method::HEAD] {
            let (status, headers, body) = send(&ring, method, tags).await;
            assert_eq!(status, StatusCode::NOT_MODIFIED, "{tags:?}");
            assert!(body.is_empty());
            assert_eq!(headers["etag"], etag);
            assert_eq!(headers["cache-control"], "public, max-age=600");
            assert!(!headers.contains_key("content-type"));
            assert!(!headers.contains_key("content-length"));
        }
    }
    let unquoted = etag.trim_matches('"').to_owned();
    let inside = format!(r#""{unquoted}x", "x{unquoted}""#);
    for tags in [r#""a""#, "", &unquoted, &inside, r#"*, "a""#, r#"""#, "\u{e9}"] {
        let (status, ..) = send(&ring, Method::GET, &[tags]).await;
        assert_eq!(status, StatusCode::OK, "{tags}");
    }
}

#[tokio::test]
async fn another_method_is_405() {
    for method in [Method::POST, Method::OPTIONS, Method::DELETE, "BREW".parse().unwrap()] {
        let (status, headers, body) = send(&ring(), method, &["*"]).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(headers["allow"], "GET, HEAD");
        assert!(body.is_empty());
    }
}

#[tokio::test]
async fn the_tag_changes_with_the_set_and_is_the_same_in_each_process() {
    let at = |seconds| NumericDate::from_unix_seconds(NOW + seconds);
    let clock = Clock::at(NOW);
    let list = [(es256(), at(0)), (es256(), at(60))];
    let ring = |list: &[(SigningKey, NumericDate)]| {
        KeyRing::from_keys(list.to_vec()).unwrap().with_clock(clock.clone())
    };
    let (one, other) = (ring(&list), ring(&list));
    let etag = async |ring: &KeyRing| {
        let (_, headers, body) = send(ring, Method::GET, &[]).await;
        assert_eq!(body, ring.jwk_set());
        headers["etag"].clone()
    };
    let first = etag(&one).await;
    assert_eq!(first, etag(&other).await);
    // Another key signs: the set is the same.
    clock.set(NOW + 60);
    assert_eq!(first, etag(&one).await);
    // A key is gone, and another one is added.
    clock.set(NOW + 60 + 24 * 3600 + 600);
    let second = etag(&one).await;
    assert_ne!(first, second);
    one.add_next(es256(), at(10 * 24 * 3600)).unwrap();
    let third = etag(&one).await;
    assert!(third != first && third != second);
}

#[tokio::test]
async fn the_age_is_never_longer_than_a_key_is_published_before_it_signs() {
    for (published_before, max_age) in [(120, 60), (121, 60), (300, 150), (3600, 600)] {
        let ring = ring()
            .with_rotation(Duration::from_secs(7200), Duration::from_secs(published_before))
            .unwrap();
        let (_, headers, _) = send(&ring, Method::GET, &[]).await;
        assert_eq!(headers["cache-control"], format!("public, max-age={max_age}"));
    }
}

#[tokio::test]
async fn a_ring_of_secrets_serves_an_empty_set() {
    let ring = KeyRing::new(SigningKey::generate(Algorithm::HS256).unwrap()).unwrap();
    let (status, _, body) = send(&ring, Method::GET, &[]).await;
    assert_eq!((status, &*body), (StatusCode::OK, &br#"{"keys":[]}"#[..]));
}

/// The two bodies are of different types, and neither is named by the service.
#[tokio::test]
async fn the_service_is_a_route_of_axum_and_fits_other_bodies() {
    let ring = ring();
    let service = JwkSetService::<axum::body::Body>::new(ring.clone());
    let app = axum::Router::new().route_service("/jwks.json", service);
    let request = Request::builder().uri("/jwks.json").body(axum::body::Body::empty()).unwrap();
    let body = app.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, ring.jwk_set());

    let mut service = JwkSetService::<Vec<u8>>::new(ring.clone()).clone();
    let response: Response<Vec<u8>> = service.call(Request::new("any body")).await.unwrap();
    assert_eq!(response.into_body(), ring.jwk_set().into_bytes());
    assert!(format!("{service:?}").starts_with("JwkSetService { keys: KeyRing"));
}
