//! The jobs of GitHub Actions.

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::verify::jwt::ExpectedAudience;
use crate::verify::known_issuer::KnownIssuer;
use crate::verify::known_issuer::jobs::{Claim, Form, Jobs};
use crate::verify::known_issuer::names::{check_domain, check_segment, unusable_audience};

const REPOSITORY: Claim = Claim { name: "repository", form: Form::Repository };
const REPOSITORY_ID: Claim = Claim { name: "repository_id", form: Form::Id };
const OWNER: Claim = Claim { name: "repository_owner", form: Form::Owner };
const OWNER_ID: Claim = Claim { name: "repository_owner_id", form: Form::Id };
const ENVIRONMENT: Claim = Claim { name: "environment", form: Form::Any };
const REF: Claim = Claim { name: "ref", form: Form::Ref };
const WORKFLOW: Claim = Claim { name: "job_workflow_ref", form: Form::Workflow };

/// The jobs of GitHub Actions whose tokens are accepted, for [`KnownIssuer::github_actions`].
///
/// A constructor selects the jobs of repositories or of their owners, by name or by ID. Each other method adds a claim
/// that is compared too. All values are compared exactly, and a token without the claim is refused.
///
/// A name can change hands: after a repository or an account is renamed or deleted, somebody else can take its name. An
/// ID never changes hands (`gh api repos/OWNER/NAME --jq .id`).
#[derive(Clone, Debug)]
#[must_use]
pub struct GithubJobs {
    jobs: Jobs,
    host: Host,
    enterprise: Option<String>,
}

/// Where GitHub runs.
#[derive(Clone, Debug)]
enum Host {
    GithubCom,
    /// The subdomain of `ghe.com`.
    DataResidency(String),
    Server(String),
}

impl GithubJobs {
    /// The jobs of these repositories, each `OWNER/NAME`, by the claim `repository`.
    pub fn of_repositories<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::of(Jobs::new(REPOSITORY, names))
    }

    /// The jobs of the repositories with these IDs, by the claim `repository_id`.
    pub fn of_repository_ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self::of(Jobs::new(REPOSITORY_ID, ids))
    }

    /// The jobs of all repositories of these organizations or users, by the claim `repository_owner`. **Everyone who
    /// can create a repository there** can get such a token.
    pub fn of_owners<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self::of(Jobs::new(OWNER, names))
    }

    /// Like [`of_owners`](Self::of_owners), by the claim `repository_owner_id`.
    pub fn of_owner_ids<T: Into<String>>(ids: impl IntoIterator<Item = T>) -> Self {
        Self::of(Jobs::new(OWNER_ID, ids))
    }

    fn of(jobs: Jobs) -> Self {
        Self { jobs, host: Host::GithubCom, enterprise: None }
    }

    /// Only jobs in one of these environments, by the claim `environment`; by default in any, or in none. The
    /// protection rules of the environment decide which branches may use it, and who must approve.
    pub fn in_environments<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self { jobs: self.jobs.and(ENVIRONMENT, names), ..self }
    }

    /// Only jobs on one of these Git references, in full (`refs/heads/main`), by the claim `ref`; by default on any.
    ///
    /// A run of `pull_request_target` has the `ref` of the *target* branch, although it may run code of the pull
    /// request. So prefer an [environment](Self::in_environments).
    pub fn on_refs<T: Into<String>>(self, refs: impl IntoIterator<Item = T>) -> Self {
        Self { jobs: self.jobs.and(REF, refs), ..self }
    }

    /// Only jobs that one of these workflow files defines, by the claim `job_workflow_ref`:
    /// `OWNER/NAME/.github/workflows/FILE@REF`; by default any. For a reusable workflow, this is the file that is
    /// called.
    pub fn of_workflows<T: Into<String>>(self, files: impl IntoIterator<Item = T>) -> Self {
        Self { jobs: self.jobs.and(WORKFLOW, files), ..self }
    }

    /// The custom issuer of an enterprise, with its slug: `https://token.actions.githubusercontent.com/SLUG`. By
    /// default the issuer of all of GitHub.
    pub fn of_enterprise(self, slug: &str) -> Self {
        Self { enterprise: Some(slug.to_owned()), ..self }
    }

    /// The issuer of an enterprise with data residency: `https://token.actions.SUBDOMAIN.ghe.com`.
    pub fn of_data_residency(self, subdomain: &str) -> Self {
        Self { host: Host::DataResidency(subdomain.to_owned()), ..self }
    }

    /// The issuer of a GitHub Enterprise Server: `https://HOST/_services/token`.
    pub fn of_server(self, host: &str) -> Self {
        Self { host: Host::Server(host.to_owned()), ..self }
    }

    /// The name of the issuer, and the start of the audiences that GitHub chooses.
    fn issuer(&self) -> Result<(String, String), ConfigError> {
        let (issuer, web) = match &self.host {
            Host::GithubCom => {
                ("https://token.actions.githubusercontent.com".into(), "https://github.com/".into())
            }
            Host::DataResidency(subdomain) => {
                check_domain(&format!("{subdomain}.ghe.com"))?;
                let issuer = format!("https://token.actions.{subdomain}.ghe.com");
                (issuer, format!("https://{subdomain}.ghe.com/"))
            }
            Host::Server(host) => {
                check_domain(host)?;
                (format!("https://{host}/_services/token"), format!("https://{host}/"))
            }
        };
        match &self.enterprise {
            None => Ok((issuer, web)),
            Some(_) if matches!(self.host, Host::Server(_)) => Err(ConfigError::new(
                ConfigErrorKind::Issuer,
                "the issuer of a GitHub Enterprise Server has no slug",
            )),
            Some(slug) => {
                check_segment(slug, "the slug of the enterprise")?;
                Ok((format!("{issuer}/{slug}"), web))
            }
        }
    }
}

impl KnownIssuer {
    /// GitHub Actions: accepts the OIDC tokens of these jobs. `audience` is what the jobs request for this service.
    ///
    /// The issuer is `https://token.actions.githubusercontent.com`, or that of an enterprise or a server: see
    /// [`GithubJobs`]. **Every repository on GitHub can get a token of this issuer for any audience**, so the jobs are
    /// an argument. A token of another job is refused as [`WrongWorkload`](crate::RejectionKind::WrongWorkload).
    ///
    /// Everyone who sees a token can use it until it expires. To accept each token once, put
    /// [`OneTimeTokens`](crate::OneTimeTokens) around the verifier. See the guide
    /// [`docs::providers`](crate::docs::providers).
    ///
    /// # Errors
    ///
    /// When there is no value to compare, or one that no token has: a repository that is not `OWNER/NAME`, an ID that
    /// is not a number, a branch that does not begin with `refs/`, a wildcard; when a slug, subdomain or host is
    /// invalid; when an audience is empty, or is a URL of GitHub (`https://github.com/OWNER`): this is the audience of
    /// all jobs that request none.
    ///
    /// # Example: the deployments of one repository
    ///
    /// ```
    /// # #[cfg(feature = "reqwest-0_13")] {
    /// use tower_jwt_auth::{GithubJobs, JwtAuthLayer, KnownIssuer};
    ///
    /// let jobs = GithubJobs::of_repositories(["octo-org/octo-repo"]).in_environments(["production"]);
    /// let layer = JwtAuthLayer::new(KnownIssuer::github_actions("https://deploy.example", jobs)?.verifier());
    /// # }
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn github_actions(
        audience: impl Into<ExpectedAudience>,
        jobs: GithubJobs,
    ) -> Result<Self, ConfigError> {
        let (issuer, web) = jobs.issuer()?;
        let audience = audience.into();
        let is_default = |name: &String| format!("{name}/").starts_with(&web);
        if audience.names().iter().any(is_default) {
            return Err(unusable_audience(
                "all jobs that request no audience get this one: let the jobs request an audience of your service",
            ));
        }
        let mut github = Self::new(issuer, audience)?;
        github.rules.values = jobs.jobs.into_values()?;
        Ok(github)
    }
}
