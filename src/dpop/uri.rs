//! URIs of requests, compared as RFC 9449 section 4.3 says: without query and fragment, after the normalisation of RFC
//! 3986 sections 6.2.2 and 6.2.3.

use fluent_uri::Uri;

/// The normal form of an `http` or `https` URI, without its query and fragment; `None` if it is not such a URI, or has
/// a user name.
pub(super) fn normal(uri: &str) -> Option<String> {
    let end = uri.find(['?', '#']).unwrap_or(uri.len());
    let uri = Uri::parse(uri.get(..end)?).ok()?;
    let scheme = uri.scheme().as_str();
    if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let authority = uri.authority()?;
    if authority.userinfo().is_some() || authority.host().is_empty() {
        return None;
    }
    let normal = uri.normalize();
    // An empty path is the root (RFC 9110 section 4.2.3).
    let root = if normal.path().as_str().is_empty() { "/" } else { "" };
    Some(normal.into_string() + root)
}

/// The path of a request for a comparison: empty, or with a slash before it; `None` if the request has no such path. It
/// follows a host, and must not continue its name: HTTP/2 allows any text as `:path`.
pub(super) fn path_of_request(path: &str) -> Option<&str> {
    match path {
        // `OPTIONS *` is a request for the whole server (RFC 9112 section 3.2.4).
        "" | "*" => Some(""),
        path => (path.starts_with('/') && !has_dot_segment(path)).then_some(path),
    }
}

/// Whether a path has a segment `.` or `..`, possibly percent-encoded. A router may read such a path as another one
/// than the normalisation does, so that a proof would be accepted for another resource.
pub(super) fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        // At most twice three characters.
        segment.len() <= 6
            && matches!(segment.replace("%2e", ".").replace("%2E", ".").as_str(), "." | "..")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalent_uris_have_the_same_normal_form() {
        for uri in [
            "https://api.example/a/b~c",
            "HTTPS://API.Example/a/b~c",
            "https://api.example:443/a/b~c",
            "https://api.example:/a/b~c",
            "https://api.example:0443/a/b~c",
            "https://api.example/a/b%7ec",
            "https://api.example/a/b%7Ec",
            "https://api.example/%61/b~c",
            "https://api.example/a/./b~c",
            "https://api.example/a/x/../b~c",
            "https://api.example/a/%2E%2e/a/b~c",
            "https://api.example/../a/b~c",
            "https://api.example/a/b~c?query",
            "https://api.example/a/b~c#fragment",
            "https://api.example/a/b~c?q#f?g",
        ] {
            assert_eq!(normal(uri).as_deref(), Some("https://api.example/a/b~c"), "{uri}");
        }
        for uri in ["http://[::1]", "http://[0:0:0:0:0:0:0:1]:80/", "HTTP://[::0001]?q"] {
            assert_eq!(normal(uri).as_deref(), Some("http://[::1]/"), "{uri}");
        }
        let escapes = ["https://h/%c3%a9%2f", "https://h/%C3%A9%2F"];
        assert_eq!(normal(escapes[0]), normal(escapes[1]));
    }

    #[test]
    fn different_uris_have_different_normal_forms() {
        let all = [
            "https://api.example/a",
            "http://api.example/a",
            "https://api.example:80/a",
            "https://api.example:8443/a",
            "https://api.example./a",
            "https://api2.example/a",
            "https://api.example/A",
            "https://api.example/a/",
            "https://api.example//a",
            "https://api.example/a;b",
            "https://api.example/a%3Bb",
            "https://api.example/a%2Fb",
            "https://api.example/a/b",
            "https://api.example/",
        ];
        for (n, one) in all.iter().enumerate() {
            for other in all.iter().skip(n + 1) {
                assert_ne!(normal(one).unwrap(), normal(other).unwrap());
            }
        }
    }

    #[test]
    fn what_is_not_an_http_uri_with_a_host_has_no_normal_form() {
        for uri in [
            "",
            "/a",
            "//api.example/a",
            "api.example/a",
            "ftp://api.example/a",
            "https:/api.example/a",
            "https:///a",
            "https://user@api.example/a",
            "https://user:secret@api.example/a",
            "https://api.example/a b",
            "https://api.example\\a",
            "https://api.example/%zz",
            "https://api.example/\u{e9}",
            "https://api.example:port/",
            "https://[::1/",
            " https://api.example/a",
            "https://api.example/a\n",
        ] {
            assert_eq!(normal(uri), None, "{uri}");
        }
    }

    #[test]
    fn path_that_would_continue_the_host_is_not_one() {
        for path in
            [".evil.net/x", "@evil.net/", ":8443/a", "a", "a/b", "**", "*/", "?q", "%2fa", "\\a"]
        {
            assert_eq!(path_of_request(path), None, "{path}");
        }
        for (path, expected) in [("", ""), ("*", ""), ("/", "/"), ("/a/b", "/a/b"), ("//a", "//a")]
        {
            assert_eq!(path_of_request(path), Some(expected), "{path}");
        }
        assert_eq!(path_of_request("/a/../b"), None);
    }

    #[test]
    fn dot_segments_are_seen_in_every_spelling() {
        for path in ["/.", "/..", "/a/../b", "/a/%2e", "/%2E./a", "/.%2e", "/%2e%2E/", "/a/./b"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["", "/", "/a.b", "/...", "/.well-known/x", "/a/..b", "/%2f%2e.%2e", "*"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
