//! The scopes of an authorization request: which are granted, and what they mean.

use crate::Settings;
use crate::store::{Client, User};
use crate::token::scopes::{IDENTITY, is_identity};

/// The scopes of a request that are known here, without duplicates. Others are ignored (OpenID Connect Core 1.0 section
/// 3.1.2.1), because libraries ask for `email` and the like by default.
///
/// # Errors
///
/// If none is left, or the client may not have one.
pub(super) fn known(
    settings: &Settings,
    client: &Client,
    asked: &str,
) -> Result<Vec<String>, &'static str> {
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.split(' ') {
        let is_known = settings.scopes.iter().any(|(name, _)| name == scope);
        if is_known && !client.scopes.iter().any(|allowed| allowed == scope) {
            return Err("the client may not have every scope that is asked for");
        }
        if (is_known || is_identity(scope)) && !scopes.iter().any(|one| one == scope) {
            scopes.push(scope.to_owned());
        }
    }
    if scopes.is_empty() {
        return Err("no scope that is asked for is known here");
    }
    Ok(scopes)
}

/// The scopes that this user can grant: those that are asked for and that the user has. If none is asked for, the least
/// powerful one that the client may have.
pub(super) fn grantable(
    settings: &Settings,
    client: &Client,
    user: &User,
    asked: Option<&[String]>,
) -> Vec<String> {
    let has = |scope: &String| is_identity(scope) || user.scopes.contains(scope);
    match asked {
        Some(asked) => asked.iter().filter(|scope| has(scope)).cloned().collect(),
        None => {
            let is_known = |scope: &String| settings.scopes.iter().any(|(name, _)| name == scope);
            let mut all = user.scopes.iter();
            all.find(|scope| is_known(scope) && client.scopes.contains(scope))
                .cloned()
                .into_iter()
                .collect()
        }
    }
}

/// Each scope with its meaning.
pub(super) fn with_meanings(settings: &Settings, scopes: &[String]) -> Vec<(String, String)> {
    let meaning = |scope: &String| {
        let own = settings.scopes.iter().map(|(name, meaning)| (name.as_str(), meaning.as_str()));
        let found = own.chain(IDENTITY).find(|(name, _)| name == scope);
        found.map_or_else(String::new, |(_, meaning)| meaning.to_owned())
    };
    scopes.iter().map(|scope| (scope.clone(), meaning(scope))).collect()
}
