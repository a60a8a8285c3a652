//! Where a member is, and errors that name it.

use std::fmt;

use crate::config::values::Name;
use crate::config_error::{ConfigError, ConfigErrorKind};

/// The path of a member, such as `issuers[1].jwks_url`.
#[derive(Clone, Default)]
pub(super) struct Place(String);

impl Place {
    pub(super) fn member(&self, name: &str) -> Self {
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(format!("{self}{dot}{name}"))
    }

    pub(super) fn entry(&self, name: &Name) -> Self {
        match name {
            Name::Index(index) => Self(format!("{self}[{index}]")),
            Name::Key(key) => self.member(key),
        }
    }

    /// The error of a member that contradicts another one, is missing, or cannot be used in this build.
    pub(super) fn error(&self, fault: impl fmt::Display) -> ConfigError {
        ConfigError::new(ConfigErrorKind::Member, format!("{self}: {fault}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the place of an error.
pub(super) trait At {
    fn at(self, place: &Place) -> Self;
}

impl<T> At for Result<T, ConfigError> {
    fn at(self, place: &Place) -> Self {
        self.map_err(|error| error.at(place))
    }
}

/// Returns the one member that is given, of members of which exactly one is needed.
pub(super) fn exactly_one(
    place: &Place,
    what: &str,
    members: &[(&'static str, bool)],
) -> Result<&'static str, ConfigError> {
    let given: Vec<&'static str> =
        members.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    match given.as_slice() {
        [one] => Ok(one),
        [] => {
            let names = members.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>();
            Err(place.error(format_args!("{what} is missing: give one of {}", names.join(", "))))
        }
        [first, second, ..] => Err(place.error(format_args!(
            "`{first}` and `{second}` contradict each other: {what} is needed once"
        ))),
    }
}

/// The first member that is given.
pub(super) fn first_given(
    members: impl IntoIterator<Item = (&'static str, bool)>,
) -> Option<&'static str> {
    members.into_iter().find_map(|(name, is_given)| is_given.then_some(name))
}

/// The error of a member that needs a feature.
#[allow(dead_code, reason = "no member needs a feature that is on")]
pub(super) fn needs(feature: &str) -> ConfigError {
    let fault = format!("this needs the feature `{feature}` of tower-jwt-auth");
    ConfigError::new(ConfigErrorKind::Member, fault)
}
