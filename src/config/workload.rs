//! Known issuers of workloads: which of them are accepted.

use serde::Deserialize;

#[cfg(feature = "oidc-discovery")]
use crate::config::files::{Contents, read};
#[cfg(feature = "oidc-discovery")]
use crate::config::issuer::IssuerConfig;
#[cfg(feature = "oidc-discovery")]
use crate::config::place::{At, Place, exactly_one, first_given};
#[cfg(feature = "oidc-discovery")]
use crate::config::provider::Provider;
#[cfg(feature = "oidc-discovery")]
use crate::config::values::Table;
use crate::config::values::{Given, Switch, Texts};
#[cfg(feature = "oidc-discovery")]
use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "oidc-discovery")]
use crate::key_source::HttpHosts;
#[cfg(feature = "oidc-discovery")]
use crate::verify::{GithubJobs, GitlabJobs, KnownIssuer, SpiffeBundle};

#[cfg_attr(not(feature = "oidc-discovery"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spiffe {
    trust_domain: String,
    #[serde(default)]
    bundle_url: Given<String>,
    #[serde(default)]
    bundle_file: Given<String>,
}

#[cfg_attr(not(feature = "oidc-discovery"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GithubActions {
    repositories: Given<Texts>,
    repository_ids: Given<Texts>,
    owners: Given<Texts>,
    owner_ids: Given<Texts>,
    environments: Given<Texts>,
    refs: Given<Texts>,
    workflows: Given<Texts>,
    enterprise: Given<String>,
    data_residency: Given<String>,
    server: Given<String>,
}

#[cfg_attr(not(feature = "oidc-discovery"), allow(dead_code, reason = "an error without it"))]
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitlabCi {
    instance: String,
    #[serde(default)]
    projects: Given<Texts>,
    #[serde(default)]
    project_ids: Given<Texts>,
    #[serde(default)]
    namespaces: Given<Texts>,
    #[serde(default)]
    namespace_ids: Given<Texts>,
    #[serde(default)]
    refs: Given<Texts>,
    #[serde(default)]
    on_protected_refs: Switch,
    #[serde(default)]
    environments: Given<Texts>,
    #[serde(default)]
    in_protected_environments: Switch,
}

/// A member that selects jobs, its values, and the constructor for them.
#[cfg(feature = "oidc-discovery")]
type Selecting<'c, J> = (&'static str, &'c Given<Texts>, fn(Vec<String>) -> J);

/// A member that is compared too.
#[cfg(feature = "oidc-discovery")]
type Comparing<'c, J> = (&'static str, &'c Given<Texts>, fn(J, Vec<String>) -> J);

/// An audience that no provider refuses, to check other values alone.
#[cfg(feature = "oidc-discovery")]
const ANY_AUDIENCE: &str = "any";

#[cfg(feature = "oidc-discovery")]
impl IssuerConfig {
    /// The issuer of workloads, if the provider is one. `at` is the place of the provider.
    pub(super) fn workloads(
        &self,
        provider: &Provider,
        place: &Place,
        at: &Place,
    ) -> Result<Option<KnownIssuer>, ConfigError> {
        self.check_beside_workloads(provider, place)?;
        let known = match provider {
            Provider { spiffe: Given(Some(Table(spiffe))), .. } => {
                let bundle = spiffe.bundle(self, at)?;
                let (audience_at, audience) = self.audience(place)?;
                let known = KnownIssuer::spiffe(&spiffe.trust_domain, audience, bundle);
                (audience_at, "trust_domain", known)
            }
            Provider { github_actions: Given(Some(Table(github))), .. } => {
                let jobs = github.jobs(at)?;
                let (audience_at, audience) = self.audience(place)?;
                let known = KnownIssuer::github_actions(audience, jobs);
                (audience_at, "enterprise", known)
            }
            Provider { gitlab_ci: Given(Some(Table(gitlab))), .. } => {
                let jobs = gitlab.jobs(at)?;
                let (audience_at, audience) = self.audience(place)?;
                let known = KnownIssuer::gitlab_ci(&gitlab.instance, audience, jobs);
                (audience_at, "instance", known)
            }
            _ => return Ok(None),
        };
        let (audience_at, issuer, known) = known;
        known.map(Some).map_err(|error| match error.kind() {
            ConfigErrorKind::Audience => error.at(&audience_at),
            _ => error.at(at.member(issuer)),
        })
    }

    /// Refuses members with which no token of a workload would be accepted: it has an audience and no client, and it is
    /// a JWT of no other type.
    fn check_beside_workloads(
        &self,
        provider: &Provider,
        place: &Place,
    ) -> Result<(), ConfigError> {
        let workloads = [
            ("spiffe", provider.spiffe.is_some()),
            ("github_actions", provider.github_actions.is_some()),
            ("gitlab_ci", provider.gitlab_ci.is_some()),
        ];
        let members = [
            ("clients", self.clients.is_some()),
            ("authorized_parties", self.authorized_parties.is_some()),
            ("cognito_clients", self.cognito_clients.is_some()),
            ("require_rfc9068", self.require_rfc9068.0),
            ("token_types", self.token_types.is_some()),
        ];
        match (first_given(workloads), first_given(members)) {
            (Some(provider), Some(name)) => Err(place.member(name).error(format_args!(
                "this does not apply to `{provider}`, whose tokens are JWTs for an `audience`"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(feature = "oidc-discovery")]
impl Spiffe {
    fn bundle(&self, issuer: &IssuerConfig, place: &Place) -> Result<SpiffeBundle, ConfigError> {
        let members = [
            ("bundle_url", self.bundle_url.is_some()),
            ("bundle_file", self.bundle_file.is_some()),
        ];
        let at = place.member(exactly_one(place, "the bundle", &members)?);
        if let Some(url) = &*self.bundle_url {
            let hosts = issuer.dangerous_allow_http_hosts.iter().flat_map(Texts::iter);
            let hosts = HttpHosts::parse(hosts)?;
            return SpiffeBundle::at_url_or_http_host(url, &hosts).at(&at);
        }
        let path = self.bundle_file.as_deref().unwrap_or_default();
        let json = String::from_utf8(read(path, Contents::Public, &at)?)
            .map_err(|_| at.error("the file is not UTF-8"))?;
        SpiffeBundle::from_json(&json).at(&at)
    }

    /// Whether the keys are fetched.
    pub(super) fn has_url(&self) -> bool {
        self.bundle_url.is_some()
    }
}

#[cfg(feature = "oidc-discovery")]
impl GithubActions {
    fn jobs(&self, place: &Place) -> Result<GithubJobs, ConfigError> {
        let selecting: [Selecting<GithubJobs>; 4] = [
            ("repositories", &self.repositories, GithubJobs::of_repositories),
            ("repository_ids", &self.repository_ids, GithubJobs::of_repository_ids),
            ("owners", &self.owners, GithubJobs::of_owners),
            ("owner_ids", &self.owner_ids, GithubJobs::of_owner_ids),
        ];
        let compared: [Comparing<GithubJobs>; 3] = [
            ("environments", &self.environments, GithubJobs::in_environments),
            ("refs", &self.refs, GithubJobs::on_refs),
            ("workflows", &self.workflows, GithubJobs::of_workflows),
        ];
        let check = |jobs| KnownIssuer::github_actions(ANY_AUDIENCE, jobs).map(drop);
        let mut jobs = selected(selecting, check, place)?;
        for (name, values, compare) in compared {
            let Some(values) = &**values else { continue };
            let alone = |values| compare(GithubJobs::of_owners(["any"]), values);
            check_each(values, &place.member(name), |values| check(alone(values)))?;
            jobs = compare(jobs, values.to_vec());
        }
        match (&*self.data_residency, &*self.server) {
            (Some(_), Some(_)) => {
                return Err(place.error("`data_residency` and `server` contradict each other"));
            }
            (Some(subdomain), None) => jobs = jobs.of_data_residency(subdomain),
            (None, Some(host)) => jobs = jobs.of_server(host),
            (None, None) => {}
        }
        // Alone, so that the error of the host does not name the enterprise.
        let host = if self.server.is_some() { "server" } else { "data_residency" };
        check(jobs.clone()).at(&place.member(host))?;
        if let Some(slug) = &*self.enterprise {
            jobs = jobs.of_enterprise(slug);
        }
        Ok(jobs)
    }
}

#[cfg(feature = "oidc-discovery")]
impl GitlabCi {
    fn jobs(&self, place: &Place) -> Result<GitlabJobs, ConfigError> {
        let selecting: [Selecting<GitlabJobs>; 4] = [
            ("projects", &self.projects, GitlabJobs::of_projects),
            ("project_ids", &self.project_ids, GitlabJobs::of_project_ids),
            ("namespaces", &self.namespaces, GitlabJobs::of_namespaces),
            ("namespace_ids", &self.namespace_ids, GitlabJobs::of_namespace_ids),
        ];
        let compared: [Comparing<GitlabJobs>; 2] = [
            ("refs", &self.refs, GitlabJobs::on_refs),
            ("environments", &self.environments, GitlabJobs::in_environments),
        ];
        let check =
            |jobs| KnownIssuer::gitlab_ci("https://gitlab.example", ANY_AUDIENCE, jobs).map(drop);
        let mut jobs = selected(selecting, check, place)?;
        for (name, values, compare) in compared {
            let Some(values) = &**values else { continue };
            let alone = |values| compare(GitlabJobs::of_namespaces(["any"]), values);
            check_each(values, &place.member(name), |values| check(alone(values)))?;
            jobs = compare(jobs, values.to_vec());
        }
        if self.on_protected_refs.0 {
            jobs = jobs.on_protected_refs();
        }
        if self.in_protected_environments.0 {
            jobs = jobs.in_protected_environments();
        }
        Ok(jobs)
    }
}

/// The jobs of the one member that selects them.
#[cfg(feature = "oidc-discovery")]
fn selected<J, const N: usize>(
    members: [Selecting<'_, J>; N],
    check: impl Fn(J) -> Result<(), ConfigError>,
    place: &Place,
) -> Result<J, ConfigError> {
    let given = members.map(|(name, values, _)| (name, values.is_some()));
    let selected = exactly_one(place, "which jobs are accepted", &given)?;
    let member = members.into_iter().find(|(name, ..)| *name == selected);
    let Some((_, Given(Some(values)), select)) = member else {
        return Err(place.error("which jobs are accepted is missing"));
    };
    check_each(values, &place.member(selected), |values| check(select(values)))?;
    Ok(select(values.to_vec()))
}

/// Checks each value alone, so that an error names its place.
#[cfg(feature = "oidc-discovery")]
fn check_each(
    values: &Texts,
    place: &Place,
    check: impl Fn(Vec<String>) -> Result<(), ConfigError>,
) -> Result<(), ConfigError> {
    for (entry, value) in &values.0.0 {
        check(vec![value.clone()]).at(&place.entry(entry))?;
    }
    check(values.to_vec()).at(place)
}
