//! The issuers of a configuration: keys from each source, and the rules of each member.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{
    Algorithm, Clock, Fetch, FetchFuture, FetchRequest, JwtAuthLayer, KeySourceError,
    RegisteredClaims, RejectionKind, SystemClock,
};

use crate::config::{config, file, issuer_with_secret, layer, secret_file, token, toml_with};
use crate::support::requests::{bearer, refusal, send, send_later};
use crate::support::{AUDIENCE, ISSUER, b64, key};

const CLAIMS: &str =
    r#"{"iss": "https://issuer.example", "aud": "https://api.example", "exp": 4102444800}"#;

fn issuer(keys: &str) -> String {
    format!("[[issuers]]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\n{keys}")
}

/// A token with these claims beside those that are required. `null` removes one.
fn with(claims: &Value) -> String {
    let mut all: Value = serde_json::from_str(CLAIMS).unwrap();
    for (name, value) in claims.as_object().unwrap() {
        match value {
            Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
            value => all[name] = value.clone(),
        }
    }
    key(Algorithm::HS256).token(&all)
}

#[track_caller]
fn assert_result(toml: &str, token: &str, expected: Option<RejectionKind>) {
    assert_eq!(refusal(&send(&layer(toml), bearer(token))), expected, "{toml}");
}

#[test]
fn keys_are_read_from_each_kind_of_file() {
    let hs = key(Algorithm::HS256);
    let es = key(Algorithm::ES256);
    let base64 = file("base64", b64(hs.secret()) + "\n");
    let pem = file("es256.pem", es.pem());
    let jwks = file("jwks.json", json!({ "keys": [es.jwk()] }).to_string());
    for (member, path, algorithm) in [
        ("secret_file", secret_file(), Algorithm::HS256),
        ("base64_secret_file", base64, Algorithm::HS256),
        ("public_key_file", pem, Algorithm::ES256),
        ("jwks_file", jwks, Algorithm::ES256),
    ] {
        let toml = issuer(&format!("{member} = '{}'\nalgorithms = '{algorithm}'", path.display()));
        assert_result(&toml, &token(algorithm, ""), None);
        let other = if algorithm == Algorithm::ES256 { Algorithm::HS256 } else { Algorithm::ES256 };
        assert!(refusal(&send(&layer(&toml), bearer(&token(other, "")))).is_some(), "{member}");
    }
}

#[test]
fn two_secrets_are_accepted_while_one_replaces_the_other() {
    let new = file("new-secret", [7; 32]);
    let toml = issuer(&format!(
        "secret_file = ['{}', '{}']\nalgorithms = 'HS256'",
        new.display(),
        secret_file().display()
    ));
    assert_result(&toml, &with(&json!({})), None);
}

#[test]
fn one_secret_can_have_several_algorithms() {
    let secret = file("long-secret", key(Algorithm::HS512).secret());
    let toml =
        issuer(&format!("secret_file = '{}'\nalgorithms = ['HS256', 'HS512']", secret.display()));
    assert_result(&toml, &token(Algorithm::HS512, ""), None);
}

#[test]
fn each_rule_of_an_issuer_is_that_of_its_setter() {
    use RejectionKind::*;

    let plain = with(&json!({}));
    let long = with(&json!({ "sub": "a".repeat(400) }));
    let long_header = key(Algorithm::HS256)
        .token_of(json!({ "alg": "HS256", "a": "a".repeat(200) }).to_string(), CLAIMS);
    let transaction = key(Algorithm::HS256)
        .token_of(json!({ "alg": "HS256", "typ": "txntoken+jwt" }).to_string(), CLAIMS);
    let expired = with(&json!({ "exp": seconds_ago(60) }));
    let old = with(&json!({ "iat": seconds_ago(120) }));
    for (member, token, without, with_it) in [
        ("leeway_seconds = 90", &expired, Some(ExpiredToken), None),
        ("max_age_seconds = 60", &old, None, Some(TooOld)),
        ("max_age_seconds = 60", &plain, None, Some(MissingClaim)),
        ("max_token_length = 300", &long, None, Some(TokenTooLong)),
        ("max_header_length = 200", &long_header, None, Some(TokenTooLong)),
        ("required_claims = ['sub']", &plain, None, Some(MissingClaim)),
        ("require_rfc9068 = true", &plain, None, Some(WrongTokenType)),
        (
            "exclusive_audience = true",
            &with(&json!({ "aud": [AUDIENCE, "other"] })),
            None,
            Some(WrongAudience),
        ),
        ("token_types = ['wit+jwt', 'txntoken+jwt']", &plain, None, Some(WrongTokenType)),
        ("token_types = 'txntoken+jwt'", &transaction, Some(WrongTokenType), None),
        ("allow_at_hash = true", &with(&json!({ "at_hash": "a" })), Some(WrongTokenType), None),
        (
            "dangerous_ignore_confirmation = true",
            &with(&json!({ "cnf": { "jkt": "a" } })),
            Some(UnconfirmedSender),
            None,
        ),
        (
            "dangerous_accept_id_tokens = true",
            &with(&json!({ "token_use": "id" })),
            Some(WrongTokenType),
            None,
        ),
    ] {
        assert_result(&toml_with("", ""), token, without);
        assert_result(&toml_with("", member), token, with_it);
        // `false` is the same as no member.
        if let Some(off) = member.strip_suffix("true") {
            assert_result(&toml_with("", &format!("{off}false")), token, without);
        }
    }
}

#[test]
fn claim_is_compared_in_place_of_the_audience() {
    let audience = format!("audience = '{AUDIENCE}'");
    for (member, claims) in [
        ("authorized_parties = 'page'", json!({ "aud": null, "azp": "page" })),
        ("clients = 'client'", json!({ "aud": null, "client_id": "client" })),
        (
            "cognito_clients = ['client']",
            json!({ "aud": null, "client_id": "client", "token_use": "access" }),
        ),
    ] {
        let toml = toml_with("", "").replace(&audience, member);
        assert_result(&toml, &with(&claims), None);
        assert!(refusal(&send(&layer(&toml), bearer(&with(&json!({}))))).is_some());
    }
}

fn seconds_ago(seconds: u64) -> u64 {
    let now = SystemClock.now().unix_seconds();
    u64::try_from(now).unwrap() - seconds
}

#[test]
fn discovered_keys_and_keys_at_a_url_come_from_the_given_client() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for keys in ["discover = true", "jwks_url = 'JWKS'"] {
            let mock = MockIssuer::with_issuer(ISSUER);
            let keys = keys.replace("JWKS", &mock.jwks_url());
            let config = config(&issuer(&keys));
            let layer: JwtAuthLayer =
                JwtAuthLayer::from_config_with(&config, mock.clone()).unwrap();
            assert_eq!(mock.requests().len(), 0, "nothing is fetched before it is needed");
            let good = mock.token().audience(AUDIENCE).build();
            assert_eq!(refusal(&send_later(&layer, bearer(&good)).await), None);
            let bad = mock.token().audience("other").build();
            let response = send_later(&layer, bearer(&bad)).await;
            assert_eq!(refusal(&response), Some(RejectionKind::WrongAudience));
        }
    });
}

#[test]
fn several_issuers_have_their_own_keys_and_one_client() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mock = MockIssuer::with_issuer("https://other.example");
        let toml = format!(
            "{}[issuers.other]\nissuer = 'https://other.example'\naudience = 'orders'\ndiscover = true",
            toml_with("", "")
        );
        let config = config(&toml);
        let verifier = config.verifier_with::<RegisteredClaims>(mock.clone())
            .unwrap();
        assert!(verifier.as_jwt_verifier().is_none());
        assert_eq!(verifier.as_issuer_set().unwrap().key_status().len(), 2);
        let layer = config.layer_with_verifier(verifier).unwrap();
        let of_other = mock.token().audience("orders").build();
        assert_eq!(refusal(&send_later(&layer, bearer(&of_other)).await), None);
        assert_eq!(refusal(&send_later(&layer, bearer(&with(&json!({})))).await), None);
        let forged = with(&json!({ "iss": "https://other.example", "aud": "orders" }));
        assert!(refusal(&send_later(&layer, bearer(&forged)).await).is_some());
    });
}

#[test]
fn provider_has_the_rules_of_its_recipe() {
    for (toml, summary) in [
        (
            "audience = 'a'\nprovider.auth0.domain = 'tenant.eu.auth0.com'",
            "issuer https://tenant.eu.auth0.com/, audience a",
        ),
        (
            "audience = 'a'\nprovider.keycloak = { base = 'https://sso.example', realm = 'shop' }",
            "issuer https://sso.example/realms/shop, audience a",
        ),
        (
            "audience = '6e74172b-be56-4843-9ff4-e66a39bb12e3'\n\
             provider.entra_id.tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'",
            "issuer https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
        ),
        (
            "audience = 'api://a'\nprovider.entra_id_v1.tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'",
            "issuer https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        ),
        (
            "cognito_clients = 'a'\nprovider.cognito.user_pool = 'eu-west-1_AbCdEfGhI'",
            "issuer https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI",
        ),
        (
            "audience = 'a'\nprovider.google_id_tokens = true",
            "issuer https://accounts.google.com or accounts.google.com, audience a",
        ),
        (
            "audience = 'a'\nprovider.okta = { domain = 'acme.okta.com', authorization_server = 'default' }",
            "issuer https://acme.okta.com/oauth2/default, audience a",
        ),
        (
            "provider.firebase.project = 'acme-app'",
            "issuer https://securetoken.google.com/acme-app",
        ),
        (
            "audience = 'a'\nprovider.dex.issuer = 'https://dex.example'",
            "issuer https://dex.example, audience a",
        ),
        (
            "audience = 'a'\nprovider.kubernetes.issuer = 'https://cluster.example'",
            "issuer https://cluster.example, audience a",
        ),
    ] {
        let text = layer(&format!("[[issuers]]\n{toml}")).describe().to_string();
        assert!(text.starts_with(summary), "{text}");
    }
    let keys_elsewhere = "[[issuers]]\naudience = 'a'\nprovider.auth0.domain = 'tenant.eu.auth0.com'\n\
                          jwks_url = 'http://keys/jwks'\ndangerous_allow_http_hosts = 'keys'";
    let text = layer(keys_elsewhere).describe().to_string();
    assert!(text.contains("keys at http://keys/jwks"), "{text}");
}

#[test]
fn keys_are_fetched_from_the_address_of_the_configuration() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        for (keys, expected) in [
            (
                "jwks_url = 'http://keycloak:8080/certs'\ndangerous_allow_http_hosts = ['keycloak']",
                "http://keycloak:8080/certs",
            ),
            (
                "discover = true\nfetch_base = 'http://keycloak:8080/a'\ndangerous_allow_http_hosts = 'keycloak'",
                "http://keycloak:8080/a/.well-known/openid-configuration",
            ),
            (
                "discover = true\nfetch_base = 'https://inside.example/a'\nrefuse_private_addresses = true",
                "https://inside.example/a/.well-known/openid-configuration",
            ),
            ("discover = true", "https://issuer.example/.well-known/openid-configuration"),
        ] {
            let requests = Requests::default();
            let config = config(&issuer(keys));
            let layer: JwtAuthLayer =
                JwtAuthLayer::from_config_with(&config, requests.clone()).unwrap();
            let response = send_later(&layer, bearer(&token(Algorithm::ES256, ""))).await;
            assert_eq!(refusal(&response), Some(RejectionKind::Unavailable));
            let requests = requests.0.lock().unwrap();
            assert_eq!(requests[0].url(), expected);
            let refuses = keys.contains("refuse_private_addresses");
            assert_eq!(requests[0].refuses_private_addresses(), refuses);
        }
    });
}

/// A client that only notes the requests.
#[derive(Clone, Debug, Default)]
struct Requests(Arc<Mutex<Vec<FetchRequest>>>);

impl Fetch for Requests {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.0.lock().unwrap().push(request);
        Box::pin(async { Err(KeySourceError::new("no network")) })
    }
}

#[test]
fn only_keys_with_the_use_of_the_configuration_are_taken() {
    let mut jwk = key(Algorithm::ES256).jwk();
    jwk["use"] = "jwt-svid".into();
    let jwks = file("bundle.json", json!({ "keys": [jwk] }).to_string());
    let toml = issuer(&format!("jwks_file = '{}'\nkey_use = 'jwt-svid'", jwks.display()));
    assert_result(&toml, &token(Algorithm::ES256, ""), None);
}

#[test]
fn danger_is_named_at_the_start() {
    let toml = issuer_with_secret()
        .replace(&format!("issuer = '{ISSUER}'"), "dangerous_any_issuer = true")
        .replace(&format!("audience = '{AUDIENCE}'"), "dangerous_any_audience = true");
    let layer = layer(&format!("[[issuers]]\n{toml}"));
    let summary = layer.describe();
    assert_eq!(summary.dangers().len(), 2, "{summary}");
    assert_eq!(refusal(&send(&layer, bearer(&with(&json!({ "iss": null, "aud": null }))))), None);
}

#[cfg(feature = "key-file")]
#[test]
fn keys_to_begin_with_and_remembered_keys_verify_while_the_issuer_is_down() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let issuer = MockIssuer::new();
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("config-keys");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let key_file = folder.join("keys");
        let jwks = file("initial.json", issuer.jwk_set());
        let toml = |members: &str| {
            format!(
                "[[issuers]]\nissuer = '{}'\naudience = 'https://api.test'\n\
                 jwks_url = '{}'\n{members}",
                issuer.issuer(),
                issuer.jwks_url()
            )
        };
        let status = async |members: &str| {
            let layer: JwtAuthLayer =
                JwtAuthLayer::from_config_with(&config(&toml(members)), issuer.clone()).unwrap();
            refusal(&send_later(&layer, bearer(&issuer.token().build())).await)
        };
        let remembering =
            format!("key_file = '{}'\nkey_file_max_age_seconds = 3600", key_file.display());
        assert_eq!(status(&remembering).await, None);
        while !key_file.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }

        issuer.set_answer(tower_jwt_auth::test_util::MockAnswer::Refuse);
        assert_eq!(status("").await, Some(RejectionKind::Unavailable));
        assert_eq!(status(&remembering).await, None);
        let initial = format!("initial_jwks_file = '{}'", jwks.display());
        assert_eq!(status(&initial).await, None);
    });
}
