//! What a trusted proxy tells of the request that it received.

use http::{HeaderMap, HeaderName, header};

use crate::dpop::fault::Fault;
use crate::dpop::target::is_authority;

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest line that is read, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// How many parameters an element of `Forwarded` may have. RFC 7239 defines four.
const PARAMETERS: usize = 16;

/// The headers in which a proxy tells the scheme and the host of the request that it received. Name those that your
/// proxy always writes: a proxy forwards the others as the client sent them.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyHeaders {
    /// `Forwarded` (RFC 7239): `proto` and `host` of its last element, which the nearest proxy has added.
    Forwarded,
    /// `X-Forwarded-Proto` and `X-Forwarded-Host`: the last element of each. The port is part of the host.
    XForwarded,
}

impl ProxyHeaders {
    /// Scheme and authority, such as `https://api.example`; `None` if the proxy tells nothing.
    pub(super) fn origin(self, headers: &HeaderMap) -> Result<Option<String>, Fault> {
        let (proto, host) = match self {
            Self::Forwarded => match last_line(headers, &header::FORWARDED)? {
                None => return Ok(None),
                Some(line) => {
                    let element = last_element(line).ok_or(Fault::UnusableRequestUri)?;
                    (element.proto, element.host)
                }
            },
            Self::XForwarded => {
                let last = |name| {
                    let line = last_line(headers, name)?;
                    Ok(line.and_then(|line| line.rsplit(',').next()).map(|e| e.trim().to_owned()))
                };
                (last(&FORWARDED_PROTO)?, last(&FORWARDED_HOST)?)
            }
        };
        match (proto, host) {
            (None, None) => Ok(None),
            (Some(proto), Some(host)) if is_web(&proto) && is_authority(&host) => {
                Ok(Some(format!("{proto}://{host}")))
            }
            _ => Err(Fault::UnusableRequestUri),
        }
    }
}

fn is_web(scheme: &str) -> bool {
    ["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The last field line with this name: the nearest proxy appends to it, or adds it.
fn last_line<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Fault> {
    match headers.get_all(name).iter().next_back() {
        None => Ok(None),
        Some(line) if line.len() > LONGEST_LINE => Err(Fault::UnusableRequestUri),
        Some(line) => line.to_str().map(Some).map_err(|_| Fault::UnusableRequestUri),
    }
}

#[derive(Debug, Default, PartialEq)]
struct Element {
    proto: Option<String>,
    host: Option<String>,
}

impl Element {
    /// Adds a parameter; `None` if one that counts is there already.
    fn add(&mut self, name: &str, value: String) -> Option<()> {
        let place = match name {
            name if name.eq_ignore_ascii_case("proto") => &mut self.proto,
            name if name.eq_ignore_ascii_case("host") => &mut self.host,
            _ => return Some(()),
        };
        place.replace(value).is_none().then_some(())
    }
}

/// The last element of a `Forwarded` line; `None` if any part of the line is not of the grammar of RFC 7239 section 4,
/// since then it is not clear where an element ends.
fn last_element(line: &str) -> Option<Element> {
    let mut element = Element::default();
    let mut parameters: usize = 0;
    let mut rest = line.trim_matches([' ', '\t']);
    loop {
        // An element may be empty, and so may a pair (RFC 9110 section 5.6.1).
        if !rest.is_empty() && !rest.starts_with([',', ';']) {
            let (name, after) = token(rest)?;
            let (value, after) = value(after.strip_prefix('=')?)?;
            element.add(name, value)?;
            parameters = parameters.saturating_add(1);
            if parameters > PARAMETERS {
                return None;
            }
            rest = after;
        }
        let after = rest.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return Some(element);
        } else if let Some(next) = after.strip_prefix(',') {
            rest = next.trim_start_matches([' ', '\t']);
            element = Element::default();
            parameters = 0;
        } else {
            // No white space is allowed around it.
            rest = rest.strip_prefix(';')?;
        }
    }
}

/// A token and what follows it.
fn token(text: &str) -> Option<(&str, &str)> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at_checked(end)).flatten()
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(line: &str) -> Option<(String, String)> {
        last_element(line).map(|e| (e.proto.unwrap_or_default(), e.host.unwrap_or_default()))
    }

    #[test]
    fn last_element_of_a_list_counts() {
        for (line, proto, host) in [
            ("proto=https;host=api.example", "https", "api.example"),
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "http", ""),
            ("Host=\"api.example:8443\";PROTO=https", "https", "api.example:8443"),
            ("host=evil.example;proto=http, host=api.example;proto=https", "https", "api.example"),
            ("host=a,host=b ,\thost=c", "", "c"),
            ("for=\"a,b;host=evil\";host=ok", "", "ok"),
            ("for=\"a\\\",host=evil,\";host=ok", "", "ok"),
            ("host=\"[2001:db8::1]:80\"", "", "[2001:db8::1]:80"),
            ("host=a;", "", "a"),
            (";host=a", "", "a"),
            ("host=a,", "", ""),
            ("", "", ""),
        ] {
            assert_eq!(element(line), Some((proto.to_owned(), host.to_owned())), "{line}");
        }
    }

    #[test]
    fn line_outside_of_the_grammar_is_refused_as_a_whole() {
        for line in [
            "host",
            "host=",
            "=a",
            "host =a",
            "host= a",
            "host=a b",
            "host=a; proto=https",
            "host=a ;proto=https",
            "host=a:80",
            "host=[::1]",
            "host=\"a",
            "host=\"a\\",
            "host=\"a\"b",
            "host=a;host=b",
            "host=a;Host=a",
            "host=\"evil, host=a",
            "host==a",
            "x;host=a",
        ] {
            assert_eq!(element(line), None, "{line}");
        }
    }

    #[test]
    fn long_line_and_many_parameters_are_refused() {
        let many = |count: usize| {
            let more: String = (1..count).map(|n| format!("x{n}=1;")).collect();
            format!("{more}host=a")
        };
        assert_eq!(element(&many(16)), Some((String::new(), "a".to_owned())));
        assert_eq!(element(&many(17)), None);
        // Of each element, and also of one before the last.
        assert!(element(&format!("{}, {}", many(16), many(16))).is_some());
        assert_eq!(element(&format!("{}, host=a", many(17))), None);
        let line = |length: usize| {
            let line = "for=\"\";proto=https;host=a";
            let line =
                line.replacen("\"\"", &format!("\"{}\"", "x".repeat(length - line.len())), 1);
            assert_eq!(line.len(), length);
            let mut headers = HeaderMap::new();
            headers.insert("forwarded", http::HeaderValue::try_from(line).unwrap());
            ProxyHeaders::Forwarded.origin(&headers)
        };
        assert_eq!(line(8192), Ok(Some("https://a".to_owned())));
        assert_eq!(line(8193), Err(Fault::UnusableRequestUri));
    }

    #[test]
    fn only_parameters_that_count_must_not_be_duplicated() {
        let twice = element("for=a;for=b;by=c;by=d;host=e;proto=https");
        assert_eq!(twice, Some(("https".to_owned(), "e".to_owned())));
        for line in ["host=a;host=a", "proto=http;proto=https;host=a", "host=a;for=b;HOST=c"] {
            assert_eq!(element(line), None, "{line}");
        }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn origin_needs_both_parts_or_neither() {
        let forwarded = |line| ProxyHeaders::Forwarded.origin(&headers(&[("forwarded", line)]));
        assert_eq!(forwarded("host=a;proto=https"), Ok(Some("https://a".to_owned())));
        assert_eq!(forwarded("for=unknown"), Ok(None));
        for line in [
            "host=a",
            "proto=https",
            "host=a;proto=ftp",
            "host=\"a/b\";proto=https",
            "host=\"u@a\";proto=https",
            "host=\"\";proto=https",
        ] {
            assert_eq!(forwarded(line), Err(Fault::UnusableRequestUri), "{line}");
        }
        assert_eq!(ProxyHeaders::Forwarded.origin(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn last_line_and_last_element_count_for_x_forwarded() {
        let fields = headers(&[
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "evil.example, api.example"),
            ("x-forwarded-proto", "http,https"),
            ("forwarded", "host=evil.example;proto=http"),
        ]);
        let origin = ProxyHeaders::XForwarded.origin(&fields);
        assert_eq!(origin, Ok(Some("https://api.example".to_owned())));
        let half = headers(&[("x-forwarded-host", "api.example")]);
        assert_eq!(ProxyHeaders::XForwarded.origin(&half), Err(Fault::UnusableRequestUri));
        assert_eq!(ProxyHeaders::XForwarded.origin(&HeaderMap::new()), Ok(None));
    }
}
