//! The client credentials of a request, before they are checked.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::form::{self, Form};

/// The only `client_assertion_type` (RFC 7523 section 2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client credentials in a request.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Shown {
    /// The client's ID. An assertion names the client too.
    pub(super) id: Option<String>,
    pub(super) proof: Proof,
    /// Whether the request has Basic credentials. Swagger UI sends empty ones if its fields are empty.
    pub(super) sent_basic: bool,
}

/// What proves who the client is.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum Proof {
    None,
    Secret(String),
    /// A JWT.
    Assertion(String),
}

/// Why the credentials are refused unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShownError {
    /// They are those of no client.
    Wrong,
    /// The request is malformed, for this reason.
    Malformed(&'static str),
}

const SEVERAL: ShownError = ShownError::Malformed("the client has several credentials");

/// Reads the credentials from HTTP Basic, or from `client_secret` or `client_assertion` in the form.
///
/// Other schemes are ignored, because a browser application may send its old token to every path.
pub(super) fn read(headers: &HeaderMap, form: &Form) -> Result<Shown, ShownError> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let authorization = authorizations.next();
    if authorizations.next().is_some() {
        return Err(SEVERAL);
    }
    let basic = authorization.map_or(Ok(None), |value| basic(value.as_bytes()))?;
    let sent_basic = basic.is_some();
    let basic = basic.filter(|credentials| credentials.as_deref() != Some(b":"));

    let id = form.get("client_id");
    let proof = match (form.get("client_secret"), assertion(form)?) {
        (Some(_), Some(_)) => return Err(SEVERAL),
        (Some(secret), None) => Proof::Secret(secret.to_owned()),
        (None, Some(assertion)) => Proof::Assertion(assertion.to_owned()),
        (None, None) => Proof::None,
    };
    let Some(basic) = basic else {
        return Ok(Shown { id: id.map(str::to_owned), proof, sent_basic });
    };
    if proof != Proof::None {
        return Err(SEVERAL);
    }
    let (basic_id, secret) = basic.as_deref().and_then(pair).ok_or(ShownError::Wrong)?;
    if id.is_some_and(|id| id != basic_id) {
        return Err(ShownError::Malformed("client_id is not that of the Authorization header"));
    }
    // A public client has no secret, and some libraries send it so.
    let proof = if secret.is_empty() { Proof::None } else { Proof::Secret(secret) };
    Ok(Shown { id: Some(basic_id), proof, sent_basic })
}

fn assertion(form: &Form) -> Result<Option<&str>, ShownError> {
    match (form.get("client_assertion_type"), form.get("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(assertion)) => Ok(Some(assertion)),
        (Some(_), Some(_)) => Err(ShownError::Malformed("the client_assertion_type is unknown")),
        _ => {
            Err(ShownError::Malformed("client_assertion and client_assertion_type belong together"))
        }
    }
}

/// The ID and the secret of Basic credentials, each encoded as in a form (RFC 6749 section 2.3.1).
fn pair(credentials: &[u8]) -> Option<(String, String)> {
    let colon = credentials.iter().position(|byte| *byte == b':')?;
    let (id, secret) = credentials.split_at_checked(colon)?;
    let (id, secret) = (form::decode(id).ok()?, form::decode(secret.get(1..)?).ok()?);
    (!id.is_empty()).then_some((id, secret))
}

/// `NAME:SECRET` of HTTP Basic. The outer `None` is another scheme, the inner one invalid base64.
fn basic(value: &[u8]) -> Result<Option<Option<Vec<u8>>>, ShownError> {
    let Some((scheme, credentials)) = value.split_at_checked(5) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Ok(None);
    }
    match credentials.first() {
        None | Some(b' ') => Ok(Some(STANDARD.decode(credentials.trim_ascii()).ok())),
        // Only a space ends the scheme (RFC 9110 section 11.4). A reader that accepts a tab would find credentials
        // here.
        Some(b'\t') => Err(ShownError::Malformed("the Authorization header is malformed")),
        // A longer scheme name.
        Some(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(authorizations: &[&str], body: &str) -> Result<Shown, ShownError> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let form = Form::read(&headers, body.as_bytes()).unwrap();
        for authorization in authorizations {
            headers.append(AUTHORIZATION, authorization.parse().unwrap());
        }
        read(&headers, &form)
    }

    fn of(id: &str, proof: Proof, sent_basic: bool) -> Result<Shown, ShownError> {
        let id = (!id.is_empty()).then(|| id.to_owned());
        Ok(Shown { id, proof, sent_basic })
    }

    fn secret(secret: &str) -> Proof {
        Proof::Secret(secret.to_owned())
    }

    fn basic_of(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn a_request_without_credentials_is_accepted() {
        assert_eq!(shown(&[], ""), of("", Proof::None, false));
        assert_eq!(shown(&[], "client_id=app&client_secret="), of("app", Proof::None, false));
        assert_eq!(shown(&["Bearer abc"], ""), of("", Proof::None, false));
        assert_eq!(shown(&["Basic Og=="], ""), of("", Proof::None, true));
        assert_eq!(shown(&["bASIC  Og=="], "client_id="), of("", Proof::None, true));
    }

    #[test]
    fn a_secret_is_read_from_either_place() {
        assert_eq!(shown(&["Basic eDp5"], ""), of("x", secret("y"), true));
        assert_eq!(shown(&["Basic eDp5"], "client_id=x"), of("x", secret("y"), true));
        assert_eq!(shown(&[], "client_id=x&client_secret=y"), of("x", secret("y"), false));
        assert_eq!(shown(&[], "client_secret=y"), of("", secret("y"), false));
        let empty_basic = shown(&["Basic Og=="], "client_id=x&client_secret=y");
        assert_eq!(empty_basic, of("x", secret("y"), true));
    }

    #[test]
    fn basic_credentials_are_encoded_as_in_a_form() {
        let encoded = basic_of("an+app%3A1:p%25+%C3%A9:+");
        assert_eq!(shown(&[&encoded], ""), of("an app:1", secret("p% \u{e9}: "), true));
    }

    #[test]
    fn basic_credentials_without_a_secret_are_those_of_a_public_client() {
        assert_eq!(shown(&["Basic eDo="], ""), of("x", Proof::None, true));
    }

    #[test]
    fn basic_credentials_without_an_id_are_wrong() {
        // :y, without a colon, not base64, empty, not UTF-8.
        for credentials in ["Onk=", "eA==", "%%%", "", "/zp5", "JUZGOnk="] {
            let header = format!("Basic {credentials}");
            assert_eq!(shown(&[&header], ""), Err(ShownError::Wrong), "{header}");
        }
        assert_eq!(shown(&["Basic"], ""), Err(ShownError::Wrong));
    }

    #[test]
    fn a_tab_does_not_hide_credentials() {
        for header in ["Basic\tOg==", "basic\teDp5"] {
            assert!(matches!(shown(&[header], ""), Err(ShownError::Malformed(_))), "{header}");
        }
        assert_eq!(shown(&["Basically eDp5"], ""), of("", Proof::None, false));
    }

    #[test]
    fn an_assertion_needs_its_exact_type() {
        let typ = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        let assertion = Proof::Assertion("a.b.c".to_owned());
        assert_eq!(shown(&[], &format!("{typ}&client_assertion=a.b.c")), of("", assertion, false));
        for body in [
            "client_assertion=a.b.c",
            typ,
            &format!("{typ}s&client_assertion=a.b.c"),
            "client_assertion_type=jwt-bearer&client_assertion=a.b.c",
        ] {
            assert!(matches!(shown(&[], body), Err(ShownError::Malformed(_))), "{body}");
        }
    }

    #[test]
    fn two_ways_are_one_too_many() {
        let assertion = "client_assertion=a.b.c&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        for (headers, body) in [
            (&["Basic eDp5"][..], "client_secret=y"),
            (&["Basic eDp5"], assertion),
            (&["Basic %%%"], "client_secret=y"),
            (&[], &format!("{assertion}&client_secret=y")),
            (&["Basic Og==", "Basic Og=="], ""),
        ] {
            assert_eq!(shown(headers, body), Err(SEVERAL), "{headers:?} {body}");
        }
        let other = shown(&["Basic eDp5"], "client_id=z");
        assert!(matches!(other, Err(ShownError::Malformed(_))));
    }
}
