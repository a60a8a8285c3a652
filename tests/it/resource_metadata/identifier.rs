//! The identifier of the resource, and the URL of the metadata that follows from it.

use proptest::prelude::*;
use tower_jwt_auth::{ConfigErrorKind, ResourceMetadata};

fn url_of(resource: &str) -> String {
    ResourceMetadata::new(resource).unwrap().url().to_owned()
}

#[test]
fn well_known_path_is_inserted_between_the_host_and_the_path() {
    for (resource, url) in [
        ("https://h.example", "https://h.example/.well-known/oauth-protected-resource"),
        ("https://h.example/", "https://h.example/.well-known/oauth-protected-resource"),
        ("https://h.example/a/b", "https://h.example/.well-known/oauth-protected-resource/a/b"),
        (
            "https://h.example:8443/a",
            "https://h.example:8443/.well-known/oauth-protected-resource/a",
        ),
        // Only the slash that follows the host is removed (RFC 9728 section 3.1).
        ("https://h.example/a/", "https://h.example/.well-known/oauth-protected-resource/a/"),
        ("https://h.example/?t=1", "https://h.example/.well-known/oauth-protected-resource?t=1"),
        ("https://h.example/a?t=1", "https://h.example/.well-known/oauth-protected-resource/a?t=1"),
        ("https://h.example/a%20b", "https://h.example/.well-known/oauth-protected-resource/a%20b"),
        (
            "http://127.0.0.1:8000/mcp",
            "http://127.0.0.1:8000/.well-known/oauth-protected-resource/mcp",
        ),
    ] {
        assert_eq!(url_of(resource), url, "{resource}");
        let metadata = ResourceMetadata::new(resource).unwrap();
        assert!(metadata.path().starts_with("/.well-known/oauth-protected-resource"));
        assert!(!metadata.path().contains('?'), "{resource}");
    }
}

#[test]
fn identifier_is_https_or_http_on_loopback() {
    for resource in [
        "https://api.example",
        "http://localhost:8000/mcp",
        "http://127.0.0.1/mcp",
        "http://[::1]:8000/mcp",
    ] {
        assert_eq!(ResourceMetadata::new(resource).unwrap().resource(), resource);
    }
    for resource in [
        "",
        "/mcp",
        "api.example/mcp",
        "http://api.example/mcp",
        "http://10.0.0.1/mcp",
        "http://localhost.example/mcp",
        "ftp://api.example/mcp",
        "urn:example:orders",
        "javascript:alert(1)",
        "https://",
        "https://user@api.example/mcp",
        "https://user:password@api.example/mcp",
        "https://api.example/mcp#part",
        "https://api.example/mcp#",
        "https://api.example/m cp",
        "https://api.example/mcp\r\nx: y",
        "https://api.example/\"mcp",
        "https://api.example/m\\cp",
        "https://api.example/{mcp}",
        "https://api.exämple/mcp",
        &format!("https://api.example/{}", "a".repeat(3000)),
    ] {
        let error = ResourceMetadata::new(resource).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata, "{resource}");
        assert!(!error.to_string().contains("password@"), "{error}");
    }
}

#[test]
fn spelling_that_clients_would_change_is_an_error_that_names_the_right_one() {
    for (resource, normal) in [
        ("HTTPS://api.example/mcp", "https://api.example/mcp"),
        ("https://API.example/mcp", "https://api.example/mcp"),
        ("https://api.example:443/mcp", "https://api.example/mcp"),
        ("https://api.example/a/../mcp", "https://api.example/mcp"),
        ("https://api.example?t=1", "https://api.example/?t=1"),
        ("https://127.1/mcp", "https://127.0.0.1/mcp"),
    ] {
        let error = ResourceMetadata::new(resource).unwrap_err();
        assert!(error.to_string().contains(&format!("write {normal:?}")), "{resource}: {error}");
    }
}

proptest! {
    /// RFC 9728 section 3.1, as clients read it: take the well-known path out of the URL, and there is the resource.
    #[test]
    fn resource_follows_from_the_url_of_its_metadata(
        host in "[a-z][a-z0-9]{0,10}\\.example(:8443)?",
        path in "(/[A-Za-z0-9_.~!$&'()*+,;=:@-]{1,8}){0,4}/?",
        query in "(\\?[a-z0-9=&]{0,8})?",
    ) {
        let path = if path.is_empty() && !query.is_empty() { "/".to_owned() } else { path };
        let resource = format!("https://{host}{path}{query}");
        // A path with dot segments has another spelling.
        let Ok(metadata) = ResourceMetadata::new(&resource) else {
            let is_dots = |segment: &str| segment == "." || segment == "..";
            prop_assert!(path.split('/').any(is_dots), "{resource}");
            return Ok(());
        };
        prop_assert_eq!(metadata.resource(), &resource);
        let inserted = "/.well-known/oauth-protected-resource";
        let removed = metadata.url().replacen(inserted, "", 1);
        let bare = if path == "/" { format!("https://{host}{query}") } else { resource.clone() };
        prop_assert_eq!(removed, bare);
        let origin = format!("https://{host}");
        prop_assert_eq!(metadata.url(), format!("{origin}{}{query}", metadata.path()));
        // It can be requested, and be a parameter of a challenge.
        prop_assert!(metadata.url().parse::<http::Uri>().is_ok());
        prop_assert!(!metadata.url().contains(['"', '\\']));
    }

    #[test]
    fn no_identifier_makes_a_panic(resource in "\\PC{0,40}", path in "\\PC{0,40}") {
        for resource in [resource, format!("https://api.example/{path}")] {
            if let Ok(metadata) = ResourceMetadata::new(&resource) {
                prop_assert_eq!(metadata.resource(), &resource);
                prop_assert!(metadata.url().parse::<http::Uri>().is_ok(), "{resource}");
            }
        }
    }
}
