//! Sources that cannot be used are errors, and a layer describes its sources.

use tower_jwt_auth::{ConfigError, ConfigErrorKind, JwtAuthLayer, Source, dangerous_any_bearer};

use super::{cookie, every, header, layer};

#[track_caller]
fn is_source_error<T>(result: Result<T, ConfigError>, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what}: no error"));
    assert_eq!(error.kind(), ConfigErrorKind::Source, "{what}");
    assert!(!error.to_string().is_empty());
}

#[test]
fn header_with_another_meaning_is_an_error() {
    for name in [
        "",
        "x token",
        "é",
        "Authorization",
        "cookie",
        "Client-Cert",
        "client-cert-chain",
        "DPoP",
        "Host",
        "Origin",
        "Connection",
        "Upgrade",
        "TE",
        "Transfer-Encoding",
        "Content-Type",
        "Proxy-Authorization",
        "Sec-WebSocket-Protocol",
        "Sec-Fetch-Site",
        "Access-Control-Request-Headers",
        "grpc-timeout",
        "Forwarded",
    ] {
        is_source_error(Source::header(name), name);
    }
    for name in
        ["X-Token", "cf-access-jwt-assertion", "x-amzn-oidc-data", "X-Forwarded-Access-Token"]
    {
        assert!(Source::header(name).is_ok(), "{name}");
    }
}

#[test]
fn cookie_needs_a_name_and_origins_as_browsers_write_them() {
    for name in ["", "a b", "a=b", "a;b", "a,b", "\"a\"", "é"] {
        is_source_error(Source::cookie(name, ["https://app.example"]), name);
    }
    is_source_error(Source::cookie("token", [""; 0]), "no origin");
    for origin in [
        "",
        "*",
        "null",
        "app.example",
        "https://",
        "https://app.example/",
        "https://app.example/a",
        "https://App.example",
        "HTTPS://app.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://user@app.example",
        "https://app.example?",
        "https://*.example",
        "https://*",
        "https://app.example:",
        "https://app.example:99999",
        "https://app.example:abc",
        "https://app.example:08443",
        "https://app.example:+8443",
        "https://app..example",
        "https://.example",
        "https://app%2eexample",
        "https://127.1",
        "https://1.2.3.256",
        "https://[0:0:0:0:0:0:0:1]",
        "https://[::g]",
        "wss://app.example",
        "ws://app.example",
        "ftp://app.example",
        "file://app.example",
        "https://büro.example",
    ] {
        is_source_error(Source::cookie("token", ["https://good.example", origin]), origin);
    }
    for origin in [
        "https://app.example",
        "http://localhost:3000",
        "http://127.0.0.1:8000",
        "https://[::1]:8443",
        "https://[2001:db8::1]",
        "https://app.example:8443",
        "https://app.example:80",
        "https://app.example.",
        "https://my_app.xn--bro-hoa.example",
        "chrome-extension://abcdefgh",
        "tauri://localhost",
    ] {
        assert!(Source::cookie("__Host-token", [origin]).is_ok(), "{origin}");
    }
}

#[test]
fn prefix_must_fit_into_a_sub_protocol() {
    for prefix in ["", "bearer ", "a,b", "a/b", "a=", "é"] {
        is_source_error(Source::websocket_protocol_with_prefix(prefix), prefix);
    }
}

#[cfg(feature = "query-token")]
#[test]
fn parameter_of_the_query_has_a_plain_name() {
    for name in ["", "a b", "a&b", "a=b", "a%20b", "é", "a+b"] {
        is_source_error(Source::dangerous_query(name), name);
    }
}

#[test]
fn sources_that_overlap_are_an_error() {
    let any = || JwtAuthLayer::new(dangerous_any_bearer());
    let prefix = |prefix| Source::websocket_protocol_with_prefix(prefix).unwrap();
    is_source_error(any().with_sources([]), "none");
    for source in every() {
        is_source_error(any().with_sources([source.clone(), source]), "twice");
    }
    let other_origin = Source::cookie("token", ["https://other.example"]).unwrap();
    is_source_error(any().with_sources([cookie(), other_origin]), "one name, other origins");
    is_source_error(any().with_sources([prefix("bearer."), prefix("bearer.v2.")]), "prefixes");
    is_source_error(
        any().with_sources([Source::websocket_protocol(), prefix("base64url.")]),
        "k8s",
    );
    let two = [Source::cookie("other", ["https://app.example"]).unwrap(), cookie()];
    assert!(any().with_sources(two).is_ok());
    assert!(any().with_sources(every()).is_ok());
}

#[test]
fn layer_describes_its_sources() {
    let sources =
        [Source::authorization_header(), header(), cookie(), Source::websocket_protocol()];
    assert_eq!(
        layer(sources).describe().to_string(),
        "tokens by a custom verifier; tokens in header authorization or header x-token or \
         cookie token from https://app.example, https://admin.example:8443 or WebSocket sub-protocol \
         base64url.bearer.authorization.k8s.io."
    );
    let default = layer([Source::authorization_header()]).describe().to_string();
    assert_eq!(default, "tokens by a custom verifier");
    #[cfg(feature = "query-token")]
    {
        let query = Source::dangerous_query("access_token").unwrap();
        assert_eq!(layer([query]).describe().dangers(), ["dangerous_query"]);
    }
}

#[test]
fn sources_are_compared_by_what_they_accept() {
    assert_eq!(cookie(), cookie());
    assert_ne!(cookie(), Source::cookie("token", ["https://app.example"]).unwrap());
    assert_ne!(header(), Source::authorization_header());
    assert_eq!(format!("{:?}", header()), "Source(header x-token)");
}
