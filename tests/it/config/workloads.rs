//! The issuers of workloads in a configuration: SPIFFE, GitHub Actions, GitLab CI.

use serde_json::{Value, json};
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, RejectionKind};

use crate::config::errors::{assert_errors, provided};
use crate::config::{config, file, layer, toml_with};
use crate::support::key;
use crate::support::requests::{bearer, refusal, send, send_later};

use RejectionKind::*;

/// Claims of a job beside those of every token.
type Changes<'c> = &'c [(&'c str, Option<&'c str>)];

/// Asks a layer for tokens of a mock of the issuer, each with these claims changed or removed.
async fn assert_jobs(
    issuer: &str,
    toml: &str,
    claims: &[(&str, &str)],
    rows: &[(Changes<'_>, Option<RejectionKind>)],
) {
    let mock = MockIssuer::with_issuer(issuer);
    let config = config(&format!("[[issuers]]\naudience = 'deploy'\n{toml}"));
    let layer: JwtAuthLayer = JwtAuthLayer::from_config_with(&config, mock.clone()).unwrap();
    for (changes, expected) in rows {
        let changed = |name: &str| changes.iter().find(|(other, _)| *other == name);
        let mut token = mock.token().audience("deploy");
        for (name, value) in claims {
            match changed(name) {
                Some((_, None)) => {}
                Some((_, Some(other))) => token = token.claim(name, *other),
                None => token = token.claim(name, *value),
            }
        }
        let response = send_later(&layer, bearer(&token.build())).await;
        assert_eq!(refusal(&response), *expected, "{toml}: {changes:?}");
    }
}

#[tokio::test]
async fn jobs_of_github_are_compared_by_each_member() {
    let claims = [
        ("repository", "octo-org/octo-repo"),
        ("repository_id", "74"),
        ("repository_owner", "octo-org"),
        ("repository_owner_id", "65"),
        ("environment", "production"),
        ("ref", "refs/heads/main"),
        ("job_workflow_ref", "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main"),
    ];
    for (member, value, claim) in [
        ("repositories", "octo-org/octo-repo", "repository"),
        ("repository_ids", "74", "repository_id"),
        ("owners", "octo-org", "repository_owner"),
        ("owner_ids", "65", "repository_owner_id"),
        ("environments", "production", "environment"),
        ("refs", "refs/heads/main", "ref"),
        (
            "workflows",
            "octo-org/octo-repo/.github/workflows/deploy.yml@refs/heads/main",
            "job_workflow_ref",
        ),
    ] {
        let select = match member {
            "environments" | "refs" | "workflows" => "owners = ['octo-org']\n",
            _ => "",
        };
        let toml = format!("[issuers.provider.github_actions]\n{select}{member} = ['{value}']");
        assert_jobs(
            "https://token.actions.githubusercontent.com",
            &toml,
            &claims,
            &[
                (&[], None),
                (&[(claim, Some("other"))], Some(WrongWorkload)),
                (&[(claim, None)], Some(MissingClaim)),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn jobs_of_gitlab_are_compared_by_each_member() {
    let claims = [
        ("project_path", "acme/shop/orders"),
        ("project_id", "74"),
        ("namespace_path", "acme/shop"),
        ("namespace_id", "65"),
        ("ref_path", "refs/heads/main"),
        ("ref_protected", "true"),
        ("environment", "production"),
        ("environment_protected", "true"),
    ];
    for (member, claim) in [
        ("projects = 'acme/shop/orders'", "project_path"),
        ("project_ids = '74'", "project_id"),
        ("namespaces = 'acme/shop'", "namespace_path"),
        ("namespace_ids = '65'", "namespace_id"),
        ("project_ids = '74'\nrefs = 'refs/heads/main'", "ref_path"),
        ("project_ids = '74'\non_protected_refs = true", "ref_protected"),
        ("project_ids = '74'\nenvironments = ['production', 'staging']", "environment"),
        ("project_ids = '74'\nin_protected_environments = true", "environment_protected"),
    ] {
        let toml =
            format!("[issuers.provider.gitlab_ci]\ninstance = 'https://gitlab.example'\n{member}");
        assert_jobs(
            "https://gitlab.example",
            &toml,
            &claims,
            &[
                (&[], None),
                (&[(claim, Some("false"))], Some(WrongWorkload)),
                (&[(claim, None)], Some(MissingClaim)),
            ],
        )
        .await;
    }
}

#[test]
fn issuer_of_github_is_that_of_an_enterprise_or_a_server_if_one_is_given() {
    for (member, issuer) in [
        ("", "https://token.actions.githubusercontent.com"),
        ("enterprise = 'octocat-inc'", "https://token.actions.githubusercontent.com/octocat-inc"),
        ("data_residency = 'octo'", "https://token.actions.octo.ghe.com"),
        ("server = 'ghes.example'", "https://ghes.example/_services/token"),
    ] {
        let toml = format!(
            "audience = 'deploy'\n[issuers.provider.github_actions]\nrepository_ids = '74'\n{member}"
        );
        let text = layer(&provided(&toml)).describe().to_string();
        assert!(text.starts_with(&format!("issuer {issuer}, audience deploy")), "{text}");
    }
}

fn bundle() -> Value {
    let mut jwk = key(Algorithm::ES256).jwk();
    jwk["use"] = "jwt-svid".into();
    json!({ "keys": [jwk] })
}

fn spiffe(members: &str) -> String {
    provided(&format!(
        "audience = 'orders'\n[issuers.provider.spiffe]\ntrust_domain = 'example.org'\n{members}"
    ))
}

#[test]
fn workloads_of_a_trust_domain_are_accepted_with_the_keys_of_its_bundle() {
    let path = file("spiffe.json", bundle().to_string());
    let layer = layer(&spiffe(&format!("bundle_file = '{}'", path.display())));
    for (sub, expected) in
        [("spiffe://example.org/web", None), ("spiffe://other.example/web", Some(WrongWorkload))]
    {
        let claims = json!({ "sub": sub, "aud": "orders", "exp": 4_102_444_800_u64 });
        let token = key(Algorithm::ES256).token(&claims);
        assert_eq!(refusal(&send(&layer, bearer(&token))), expected, "{sub}");
    }
}

#[test]
fn bundle_is_fetched_from_its_url() {
    let text = layer(&spiffe("bundle_url = 'https://spire.example/bundle'")).describe().to_string();
    assert!(text.contains("https://spire.example/bundle"), "{text}");
    let http = spiffe("bundle_url = 'http://spire/bundle'")
        .replace("audience", "dangerous_allow_http_hosts = 'spire'\naudience");
    let text = layer(&http).describe().to_string();
    assert!(text.contains("keys at http://spire/bundle"), "{text}");
}

#[test]
fn workload_that_cannot_be_used_is_an_error_at_its_place() {
    let github = |members: &str| {
        provided(&format!("audience = 'deploy'\n[issuers.provider.github_actions]\n{members}"))
    };
    let gitlab = |members: &str| {
        provided(&format!(
            "audience = 'deploy'\n[issuers.provider.gitlab_ci]\ninstance = 'https://gitlab.example'\n{members}"
        ))
    };
    let no_set = file("no-set.json", "[]");
    // Two keys that a token cannot tell apart.
    let mut same = bundle();
    same["keys"][0]["kid"] = "same".into();
    let other = json!({
        "kty": "EC", "crv": "P-256", "use": "jwt-svid", "kid": "same",
        "x": "fK-wKTnKL7KFLM27lqq5DC-bxrVaH6rDV-IcCSEOeL4",
        "y": "wq-g3TQWxYlV51TCPH030yXsRxvujD4hUUaIQrXk4KI",
    });
    same["keys"].as_array_mut().unwrap().push(other);
    let no_keys = file("no-keys.json", same.to_string());
    let bundle = file("spiffe.json", bundle().to_string());
    let bundle = format!("bundle_file = '{}'", bundle.display());
    let beside = |member: &str| spiffe(&bundle).replace("audience", &format!("{member}\naudience"));
    assert_errors(&[
        (
            github(""),
            "issuers[0].provider.github_actions: which jobs are accepted is missing: give one of `repositories`, \
             `repository_ids`, `owners`, `owner_ids`",
        ),
        (
            github("repositories = 'octo-org/octo-repo'\nowners = 'octo-org'"),
            "issuers[0].provider.github_actions: `repositories` and `owners` contradict each other",
        ),
        (
            github("repositories = []"),
            "issuers[0].provider.github_actions.repositories: name at least one value",
        ),
        (
            github("repositories = ['octo-org/octo-repo', 'octo-org/*']"),
            "issuers[0].provider.github_actions.repositories[1]: a value of `repository` is OWNER/NAME",
        ),
        (
            github("repository_ids = 'octo'"),
            "issuers[0].provider.github_actions.repository_ids[0]: ",
        ),
        (
            github("owners = 'octo-org'\nrefs = ['main']"),
            "issuers[0].provider.github_actions.refs[0]: a value of `ref` is the whole reference",
        ),
        (
            github("owners = 'octo-org'\nenvironments = []"),
            "issuers[0].provider.github_actions.environments: name at least one value",
        ),
        (
            github("owners = 'octo-org'\nworkflows = 'deploy.yml'"),
            "issuers[0].provider.github_actions.workflows[0]: ",
        ),
        (
            github("owners = 'octo-org'\nserver = 'a.example'\ndata_residency = 'octo'"),
            "issuers[0].provider.github_actions: `data_residency` and `server` contradict each other",
        ),
        (
            github("owners = 'octo-org'\nserver = 'https://a.example'"),
            "issuers[0].provider.github_actions.server: ",
        ),
        (
            github("owners = 'octo-org'\nenterprise = 'a/b'"),
            "issuers[0].provider.github_actions.enterprise: ",
        ),
        (
            github("owners = 'octo-org'\nenterprise = 'octocat-inc'\nserver = 'https://a.example'"),
            "issuers[0].provider.github_actions.server: ",
        ),
        (
            github("owners = 'octo-org'\nenterprise = 'octocat-inc'\ndata_residency = 'a/b'"),
            "issuers[0].provider.github_actions.data_residency: ",
        ),
        (
            github("owners = 'octo-org'").replace("'deploy'", "'https://github.com/octo-org'"),
            "issuers[0].audience: all jobs that request no audience get this one",
        ),
        (
            github("owners = 'octo-org'").replace("audience = 'deploy'", ""),
            "issuers[0]: the audience is missing",
        ),
        (
            gitlab("on_protected_refs = true"),
            "issuers[0].provider.gitlab_ci: which jobs are accepted is missing",
        ),
        (gitlab("projects = 'orders'"), "issuers[0].provider.gitlab_ci.projects[0]: "),
        (gitlab("project_ids = '7'\nrefs = 'main'"), "issuers[0].provider.gitlab_ci.refs[0]: "),
        (
            gitlab("project_ids = '7'").replace("https://gitlab.example", "gitlab.example"),
            "issuers[0].provider.gitlab_ci.instance: ",
        ),
        (
            gitlab("project_ids = '7'").replace("'deploy'", "'https://gitlab.example'"),
            "issuers[0].audience: this audience names GitLab itself",
        ),
        (
            spiffe(""),
            "issuers[0].provider.spiffe: the bundle is missing: give one of `bundle_url`, `bundle_file`",
        ),
        (
            spiffe(&format!("{bundle}\nbundle_url = 'https://spire.example'")),
            "issuers[0].provider.spiffe: `bundle_url` and `bundle_file` contradict each other",
        ),
        (spiffe("bundle_url = 'http://spire/bundle'"), "issuers[0].provider.spiffe.bundle_url: "),
        (
            spiffe("bundle_file = '/nowhere/bundle'"),
            "issuers[0].provider.spiffe.bundle_file: the file /nowhere/bundle cannot be read",
        ),
        (
            spiffe(&format!("bundle_file = '{}'", no_set.display())),
            "issuers[0].provider.spiffe.bundle_file: ",
        ),
        (
            spiffe(&format!("bundle_file = '{}'", no_keys.display())),
            "issuers[0].provider.spiffe.bundle_file: no key of the JWK set can be used",
        ),
        (
            spiffe(&bundle).replace("example.org", "spiffe://example.org"),
            "issuers[0].provider.spiffe.trust_domain: give the name of the trust domain",
        ),
        (
            spiffe(&bundle).replace("'orders'", "'spiffe://example.org'"),
            "issuers[0].audience: this audience names all services",
        ),
        (
            beside("jwks_url = 'https://a.example'"),
            "issuers[0].jwks_url: this does not apply to `spiffe`",
        ),
        (
            beside("fetch_base = 'https://a.example'"),
            "issuers[0].fetch_base: this does not apply to `spiffe`",
        ),
        (
            beside("dangerous_allow_http_hosts = 'a'"),
            "issuers[0].dangerous_allow_http_hosts: this does not apply to `spiffe`",
        ),
        (
            format!("one_time_tokens.capacity = 100\n{}", spiffe(&bundle)),
            "one_time_tokens: tokens of `spiffe` need not have `iss` and `jti`",
        ),
        (
            format!("one_time_tokens.capacity = 100\n{}", beside("required_claims = ['jti']")),
            "one_time_tokens: tokens of `spiffe` need not have `iss` and `jti`",
        ),
        // An issuer that is found by the name in a token must have one.
        (
            format!(
                "{}\n{}",
                spiffe(&bundle),
                toml_with("", "").replace("[issuers.main]", "[[issuers]]")
            ),
            "issuers[0]: a verifier that accepts any issuer cannot be added to a set",
        ),
    ]);
}

#[test]
fn member_that_would_refuse_every_workload_is_an_error_at_its_place() {
    let providers = [
        ("spiffe", "trust_domain = 'example.org'\nbundle_url = 'https://spire.example'"),
        ("github_actions", "owners = 'octo-org'"),
        ("gitlab_ci", "instance = 'https://gitlab.example'\nproject_ids = '7'"),
    ];
    for (provider, members) in providers {
        for (name, value, audience) in [
            ("clients", "'a'", ""),
            ("authorized_parties", "'a'", ""),
            ("cognito_clients", "'a'", ""),
            ("require_rfc9068", "true", "audience = 'orders'\n"),
            ("token_types", "'txntoken+jwt'", "audience = 'orders'\n"),
        ] {
            let toml = provided(&format!(
                "{audience}{name} = {value}\n[issuers.provider.{provider}]\n{members}"
            ));
            let expected = format!("issuers[0].{name}: this does not apply to `{provider}`");
            assert_errors(&[(toml, &expected)]);
        }
    }
}

#[test]
fn one_time_tokens_of_workloads_are_accepted_if_they_must_have_a_name() {
    let path = file("spiffe.json", bundle().to_string());
    let members = spiffe(&format!("bundle_file = '{}'", path.display()));
    let toml = members.replace("audience", "required_claims = ['iss', 'jti']\naudience");
    let layer = layer(&format!("one_time_tokens.capacity = 100\n{toml}"));
    let token = |changes: Value| {
        let mut claims = json!({
            "sub": "spiffe://example.org/web", "aud": "orders", "exp": 4_102_444_800_u64, "jti": "1",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        key(Algorithm::ES256).token(&claims)
    };
    let named = token(json!({ "iss": "https://spire.example" }));
    for (token, expected) in
        [(token(json!({})), Some(MissingClaim)), (named.clone(), None), (named, Some(UsedToken))]
    {
        assert_eq!(refusal(&send(&layer, bearer(&token))), expected);
    }
}
