//! The application's claims, before the issuer adds its own.

use serde::Serialize;
use serde::de::{Deserialize, IgnoredAny};
use serde_json::{Map, Value};

use crate::claims::{Audience, NumericDate};
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::strict_json;
use crate::strict_json::{DUPLICATE_NAME, ObjectError};

/// The claims that only the issuer sets.
const OF_THE_ISSUER: [&str; 3] = ["iss", "iat", "exp"];

/// Converts claims to an object and checks the registered ones.
///
/// A duplicate name is an error: `serde(flatten)` writes a name of both types twice, and the
/// dropped value might be the intended one.
pub(super) fn read<C: Serialize + ?Sized>(claims: &C) -> Result<Map<String, Value>, IssueError> {
    let unwritable = |error: serde_json::Error| {
        unusable("the claims cannot be written as JSON").with_source(error)
    };
    // A JSON value cannot contain duplicate names; JSON text can.
    let text = serde_json::to_string(claims).map_err(unwritable)?;
    let Value::Object(mut claims) = serde_json::to_value(claims).map_err(unwritable)? else {
        return Err(unusable("the claims are not a JSON object"));
    };
    let text = strict_json::text(text.as_bytes())
        .ok_or_else(|| unusable("the claims are nested too deeply for a verifier"))?;
    strict_json::members::<IgnoredAny>(text).map_err(|error| match error {
        ObjectError::DuplicateName(name) => {
            unusable(format!("the claims have a {DUPLICATE_NAME}: `{name}`"))
        }
        ObjectError::Json(error) => unwritable(error),
    })?;

    // `null` comes from an `Option::None` that the type does not skip.
    for name in OF_THE_ISSUER.into_iter().chain(["aud", "jti", "nbf", "sub"]) {
        if claims.get(name).is_some_and(Value::is_null) {
            claims.remove(name);
        }
    }
    for name in OF_THE_ISSUER {
        if claims.contains_key(name) {
            return Err(unusable(match name {
                "exp" => "`exp` is set by the issuer: give the lifetime to `issue_for`",
                "iat" => "`iat` is set by the issuer: remove it from the claims",
                _ => "`iss` is set by the issuer: remove it from the claims",
            }));
        }
    }
    for name in ["sub", "jti"] {
        if claims.get(name).is_some_and(|value| !value.is_string()) {
            return Err(unusable(format!("`{name}` in the claims is not a string")));
        }
    }
    if claims.get("nbf").is_some_and(|value| NumericDate::deserialize(value).is_err()) {
        return Err(unusable("`nbf` in the claims is not a number of seconds, at least 0"));
    }
    if let Some(audience) = claims.get("aud") {
        let audience = Audience::deserialize(audience).map_err(|_| {
            unusable("`aud` in the claims is neither a string nor an array of strings")
        })?;
        check_audience(&audience)?;
    }
    Ok(claims)
}

pub(super) fn check_audience(audience: &Audience) -> Result<(), IssueError> {
    match names_somebody(audience) {
        true => Ok(()),
        false => Err(IssueError::new(IssueErrorKind::Audience, "`aud` in the claims is empty")),
    }
}

/// Whether the list has at least one audience, and no audience is empty.
pub(super) fn names_somebody(audience: &Audience) -> bool {
    audience.iter().next().is_some() && audience.iter().all(|one| !one.is_empty())
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> IssueError {
    IssueError::new(IssueErrorKind::Claims, message)
}
