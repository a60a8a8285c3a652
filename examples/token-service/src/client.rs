//! The client credentials of a token request. No clients are registered yet, so all credentials are wrong. A request
//! without credentials is accepted.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::form::Form;

/// The client credentials in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// No credentials.
    Nothing,
    /// HTTP Basic with an empty name and secret, which Swagger UI sends if its fields are empty.
    EmptyBasic,
}

/// Why the request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The client is unknown.
    Unknown,
    /// The `Authorization` header is malformed.
    Malformed,
    /// The request has credentials in more than one place (RFC 6749 section 2.3).
    Twice,
}

/// Reads the credentials from HTTP Basic, or from `client_secret` in the form.
///
/// Other schemes are ignored, because a browser application may send its old token to every path. A `client_id`
/// without a secret is ignored too: it proves nothing, and nothing is granted for it.
pub fn shown(headers: &HeaderMap, form: &Form) -> Result<Shown, ClientError> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Err(ClientError::Twice);
    }
    let basic = authorization.map_or(Ok(None), |value| basic(value.as_bytes()))?;
    let has_secret = form.get("client_secret").is_some();
    match basic {
        None if has_secret => Err(ClientError::Unknown),
        None => Ok(Shown::Nothing),
        Some(credentials) if credentials.as_deref() == Some(b":") => {
            if has_secret {
                Err(ClientError::Unknown)
            } else {
                Ok(Shown::EmptyBasic)
            }
        }
        Some(_) if has_secret => Err(ClientError::Twice),
        Some(_) => Err(ClientError::Unknown),
    }
}

/// `NAME:SECRET` of HTTP Basic. The outer `None` is another scheme, the inner one invalid base64.
fn basic(value: &[u8]) -> Result<Option<Option<Vec<u8>>>, ClientError> {
    let Some((scheme, credentials)) = value.split_at_checked(5) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    match credentials.first() {
        None | Some(b' ') => Ok(Some(STANDARD.decode(credentials.trim_ascii()).ok())),
        // Only a space ends the scheme (RFC 9110 section 11.4). A reader that accepts a tab would find credentials
        // here.
        Some(b'\t') => Err(ClientError::Malformed),
        // A longer scheme name.
        Some(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(authorizations: &[&str], body: &str) -> Result<Shown, ClientError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let form = Form::read(&headers, body.as_bytes()).unwrap();
        for authorization in authorizations {
            headers.append(AUTHORIZATION, authorization.parse().unwrap());
        }
        super::shown(&headers, &form)
    }

    #[test]
    fn to_show_nothing_is_fine() {
        assert_eq!(shown(&[], ""), Ok(Shown::Nothing));
        assert_eq!(shown(&[], "client_id=app&client_secret="), Ok(Shown::Nothing));
        assert_eq!(shown(&["Bearer abc"], ""), Ok(Shown::Nothing));
        assert_eq!(shown(&["Basic Og=="], ""), Ok(Shown::EmptyBasic));
        assert_eq!(shown(&["bASIC  Og=="], "client_id="), Ok(Shown::EmptyBasic));
    }

    #[test]
    fn whatever_is_shown_is_unknown() {
        // x:y, x:, :y, without a colon, not base64, empty.
        let bad = ["eDp5", "eDo=", "Onk=", "eA==", "%%%", ""];
        for credentials in bad {
            let header = format!("Basic {credentials}");
            assert_eq!(shown(&[&header], ""), Err(ClientError::Unknown), "{header}");
        }
        assert_eq!(shown(&["Basic"], ""), Err(ClientError::Unknown));
        assert_eq!(shown(&[], "client_id=x&client_secret=y"), Err(ClientError::Unknown));
    }

    #[test]
    fn a_tab_does_not_hide_credentials() {
        assert_eq!(shown(&["Basic\tOg=="], ""), Err(ClientError::Malformed));
        assert_eq!(shown(&["basic\teDp5"], ""), Err(ClientError::Malformed));
        assert_eq!(shown(&["Basically eDp5"], ""), Ok(Shown::Nothing));
    }

    #[test]
    fn two_ways_are_one_too_many() {
        assert_eq!(shown(&["Basic eDp5"], "client_secret=y"), Err(ClientError::Twice));
        assert_eq!(shown(&["Basic Og==", "Basic Og=="], ""), Err(ClientError::Twice));
    }
}
