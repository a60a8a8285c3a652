use std::sync::Arc;

use crate::claims::NumericDate;
use crate::json_member::{member, text};
use crate::rejection::{Rejection, RejectionKind};

/// What identifies a JWT and says when it was issued. An empty or `null` claim counts as absent.
pub(crate) struct TokenIds {
    pub(crate) issuer: Option<Box<str>>,
    pub(crate) token_id: Option<Box<str>>,
    pub(crate) subject: Option<Box<str>>,
    pub(crate) issued_at: Option<NumericDate>,
}

impl TokenIds {
    /// Reads the claims. The error is the name of a claim that has the wrong type or is duplicated.
    pub(super) fn read(claims: &str) -> Result<Self, &'static str> {
        Ok(Self {
            issuer: read(claims, "iss", name)?,
            token_id: read(claims, "jti", name)?,
            subject: read(claims, "sub", name)?,
            issued_at: read(claims, "iat", |json| serde_json::from_str(json).ok())?,
        }
        .without_empty())
    }

    /// Reads another claim as the ID of the token.
    pub(super) fn read_id<'n>(claims: &str, claim: &'n str) -> Result<Option<Box<str>>, &'n str> {
        Ok(read(claims, claim, name)?.filter(|id| !id.is_empty()))
    }

    fn without_empty(mut self) -> Self {
        for id in [&mut self.issuer, &mut self.token_id, &mut self.subject] {
            id.take_if(|id| id.is_empty());
        }
        self
    }
}

fn read<'n, T>(
    claims: &str,
    claim: &'n str,
    value: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, &'n str> {
    let json = member(claims, claim).map_err(|_| claim)?.filter(|json| *json != "null");
    json.map(|json| value(json).ok_or(claim)).transpose()
}

fn name(json: &str) -> Option<Box<str>> {
    text(json).map(|text| Box::from(&*text))
}

/// The refusal of a token without this claim.
pub(super) fn missing(claim: &str) -> Rejection {
    about(RejectionKind::MissingClaim, claim)
}

/// The refusal of a token whose claims cannot be read by name: it is not a JWT, or its text was not kept.
pub(super) fn unreadable() -> Rejection {
    about(RejectionKind::MissingClaim, "claims that can be read by name")
}

/// The refusal of a token in which this claim has the wrong type.
pub(super) fn malformed(claim: &str) -> Rejection {
    about(RejectionKind::MalformedClaims, claim)
}

fn about(kind: RejectionKind, claim: &str) -> Rejection {
    Rejection::from(kind).with_expected(&Arc::from(claim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_null_claims_count_as_absent() {
        for claims in ["{}", r#"{"jti": "", "sub": null, "iat": null, "iss": ""}"#] {
            let ids = TokenIds::read(claims).unwrap();
            assert!(ids.issuer.is_none() && ids.token_id.is_none() && ids.subject.is_none());
            assert_eq!(ids.issued_at, None);
        }
        let ids =
            TokenIds::read(r#"{"jti": "a\u0062", "sub": "s", "iss": "i", "iat": 7}"#).unwrap();
        assert_eq!(ids.token_id.as_deref(), Some("ab"));
        assert_eq!(ids.issued_at, Some(NumericDate::from_unix_seconds(7)));
    }

    #[test]
    fn claim_of_another_type_is_named() {
        for (claims, claim) in [
            (r#"{"jti": 7}"#, "jti"),
            (r#"{"sub": ["alice"]}"#, "sub"),
            (r#"{"iat": "7"}"#, "iat"),
            (r#"{"iat": -1}"#, "iat"),
            (r#"{"iss": {}}"#, "iss"),
            (r#"{"jti": "a", "jti": "b"}"#, "jti"),
        ] {
            assert_eq!(TokenIds::read(claims).err(), Some(claim), "{claims}");
        }
    }
}
