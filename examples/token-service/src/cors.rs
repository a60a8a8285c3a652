//! Which pages may call the service from another origin (the Fetch standard's CORS protocol).

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use tower_http::cors::{Any, CorsLayer};
use url::Url;

/// For the public documents: any page may read them.
pub(crate) fn any() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET])
}

/// For routes that need a password or a token: only pages of these origins may call them, and read why a request was
/// refused. Without an origin there is no CORS layer, and `OPTIONS` is a method like any other.
pub(crate) fn named(origins: &[String]) -> Result<Option<CorsLayer>, String> {
    if origins.is_empty() {
        return Ok(None);
    }
    let origins: Vec<_> = origins.iter().map(|origin| parse(origin)).collect::<Result<_, _>>()?;
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([WWW_AUTHENTICATE, RETRY_AFTER]);
    Ok(Some(layer))
}

/// An origin as browsers send it: scheme, host and, unless it is the default one, the port.
fn parse(origin: &str) -> Result<HeaderValue, String> {
    let bad = |why: &str| format!("the origin {origin:?} {why}");
    let url = Url::parse(origin).map_err(|_| bad("is not a URL, such as https://app.example"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad("must begin with http:// or https://"));
    }
    let serialized = url.origin().ascii_serialization();
    if serialized != origin {
        return Err(bad(&format!("must be written {serialized:?}")));
    }
    HeaderValue::try_from(origin).map_err(|_| bad("cannot be sent in a header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for origin in ["https://app.example", "http://localhost:5173", "http://[::1]:8080"] {
            assert_eq!(parse(origin).unwrap(), origin);
        }
        for (origin, hint) in [
            ("", "is not a URL"),
            ("*", "is not a URL"),
            ("null", "is not a URL"),
            ("app.example", "is not a URL"),
            ("file:///index.html", "must begin with http"),
            ("https://app.example/", "must be written \"https://app.example\""),
            ("https://app.example/page", "must be written \"https://app.example\""),
            ("https://APP.example", "must be written \"https://app.example\""),
            ("https://app.example:443", "must be written \"https://app.example\""),
            ("https://me@app.example", "must be written \"https://app.example\""),
        ] {
            let error = parse(origin).unwrap_err();
            assert!(error.contains(hint), "{origin}: {error}");
        }
    }
}
