//! Jobs of GitLab CI.

use http::StatusCode;
use serde_json::{Value, json};
use tower_jwt_auth::{ConfigErrorKind, GitlabJobs, JwtAuthLayer, JwtVerifier, KnownIssuer};

use super::{
    MISSING, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_WORKLOAD, Web, kind, rsa_jwk, rsa_token, with,
};
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{NOW, now};

const GITLAB: &str = "https://gitlab.example";

const US: &str = "https://deploy.example";

/// With the claims of the documentation (*OpenID Connect authentication using ID tokens*).
fn claims() -> Value {
    json!({
        "iss": GITLAB, "aud": US, "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "sub": "project_path:acme/shop/orders:ref_type:branch:ref:main",
        "namespace_id": "72", "namespace_path": "acme/shop", "project_id": "20", "project_path": "acme/shop/orders",
        "user_id": "1", "user_login": "alice", "user_email": "alice@acme.example", "user_identities": [],
        "user_access_level": "maintainer", "groups_direct": ["acme"], "pipeline_id": "574", "pipeline_source": "push",
        "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        "environment": "production", "environment_protected": "true", "deployment_tier": "production",
        "environment_action": "start", "runner_id": 1, "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "public",
        "ci_config_ref_uri": "gitlab.example/acme/shop/orders//.gitlab-ci.yml@refs/heads/main",
        "iat": NOW, "nbf": NOW - 5, "exp": NOW + 3600,
    })
}

fn token(changes: Value) -> String {
    rsa_token("4i3sFE7sxqNPOT7F", json!({"typ": "JWT"}), &with(&claims(), changes))
}

fn verifier(jobs: GitlabJobs) -> JwtVerifier {
    let keys = json!([rsa_jwk("4i3sFE7sxqNPOT7F", json!({"use": "sig", "alg": "RS256"}))]);
    let web = Web::default().issuer(
        GITLAB,
        "https://gitlab.example/oauth/discovery/keys",
        json!({}),
        keys,
    );
    let known = KnownIssuer::gitlab_ci("https://gitlab.example/", US, jobs).unwrap();
    assert_eq!(known.issuer(), GITLAB);
    known.verifier_with(web).with_clock(now())
}

fn project() -> GitlabJobs {
    GitlabJobs::of_projects(["acme/shop/orders"])
}

#[tokio::test(start_paused = true)]
async fn only_jobs_of_the_named_projects_are_accepted() {
    let verifier = verifier(project());
    for (changes, expected) in [
        (json!({}), None),
        // A project can choose what is in its `sub`.
        (json!({"sub": "project_path:acme/shop/orders"}), None),
        (json!({"project_path": "evil/orders"}), WRONG_WORKLOAD),
        (json!({"project_path": "acme/shop/orders2"}), WRONG_WORKLOAD),
        (json!({"project_path": null}), MISSING),
        (json!({"aud": GITLAB}), WRONG_AUDIENCE),
        (json!({"iss": "gitlab.example"}), WRONG_ISSUER),
        (json!({"iss": "https://gitlab.example/"}), WRONG_ISSUER),
        (json!({"iss": "https://gitlab.com"}), WRONG_ISSUER),
    ] {
        assert_eq!(kind(&verifier, &token(changes.clone())).await, expected, "{changes}");
    }
    // A token of a login at GitLab has the same issuer and no project.
    let of_a_login = json!({"project_path": null, "project_id": null, "ref": null, "sub": "1"});
    assert_eq!(kind(&verifier, &token(of_a_login)).await, MISSING);
}

#[tokio::test(start_paused = true)]
async fn every_claim_that_was_named_is_compared() {
    for (jobs, claim, other) in [
        (GitlabJobs::of_project_ids(["20"]), "project_id", "2"),
        (GitlabJobs::of_namespaces(["acme/shop"]), "namespace_path", "acme/shop/sub"),
        (GitlabJobs::of_namespace_ids(["72"]), "namespace_id", "7"),
        (project().on_refs(["refs/heads/main"]), "ref_path", "refs/tags/main"),
        (project().on_protected_refs(), "ref_protected", "false"),
        (project().in_environments(["production"]), "environment", "review/main"),
        (project().in_protected_environments(), "environment_protected", "false"),
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
}

#[tokio::test(start_paused = true)]
async fn layer_answers_401_to_a_job_of_another_project() {
    let layer = JwtAuthLayer::new(verifier(project().on_protected_refs()));
    let good = send_later(&layer, bearer(&token(json!({})))).await;
    assert_eq!(good.status(), StatusCode::NO_CONTENT);
    let foreign = send_later(&layer, bearer(&token(json!({"project_path": "evil/orders"})))).await;
    assert_eq!(foreign.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(&foreign), WRONG_WORKLOAD);
}

#[test]
fn jobs_that_no_token_has_and_the_audience_of_gitlab_are_errors() {
    let none: [&str; 0] = [];
    for jobs in [
        GitlabJobs::of_projects(none),
        GitlabJobs::of_projects(["orders"]),
        GitlabJobs::of_projects(["acme/*"]),
        GitlabJobs::of_projects(["/acme/orders"]),
        GitlabJobs::of_projects(["https://gitlab.example/acme/orders"]),
        GitlabJobs::of_project_ids(["acme/orders"]),
        GitlabJobs::of_namespaces(["acme/"]),
        GitlabJobs::of_namespace_ids([""]),
        project().on_refs(["main"]),
        project().in_environments([""]),
    ] {
        let error = KnownIssuer::gitlab_ci(GITLAB, US, jobs.clone()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Workload, "{jobs:?}: {error}");
    }
    for (instance, kind) in [
        ("gitlab.example", ConfigErrorKind::Url),
        ("http://gitlab.example", ConfigErrorKind::Url),
        ("https://gitlab.example ", ConfigErrorKind::Issuer),
    ] {
        let error = KnownIssuer::gitlab_ci(instance, US, project()).unwrap_err();
        assert_eq!(error.kind(), kind, "{instance}");
    }
    for audience in ["", "https://gitlab.example", "https://gitlab.example/"] {
        let error = KnownIssuer::gitlab_ci(GITLAB, audience, project()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience, "{audience}");
    }
}
