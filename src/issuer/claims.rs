//! The application's claims, before the issuer adds its own.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::claims::{Audience, NumericDate};
use crate::issuer::issue_error::{IssueError, IssueErrorKind};
use crate::strict_json;
use crate::strict_json::{NameSeed, NameSet};

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
    let Repeated(name) = serde_json::from_str(text).map_err(unwritable)?;
    if let Some(name) = name {
        return Err(unusable(format!("`{name}` stands twice among the claims")));
    }

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
        if !names_somebody(&audience) {
            return Err(IssueError::new(IssueErrorKind::Audience, "`aud` in the claims is empty"));
        }
    }
    Ok(claims)
}

/// Whether there is an audience, and none is empty.
pub(super) fn names_somebody(audience: &Audience) -> bool {
    audience.iter().next().is_some() && audience.iter().all(|one| !one.is_empty())
}

/// The last duplicate name of an object.
struct Repeated(Option<String>);

impl<'de> Deserialize<'de> for Repeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RepeatedVisitor)
    }
}

struct RepeatedVisitor;

impl<'de> Visitor<'de> for RepeatedVisitor {
    type Value = Repeated;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Repeated, A::Error> {
        let mut names = NameSet::default();
        let mut repeated = None;
        while let Some(name) = members.next_key_seed(NameSeed)? {
            if !names.insert(name.clone()) {
                repeated = Some(name.into_owned());
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(Repeated(repeated))
    }
}

fn unusable(message: impl Into<std::borrow::Cow<'static, str>>) -> IssueError {
    IssueError::new(IssueErrorKind::Claims, message)
}
