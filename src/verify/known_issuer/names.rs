//! Checks of the parts of an issuer's name, so that no part can change another one.

use crate::config_error::{ConfigError, ConfigErrorKind};

/// Checks for a bare domain in lower case, as in tokens.
pub(super) fn check_domain(domain: &str) -> Result<(), ConfigError> {
    if domain.contains("://") {
        return Err(issuer("give the domain without a scheme, such as tenant.example"));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| is_lower(byte) || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_name = domain.len() <= 253
        && domain.contains('.')
        && domain.split('.').all(is_label)
        // An IP address is not a domain.
        && domain.bytes().any(|byte| byte.is_ascii_lowercase());
    match is_name {
        true => Ok(()),
        false => Err(issuer(
            "this is not a domain: give it in lower case, without a port, a path or a slash",
        )),
    }
}

/// Checks for one part of a path without characters that would be escaped.
pub(super) fn check_segment(segment: &str, what: &str) -> Result<(), ConfigError> {
    let is_good = (1..=128).contains(&segment.len())
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && !matches!(segment, "." | "..");
    match is_good {
        true => Ok(()),
        false => Err(issuer(format!(
            "{what} may only contain letters, digits, `-`, `_` and `.`: for another one, \
             give the issuer in the spelling of its tokens to JwtVerifier::discover"
        ))),
    }
}

/// Checks for a GUID in the spelling of tokens.
pub(super) fn check_guid(guid: &str) -> Result<(), ConfigError> {
    let is_group =
        |group: &str| group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let groups: Vec<&str> = guid.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    match lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| is_group(group)) {
        true => Ok(()),
        false => Err(issuer(
            "give the tenant by its ID, a GUID in lower case: no token has `common`, \
             `organizations` or a domain as its issuer; for several tenants, use an IssuerTemplate",
        )),
    }
}

/// The region from the ID of a user pool.
pub(super) fn region_of_pool(user_pool: &str) -> Result<&str, ConfigError> {
    let is_region = |region: &str| {
        let parts: Vec<&str> = region.split('-').collect();
        matches!(parts.as_slice(), [first, middle @ .., last]
            if !middle.is_empty()
                && first.len() == 2
                && [first].into_iter().chain(middle).all(|part| {
                    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase())
                })
                && (1..=2).contains(&last.len())
                && last.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_name = |name: &str| {
        (1..=45).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    match user_pool.split_once('_') {
        Some((region, _)) if region.starts_with("cn-") => Err(issuer(
            "pools in China have another host: give their issuer to JwtVerifier::discover",
        )),
        Some((region, name)) if is_region(region) && is_name(name) => Ok(region),
        _ => Err(issuer("this is not the ID of a user pool, such as eu-west-1_AbCdEfGhI")),
    }
}

/// Checks for the ID of a Google Cloud project, which is not its name or number.
pub(super) fn check_project(project: &str) -> Result<(), ConfigError> {
    let is_id = (6..=30).contains(&project.len())
        && project.bytes().all(|byte| is_lower(byte) || byte == b'-')
        && project.starts_with(|first: char| first.is_ascii_lowercase())
        && !project.ends_with('-');
    match is_id {
        true => Ok(()),
        false => Err(issuer(
            "give the project by its ID, such as acme-app-4711, not by its name or number",
        )),
    }
}

/// Refuses characters that a URL parser would silently remove.
pub(super) fn check_url(url: &str) -> Result<(), ConfigError> {
    match url.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(issuer(
            "the name of an issuer may only contain printable ASCII characters, and no spaces",
        )),
    }
}

pub(super) fn unusable_audience(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Audience, message)
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn issuer(message: impl Into<std::borrow::Cow<'static, str>>) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Issuer, message)
}
