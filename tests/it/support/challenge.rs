//! A reader of challenges, written from the grammar of RFC 9110 section 11.6.1 and RFC 6750
//! section 3 alone.

use std::collections::BTreeMap;

/// The parameters of a `Bearer` challenge, which must be one, and name each but once.
pub(crate) fn parse(challenge: &str) -> Result<BTreeMap<String, String>, String> {
    let rest =
        challenge.strip_prefix("Bearer ").ok_or_else(|| format!("no Bearer: {challenge}"))?;
    let mut params = BTreeMap::new();
    let mut chars = rest.trim_start_matches(' ').chars().peekable();
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c.to_ascii_lowercase());
        }
        if name.is_empty() || chars.next() != Some('=') || chars.next() != Some('"') {
            return Err(format!("no auth-param with a quoted string: {challenge}"));
        }
        let mut value = String::new();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') if name == "realm" => value.extend(chars.next()),
                // RFC 6750 allows neither of these in its own parameters.
                Some(c @ ' '..='~') if c != '\\' => value.push(c),
                other => return Err(format!("{other:?} in a parameter: {challenge}")),
            }
        }
        if params.insert(name.clone(), value).is_some() {
            return Err(format!("{name} twice: {challenge}"));
        }
        match (chars.next(), chars.next()) {
            (None, _) => return Ok(params),
            (Some(','), Some(' ')) => {}
            _ => return Err(format!("no list of parameters: {challenge}")),
        }
    }
}
