//! The user's claims, before the issuer adds its own.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{IssueError, IssueErrorKind};
use crate::Audience;

/// The claims that the issuer alone sets.
const OF_THE_ISSUER: [&str; 3] = ["iss", "iat", "exp"];

/// Reads claims into an object, in which each name stands once, and checks the registered ones.
pub(super) fn read<C: Serialize + ?Sized>(claims: &C) -> Result<Map<String, Value>, IssueError> {
    let claims = serde_json::to_value(claims)
        .map_err(|error| unusable("the claims cannot be written as JSON").with_source(error))?;
    let Value::Object(mut claims) = claims else {
        return Err(unusable("the claims are not a JSON object"));
    };

    // `Option::None`, where the type does not skip it.
    for name in OF_THE_ISSUER.into_iter().chain(["aud", "jti", "nbf", "sub"]) {
        if claims.get(name).is_some_and(Value::is_null) {
            claims.remove(name);
        }
    }
    for name in OF_THE_ISSUER {
        if claims.contains_key(name) {
            return Err(unusable(match name {
                "exp" => "`exp` is set by the issuer: give the lifetime of a token by `issue_for`",
                "iat" => "`iat` is set by the issuer, it does not belong to the claims",
                _ => "`iss` is set by the issuer, it does not belong to the claims",
            }));
        }
    }
    for name in ["sub", "jti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(unusable(format!("`{name}` among the claims is not a string")));
        }
    }
    if claims.get("nbf").is_some_and(|value| !value.is_number()) {
        return Err(unusable("`nbf` among the claims is not a number"));
    }
    if let Some(audience) = claims.get("aud") {
        let audience: Audience = serde::Deserialize::deserialize(audience)
            .map_err(|_| unusable("`aud` among the claims is neither a string nor strings"))?;
        if !names_somebody(&audience) {
            return Err(IssueError::new(
                IssueErrorKind::Audience,
                "`aud` among the claims is empty",
            ));
        }
    }
    Ok(claims)
}

/// Whether there is an audience, and none of them is empty.
pub(super) fn names_somebody(audience: &Audience) -> bool {
    audience.iter().next().is_some() && audience.iter().all(|one| !one.is_empty())
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> IssueError {
    IssueError::new(IssueErrorKind::Claims, message)
}
