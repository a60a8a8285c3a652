//! Faults of metadata, by name.

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{KeySource, OidcDiscovery};

use super::Pages;

const ISSUER: &str = "https://issuer.test/a";
const FIRST: &str = "https://issuer.test/a/.well-known/openid-configuration";
const SECOND: &str = "https://issuer.test/.well-known/oauth-authorization-server/a";

async fn error(pages: Pages) -> String {
    let keys = OidcDiscovery::new_with(ISSUER, pages).unwrap();
    keys.refresh().await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn metadata_without_jwks_uri_say_so_and_what_to_do() {
    for metadata in [
        r#"{"issuer": "https://issuer.test/a"}"#,
        r#"{"issuer": "https://issuer.test/a", "jwks_uri": null}"#,
    ] {
        let error = error(Pages::new().with(FIRST, metadata)).await;
        for part in [FIRST, "no `jwks_uri`", "JwksUrl"] {
            assert!(error.contains(part), "{error}");
        }
    }
    // Another well-known place may have one.
    let pages = Pages::new().with(FIRST, r#"{"issuer": "https://issuer.test/a"}"#).with(
        SECOND,
        r#"{"issuer": "https://issuer.test/a", "jwks_uri": "https://issuer.test/a/jwks"}"#,
    );
    let error = error(pages).await;
    assert!(error.contains("https://issuer.test/a/jwks responds with 404"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_fault_of_metadata_is_named_with_its_place() {
    for (metadata, cause) in [
        ("", "empty"),
        ("<html>Not found</html>", "HTML"),
        ("Not found", "not JSON"),
        ("{\"issuer\": ", "not JSON"),
        ("[]", "not an object"),
        ("{\"error\": \"not found\"}", "no `issuer`"),
        ("{\"issuer\": 5}", "`issuer` is not a string"),
        ("{\"issuer\": \"https://issuer.test/a\", \"jwks_uri\": 5}", "`jwks_uri` is not a string"),
        ("{\"issuer\": \"https://issuer.test/a\", \"jwks_uri\": \"/jwks\"}", "absolute URL"),
        ("{\"issuer\": \"https://issuer.test/a\", \"jwks_uri\": \"http://keys\"}", "https"),
        (
            "{\"issuer\": \"https://issuer.test/a/\"}",
            "https://issuer.test/a/, which is not exactly",
        ),
        ("{\"issuer\": \"a\\u0000\"}", "unprintable"),
        ("{\"issuer\": \"\"}", "empty or unprintable"),
    ] {
        // The second place has none, which says less.
        let error = error(Pages::new().with(FIRST, metadata)).await;
        assert!(error.contains(cause) && error.contains(FIRST), "{metadata}: {error}");
    }
    let page = Pages::new().with_headers(FIRST, 200, &[("content-type", "text/html")], "<html>");
    let error = error(page).await;
    assert!(error.contains("web page") && error.contains(FIRST), "{error}");
}

#[tokio::test(start_paused = true)]
async fn issuer_without_metadata_is_told_to_use_the_url_of_its_set() {
    let error = error(Pages::new()).await;
    for part in ["no metadata", "JwksUrl", FIRST, "404"] {
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn document_that_takes_too_long_is_named() {
    let issuer = MockIssuer::new();
    let keys = || OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    issuer.set_answer(MockAnswer::Hang);
    let error = keys().refresh().await.unwrap_err().to_string();
    assert!(error.contains("https://issuer.test/jwks cannot be fetched: no complete"), "{error}");
    issuer.set_metadata_answer(MockAnswer::Hang);
    let error = keys().refresh().await.unwrap_err().to_string();
    assert!(error.contains("openid-configuration cannot be fetched: no complete"), "{error}");
}
