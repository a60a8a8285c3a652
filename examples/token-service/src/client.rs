//! Who asks: the client's credentials of a token request. No clients are registered yet, so any that
//! are shown are bad; to show none is fine.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::form::Form;

/// How the client showed who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Not at all.
    Nothing,
    /// By HTTP Basic with an empty name and secret, which says nothing: Swagger UI sends it when its
    /// fields are left empty.
    EmptyBasic,
}

/// Why the request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// There is no such client.
    Unknown,
    /// The request shows credentials in more than one way (RFC 6749 section 2.3).
    Twice,
}

/// Reads what the client shows: HTTP Basic, or `client_secret` in the form.
///
/// Other schemes are left alone (a browser application may send its old token to every path), and so
/// is a `client_id` without a secret: it proves nothing, and nothing is granted for it.
pub fn shown(headers: &HeaderMap, form: &Form) -> Result<Shown, ClientError> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Err(ClientError::Twice);
    }
    let basic = authorization.and_then(|value| basic(value.as_bytes()));
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

/// `NAME:SECRET` of HTTP Basic: outer `None` for another scheme, inner for what is no base64.
fn basic(value: &[u8]) -> Option<Option<Vec<u8>>> {
    let (scheme, credentials) = value.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"basic") || credentials.first().is_some_and(|o| *o != b' ') {
        return None;
    }
    Some(STANDARD.decode(credentials.trim_ascii()).ok())
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
    fn e5_whatever_is_shown_is_unknown() {
        // x:y, x:, :y, without a colon, no base64, nothing.
        let bad = ["eDp5", "eDo=", "Onk=", "eA==", "%%%", ""];
        for credentials in bad {
            let header = format!("Basic {credentials}");
            assert_eq!(shown(&[&header], ""), Err(ClientError::Unknown), "{header}");
        }
        assert_eq!(shown(&["Basic"], ""), Err(ClientError::Unknown));
        assert_eq!(shown(&[], "client_id=x&client_secret=y"), Err(ClientError::Unknown));
    }

    #[test]
    fn two_ways_are_one_too_many() {
        assert_eq!(shown(&["Basic eDp5"], "client_secret=y"), Err(ClientError::Twice));
        assert_eq!(shown(&["Basic Og==", "Basic Og=="], ""), Err(ClientError::Twice));
    }
}
