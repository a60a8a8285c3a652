//! The claims that say which jobs of a CI service are accepted.

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::verify::claim_values::ClaimValues;

/// The claims to compare, with their values; at least one.
#[derive(Clone, Debug)]
pub(super) struct Jobs(Vec<Compared>);

#[derive(Clone, Debug)]
struct Compared {
    claim: Claim,
    values: Vec<String>,
}

/// A claim, and the form of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) name: &'static str,
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// `OWNER/NAME`.
    Repository,
    /// The first part of a repository's name.
    Owner,
    /// A path of this number of segments or more.
    Path(usize),
    /// A number in decimal digits.
    Id,
    /// A Git reference in full.
    Ref,
    /// A workflow file at a Git reference.
    Workflow,
    Any,
}

impl Jobs {
    pub(super) fn new<T: Into<String>>(claim: Claim, values: impl IntoIterator<Item = T>) -> Self {
        Self(Vec::new()).and(claim, values)
    }

    /// Compares another claim too. Replaces earlier values of this claim.
    pub(super) fn and<T: Into<String>>(
        mut self,
        claim: Claim,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.0.retain(|compared| compared.claim.name != claim.name);
        self.0.push(Compared { claim, values: values.into_iter().map(Into::into).collect() });
        self
    }

    /// The values, checked.
    pub(super) fn into_values(self) -> Result<ClaimValues, ConfigError> {
        let mut all = ClaimValues::default();
        for Compared { claim, values } in self.0 {
            if values.is_empty() {
                return Err(unusable(format!("name at least one value of `{}`", claim.name)));
            }
            if !values.iter().all(|value| claim.form.fits(value)) {
                return Err(unusable(format!(
                    "a value of `{}` is {}; it is compared exactly, without wildcards",
                    claim.name,
                    claim.form.described()
                )));
            }
            all.add(claim.name, values);
        }
        Ok(all)
    }
}

impl Form {
    fn fits(self, value: &str) -> bool {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        match self {
            Self::Repository => value.split('/').count() == 2 && is_path(value),
            Self::Owner => !value.contains('/') && is_path(value),
            Self::Path(least) => value.split('/').count() >= least && is_path(value),
            Self::Id => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()),
            Self::Ref => {
                value.starts_with("refs/") && !value.ends_with('/') && !value.contains('*')
            }
            Self::Workflow => {
                let is_at_a_ref = |(_, at): (&str, &str)| !at.is_empty();
                is_plain
                    && value.contains("/.github/workflows/")
                    && value.split_once('@').is_some_and(is_at_a_ref)
            }
            Self::Any => !value.is_empty(),
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Repository => "OWNER/NAME, such as octo-org/octo-repo",
            Self::Owner => "the name of an organization or a user, such as octo-org",
            Self::Path(1) => "a path without a slash at its ends, such as group/subgroup",
            Self::Path(_) => "the whole path, such as group/subgroup/project",
            Self::Id => "a number in digits",
            Self::Ref => "the whole reference, such as refs/heads/main",
            Self::Workflow => {
                "OWNER/NAME/.github/workflows/FILE@REF, such as \
                 octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"
            }
            Self::Any => "not empty",
        }
    }
}

fn is_path(path: &str) -> bool {
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    path.split('/').all(is_segment)
}

fn unusable(message: String) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Workload, message)
}
