//! The body of a token request: `application/x-www-form-urlencoded`, read strictly.

use std::collections::HashMap;
use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use percent_encoding::percent_decode;

/// The parameters of a form. Each may appear once, and `resource` several times.
pub struct Form {
    parameters: HashMap<String, String>,
    /// RFC 8707 section 2 allows several.
    resources: Vec<String>,
}

impl fmt::Debug for Form {
    // Without what was sent: passwords and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Form").field("len", &self.parameters.len()).finish_non_exhaustive()
    }
}

impl Form {
    /// Reads the body. The error is a sentence that says what is wrong.
    pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, &'static str> {
        if !is_form(headers) {
            return Err("the body must be application/x-www-form-urlencoded, in UTF-8");
        }
        let (mut parameters, mut resources) = (HashMap::new(), Vec::new());
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            if name == "resource" {
                resources.push(value);
            } else if parameters.insert(name, value).is_some() {
                return Err("a parameter is given twice");
            }
        }
        resources.retain(|resource| !resource.is_empty());
        Ok(Self { parameters, resources })
    }

    /// A parameter. One without a value counts as absent (RFC 6749 section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every `resource` that has a value (RFC 8707 section 2).
    pub fn resources(&self) -> &[String] {
        &self.resources
    }
}

/// Whether the body is declared as a form in UTF-8.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else { return false };
    let content_type = content_type.to_str().unwrap_or_default();
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    // The media type has no parameters, but many clients send `charset`. Any other charset than UTF-8 is refused.
    let mut charsets = parts.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && charsets.all(|charset| charset.eq_ignore_ascii_case("utf-8"))
}

/// Decodes a name or a value of a form.
pub(crate) fn decode(text: &[u8]) -> Result<String, &'static str> {
    let spaced: Vec<u8> = text.iter().map(|o| if *o == b'+' { b' ' } else { *o }).collect();
    let decoded = percent_decode(&spaced).decode_utf8();
    let decoded = decoded.map_err(|_| "the body must be UTF-8")?;
    // No value may have one, and PostgreSQL cannot compare it.
    if decoded.contains('\0') {
        return Err("a parameter contains a NUL character");
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content_type: &'static str, body: &[u8]) -> Result<Form, &'static str> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        Form::read(&headers, body)
    }

    fn read_as(content_type: &str) -> Result<Form, &'static str> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        Form::read(&headers, b"a=b")
    }

    fn form(body: &[u8]) -> Result<Form, &'static str> {
        read("application/x-www-form-urlencoded", body)
    }

    #[test]
    fn values_are_decoded() {
        let form = form(b"&a=1%2B1+%3d+2&=x&b&c==&%64=%C3%A9&e=100%").unwrap();
        assert_eq!(form.get("a"), Some("1+1 = 2"));
        assert_eq!(form.get("b"), None);
        assert_eq!(form.get("c"), Some("="));
        assert_eq!(form.get("d"), Some("\u{e9}"));
        assert_eq!(form.get("e"), Some("100%"));
    }

    #[test]
    fn debug_shows_nothing_that_was_sent() {
        let body = b"username=alice&password=wonderland&refresh_token=hidden&oops=&resource=there";
        let shown = format!("{:?}", form(body).unwrap());
        for text in ["alice", "wonderland", "hidden", "oops", "there"] {
            assert!(!shown.contains(text), "{shown}");
        }
    }

    #[test]
    fn any_other_media_type_is_refused() {
        assert!(read("Application/X-WWW-Form-URLEncoded; charset=utf-8", b"a=b").is_ok());
        let form = "application/x-www-form-urlencoded;charset=";
        assert!(read_as(&format!("{form}\"UTF-8\"; x=y")).is_ok());
        for charset in ["latin1", "utf-16", "", "UTF-8; charset=iso-8859-1"] {
            assert!(read_as(&format!("{form}{charset}")).is_err(), "{charset}");
        }
        for other in ["application/json", "", "text/plain", "multipart/form-data; boundary=x"] {
            assert!(read(other, b"a=b").is_err(), "{other}");
        }
        assert!(Form::read(&HeaderMap::new(), b"a=b").is_err());
    }

    #[test]
    fn a_repeated_parameter_is_refused() {
        for body in ["a=1&a=1", "a=1&b=2&a=", "x&x", "a=1&%61=2", "=1&=2"] {
            assert!(form(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn resource_may_be_repeated() {
        let form = form(b"resource=a&b=1&resource=&resource=b&%72esource=a").unwrap();
        assert_eq!(form.resources(), ["a", "b", "a"]);
        assert_eq!(form.get("b"), Some("1"));
        assert_eq!(form.get("resource"), None);
    }

    #[test]
    fn a_nul_character_is_refused() {
        for body in ["a=%00", "a%00=b", "a=b\0"] {
            assert!(form(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn no_utf8_is_refused() {
        assert!(form(b"a=%FF").is_err());
        assert!(form(b"a=\xff").is_err());
    }
}
