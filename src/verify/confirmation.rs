use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::json_member::{member, text};
use crate::rejection::{Rejection, RejectionKind};
use crate::strict_json;

/// The members of `cnf` that name a key (RFC 7800 section 3.1, RFC 8705 section 3.1, RFC 9449 section 6.1, RFC 9203
/// section 3.2).
const KEYS: [&str; 7] = [JKT, X5T_S256, "jwk", "jwe", "jku", "kid", "osc"];

const JKT: &str = "jkt";
const X5T_S256: &str = "x5t#S256";

/// The length of a SHA-256 thumbprint in base64url without padding.
const THUMBPRINT: usize = 43;

/// The key or the certificate to which a token is bound: the claim `cnf` (RFC 7800). Only a client that has the private
/// key may use the token.
///
/// [`VerifiedToken::confirmation`](crate::VerifiedToken::confirmation) returns it. A custom verifier passes it to
/// [`Accepted::with_confirmation`](crate::Accepted::with_confirmation).
///
/// # Example: the binding in a response of token introspection
///
/// ```
/// use tower_jwt_auth::{Accepted, Confirmation, Rejection};
///
/// fn accept(subject: String, cnf: Option<&str>) -> Result<Accepted<String>, Rejection> {
///     let accepted = Accepted::new(subject);
///     Ok(match cnf {
///         Some(cnf) => accepted.with_confirmation(Confirmation::from_json(cnf)?),
///         None => accepted,
///     })
/// }
///
/// let cnf = r#"{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#;
/// assert!(accept("alice".into(), Some(cnf)).is_ok());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Confirmation(Method);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Method {
    /// DPoP: the thumbprint of a JWK.
    Jkt(Box<str>),
    /// Mutual TLS: the thumbprint of a certificate.
    X5tS256(Box<str>),
    /// One key of another kind, or only members that are not known.
    Other,
    /// More than one key, which RFC 7800 section 3.1 forbids.
    Several,
}

impl Confirmation {
    /// Reads the JSON of a `cnf`. It must be an object with at least one member and without a duplicate name; a `jkt`
    /// or `x5t#S256` must be a SHA-256 thumbprint in base64url without padding.
    ///
    /// Members that are not known are ignored beside the one member that names a key (RFC 7800 section 3.1). If there
    /// is no such member, or more than one, the result is a binding that cannot be checked: both
    /// [`jkt`](Self::jkt) and [`x5t_s256`](Self::x5t_s256) are `None`. A token with such a binding must be refused.
    ///
    /// # Errors
    ///
    /// When the JSON has another form: [`RejectionKind::MalformedClaims`].
    pub fn from_json(cnf: &str) -> Result<Self, Rejection> {
        let members: Vec<(_, &RawValue)> = strict_json::members(cnf).map_err(|_| malformed())?;
        if members.is_empty() {
            return Err(malformed());
        }
        let mut keys = Vec::new();
        for (name, value) in &members {
            if let Some(key) = KEYS.into_iter().find(|key| key == name) {
                keys.push(Method::of(key, value.get()).ok_or_else(malformed)?);
            }
        }
        Ok(Self(match (keys.pop(), keys.is_empty()) {
            (Some(key), true) => key,
            (Some(_), false) => Method::Several,
            (None, _) => Method::Other,
        }))
    }

    /// The binding in claims that have a `cnf` and were read before.
    pub(super) fn of_claims(payload: &[u8]) -> Result<Self, Rejection> {
        let cnf = str::from_utf8(payload).ok().and_then(|claims| member(claims, "cnf").ok()?);
        Self::from_json(cnf.ok_or_else(malformed)?)
    }

    /// The SHA-256 thumbprint of the public key whose owner may use the token, with a proof of that key (`jkt`, RFC 9449
    /// section 6.1); `None` if the token is bound in another way.
    pub fn jkt(&self) -> Option<&str> {
        match &self.0 {
            Method::Jkt(thumbprint) => Some(thumbprint),
            Method::X5tS256(_) | Method::Other | Method::Several => None,
        }
    }

    /// The SHA-256 thumbprint of the certificate whose owner may use the token, over mutual TLS (`x5t#S256`, RFC 8705
    /// section 3.1); `None` if the token is bound in another way.
    pub fn x5t_s256(&self) -> Option<&str> {
        match &self.0 {
            Method::X5tS256(thumbprint) => Some(thumbprint),
            Method::Jkt(_) | Method::Other | Method::Several => None,
        }
    }
}

impl Method {
    /// The method that a member names; `None` if its value has the wrong form.
    fn of(member: &str, json: &str) -> Option<Self> {
        Some(match member {
            JKT => Self::Jkt(thumbprint(json)?),
            X5T_S256 => Self::X5tS256(thumbprint(json)?),
            _ => Self::Other,
        })
    }
}

fn thumbprint(json: &str) -> Option<Box<str>> {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let value = text(json)?;
    (value.len() == THUMBPRINT && value.bytes().all(is_base64url)).then(|| Box::from(&*value))
}

/// The refusal of a token whose `cnf` has the wrong form, with the name of the claim for the log.
fn malformed() -> Rejection {
    Rejection::from(RejectionKind::MalformedClaims).with_expected(&Arc::from("cnf"))
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Confirmation").field(&self.0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const OTHER: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

    fn read(cnf: &str) -> Confirmation {
        Confirmation::from_json(cnf).unwrap()
    }

    #[test]
    fn one_thumbprint_is_read_and_unknown_members_beside_it_are_ignored() {
        for cnf in [
            format!(r#"{{"jkt": "{ONE}"}}"#),
            format!(r#" {{ "\u006akt" : "{ONE}" , "new": [null], "": 1 }} "#),
        ] {
            assert_eq!((read(&cnf).jkt(), read(&cnf).x5t_s256()), (Some(ONE), None), "{cnf}");
        }
        let cnf = format!(r#"{{"new": {{"jkt": 1}}, "x5t#S256": "{OTHER}"}}"#);
        assert_eq!((read(&cnf).jkt(), read(&cnf).x5t_s256()), (None, Some(OTHER)));
    }

    #[test]
    fn binding_by_several_keys_or_an_unknown_method_has_no_thumbprint() {
        let both = format!(r#"{{"jkt": "{ONE}", "x5t#S256": "{OTHER}"}}"#);
        assert_eq!(read(&both).0, Method::Several);
        for member in ["jwk", "jwe", "jku", "kid", "osc"] {
            let cnf = format!(r#"{{"{member}": 7}}"#);
            assert_eq!(read(&cnf).0, Method::Other, "{cnf}");
            for cnf in [
                format!(r#"{{"jkt": "{ONE}", "{member}": {{}}}}"#),
                format!(r#"{{"{member}": "a", "x5t#S256": "{OTHER}"}}"#),
            ] {
                assert_eq!(read(&cnf).0, Method::Several, "{cnf}");
                assert_eq!((read(&cnf).jkt(), read(&cnf).x5t_s256()), (None, None), "{cnf}");
            }
        }
        for cnf in [r#"{"unknown": 1}"#, r#"{"JKT": "x", "x5t#s256": "y", "x5t": "z"}"#] {
            assert_eq!(read(cnf).0, Method::Other, "{cnf}");
        }
    }

    #[test]
    fn malformed_confirmation_is_refused() {
        let short = &ONE[1..];
        for cnf in [
            "",
            "null",
            "7",
            "\"x\"",
            "[]",
            "{}",
            "{",
            r#"{"jkt": null}"#,
            r#"{"jkt": ["x"]}"#,
            r#"{"jkt": ""}"#,
            r#"{"x5t#S256": 7}"#,
            r#"{"$serde_json::private::RawValue": "{\"jkt\":\"x\"}", "jkt": 1}"#,
            &format!(r#"{{"jkt": "{short}"}}"#),
            &format!(r#"{{"jkt": "{short}="}}"#),
            &format!(r#"{{"jkt": "{short}+"}}"#),
            &format!(r#"{{"jkt": "{ONE}="}}"#),
            &format!(r#"{{"x5t#S256": "{ONE}", "kid": 1, "jkt": 1}}"#),
            &format!(r#"{{"jkt": "{ONE}", "jkt": "{ONE}"}}"#),
            &format!(r#"{{"jkt": "{ONE}", "a": 1, "\u0061": 2}}"#),
            &format!(r#"{{"jkt": "{ONE}"}} x"#),
        ] {
            let refused = Confirmation::from_json(cnf).unwrap_err();
            assert_eq!(refused.kind(), RejectionKind::MalformedClaims, "{cnf}");
            assert_eq!(refused.expected(), Some("cnf"), "{cnf}");
        }
    }
}
