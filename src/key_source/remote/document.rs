//! A fetched document: its type, its coding, its text.

use std::borrow::Cow;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

use crate::key_source::remote::cache_headers::Lifetime;
use crate::strict_json;

/// A document that passed all checks except those of its content.
#[derive(Clone, Debug)]
pub(super) struct Document {
    /// Without a byte order mark.
    pub(super) body: Bytes,
    pub(super) lifetime: Lifetime,
    media_type: Option<String>,
}

impl Document {
    pub(super) fn new(headers: &HeaderMap, mut body: Bytes) -> Self {
        // A JSON parser may ignore it (RFC 8259 section 8.1).
        if body.starts_with(UTF_8_MARK) {
            body = body.slice(UTF_8_MARK.len()..);
        }
        Self { body, lifetime: Lifetime::of(headers), media_type: media_type(headers) }
    }

    /// The text, for a JSON parser.
    ///
    /// # Errors
    ///
    /// When the body cannot be JSON. The error is the reason, and contains no part of the document.
    pub(super) fn text(&self) -> Result<&str, &'static str> {
        let body = &*self.body;
        if body.trim_ascii().is_empty() {
            return Err("it is empty");
        }
        if is_wide(body) {
            return Err("it is UTF-16 or UTF-32, and JSON is UTF-8 (RFC 8259 section 8.1)");
        }
        if body.trim_ascii_start().starts_with(b"<") {
            return Err("it is a page of HTML or XML");
        }
        if std::str::from_utf8(body).is_err() {
            return Err("it is not UTF-8");
        }
        strict_json::text(body).ok_or("it is nested too deeply")
    }

    /// The media type of the response, for errors.
    pub(super) fn described_type(&self) -> Cow<'static, str> {
        match &self.media_type {
            Some(media_type) => format!("Content-Type: {media_type}").into(),
            None => "without a valid Content-Type".into(),
        }
    }
}

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether the text has two or four bytes for each character, with a byte order mark or without.
fn is_wide(body: &[u8]) -> bool {
    // JSON text begins with two ASCII characters, neither of which is NUL.
    body.starts_with(b"\xff\xfe")
        || body.starts_with(b"\xfe\xff")
        || body.get(..2).is_some_and(|start| start.contains(&0))
}

/// The media type of a web page, if the response is one. Login forms, error pages and single-page
/// applications respond with one at any URL.
pub(super) fn page_type(headers: &HeaderMap) -> Option<String> {
    let is_page = |name: &String| matches!(&**name, "text/html" | "application/xhtml+xml");
    media_type(headers).filter(is_page)
}

/// The media type without its parameters, in lower case, if it is valid. Of several header fields
/// the last one counts, as in browsers (Fetch Standard, "extract a MIME type").
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let is_type = |text: &&str| {
        let parts = text.split_once('/');
        text.len() <= 100 && parts.is_some_and(|(kind, sub)| is_token(kind) && is_token(sub))
    };
    let essences =
        |line| str::split(line, ',').map(|one| one.split(';').next().unwrap_or("").trim());
    let lines: Vec<&str> = lines(headers, &CONTENT_TYPE).collect();
    let last = lines.into_iter().flat_map(essences).rfind(is_type);
    last.map(str::to_ascii_lowercase)
}

/// The codings of the body, although none was requested (RFC 9110 section 8.4).
pub(super) fn content_coding(headers: &HeaderMap) -> Option<String> {
    let codings = lines(headers, &CONTENT_ENCODING).flat_map(|line| line.split(',')).map(str::trim);
    let is_coded = |coding: &&str| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity");
    let named =
        codings.filter(is_coded).map(|coding| match coding.len() <= 20 && is_token(coding) {
            true => coding,
            false => "an unknown coding",
        });
    let named: Vec<&str> = named.take(3).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn lines<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|line| line.to_str().ok())
}

/// Whether the text is a token (RFC 9110 section 5.6.2).
fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn media_type_is_read_without_parameters_and_named_only_if_valid() {
        for (values, expected) in [
            (&["application/json"] as &[&str], Some("application/json")),
            (&["Application/JSON; charset=utf-8"], Some("application/json")),
            (&["application/jwk-set+json ; q=1"], Some("application/jwk-set+json")),
            (&["text/plain;charset=utf-8;a=\"b,c\""], Some("text/plain")),
            (&["text/html, application/json"], Some("application/json")),
            (&["text/html", "application/json"], Some("application/json")),
            (&["application/json", "text/html"], Some("text/html")),
            (&["application/json, nonsense"], Some("application/json")),
            (&[""], None),
            (&["json"], None),
            (&["text/"], None),
            (&["te xt/plain"], None),
            (&["text/pl\u{e4}in"], None),
            (&["text/plain/more"], None),
            (&[], None),
        ] {
            assert_eq!(
                media_type(&headers("content-type", values)).as_deref(),
                expected,
                "{values:?}"
            );
        }
        let long = format!("text/{}", "a".repeat(100));
        assert_eq!(media_type(&headers("content-type", &[&long])), None);
    }

    #[test]
    fn only_html_is_a_page() {
        for page in ["text/html", "TEXT/HTML; charset=utf-8", "application/xhtml+xml"] {
            assert!(page_type(&headers("content-type", &[page])).is_some(), "{page}");
        }
        for other in ["text/plain", "application/json", "application/xml", "", "text/htm"] {
            assert!(page_type(&headers("content-type", &[other])).is_none(), "{other}");
        }
    }

    #[test]
    fn content_coding_other_than_identity_is_named() {
        for (values, expected) in [
            (&["gzip"] as &[&str], Some("gzip")),
            (&["identity"], None),
            (&["Identity, "], None),
            (&[], None),
            (&["", "br"], Some("br")),
            (&["identity, zstd"], Some("zstd")),
            (&["gzip, br"], Some("gzip, br")),
            (&["a b"], Some("an unknown coding")),
        ] {
            let coding = content_coding(&headers("content-encoding", values));
            assert_eq!(coding.as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn text_that_is_not_json_is_named() {
        let document = |body: &'static [u8]| {
            Document::new(&HeaderMap::new(), Bytes::from_static(body)).text().map(str::to_owned)
        };
        assert_eq!(document(b"{}").unwrap(), "{}");
        assert_eq!(document(b"\xef\xbb\xbf{}").unwrap(), "{}");
        for (body, reason) in [
            (b"" as &'static [u8], "empty"),
            (b" \r\n", "empty"),
            (b"\xef\xbb\xbf", "empty"),
            (b"\xff\xfe{\0}\0", "UTF-16"),
            (b"\xfe\xff\0{\0}", "UTF-16"),
            (b"{\0}\0", "UTF-16"),
            (b"\0{\0}", "UTF-16"),
            (b"\0\0\xfe\xff\0\0\0{", "UTF-32"),
            (b"<!doctype html>", "HTML"),
            (b"\n <?xml?>", "XML"),
            (b"{\"a\": \"\xff\"}", "not UTF-8"),
        ] {
            let error = document(body).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}
