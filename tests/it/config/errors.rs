//! Each fault in a configuration is an error that names its place.

use std::error::Error;

use serde_json::json;
use tower_jwt_auth::ConfigErrorKind;

use crate::config::{error_of, file, toml_with};
use crate::support::{AUDIENCE, ISSUER, b64};

/// An issuer without keys, with further members.
pub(super) fn fetched(more: &str) -> String {
    format!("[[issuers]]\nissuer = '{ISSUER}'\naudience = '{AUDIENCE}'\n{more}")
}

/// An issuer of a provider, with further members.
pub(super) fn provided(more: &str) -> String {
    format!("[[issuers]]\n{more}")
}

#[track_caller]
pub(super) fn assert_errors(rows: &[(String, &str)]) {
    for (toml, expected) in rows {
        let error = error_of(toml).to_string();
        assert!(error.starts_with(expected), "{error}\nnot\n{expected}\nof\n{toml}");
    }
}

#[test]
fn issuer_that_cannot_be_used_is_an_error_at_its_place() {
    let good = "issuer = 'a'\naudience = 'b'\ndiscover = true";
    assert_errors(&[
        (String::new(), "issuers: no issuer is given"),
        ("issuers = []".into(), "issuers: no issuer is given"),
        ("[issuers]".into(), "issuers: no issuer is given"),
        (
            "[[issuers]]".into(),
            "issuers[0]: the issuer is missing: give one of `issuer`, `dangerous_any_issuer`",
        ),
        ("[issuers.main]".into(), "issuers.main: the issuer is missing"),
        (
            format!("[[issuers]]\n{good}\ndangerous_any_issuer = true"),
            "issuers[0]: `issuer` and `dangerous_any_issuer` contradict each other",
        ),
        (
            "[[issuers]]\nissuer = 'a'".into(),
            "issuers[0]: the audience is missing: give one of `audience`, ",
        ),
        (
            fetched("dangerous_any_audience = true"),
            "issuers[0]: `audience` and `dangerous_any_audience` contradict each other",
        ),
        (fetched("clients = 'a'"), "issuers[0]: `audience` and `clients` contradict each other"),
        (
            toml_with("", "").replace(ISSUER, ""),
            "issuers.main.issuer: an expected issuer must not be empty",
        ),
        (
            toml_with("", "").replace(AUDIENCE, ""),
            "issuers.main.audience: an expected audience must not",
        ),
        (
            toml_with("", "").replace(&format!("'{AUDIENCE}'"), "[]"),
            "issuers.main.audience: no expected audience was given",
        ),
        (
            toml_with("", "")
                .replace(&format!("audience = '{AUDIENCE}'"), "authorized_parties = ['a', '']"),
            "issuers.main.authorized_parties: an expected audience must not be empty",
        ),
        (format!("[[issuers]]\n{good}"), "issuers[0].issuer: "),
        // The second one.
        (format!("{}\n[issuers.other]\n{good}", toml_with("", "")), "issuers.other.issuer: "),
        (
            format!(
                "{0}\n[issuers.other]\n{1}",
                toml_with("", ""),
                crate::config::issuer_with_secret()
            ),
            "issuers.other: ",
        ),
    ]);
}

#[test]
fn keys_that_cannot_be_used_are_an_error_at_their_place() {
    let empty = file("empty", "");
    let word = file("word", "hunter2");
    let no_set = file("no-set.json", "[]");
    let with = |member: &str, path: &std::path::Path, more: &str| {
        fetched(&format!("{member} = '{}'\n{more}", path.display()))
    };
    let missing = std::path::Path::new("/nowhere/secret");
    assert_errors(&[
        (
            fetched(""),
            "issuers[0]: the source of keys is missing: give one of `discover`, `jwks_url`, `jwks_file`, `public_key_file`, \
             `secret_file`, `base64_secret_file`",
        ),
        (fetched("discover = false"), "issuers[0]: the source of keys is missing"),
        (
            fetched("discover = true\njwks_url = 'https://issuer.example/jwks'"),
            "issuers[0]: `discover` and `jwks_url` contradict each other: the source of keys is needed once",
        ),
        (
            toml_with("", "jwks_file = 'jwks.json'"),
            "issuers.main: `jwks_file` and `secret_file` contradict",
        ),
        (
            toml_with("", "secret = 'hunter2'"),
            "issuers.main.secret: a secret is not read from the configuration",
        ),
        (
            fetched("secret = 'hunter2'"),
            "issuers[0].secret: a secret is not read from the configuration",
        ),
        (fetched("jwks_url = 'jwks'"), "issuers[0].jwks_url: "),
        (fetched("jwks_url = 'http://issuer.example/jwks'"), "issuers[0].jwks_url: "),
        (fetched("jwks_url = 'file:///etc/jwks'"), "issuers[0].jwks_url: "),
        (fetched("jwks_url = 'https://u:p@issuer.example/jwks'"), "issuers[0].jwks_url: "),
        (
            fetched("jwks_url = 'https://10.0.0.1/jwks'\nrefuse_private_addresses = true"),
            "issuers[0].jwks_url: ",
        ),
        (
            fetched(
                "jwks_url = 'http://keycloak/jwks'\ndangerous_allow_http_hosts = ['http://keycloak']",
            ),
            "issuers[0].dangerous_allow_http_hosts[0]: ",
        ),
        (
            fetched("jwks_url = 'https://issuer.example/jwks'\ndangerous_allow_http_hosts = []"),
            "issuers[0].dangerous_allow_http_hosts: no host is given",
        ),
        (
            fetched("jwks_url = 'https://issuer.example/jwks'\nfetch_base = 'https://a.example'"),
            "issuers[0].fetch_base: this does not apply to `jwks_url`",
        ),
        (
            fetched("jwks_url = 'https://issuer.example/jwks'\nkey_use = 'enc'"),
            "issuers[0].key_use: ",
        ),
        (fetched("discover = true\nfetch_base = 'ftp://a.example'"), "issuers[0].fetch_base: "),
        (
            fetched("discover = true\ninitial_jwks_file = '/missing'"),
            "issuers[0].initial_jwks_file: the file /missing cannot be read",
        ),
        (fetched("discover = true\nkey_file = '/missing/'"), "issuers[0].key_file: "),
        (
            fetched("discover = true\nkey_file = '/a'\nkey_file_max_age_seconds = 59"),
            "issuers[0].key_file_max_age_seconds: ",
        ),
        (
            fetched("discover = true\nkey_file_max_age_seconds = 60"),
            "issuers[0].key_file_max_age_seconds: this needs `key_file`",
        ),
        (
            toml_with("", "key_file = '/a'"),
            "issuers.main.key_file: this does not apply to `secret_file`",
        ),
        (
            "[[issuers]]\naudience = 'a'\nprovider.auth0.domain = 'a.auth0.com'\nkey_file = '/a'"
                .into(),
            "issuers[0].key_file: this does not apply to `provider`",
        ),
        (
            "[[issuers]]\ndangerous_any_issuer = true\naudience = 'a'\ndiscover = true".into(),
            "issuers[0].dangerous_any_issuer: this contradicts `discover`",
        ),
        (
            toml_with("", "key_use = 'sig'"),
            "issuers.main.key_use: this does not apply to `secret_file`",
        ),
        (
            toml_with("", "refuse_private_addresses = true"),
            "issuers.main.refuse_private_addresses: this does not apply to `secret_file`",
        ),
        (
            toml_with("", "dangerous_allow_http_hosts = 'a'"),
            "issuers.main.dangerous_allow_http_hosts: this does not apply to `secret_file`",
        ),
        (with("secret_file", &word, ""), "issuers[0].secret_file: such a key needs `algorithms`"),
        (
            with("secret_file", &word, "algorithms = 'HS256'"),
            "issuers[0].secret_file: an HS256 secret needs at least 32 bytes, this one has 7",
        ),
        (with("secret_file", &empty, "algorithms = 'HS256'"), "issuers[0].secret_file: "),
        (
            with("secret_file", missing, "algorithms = 'HS256'"),
            "issuers[0].secret_file: the file cannot be read",
        ),
        (
            fetched(&format!(
                "secret_file = ['{}', '']\nalgorithms = 'HS256'",
                crate::config::secret_file().display()
            )),
            "issuers[0].secret_file[1]: the file cannot be read",
        ),
        (
            with("base64_secret_file", &word, "algorithms = 'HS256'"),
            "issuers[0].base64_secret_file: ",
        ),
        (with("public_key_file", &word, "algorithms = 'RS256'"), "issuers[0].public_key_file: "),
        (with("public_key_file", &word, "algorithms = 'HS256'"), "issuers[0].public_key_file: "),
        (with("jwks_file", &no_set, ""), "issuers[0].jwks_file: "),
        (
            with("jwks_file", missing, ""),
            "issuers[0].jwks_file: the file /nowhere/secret cannot be read",
        ),
        (with("jwks_file", &no_set, "key_use = 'enc'"), "issuers[0].key_use: "),
    ]);
}

#[test]
fn rule_that_cannot_be_used_is_an_error_at_its_place() {
    assert_errors(&[
        (
            toml_with("", "").replace("'HS256'", "[]"),
            "issuers.main.secret_file: such a key needs `algorithms`",
        ),
        (
            fetched("discover = true\nalgorithms = []"),
            "issuers[0].algorithms: no algorithm was given",
        ),
        (
            fetched("discover = true\nalgorithms = 'none'"),
            "issuers[0].algorithms[0]: unknown algorithm",
        ),
        (
            fetched("discover = true\nalgorithms = ['ES256', 'es384']"),
            "issuers[0].algorithms[1]: unknown algorithm",
        ),
        (toml_with("", "leeway_seconds = 301"), "issuers.main.leeway_seconds: the leeway must be"),
        (toml_with("", "max_age_seconds = 0"), "issuers.main.max_age_seconds: the maximum age"),
        (toml_with("", "max_token_length = 127"), "issuers.main.max_token_length: "),
        (toml_with("", "max_header_length = 16385"), "issuers.main.max_header_length: "),
        (
            toml_with("", "required_claims = ['sub', '']"),
            "issuers.main.required_claims[1]: the name",
        ),
        (toml_with("required_scopes = ''", ""), "required_scopes: no scope was given"),
        (toml_with("required_scopes = []", ""), "required_scopes: no scope was given"),
        (toml_with("required_scopes = ['a\"b']", ""), "required_scopes: "),
        (toml_with("required_scopes = 'offline_access'", ""), "required_scopes: "),
        (toml_with("scope_hierarchy = { 'a b' = 'c' }", ""), "scope_hierarchy.a b: "),
        (toml_with("scope_hierarchy = { 'a' = [] }", ""), "scope_hierarchy.a: "),
        (
            toml_with("scope_hierarchy = { 'a' = 'b', 'c' = ['d', 'e\"'] }", ""),
            "scope_hierarchy.c: ",
        ),
        (toml_with("token_cache = { capacity = 0 }", ""), "token_cache.capacity: "),
        (
            toml_with("token_cache = { capacity = 1, max_token_length = 1 }", ""),
            "token_cache.max_token_length: ",
        ),
    ]);
}

#[test]
fn key_set_without_a_usable_key_is_an_error_with_the_reasons() {
    let secret = |byte| json!({ "kty": "oct", "kid": "a", "alg": "HS256", "k": b64([byte; 32]) });
    let ambiguous = file("ambiguous.json", json!({ "keys": [secret(7), secret(8)] }).to_string());
    let toml = fetched(&format!("jwks_file = '{}'", ambiguous.display()));
    assert_errors(&[(
        toml.clone(),
        "issuers[0].jwks_file: no key of the JWK set can be used: key 0 (kid \"a\"): ",
    )]);
    assert!(error_of(&toml).to_string().contains("; key 1 (kid \"a\"): "));
}

#[test]
fn provider_that_cannot_be_used_is_an_error_at_its_place() {
    assert_errors(&[
        (
            provided("provider = {}"),
            "issuers[0].provider: the provider is missing: give one of `auth0`, ",
        ),
        (
            provided(
                "audience = 'a'\nprovider.google_id_tokens = true\nprovider.firebase.project = 'acme-app'",
            ),
            "issuers[0].provider: `google_id_tokens` and `firebase` contradict each other",
        ),
        (
            provided("audience = 'a'\nprovider.auth0.domain = 'https://tenant.eu.auth0.com'"),
            "issuers[0].provider.auth0: give the domain without a scheme",
        ),
        (
            provided(
                "audience = 'account'\nprovider.keycloak = { base = 'https://sso.example', realm = 'shop' }",
            ),
            "issuers[0].audience: the tokens of nearly every client",
        ),
        (
            provided("provider.auth0.domain = 'tenant.eu.auth0.com'"),
            "issuers[0]: the audience is missing",
        ),
        (
            provided("audience = 'a'\nprovider.firebase.project = 'acme-app'"),
            "issuers[0].audience: the audience of tokens of Firebase is the project",
        ),
        (
            provided("audience = 'a'\nprovider.cognito.user_pool = 'eu-west-1_AbCdEfGhI'"),
            "issuers[0].audience: tokens of Cognito have no audience: give `cognito_clients`",
        ),
        (
            provided("cognito_clients = 'a-b'\nprovider.cognito.user_pool = 'eu-west-1_AbCdEfGhI'"),
            "issuers[0].cognito_clients: ",
        ),
        (
            fetched("provider.auth0.domain = 'tenant.eu.auth0.com'"),
            "issuers[0].issuer: this contradicts `provider`",
        ),
        (
            provided(
                "audience = 'a'\nprovider.auth0.domain = 'tenant.eu.auth0.com'\ndiscover = true",
            ),
            "issuers[0].discover: this contradicts `provider`",
        ),
        (
            provided(
                "audience = 'a'\nprovider.auth0.domain = 'tenant.eu.auth0.com'\njwks_url = 'http://a.example'",
            ),
            "issuers[0].jwks_url: ",
        ),
        (
            provided(
                "audience = 'a'\nprovider.auth0.domain = 'tenant.eu.auth0.com'\njwks_url = 'https://a.example'\n\
                 fetch_base = 'https://a.example'",
            ),
            "issuers[0]: `fetch_base` and `jwks_url` contradict each other",
        ),
    ]);
}

#[test]
fn setting_of_the_layer_that_cannot_be_used_is_an_error_at_its_place() {
    let cookie = |cookie: &str| toml_with(&format!("sources.cookies = [{cookie}]"), "");
    let resource = |more: &str| {
        toml_with(&format!("[resource_metadata]\nresource = 'https://api.example'\n{more}"), "")
    };
    assert_errors(&[
        (toml_with("realm = ''", ""), "realm: "),
        (toml_with("realm = \"a\\nb\"", ""), "realm: "),
        (toml_with("scope_in_challenge = 'offline_access'", ""), "scope_in_challenge: "),
        (toml_with("grpc_error_info = ''", ""), "grpc_error_info: "),
        (
            toml_with("grpc_web = true\nwithout_grpc = true", ""),
            "without_grpc: `grpc_web` and `without_grpc` contradict each other",
        ),
        (toml_with("sources = { authorization_header = false }", ""), "sources: "),
        (toml_with("sources = { headers = 'cookie' }", ""), "sources.headers[0]: "),
        (toml_with("sources = { headers = ['x-token', 'x-token'] }", ""), "sources: "),
        (
            toml_with("sources = { websocket_protocol_prefixes = ['a', ''] }", ""),
            "sources.websocket_protocol_prefixes[1]: ",
        ),
        (toml_with("sources = { dangerous_query = 'a b' }", ""), "sources.dangerous_query[0]: "),
        (cookie("{ name = '__Host-token', origins = [] }"), "sources.cookies[0]: "),
        (cookie("{ name = '__Host-token', origins = 'app.example' }"), "sources.cookies[0]: "),
        (cookie("{ name = 'a b', origins = 'https://app.example' }"), "sources.cookies[0]: "),
        (
            toml_with("[sources.cookies.page]\nname = ''\norigins = 'https://app.example'", ""),
            "sources.cookies.page: ",
        ),
        (resource("").replace("https://", "http://"), "resource_metadata.resource: "),
        (toml_with("resource_metadata = {}", ""), "resource_metadata.resource: "),
        (resource("authorization_servers = []"), "resource_metadata.authorization_servers: "),
        (resource("authorization_servers = 'https://other.example'"), "resource_metadata: "),
        (
            resource("more_authorization_servers = ['a']"),
            "resource_metadata.more_authorization_servers[0]: ",
        ),
        (resource("scopes = 'a offline_access'"), "resource_metadata.scopes: "),
        (resource("name = ''"), "resource_metadata.name: "),
        (resource("names = { 'a b' = 'c' }"), "resource_metadata.names.a b: "),
        (resource("documentation = 'a'"), "resource_metadata.documentation: "),
        (resource("policy = 'a'"), "resource_metadata.policy: "),
        (resource("terms_of_service = 'a'"), "resource_metadata.terms_of_service: "),
        (resource("response_jwks_url = 'a'"), "resource_metadata.response_jwks_url: "),
        (resource("response_algorithms = ['none']"), "resource_metadata.response_algorithms[0]: "),
    ]);
}

#[test]
fn kind_of_an_error_is_that_of_the_setter() {
    for (toml, kind) in [
        (toml_with("", "leeway_seconds = 301"), ConfigErrorKind::Duration),
        (toml_with("realm = ''", ""), ConfigErrorKind::Challenge),
        (fetched("jwks_url = 'jwks'"), ConfigErrorKind::Url),
        (fetched(""), ConfigErrorKind::Member),
    ] {
        assert_eq!(error_of(&toml).kind(), kind);
    }
    let missing = fetched("secret_file = '/nowhere/secret'\nalgorithms = 'HS256'");
    assert!(error_of(&missing).source().is_some());
}
