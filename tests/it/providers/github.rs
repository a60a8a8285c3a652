//! Jobs of GitHub Actions.

use http::StatusCode;
use serde_json::{Value, json};
use tower_jwt_auth::{
    ConfigError, ConfigErrorKind, GithubJobs, JwtAuthLayer, JwtVerifier, KnownIssuer,
    MemoryReplayStore, OneTimeTokens, RejectionKind,
};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_WORKLOAD, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{NOW, now};

const ISSUER: &str = "https://token.actions.githubusercontent.com";

const US: &str = "https://deploy.example";

/// With the claims of the documentation (*OpenID Connect reference*).
fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": US, "jti": "example-id",
        "sub": "repo:octo-org/octo-repo:environment:prod", "environment": "prod",
        "ref": "refs/heads/main", "ref_type": "branch", "sha": "example-sha", "base_ref": "", "head_ref": "",
        "repository": "octo-org/octo-repo", "repository_id": "74", "repository_visibility": "private",
        "repository_owner": "octo-org", "repository_owner_id": "65", "enterprise": "avocado-corp",
        "actor": "octocat", "actor_id": "12", "run_id": "example-run-id", "run_number": "10",
        "run_attempt": "2", "runner_environment": "github-hosted", "workflow": "example-workflow",
        "event_name": "workflow_dispatch",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        "nbf": NOW - 600, "iat": NOW, "exp": NOW + 300,
    })
}

fn token(changes: Value) -> String {
    rsa_token(
        "cc413527",
        json!({"typ": "JWT", "x5t": "example-thumbprint"}),
        &with(&claims(), changes),
    )
}

fn web(issuer: &str) -> Web {
    let keys = json!([rsa_jwk("cc413527", json!({"use": "sig", "alg": "RS256"}))]);
    Web::default().issuer(issuer, &format!("{issuer}/.well-known/jwks"), json!({}), keys)
}

fn verifier(jobs: GithubJobs) -> JwtVerifier {
    let known = KnownIssuer::github_actions(US, jobs).unwrap();
    let web = web(known.issuer());
    known.verifier_with(web).with_clock(now())
}

fn repository() -> GithubJobs {
    GithubJobs::of_repositories(["octo-org/octo-repo", "octo-org/other"])
}

#[tokio::test(start_paused = true)]
async fn only_jobs_of_the_named_repositories_are_accepted() {
    let verifier = verifier(repository());
    for (changes, expected) in [
        (json!({}), None),
        (json!({"repository": "octo-org/other"}), None),
        (json!({"sub": "repo:octo-org@65/octo-repo@74:ref:refs/heads/main"}), None),
        (json!({"repository": "evil/octo-repo"}), WRONG_WORKLOAD),
        (json!({"repository": "octo-org/octo-repo-2"}), WRONG_WORKLOAD),
        (json!({"repository": "Octo-Org/octo-repo"}), WRONG_WORKLOAD),
        (json!({"repository": null}), MISSING),
        (json!({"repository": ["octo-org/octo-repo"]}), Some(RejectionKind::MalformedClaims)),
        (json!({"aud": "https://github.com/octo-org"}), WRONG_AUDIENCE),
        (json!({"iss": format!("{ISSUER}/avocado-corp")}), WRONG_ISSUER),
    ] {
        assert_eq!(kind(&verifier, &token(changes.clone())).await, expected, "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_claim_that_was_named_is_compared() {
    let workflow = "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main";
    for (jobs, claim, other) in [
        (GithubJobs::of_repository_ids(["74"]), "repository_id", "740"),
        (GithubJobs::of_owners(["octo-org"]), "repository_owner", "octo-orgs"),
        (GithubJobs::of_owner_ids(["65"]), "repository_owner_id", "6"),
        (repository().in_environments(["prod", "staging"]), "environment", "test"),
        (repository().on_refs(["refs/heads/main"]), "ref", "refs/tags/main"),
        (
            repository().of_workflows([workflow]),
            "job_workflow_ref",
            "evil/a/.github/workflows/oidc.yml@refs/heads/main",
        ),
    ] {
        let verifier = verifier(jobs);
        assert_eq!(kind(&verifier, &token(json!({}))).await, None, "{claim}");
        assert_eq!(
            kind(&verifier, &token(json!({ claim: other }))).await,
            WRONG_WORKLOAD,
            "{claim}"
        );
        assert_eq!(kind(&verifier, &token(json!({ claim: null }))).await, MISSING, "{claim}");
    }
    // The repository is still compared, and a later list replaces an earlier one.
    let jobs = repository().on_refs(["refs/heads/dev"]).on_refs(["refs/heads/main"]);
    let verifier = verifier(jobs.in_environments(["prod"]));
    assert_eq!(kind(&verifier, &token(json!({}))).await, None);
    assert_eq!(kind(&verifier, &token(json!({"repository": "evil/a"}))).await, WRONG_WORKLOAD);
}

#[tokio::test(start_paused = true)]
async fn issuer_is_that_of_the_enterprise_or_the_server() {
    for (jobs, issuer) in [
        (
            repository().of_enterprise("octocorp"),
            "https://token.actions.githubusercontent.com/octocorp",
        ),
        (repository().of_server("github.example"), "https://github.example/_services/token"),
        (repository().of_data_residency("octocorp"), "https://token.actions.octocorp.ghe.com"),
        (
            repository().of_data_residency("octocorp").of_enterprise("octocorp"),
            "https://token.actions.octocorp.ghe.com/octocorp",
        ),
    ] {
        let verifier = verifier(jobs);
        assert_eq!(kind(&verifier, &token(json!({ "iss": issuer }))).await, None, "{issuer}");
        assert_eq!(kind(&verifier, &token(json!({}))).await, WRONG_ISSUER, "{issuer}");
    }
}

#[tokio::test(start_paused = true)]
async fn layer_refuses_a_foreign_job_with_401_and_a_second_use_of_a_token() {
    let uses = MemoryReplayStore::new().with_clock(now());
    let layer = JwtAuthLayer::new(OneTimeTokens::new(verifier(repository()), uses));
    let foreign = send_later(&layer, bearer(&token(json!({"repository": "evil/a"})))).await;
    assert_eq!(foreign.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(&foreign), WRONG_WORKLOAD);
    // The refused request did not use up the `jti`.
    let good = token(json!({}));
    assert_eq!(send_later(&layer, bearer(&good)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(refusal(&send_later(&layer, bearer(&good)).await), Some(RejectionKind::UsedToken));
}

#[test]
fn jobs_that_no_token_has_and_audiences_of_everyone_are_errors() {
    let made = |jobs| -> Result<KnownIssuer, ConfigError> { KnownIssuer::github_actions(US, jobs) };
    let none: [&str; 0] = [];
    for jobs in [
        GithubJobs::of_repositories(none),
        GithubJobs::of_repositories([""]),
        GithubJobs::of_repositories(["octo-repo"]),
        GithubJobs::of_repositories(["octo-org/*"]),
        GithubJobs::of_repositories(["*"]),
        GithubJobs::of_repositories(["https://github.com/octo-org/octo-repo"]),
        GithubJobs::of_repositories(["octo-org/octo-repo/"]),
        GithubJobs::of_repositories(["octo-org/octo-repo", ""]),
        GithubJobs::of_repository_ids(["octo-repo"]),
        GithubJobs::of_owners(["octo-org/octo-repo"]),
        GithubJobs::of_owner_ids([""]),
        repository().in_environments([""]),
        repository().in_environments(none),
        repository().on_refs(["main"]),
        repository().on_refs(["refs/heads/*"]),
        repository().of_workflows(["deploy.yml"]),
        repository().of_workflows(["octo-org/octo-repo/.github/workflows/deploy.yml"]),
    ] {
        let error = made(jobs.clone()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Workload, "{jobs:?}: {error}");
    }
    for jobs in [
        repository().of_enterprise("a/b"),
        repository().of_enterprise(""),
        repository().of_server("https://github.example"),
        repository().of_server("github.example/"),
        repository().of_data_residency("octocorp.evil.example/"),
        repository().of_data_residency(""),
        repository().of_server("github.example").of_enterprise("octocorp"),
    ] {
        assert_eq!(made(jobs.clone()).unwrap_err().kind(), ConfigErrorKind::Issuer, "{jobs:?}");
    }
    for (audience, jobs) in [
        ("", repository()),
        ("https://github.com", repository()),
        ("https://github.com/octo-org", repository()),
        ("https://github.example/octo-org", repository().of_server("github.example")),
        ("https://octocorp.ghe.com/octo-org", repository().of_data_residency("octocorp")),
    ] {
        let error = KnownIssuer::github_actions(audience, jobs).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience, "{audience}");
    }
    assert!(KnownIssuer::github_actions("https://github.company.example", repository()).is_ok());
}
