//! The metadata of an issuer: the members that this crate reads.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::key_source::remote::document::Document;

/// The parsed metadata (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata<'a> {
    pub(super) issuer: Cow<'a, str>,
    /// The URL, or why there is none.
    pub(super) jwks_uri: Result<Cow<'a, str>, &'static str>,
}

/// The members that are read. A duplicate name is an error, and `null` counts as absent.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    issuer: Option<&'a RawValue>,
    #[serde(borrow)]
    jwks_uri: Option<&'a RawValue>,
}

impl<'a> Metadata<'a> {
    /// # Errors
    ///
    /// When the document names no issuer. The error is the reason, and contains no part of the
    /// document.
    pub(super) fn read(document: &'a Document) -> Result<Self, &'static str> {
        let text = document.text()?;
        if serde_json::from_str::<&RawValue>(text).is_err() {
            return Err("it is not JSON");
        }
        if !text.trim_ascii_start().starts_with('{') {
            return Err("it is JSON, but not an object");
        }
        let members: Members<'_> = serde_json::from_str(text)
            .map_err(|_| "`issuer` or `jwks_uri` is duplicated, or a name is malformed")?;
        let issuer = members.issuer.ok_or("it has no `issuer`")?;
        Ok(Self {
            issuer: string(issuer).ok_or("`issuer` is not a string")?,
            jwks_uri: match members.jwks_uri.map(string) {
                Some(Some(jwks_uri)) => Ok(jwks_uri),
                Some(None) => Err("`jwks_uri` is not a string"),
                None => Err(
                    "there is no `jwks_uri`, so the issuer does not say where its keys are: if it \
                     publishes them anyway, give the URL of its JWK set to `JwksUrl`, or to \
                     `with_jwks_url` of `KnownIssuer`",
                ),
            },
        })
    }
}

fn string(raw: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(raw.get()) {
        Ok(text) => Some(text.into()),
        // A string with an escape cannot be borrowed.
        Err(_) => serde_json::from_str::<String>(raw.get()).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn document(text: &str) -> Document {
        Document::new(&HeaderMap::new(), Bytes::from(text.to_owned()))
    }

    #[test]
    fn issuer_and_jwks_uri_are_read() {
        let text =
            r#"{"issuer": "https:\/\/a.test", "x": [{}], "jwks_uri": "https://a.test/jwks"}"#;
        let document = document(text);
        let metadata = Metadata::read(&document).unwrap();
        assert_eq!(metadata.issuer, "https://a.test");
        assert_eq!(metadata.jwks_uri.as_deref(), Ok("https://a.test/jwks"));
    }

    #[test]
    fn each_fault_of_metadata_is_named() {
        for (text, reason) in [
            ("", "empty"),
            ("<html>", "HTML"),
            ("not json", "not JSON"),
            ("{\"issuer\": \"x\"", "not JSON"),
            ("[]", "not an object"),
            ("null", "not an object"),
            ("{}", "no `issuer`"),
            (r#"{"issuer": null}"#, "no `issuer`"),
            (r#"{"Issuer": "x"}"#, "no `issuer`"),
            (r#"{"issuer": 5}"#, "`issuer` is not a string"),
            (r#"{"issuer": ["x"]}"#, "`issuer` is not a string"),
            (r#"{"issuer": "x", "issuer": "x"}"#, "duplicated"),
            (r#"{"issuer": "x", "jwks_uri": "a", "jwks_uri": "a"}"#, "duplicated"),
        ] {
            let error = Metadata::read(&document(text)).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        for (text, reason) in [
            (r#"{"issuer": "x"}"#, "`JwksUrl`"),
            (r#"{"issuer": "x", "jwks_uri": null}"#, "no `jwks_uri`"),
            (r#"{"issuer": "x", "jwks_uri": {}}"#, "`jwks_uri` is not a string"),
        ] {
            let document = document(text);
            let error = Metadata::read(&document).unwrap().jwks_uri.unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
