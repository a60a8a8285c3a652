//! Members that contradict each other or the application, and what no error shows.

use std::error::Error;

use tower_jwt_auth::{JwtAuthLayer, LayerConfig, RegisteredClaims};

use crate::config::errors::{assert_errors, fetched, provided};
use crate::config::{config, error_of, file, layer, toml_with};
use crate::support::AUDIENCE;

#[test]
fn type_of_token_that_cannot_be_used_is_an_error_at_its_place() {
    assert_errors(&[
        (
            toml_with("", "token_types = ['txntoken+jwt', 'dpop+jwt']"),
            "issuers.main.token_types[1]: a JWT of the type `dpop+jwt` is never",
        ),
        (
            toml_with("", "token_types = 'at+jwt'"),
            "issuers.main.token_types[0]: `at+jwt` is the type",
        ),
        (toml_with("", "token_types = []"), "issuers.main.token_types: no type is given"),
        (
            toml_with("", "token_types = 'txntoken+jwt'\nrequire_rfc9068 = true"),
            "issuers.main.token_types: this contradicts `require_rfc9068`",
        ),
    ]);
}

#[test]
fn rule_for_the_audience_is_an_error_beside_a_member_in_its_place() {
    let with = |audience: &str, rule: &str| {
        toml_with("", rule).replace(&format!("audience = '{AUDIENCE}'"), audience)
    };
    for member in ["clients", "authorized_parties", "cognito_clients"] {
        let audience = format!("{member} = 'a'");
        assert_errors(&[
            (
                with(&audience, "exclusive_audience = true"),
                &format!("issuers.main.exclusive_audience: this does not apply to `{member}`"),
            ),
            (
                with(&audience, "require_rfc9068 = true"),
                &format!("issuers.main.require_rfc9068: this contradicts `{member}`"),
            ),
        ]);
    }
    assert_errors(&[
        (
            with("dangerous_any_audience = true", "exclusive_audience = true"),
            "issuers.main.exclusive_audience: this does not apply to `dangerous_any_audience`",
        ),
        (
            provided(
                "cognito_clients = 'a'\nrequire_rfc9068 = true\n\
                 provider.cognito.user_pool = 'eu-west-1_AbCdEfGhI'",
            ),
            "issuers[0].require_rfc9068: this contradicts `cognito_clients`",
        ),
    ]);
    layer(&with("dangerous_any_audience = true", "require_rfc9068 = true"));
}

#[test]
fn optional_token_is_an_error_unless_the_application_allows_it() {
    assert_errors(&[
        (
            toml_with("optional = true", ""),
            "optional: the application does not allow requests without a token",
        ),
        (
            toml_with("optional = true\nrequired_scopes = 'a'", ""),
            "optional: this contradicts `required_scopes`",
        ),
    ]);
    let both = config(&toml_with("optional = true\nrequired_scopes = 'a'", "")).allow_optional();
    let error = JwtAuthLayer::<RegisteredClaims>::from_config(&both).unwrap_err().to_string();
    assert!(error.starts_with("optional: this contradicts `required_scopes`"), "{error}");
    // The data cannot allow itself.
    for name in ["allow_optional", "is_optional_allowed"] {
        assert!(toml::from_str::<LayerConfig>(&format!("{name} = true")).is_err());
    }
}

#[test]
fn no_error_contains_a_secret() {
    let secret = file("short-secret", "correct horse battery");
    let toml = fetched(&format!("secret_file = '{}'\nalgorithms = 'HS256'", secret.display()));
    for toml in [toml, fetched("secret = 'correct horse battery'")] {
        let error = error_of(&toml);
        assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");
    }
    let introspection =
        "[issuers.introspection]\nurl = 'https://issuer.example'\nclient_id = 'a'\n";
    for toml in [
        toml_with(
            "dpop = { public_urls = 'https://a.example', nonce_key = 'correct horse battery' }",
            "",
        ),
        toml_with(
            "dpop = { public_urls = 'https://a.example', require_nonce = true, nonce_key_file = 'correct horse battery' }",
            "",
        ),
        fetched(&format!("{introspection}client_secret = 'correct horse battery'")),
        fetched(&format!(
            "{introspection}client_secret_file = 'a'\nclient_authentication = 'correct horse battery'"
        )),
        fetched(&format!("{introspection}client_secret_file = 'correct horse battery'")),
    ] {
        let error = error_of(&toml);
        assert!(!format!("{error} {error:?}").contains("horse"), "{error:?}");
    }
    // By mistake a secret is where its file belongs.
    for member in ["secret_file", "base64_secret_file"] {
        let error = error_of(&fetched(&format!(
            "{member} = 'correct horse battery'\nalgorithms = 'HS256'"
        )));
        let causes = format!("{error} {error:?} {}", error.source().unwrap());
        assert!(!causes.contains("horse"), "{causes}");
    }
    // Neither the text of the format nor a value of it is in the error.
    for toml in [
        "realm = 'correct horse battery'\n[[issuers]]\nleeway_seconds = -1",
        "client_secret = 'correct horse battery'",
        "token_cache = 'correct horse battery'",
        "token_cache = 'a, expected horse battery'",
        "[[issuers]]\nleeway_seconds = 'correct horse battery'",
        "[[issuers]]\ndiscover = 'correct horse battery'",
        "[[issuers]]\nprovider.auth0 = 'correct horse battery'",
    ] {
        let json = serde_json::to_string(&toml::from_str::<toml::Value>(toml).unwrap()).unwrap();
        let mut json = serde_json::Deserializer::from_str(&json);
        for error in [
            LayerConfig::from_deserializer(toml::Deserializer::parse(toml).unwrap()).unwrap_err(),
            LayerConfig::from_deserializer(&mut json).unwrap_err(),
        ] {
            let causes = format!("{error} {error:?} {}", error.source().unwrap());
            assert!(!causes.contains("horse"), "{causes}");
        }
    }
}
