//! The same configuration from TOML, YAML, JSON and environment variables.

use std::collections::HashMap;

use config::{Config, Environment, File, FileFormat};
use serde::Deserialize;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, LayerConfig, RegisteredClaims, VerifyToken};

use crate::config::{config as from_toml, file, secret_file, token, toml_with};
use crate::support::requests::{bearer, send};
use crate::support::{AUDIENCE, ISSUER};

/// Environment variables over a file in TOML, as an application reads both.
fn merged(toml: &str, variables: &[(&str, &str)]) -> Result<LayerConfig, config::ConfigError> {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let environment = Environment::with_prefix("JWT").prefix_separator("_").separator("__");
    Config::builder()
        .add_source(File::from_str(toml, FileFormat::Toml))
        .add_source(environment.source(Some(variables)))
        .build()?
        .try_deserialize()
}

/// What the layer accepts and how it answers.
#[track_caller]
fn described(config: &LayerConfig) -> String {
    let layer: JwtAuthLayer = JwtAuthLayer::from_config(config).unwrap();
    let refused = send(&layer, http::Request::new(()));
    let accepted = send(&layer, bearer(&token(Algorithm::HS256, "orders:read orders:write")));
    let metadata = layer.resource_metadata_layer().unwrap().document().unwrap();
    let metadata = String::from_utf8(metadata.to_vec()).unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    format!("{}; {challenge}; {}; {metadata}", layer.describe(), accepted.status())
}

fn toml() -> String {
    format!(
        "
        required_scopes = ['orders:read', 'orders:write']
        realm = 'orders'
        token_cache = {{ capacity = 100 }}
        [sources]
        headers = ['x-token']
        websocket_protocol = true
        cookies = [{{ name = '__Host-token', origins = ['https://app.example'] }}]
        [issuers.main]
        issuer = '{ISSUER}'
        audience = ['{AUDIENCE}', 'orders']
        secret_file = '{}'
        algorithms = ['HS256']
        leeway_seconds = 10
        allow_at_hash = true
        dangerous_ignore_confirmation = true
        [issuers.other]
        issuer = 'https://other.example'
        audience = 'orders'
        jwks_url = 'https://other.example/jwks'
        [resource_metadata]
        resource = 'https://api.example'
        name = 'Orders'
        ",
        secret_file().display()
    )
}

fn json() -> String {
    let value: toml::Value = toml::from_str(&toml()).unwrap();
    serde_json::to_string(&value).unwrap()
}

#[test]
fn every_format_has_the_same_members() {
    let expected = described(&from_toml(&toml()));
    assert!(expected.contains("204 No Content"), "{expected}");
    assert!(expected.contains("dangerous_ignore_confirmation"), "{expected}");

    let json = json();
    assert_eq!(described(&serde_json::from_str(&json).unwrap()), expected);
    // JSON is a part of YAML. Then in the form that people write.
    assert_eq!(described(&serde_norway::from_str(&json).unwrap()), expected);
    let yaml = serde_norway::to_string(&serde_json::from_str::<serde_json::Value>(&json).unwrap());
    let yaml = yaml.unwrap();
    assert!(yaml.contains("\n  main:\n"), "{yaml}");
    assert_eq!(described(&serde_norway::from_str(&yaml).unwrap()), expected);

    for (text, format) in [(&toml(), FileFormat::Toml), (&yaml, FileFormat::Yaml)] {
        let config = Config::builder().add_source(File::from_str(text, format)).build().unwrap();
        assert_eq!(described(&config.try_deserialize().unwrap()), expected);
    }
}

#[test]
fn environment_alone_is_enough() {
    let secret = secret_file();
    let config = merged(
        "",
        &[
            ("JWT_ISSUERS__MAIN__ISSUER", ISSUER),
            ("JWT_ISSUERS__MAIN__AUDIENCE__0", AUDIENCE),
            ("JWT_ISSUERS__MAIN__AUDIENCE__1", "orders"),
            ("JWT_ISSUERS__MAIN__SECRET_FILE", secret.to_str().unwrap()),
            ("JWT_ISSUERS__MAIN__ALGORITHMS", "HS256"),
            ("JWT_ISSUERS__MAIN__LEEWAY_SECONDS", "10"),
            ("JWT_ISSUERS__MAIN__ALLOW_AT_HASH", "true"),
            ("JWT_ISSUERS__MAIN__DANGEROUS_IGNORE_CONFIRMATION", "true"),
            ("JWT_ISSUERS__OTHER__ISSUER", "https://other.example"),
            ("JWT_ISSUERS__OTHER__AUDIENCE", "orders"),
            ("JWT_ISSUERS__OTHER__JWKS_URL", "https://other.example/jwks"),
            ("JWT_REQUIRED_SCOPES", "orders:read orders:write"),
            ("JWT_REALM", "orders"),
            ("JWT_TOKEN_CACHE__CAPACITY", "100"),
            ("JWT_SOURCES__HEADERS", "x-token"),
            ("JWT_SOURCES__WEBSOCKET_PROTOCOL", "true"),
            ("JWT_SOURCES__COOKIES__0__NAME", "__Host-token"),
            ("JWT_SOURCES__COOKIES__0__ORIGINS", "https://app.example"),
            ("JWT_RESOURCE_METADATA__RESOURCE", "https://api.example"),
            ("JWT_RESOURCE_METADATA__NAME", "Orders"),
        ],
    );
    assert_eq!(described(&config.unwrap()), described(&from_toml(&toml())));
}

#[test]
fn variable_replaces_one_member_of_the_file() {
    let toml = toml();
    let config = merged(
        &toml,
        &[
            ("JWT_REALM", "shop"),
            ("JWT_ISSUERS__MAIN__LEEWAY_SECONDS", "20"),
            ("JWT_ISSUERS__MAIN__DANGEROUS_IGNORE_CONFIRMATION", "false"),
        ],
    );
    let changed = toml
        .replace("realm = 'orders'", "realm = 'shop'")
        .replace("leeway_seconds = 10", "leeway_seconds = 20")
        .replace("dangerous_ignore_confirmation = true", "");
    assert_eq!(described(&config.unwrap()), described(&from_toml(&changed)));
}

#[test]
fn variable_replaces_a_whole_list_and_one_entry_of_a_table() {
    let list = "required_scopes = ['orders:read', 'orders:write']";
    let table = "required_scopes = { 0 = 'orders:read', 1 = 'orders:write' }";
    for (scopes, variable, expected) in [
        (list, "JWT_REQUIRED_SCOPES", "x"),
        (list, "JWT_REQUIRED_SCOPES__0", "x"),
        (list, "JWT_REQUIRED_SCOPES__2", "x"),
        (table, "JWT_REQUIRED_SCOPES", "x"),
        (table, "JWT_REQUIRED_SCOPES__0", "x orders:write"),
        (table, "JWT_REQUIRED_SCOPES__2", "orders:read orders:write x"),
    ] {
        let config = merged(&toml_with(scopes, ""), &[(variable, "x")]).unwrap();
        let layer: JwtAuthLayer = JwtAuthLayer::from_config(&config).unwrap();
        let challenge = send(&layer, http::Request::new(())).headers()["www-authenticate"].clone();
        let challenge = challenge.to_str().unwrap();
        assert!(challenge.ends_with(&format!("scope=\"{expected}\"")), "{variable}: {challenge}");
    }
}

#[test]
fn issuers_can_be_numbered_in_the_environment() {
    let secret = secret_file();
    let secret = secret.to_str().unwrap();
    let mut variables = Vec::new();
    for number in [10, 9] {
        for (name, value) in [
            ("ISSUER", ISSUER),
            ("AUDIENCE", "a"),
            ("SECRET_FILE", secret),
            ("ALGORITHMS", "HS256"),
        ] {
            let value =
                if name == "ISSUER" { format!("{value}/{number}") } else { value.to_owned() };
            variables.push((format!("JWT_ISSUERS__{number}__{name}"), value));
        }
    }
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let config = merged("", &variables).unwrap();
    let verifier = config.verifier::<RegisteredClaims>().unwrap();
    // In the order of the numbers.
    let accepted = verifier.accepted_tokens();
    assert_eq!(
        accepted.authorization_servers(),
        ["https://issuer.example/9", "https://issuer.example/10"]
    );

    let mut wrong = variables.clone();
    wrong.push(("JWT_ISSUERS__10__LEEWAY_SECONDS", "301"));
    let error = JwtAuthLayer::<RegisteredClaims>::from_config(&merged("", &wrong).unwrap());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("issuers.10.leeway_seconds: "), "{error}");
}

#[test]
fn wrong_variable_is_an_error_that_names_it() {
    for (variable, value, expected) in [
        ("JWT_ISSUERS__MAIN__JWK_URL", "a", "jwk_url"),
        ("JWT_ISSUERS__MAIN__LEEWAY_SECONDS", "ten", "issuers.main.leeway_seconds"),
        ("JWT_ISSUERS__MAIN__DISCOVER", "yes", "issuers.main.discover"),
        ("JWT_OPTIONAL", "", "optional"),
    ] {
        let error = merged(&toml(), &[(variable, value)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// Proofs, one-time tokens, an issuer that is asked, and jobs of a CI service.
fn more() -> String {
    let (secret, nonce) = (secret_file(), file("nonce-1", [1; 32]));
    let client = file("client-secret", "s3cret\n");
    let opaque = format!(
        "url = 'https://opaque.example/introspect'\nclient_id = 'orders'\nclient_secret_file = '{}'\n\
         cache_age_seconds = 10",
        client.display()
    );
    format!(
        "
        dpop = {{ public_urls = ['https://api.example'], require_nonce = true, nonce_key_file = '{}' }}
        one_time_tokens = {{ capacity = 100 }}
        [issuers.main]
        issuer = '{ISSUER}'
        audience = '{AUDIENCE}'
        secret_file = '{}'
        algorithms = 'HS256'
        [issuers.opaque]
        issuer = 'https://opaque.example'
        audience = 'orders'
        [issuers.opaque.introspection]
        {opaque}
        [issuers.deploy]
        audience = 'deploy'
        [issuers.deploy.provider.github_actions]
        repository_ids = ['74', '75']
        ",
        nonce.display(),
        secret.display()
    )
}

#[test]
fn proofs_introspection_and_workloads_can_come_from_every_format() {
    let summary = |config: &LayerConfig| {
        let layer: JwtAuthLayer = JwtAuthLayer::from_config(config).unwrap();
        layer.describe().to_string()
    };
    let expected = summary(&from_toml(&more()));
    for part in ["bound by DPoP", "opaque.example/introspect as orders", "githubusercontent"] {
        assert!(expected.contains(part), "{expected}");
    }
    let value: serde_json::Value = toml::from_str(&more()).unwrap();
    let yaml = serde_norway::to_string(&value).unwrap();
    assert_eq!(summary(&serde_norway::from_str(&yaml).unwrap()), expected);

    let (secret, nonce) = (secret_file(), file("nonce-1", [1; 32]));
    let client = file("client-secret", "s3cret\n");
    let variables = [
        ("JWT_DPOP__PUBLIC_URLS", "https://api.example"),
        ("JWT_DPOP__REQUIRE_NONCE", "true"),
        ("JWT_DPOP__NONCE_KEY_FILE", nonce.to_str().unwrap()),
        ("JWT_ONE_TIME_TOKENS__CAPACITY", "100"),
        ("JWT_ISSUERS__MAIN__ISSUER", ISSUER),
        ("JWT_ISSUERS__MAIN__AUDIENCE", AUDIENCE),
        ("JWT_ISSUERS__MAIN__SECRET_FILE", secret.to_str().unwrap()),
        ("JWT_ISSUERS__MAIN__ALGORITHMS", "HS256"),
        ("JWT_ISSUERS__OPAQUE__ISSUER", "https://opaque.example"),
        ("JWT_ISSUERS__OPAQUE__AUDIENCE", "orders"),
        ("JWT_ISSUERS__OPAQUE__INTROSPECTION__URL", "https://opaque.example/introspect"),
        ("JWT_ISSUERS__OPAQUE__INTROSPECTION__CLIENT_ID", "orders"),
        ("JWT_ISSUERS__OPAQUE__INTROSPECTION__CLIENT_SECRET_FILE", client.to_str().unwrap()),
        ("JWT_ISSUERS__OPAQUE__INTROSPECTION__CACHE_AGE_SECONDS", "10"),
        ("JWT_ISSUERS__DEPLOY__AUDIENCE", "deploy"),
        ("JWT_ISSUERS__DEPLOY__PROVIDER__GITHUB_ACTIONS__REPOSITORY_IDS__0", "74"),
        ("JWT_ISSUERS__DEPLOY__PROVIDER__GITHUB_ACTIONS__REPOSITORY_IDS__1", "75"),
    ];
    assert_eq!(summary(&merged("", &variables).unwrap()), expected);
    let twice = [("JWT_ISSUERS__MAIN__INTROSPECTION__URL", "https://a.example")];
    let error = merged(&more(), &twice).unwrap_err().to_string();
    assert!(error.contains("client_id"), "{error}");
    let off = merged(&more(), &[("JWT_DPOP__REQUIRE_NONCE", "false")]).unwrap();
    let error = JwtAuthLayer::<RegisteredClaims>::from_config(&off).unwrap_err().to_string();
    assert!(error.starts_with("dpop.nonce_key_file: this has no effect"), "{error}");
}

#[test]
fn each_format_names_the_place_of_a_fault() {
    let faulty = toml().replace("leeway_seconds", "leway_seconds");
    let error = toml::from_str::<LayerConfig>(&faulty).unwrap_err();
    assert!(error.to_string().contains("leway_seconds = 10\n"), "{error}");

    let json = json().replace("leeway_seconds", "leway_seconds");
    let error = serde_json::from_str::<LayerConfig>(&json).unwrap_err();
    assert!(error.to_string().contains("column"), "{error}");
    let error = serde_norway::from_str::<LayerConfig>(&json).unwrap_err();
    assert!(error.to_string().contains("issuers.main"), "{error}");

    let place = "issuers.main.leway_seconds: this is not a valid configuration";
    let mut json_deserializer = serde_json::Deserializer::from_str(&json);
    let errors = [
        LayerConfig::from_deserializer(toml::Deserializer::parse(&faulty).unwrap()),
        LayerConfig::from_deserializer(&mut json_deserializer),
        LayerConfig::from_deserializer(serde_norway::Deserializer::from_str(&json)),
        LayerConfig::from_deserializer(
            Config::builder()
                .add_source(File::from_str(&faulty, FileFormat::Toml))
                .build()
                .unwrap(),
        ),
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().to_string(), place);
    }
}

#[test]
fn configuration_can_be_a_part_of_the_application_s() {
    #[derive(Deserialize)]
    struct Settings {
        listen: String,
        auth: LayerConfig,
    }

    let text = format!("listen = '[::]:80'\n[auth]\n{}", toml().replace('[', "[auth."))
        .replace("[auth.'", "['")
        .replace("[auth.{", "[{")
        .replace("'[auth.::", "'[::");
    let settings: Settings = toml::from_str(&text).unwrap();
    assert_eq!(settings.listen, "[::]:80");
    assert_eq!(described(&settings.auth), described(&from_toml(&toml())));

    let faulty = text.replace("leeway_seconds = 10", "leeway_seconds = 'ten'");
    let deserializer = toml::Deserializer::parse(&faulty).unwrap();
    let error = serde_path_to_error::deserialize::<_, Settings>(deserializer).err().unwrap();
    assert_eq!(error.path().to_string(), "auth.issuers.main.leeway_seconds");
}
