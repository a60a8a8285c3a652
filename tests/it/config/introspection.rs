//! Issuers that are asked about their tokens, as a configuration names them.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Clock, JwtAuthLayer, RegisteredClaims, RejectionKind, SigningKey, SystemClock,
};

use crate::config::errors::assert_errors;
use crate::config::{config, file, layer, token, toml_with};
use crate::introspection::{Asked, Endpoint, ok};
use crate::sender_constrained::proofs::jkt;
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{AUDIENCE, ISSUER, key, pem};

use RejectionKind::*;

const URL: &str = "https://issuer.example/introspect";

/// The members of an issuer that is asked, and those of its table `introspection`.
fn members(issuer: &str, more: &str) -> String {
    let secret = file("client-secret", "s3cret\n");
    format!(
        "issuer = '{ISSUER}'\naudience = '{AUDIENCE}'\n{issuer}\n[issuers.asked.introspection]\nurl = '{URL}'\n\
         client_id = 'orders-api'\nclient_secret_file = '{}'\n{more}",
        secret.display()
    )
}

fn asked(issuer: &str, more: &str) -> String {
    format!("[issuers.asked]\n{}", members(issuer, more))
}

fn active(changes: Value) -> Value {
    let mut answer = json!({
        "active": true, "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "scope": "read",
        "token_type": "Bearer", "exp": 4_102_444_800_u64,
    });
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (name, value) in changes {
        match value {
            Value::Null => drop(answer.as_object_mut().unwrap().remove(&name)),
            value => answer[&name] = value,
        }
    }
    answer
}

/// Why a token with this answer is refused, and the requests of the endpoint.
async fn result(toml: &str, answer: Value, token: &str) -> (Option<RejectionKind>, Vec<Asked>) {
    let endpoint = Endpoint::json(answer);
    let layer: JwtAuthLayer =
        JwtAuthLayer::from_config_with(&config(toml), endpoint.clone()).unwrap();
    let response = send_later(&layer, bearer(token)).await;
    (refusal(&response), endpoint.asked())
}

#[tokio::test]
async fn issuer_is_asked_about_a_token_by_the_client_of_the_configuration() {
    let toml = asked("", "");
    let (refused, requests) = result(&toml, active(json!({})), "opaque").await;
    assert_eq!(refused, None);
    assert_eq!((requests[0].url.as_str(), requests[0].token()), (URL, "opaque"));
    // The line break at the end of the file is not a part of the secret.
    let basic = format!("Basic {}", STANDARD.encode("orders-api:s3cret"));
    assert_eq!(requests[0].header("authorization"), Some(&*basic));
    assert_eq!(result(&toml, json!({ "active": false }), "a").await.0, Some(InactiveToken));

    let post = asked("", "client_authentication = 'client_secret_post'");
    let (_, requests) = result(&post, active(json!({})), "a").await;
    assert_eq!(requests[0].member("client_secret"), Some("s3cret"));
    assert_eq!(requests[0].header("authorization"), None);

    let secret = file("client-secret", "s3cret\n");
    let without_secret = |more: &str| {
        asked("", more).replace(&format!("client_secret_file = '{}'", secret.display()), "")
    };
    let tls = without_secret("client_authentication = 'tls_client_auth'");
    let (_, requests) = result(&tls, active(json!({})), "a").await;
    assert_eq!(requests[0].member("client_id"), Some("orders-api"));
    assert_eq!(requests[0].header("authorization"), None);

    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let pem = file("client-key.pem", pem("PRIVATE KEY", der.as_ref()));
    let signed = without_secret(&format!(
        "client_authentication = 'private_key_jwt'\nprivate_key_file = '{}'\nprivate_key_algorithm = 'ES256'\n\
         private_key_id = 'k1'",
        pem.display()
    ));
    let (_, requests) = result(&signed, active(json!({})), "a").await;
    let assertion = requests[0].member("client_assertion").unwrap();
    let keys = SigningKey::from_der(der.as_ref(), Algorithm::ES256).unwrap().with_kid("k1");
    let keys = keys.verification_key();
    let assertions = tower_jwt_auth::JwtVerifier::new("orders-api", ISSUER, keys).unwrap();
    let assertion = assertions.verify(assertion).await.unwrap();
    assert_eq!(assertion.sub.as_deref(), Some("orders-api"));
    assert_eq!(assertion.header().unwrap().kid(), Some("k1"));
}

#[tokio::test]
async fn each_rule_of_an_issuer_applies_to_the_answer_too() {
    let now = SystemClock.now().unix_seconds();
    let long = "a".repeat(300);
    for (issuer, more, changes, expected) in [
        ("", "", json!({ "aud": "other" }), Some(WrongAudience)),
        ("", "", json!({ "iss": "https://other.example" }), Some(WrongIssuer)),
        ("", "", json!({ "aud": null }), Some(MissingClaim)),
        ("", "dangerous_allow_missing_audience = true", json!({ "aud": null }), None),
        ("", "", json!({ "exp": now - 60 }), Some(ExpiredToken)),
        ("leeway_seconds = 90", "", json!({ "exp": now - 60 }), None),
        ("required_claims = 'username'", "", json!({}), Some(MissingClaim)),
        ("max_token_length = 128", "", json!({}), Some(TokenTooLong)),
        ("", "", json!({ "cnf": jkt() }), Some(UnconfirmedSender)),
        ("dangerous_ignore_confirmation = true", "", json!({ "cnf": jkt() }), None),
    ] {
        let (refused, _) = result(&asked(issuer, more), active(changes), &long).await;
        assert_eq!(refused, expected, "{issuer}{more}");
    }
    let scoped = format!(
        "required_scopes = 'orders:read'\nscope_hierarchy = {{ admin = 'orders:read' }}\n{}",
        asked("", "")
    );
    assert_eq!(result(&scoped, active(json!({})), "a").await.0, Some(InsufficientScope));
    assert_eq!(result(&scoped, active(json!({ "scope": "admin" })), "a").await.0, None);
}

#[tokio::test]
async fn cache_and_concurrency_are_those_of_the_configuration() {
    for (more, count) in [
        ("", 2),
        ("cache_age_seconds = 0", 4),
        ("cache_capacity = 100\nmax_concurrent_requests = 1", 2),
    ] {
        let endpoint = Endpoint::json(active(json!({})));
        let layer: JwtAuthLayer =
            JwtAuthLayer::from_config_with(&config(&asked("", more)), endpoint.clone()).unwrap();
        for token in ["a", "b", "a", "b"] {
            assert_eq!(refusal(&send_later(&layer, bearer(token)).await), None);
        }
        assert_eq!(endpoint.count(), count, "{more}");
    }
}

#[tokio::test]
async fn issuer_is_asked_only_about_tokens_whose_keys_nobody_has() {
    let other =
        |issuer: &str| asked("", "").replacen(&format!("'{ISSUER}'"), &format!("'{issuer}'"), 1);
    let jwt_of = |issuer: &str| {
        let claims = json!({ "iss": issuer, "aud": AUDIENCE, "exp": 4_102_444_800_u64 });
        key(Algorithm::HS256).token(&claims)
    };
    let second = "https://second.example";
    for (issuer, token, asked_about, expected) in [
        (ISSUER, "opaque".to_owned(), true, None),
        (ISSUER, token(Algorithm::HS256, ""), false, None),
        (ISSUER, jwt_of(second), false, Some(WrongIssuer)),
        (second, "opaque".to_owned(), true, None),
        (second, token(Algorithm::HS256, ""), false, None),
        (second, jwt_of(second), true, None),
        (second, jwt_of("https://third.example"), false, Some(WrongIssuer)),
    ] {
        let toml = format!("{}{}", toml_with("", ""), format_args!("\n{}", other(issuer)));
        let (refused, requests) = result(&toml, active(json!({ "iss": issuer })), &token).await;
        assert_eq!(refused, expected, "{issuer}: {token}");
        assert_eq!(!requests.is_empty(), asked_about, "{issuer}: {token}");
    }
    // A name is more exact than any issuer.
    let any =
        toml_with("", "").replace(&format!("issuer = '{ISSUER}'"), "dangerous_any_issuer = true");
    for (token, asked_about) in
        [(jwt_of(second), true), (jwt_of("https://third.example"), false), (jwt_of(ISSUER), false)]
    {
        let toml = format!("{any}\n{}", other(second));
        let (refused, requests) = result(&toml, active(json!({ "iss": second })), &token).await;
        assert_eq!((refused, !requests.is_empty()), (None, asked_about), "{token}");
    }
    let both = config(&format!("{}\n{}", toml_with("", ""), other(second)));
    let verifier = both.verifier_with::<RegisteredClaims>(Endpoint::usual()).unwrap();
    assert!(verifier.as_jwt_verifier().is_some() && verifier.as_introspection().is_some());
    let text = format!("{verifier:?}");
    assert!(text.contains(second) && !text.contains("s3cret"), "{text}");
    // It verifies JWTs of its own and other tokens, and is described once.
    let text = tower_jwt_auth::VerifyToken::describe(&verifier).unwrap().to_string();
    assert_eq!(text.matches("by introspection").count(), 1, "{text}");
    let alone =
        config(&asked("", "")).verifier_with::<RegisteredClaims>(Endpoint::usual()).unwrap();
    assert!(alone.as_jwt_verifier().is_none() && alone.as_issuer_set().is_none());
}

#[tokio::test]
async fn response_without_a_signature_is_refused_if_signed_ones_are_required() {
    let jwks = file("es256.json", json!({ "keys": [key(Algorithm::ES256).jwk()] }).to_string());
    let keys = format!("jwks_file = '{}'", jwks.display());
    let toml = asked(&keys, "require_signed_responses = true");
    assert_eq!(result(&toml, active(json!({})), "a").await.0, Some(Unavailable));
    let now = SystemClock.now().unix_seconds() + 5;
    let header = json!({ "typ": "token-introspection+jwt", "alg": "ES256" }).to_string();
    let claims = json!({
        "iss": ISSUER, "aud": "orders-api", "iat": now, "token_introspection": active(json!({})),
    });
    let response = key(Algorithm::ES256).token_of(header, claims.to_string());
    let endpoint = Endpoint::new(move |_| {
        ok(response.clone()).map(|mut response| {
            let signed = "application/token-introspection+jwt".parse().unwrap();
            response.headers_mut().insert("content-type", signed);
            response
        })
    });
    let layer: JwtAuthLayer = JwtAuthLayer::from_config_with(&config(&toml), endpoint).unwrap();
    assert_eq!(refusal(&send_later(&layer, bearer("a")).await), None);
}

#[test]
fn danger_of_introspection_is_named_at_the_start() {
    let toml =
        asked("dangerous_allow_http_hosts = 'issuer'", "dangerous_allow_missing_audience = true");
    let layer = layer(&toml.replace(URL, "http://issuer/introspect"));
    let text = layer.describe().to_string();
    assert!(text.contains("by introspection at http://issuer/introspect as orders-api"), "{text}");
    assert_eq!(layer.describe().dangers().len(), 2, "{text}");
}

#[test]
fn introspection_that_cannot_be_used_is_an_error_at_its_place() {
    let at = "issuers.asked.introspection";
    let without_secret =
        |more: &str| asked("", more).replace("client_secret_file", "private_key_id");
    let method = |method: &str| asked("", &format!("client_authentication = '{method}'"));
    let second = asked("", "").replace("issuers.asked", "issuers.second");
    let mut rows: Vec<(String, String)> = vec![
        (asked("", "").replace(URL, "http://issuer.example"), format!("{at}.url: ")),
        (asked("", "").replace(AUDIENCE, ""), "issuers.asked.audience: ".into()),
        (
            asked("", "").replace(&format!("issuer = '{ISSUER}'"), ""),
            "issuers.asked: the issuer".into(),
        ),
        (asked("", "").replace("orders-api", ""), format!("{at}: a client ID")),
        (without_secret("").replace("private_key_id", "#"), format!("{at}: the secret is missing")),
        (
            without_secret(""),
            format!("{at}.private_key_id: this does not apply to `client_secret_basic`"),
        ),
        (method("none"), format!("{at}.client_authentication: unknown method")),
        (method("client_secret_jwt"), format!("{at}.client_authentication: unknown method")),
        (method("private_key_jwt"), format!("{at}.client_secret_file: this does not apply to")),
        (
            method("private_key_jwt").replace("client_secret_file", "# "),
            format!("{at}: the key is missing"),
        ),
        (
            method("tls_client_auth").replace("client_secret_file", "# "),
            format!("{at}.client_authentication: the HTTP client of this crate has no certificate"),
        ),
        (
            asked("", "client_secret = 's3cret'"),
            format!("{at}.client_secret: a secret is not read from the configuration"),
        ),
        (asked("", "cache_age_seconds = 3601"), format!("{at}.cache_age_seconds: ")),
        (asked("", "cache_capacity = 0"), format!("{at}.cache_capacity: ")),
        (
            asked("", "cache_age_seconds = 0\ncache_capacity = 100"),
            format!("{at}.cache_capacity: this has no effect if `cache_age_seconds` is 0"),
        ),
        (asked("", "max_concurrent_requests = 0"), format!("{at}.max_concurrent_requests: ")),
        (asked("leeway_seconds = 301", ""), "issuers.asked.leeway_seconds: ".into()),
        (
            asked("refuse_private_addresses = true", "").replace("issuer.example/i", "10.0.0.1/i"),
            format!("{at}.url: "),
        ),
        (
            asked("", "require_signed_responses = true"),
            "issuers.asked: the source of keys is missing".into(),
        ),
        (
            asked("discover = true\nalgorithms = 'ES256'", "require_signed_responses = true"),
            "issuers.asked.algorithms: this does not apply to `introspection`".into(),
        ),
        (
            format!("{}\n{second}", asked("", "")),
            "issuers.second.introspection: only one issuer can have this".into(),
        ),
        (
            format!("token_cache.capacity = 10\n{}", asked("", "")),
            "token_cache: this does not apply to `introspection`".into(),
        ),
    ];
    for audience in [
        "clients = 'a'",
        "authorized_parties = 'a'",
        "cognito_clients = 'a'",
        "dangerous_any_audience = true",
    ] {
        let toml = asked("", "dangerous_allow_missing_audience = true")
            .replace(&format!("audience = '{AUDIENCE}'"), audience);
        let (name, _) = audience.split_once(" =").unwrap();
        let expected =
            format!("{at}.dangerous_allow_missing_audience: this has no effect beside `{name}`");
        rows.push((toml, expected));
    }
    for (member, value) in [
        ("discover", "true"),
        ("jwks_url", "'https://issuer.example/jwks'"),
        ("jwks_file", "'a'"),
        ("public_key_file", "'a'"),
        ("secret_file", "'a'"),
        ("base64_secret_file", "'a'"),
        ("fetch_base", "'https://issuer.example'"),
        ("key_use", "'jwt-svid'"),
        ("initial_jwks_file", "'a'"),
        ("key_file", "'a'"),
        ("key_file_max_age_seconds", "60"),
        ("algorithms", "'ES256'"),
        ("exclusive_audience", "true"),
        ("max_age_seconds", "60"),
        ("require_rfc9068", "true"),
        ("token_types", "'a+jwt'"),
        ("allow_at_hash", "true"),
        ("max_header_length", "4096"),
        ("dangerous_accept_id_tokens", "true"),
        ("provider.auth0.domain", "'tenant.eu.auth0.com'"),
    ] {
        let name = member.split('.').next().unwrap();
        let expected = format!("issuers.asked.{name}: this does not apply to `introspection`");
        rows.push((asked(&format!("{member} = {value}"), ""), expected));
    }
    let rows: Vec<(String, &str)> =
        rows.iter().map(|(toml, expected)| (toml.clone(), expected.as_str())).collect();
    assert_errors(&rows);
}
