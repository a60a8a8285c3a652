//! The type, the coding and the text of a document.

use bytes::Bytes;
use http::{Method, Response};
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, JwksUrl, KeySource, OidcDiscovery};

use super::{Pages, fetch_set, verifies};

const TYPES: [&str; 11] = [
    "application/json",
    "application/jwk-set+json",
    "text/plain",
    "text/plain; charset=iso-8859-1",
    "text/json",
    "application/octet-stream",
    "binary/octet-stream",
    "application/pkix-cert",
    "application/xml",
    "nonsense",
    "",
];

#[tokio::test(start_paused = true)]
async fn jwk_set_of_any_type_except_html_is_read() {
    let issuer = MockIssuer::new();
    for media_type in TYPES {
        let keys = fetch_set(&[("content-type", media_type)], issuer.jwk_set()).await;
        assert!(verifies(keys.unwrap(), &issuer).await, "{media_type}");
    }
    assert!(verifies(fetch_set(&[], issuer.jwk_set()).await.unwrap(), &issuer).await);
    let twice = [("content-type", "text/html"), ("content-type", "application/json")];
    assert!(fetch_set(&twice, issuer.jwk_set()).await.is_ok());

    for page in ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"] {
        let error = fetch_set(&[("content-type", page)], issuer.jwk_set()).await.unwrap_err();
        assert!(error.contains("web page") && error.contains("html"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_of_any_type_except_html_are_read() {
    let issuer = MockIssuer::new();
    let metadata = r#"{"issuer":"https://issuer.test","jwks_uri":"https://issuer.test/jwks"}"#;
    let place = "https://issuer.test/.well-known/openid-configuration";
    for (media_type, is_read) in TYPES
        .map(|media_type| (media_type, true))
        .into_iter()
        .chain([("text/html", false), ("application/xhtml+xml", false)])
    {
        let pages = Pages::new()
            .with_headers(place, 200, &[("content-type", media_type)], metadata)
            .with("https://issuer.test/jwks", issuer.jwk_set());
        let keys = OidcDiscovery::new_with("https://issuer.test", pages).unwrap();
        assert_eq!(keys.refresh().await.is_ok(), is_read, "{media_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn failed_reading_names_the_type_that_came_if_it_is_valid() {
    for body in ["", "<html>", "nonsense", "{\"keys\": []}", "[1]"] {
        let headers = [("content-type", "Text/Plain; charset=utf-8")];
        let error = fetch_set(&headers, body).await.unwrap_err();
        assert!(error.contains("Content-Type: text/plain)"), "{body}: {error}");
        assert!(error.contains("https://issuer.test/jwks"), "{body}: {error}");
    }
    let long = format!("text/{}", "long".repeat(100));
    for odd in ["canary", "text/canary plain", "text/<canary>", &long] {
        let error = fetch_set(&[("content-type", odd)], "nonsense").await.unwrap_err();
        assert!(error.contains("without a valid Content-Type"), "{error}");
        assert!(!error.contains("canary") && error.len() < 400, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn document_that_cannot_be_json_is_named() {
    for (body, cause) in [
        (b"" as &'static [u8], "empty"),
        (b" \r\n\t", "empty"),
        (b"<!DOCTYPE html><p>Log in", "HTML"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"\xfe\xff\0{\0}", "UTF-16"),
        (b"{\0}\0", "UTF-16"),
        (b"{\"keys\": \"\xe4\"}", "not UTF-8"),
        (b"{}", "no `keys`"),
    ] {
        let error = fetch_set(&[], Bytes::from_static(body)).await.unwrap_err();
        assert!(error.contains(cause), "{cause}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn byte_order_mark_and_white_space_around_a_document_are_ignored() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    for body in
        [format!("\u{feff}{set}"), format!("\r\n\t {set}\r\n\r\n"), format!("\u{feff}\n{set}\n")]
    {
        assert!(verifies(fetch_set(&[], body).await.unwrap(), &issuer).await);
    }
    // One mark, at the beginning.
    assert!(fetch_set(&[], format!("\u{feff}\u{feff}{set}")).await.is_err());
    assert!(fetch_set(&[], format!("{set}\u{feff}")).await.is_err());

    let metadata =
        "\u{feff}{\"issuer\":\"https://issuer.test\",\"jwks_uri\":\"https://issuer.test/jwks\"}";
    let pages = Pages::new()
        .with("https://issuer.test/.well-known/openid-configuration", metadata)
        .with("https://issuer.test/jwks", set);
    let keys = OidcDiscovery::new_with("https://issuer.test", pages).unwrap();
    assert!(verifies(keys, &issuer).await);
}

#[tokio::test(start_paused = true)]
async fn content_coding_that_was_not_asked_for_is_named() {
    let issuer = MockIssuer::new();
    for (coding, named) in [
        ("gzip", "(gzip)"),
        ("br", "(br)"),
        ("identity, deflate", "(deflate)"),
        ("canary=\"1\"", "(an unknown coding)"),
    ] {
        let headers = [("content-encoding", coding)];
        let error = fetch_set(&headers, issuer.jwk_set()).await.unwrap_err();
        assert!(error.contains("Content-Encoding") && error.contains(named), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
    for none in ["identity", "", "Identity"] {
        assert!(fetch_set(&[("content-encoding", none)], issuer.jwk_set()).await.is_ok(), "{none}");
    }
}

#[tokio::test(start_paused = true)]
async fn request_is_a_get_that_accepts_any_type_and_no_coding() {
    let url = "https://issuer.test/jwks";
    let pages = Pages::new().with(url, MockIssuer::new().jwk_set());
    JwksUrl::new_with(url, pages.clone()).unwrap().refresh().await.unwrap();
    let requests = pages.requests.lock().unwrap();
    assert_eq!((requests[0].method(), requests[0].body().len()), (&Method::GET, 0));
    let headers = requests[0].headers();
    assert_eq!((headers.len(), &headers["accept-encoding"]), (2, &"identity".parse().unwrap()));
    let accept = headers["accept"].to_str().unwrap();
    assert!(accept.starts_with("application/json") && accept.contains("*/*"));
}

/// Answers with this status and a set that would be good.
#[derive(Debug)]
struct Answering(u16, Bytes);

impl Fetch for Answering {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        let response = Response::builder().status(self.0).body(self.1.clone()).unwrap();
        Box::pin(async move { Ok(response) })
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_status_than_200_brings_a_document() {
    let issuer = MockIssuer::new();
    for (status, is_good) in [
        (200, true),
        (201, false),
        (203, false),
        (204, false),
        (206, false),
        (304, false),
        (404, false),
        (500, false),
    ] {
        let fetch = Answering(status, issuer.jwk_set().into());
        let keys = JwksUrl::new_with("https://issuer.test/jwks", fetch).unwrap();
        let refreshed = keys.refresh().await.map_err(|error| error.to_string());
        assert_eq!(refreshed.is_ok(), is_good, "{status}");
        assert!(
            refreshed.err().is_none_or(|error| error.contains(&status.to_string())),
            "{status}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn redirect_is_named_with_its_target_and_without_its_query() {
    let url = "https://issuer.test/jwks";
    let headers = [("location", "https://issuer.test/jwks/?session=canary")];
    let pages = Pages::new().with_headers(url, 308, &headers, "");
    let keys = JwksUrl::new_with(url, pages).unwrap();
    let error = keys.refresh().await.unwrap_err().to_string();
    assert!(error.contains("redirects to https://issuer.test/jwks/ (308"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}
