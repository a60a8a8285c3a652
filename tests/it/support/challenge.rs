//! A reader of challenges, written from the grammar of RFC 9110 section 11.6.1 alone.

use std::collections::BTreeMap;

/// The parameters of a `Bearer` challenge.
pub(crate) fn parse(challenge: &str) -> Result<BTreeMap<String, String>, String> {
    match parts(challenge.as_bytes()) {
        Some((scheme, params)) if scheme == "Bearer" => Ok(params.into_iter().collect()),
        _ => Err(format!("no challenge for a bearer token: {challenge}")),
    }
}

/// A challenge by the letter of RFC 9110 section 11.6.1: a scheme, a space, and one or more
/// parameters, each a quoted string here, separated by a comma and a space. Nothing else.
pub(crate) fn parts(value: &[u8]) -> Option<(String, Vec<(String, String)>)> {
    fn token(text: &mut &[u8]) -> Option<String> {
        let end = text.iter().position(|o| !(o.is_ascii_alphanumeric() || b"_-".contains(o)))?;
        let (token, rest) = text.split_at(end);
        *text = rest;
        (!token.is_empty()).then(|| String::from_utf8(token.to_vec()).unwrap())
    }
    fn quoted(text: &mut &[u8]) -> Option<String> {
        *text = text.strip_prefix(b"\"")?;
        let mut content = String::new();
        loop {
            let (byte, rest) = text.split_first()?;
            *text = rest;
            match byte {
                b'"' => return Some(content),
                b'\\' => {
                    let (byte, rest) = text.split_first()?;
                    *text = rest;
                    content.push(char::from(*byte));
                }
                b' '..=b'~' => content.push(char::from(*byte)),
                _ => return None,
            }
        }
    }
    let mut text = value;
    let scheme = token(&mut text)?;
    text = text.strip_prefix(b" ")?;
    let mut params: Vec<(String, String)> = Vec::new();
    loop {
        let name = token(&mut text)?;
        text = text.strip_prefix(b"=")?;
        let value = quoted(&mut text)?;
        // B8: each at most once.
        if params.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            return None;
        }
        params.push((name, value));
        if text.is_empty() {
            return Some((scheme, params));
        }
        text = text.strip_prefix(b", ")?;
    }
}
