//! The jobs of GitLab CI.

use crate::config_error::ConfigError;
use crate::verify::jwt::ExpectedAudience;
use crate::verify::known_issuer::KnownIssuer;
use crate::verify::known_issuer::jobs::{Claim, Form, Jobs};
use crate::verify::known_issuer::names::{check_url, unusable_audience};

const PROJECT: Claim = Claim { name: "project_path", form: Form::Path(2) };
const PROJECT_ID: Claim = Claim { name: "project_id", form: Form::Id };
const NAMESPACE: Claim = Claim { name: "namespace_path", form: Form::Path(1) };
const NAMESPACE_ID: Claim = Claim { name: "namespace_id", form: Form::Id };
const REF: Claim = Claim { name: "ref_path", form: Form::Ref };
const REF_PROTECTED: Claim = Claim { name: "ref_protected", form: Form::Any };
const ENVIRONMENT: Claim = Claim { name: "environment", form: Form::Any };
const ENVIRONMENT_PROTECTED: Claim = Claim { name: "environment_protected", form: Form::Any };

/// The jobs of GitLab CI whose ID tokens are accepted, for [`KnownIssuer::gitlab_ci`].
///
/// A constructor selects the jobs of projects or of their namespaces, by path or by ID. Each other method adds a claim
/// that is compared too. All values are compared exactly, and a token without the claim is refused.
///
/// A path can change hands after a project or a group is renamed or deleted. An ID never changes hands.
#[derive(Clone, Debug)]
#[must_use]
pub struct GitlabJobs(Jobs);

impl GitlabJobs {
    /// The jobs of these projects, each with its whole path (`group/subgroup/project`), by the claim `project_path`.
    pub fn of_projects<T: Into<String>>(paths: impl IntoIterator<Item = T>) -> Self {
        Self(Jobs::new(PROJECT, paths))
    }

    /// The jobs of the projects with these IDs, by the claim `project_id`.
    pub fn of_project_ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self(Jobs::new(PROJECT_ID, ids))
    }

    /// The jobs of all projects that are directly in these groups or belong to these users, by the claim
    /// `namespace_path`; not those of subgroups. **Everyone who can create a project there** can get such a token.
    pub fn of_namespaces<T: Into<String>>(paths: impl IntoIterator<Item = T>) -> Self {
        Self(Jobs::new(NAMESPACE, paths))
    }

    /// Like [`of_namespaces`](Self::of_namespaces), by the claim `namespace_id`.
    pub fn of_namespace_ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self(Jobs::new(NAMESPACE_ID, ids))
    }

    /// Only jobs on one of these Git references, in full (`refs/heads/main`), by the claim `ref_path`; by default on
    /// any. The claim `ref` is a short name, which a branch and a tag can share.
    pub fn on_refs<T: Into<String>>(self, refs: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.and(REF, refs))
    }

    /// Only jobs on protected branches and tags, by the claim `ref_protected`; by default on any.
    pub fn on_protected_refs(self) -> Self {
        Self(self.0.and(REF_PROTECTED, ["true"]))
    }

    /// Only jobs in one of these environments, by the claim `environment`; by default in any, or in none. Every branch
    /// can name an environment that is not [protected](Self::in_protected_environments).
    pub fn in_environments<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self(self.0.and(ENVIRONMENT, names))
    }

    /// Only jobs in protected environments, by the claim `environment_protected`; by default in any, or in none.
    pub fn in_protected_environments(self) -> Self {
        Self(self.0.and(ENVIRONMENT_PROTECTED, ["true"]))
    }
}

impl KnownIssuer {
    /// GitLab CI: accepts the ID tokens (`id_tokens`) of these jobs. `instance` is the URL of GitLab, such as
    /// `https://gitlab.com`; `audience` is the `aud` that the jobs request for this service.
    ///
    /// The issuer is the URL of the instance, without a slash at its end. **Every project of the instance can get a
    /// token for any audience**, so the jobs are an argument. A token of another job is refused as
    /// [`WrongWorkload`](crate::RejectionKind::WrongWorkload).
    ///
    /// Everyone who sees a token can use it until it expires. To accept each token once, put
    /// [`OneTimeTokens`](crate::OneTimeTokens) around the verifier. See the guide
    /// [`docs::providers`](crate::docs::providers).
    ///
    /// # Errors
    ///
    /// When the instance is not an https URL (or http to a loopback address), or has a query, a fragment, a user name
    /// or a password; when there is no value to compare, or one that no token has: a project without its group, an ID
    /// that is not a number, a branch that does not begin with `refs/`; when an audience is empty, or is the URL of the
    /// instance: older versions of GitLab gave all jobs a token with this audience.
    ///
    /// # Example: the protected branches of one project
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{GitlabJobs, JwtAuthLayer, KnownIssuer};
    ///
    /// let jobs = GitlabJobs::of_projects(["acme/shop/orders"]).on_protected_refs();
    /// let issuer = KnownIssuer::gitlab_ci("https://gitlab.com", "https://deploy.example", jobs)?;
    /// let layer = JwtAuthLayer::new(issuer.verifier());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn gitlab_ci(
        instance: &str,
        audience: impl Into<ExpectedAudience>,
        jobs: GitlabJobs,
    ) -> Result<Self, ConfigError> {
        check_url(instance)?;
        let issuer = instance.strip_suffix('/').unwrap_or(instance);
        let audience = audience.into();
        if audience.names().iter().any(|name| name.strip_suffix('/').unwrap_or(name) == issuer) {
            return Err(unusable_audience(
                "this audience names GitLab itself: let the jobs request an audience of your service",
            ));
        }
        let mut gitlab = Self::new(issuer.to_owned(), audience)?;
        gitlab.rules.values = jobs.0.into_values()?;
        Ok(gitlab)
    }
}
