//! Members that the deserialization refuses, and the places that its errors name.

use std::error::Error;

use tower_jwt_auth::{ConfigErrorKind, LayerConfig};

use crate::config::members::members;

#[test]
fn unknown_member_and_wrong_type_are_errors_at_their_place() {
    let rows = [
        ("jwks = 'a'", "jwks", "unknown field `jwks`, expected one of `issuers`, "),
        ("issuers = 'a'", "issuers", "expected a list, or a table whose keys name the entries"),
        (
            "[[issuers]]\n[[issuers]]\njwk_url = 'a'",
            "issuers[1].jwk_url",
            "unknown field `jwk_url`",
        ),
        ("[issuers.main]\njwk_url = 'a'", "issuers.main.jwk_url", "unknown field `jwk_url`"),
        ("[[issuers]]\nany_audience = true", "issuers[0].any_audience", "unknown field"),
        (
            "[[issuers]]\naudience = 7",
            "issuers[0].audience",
            "expected text (a number in quotes), or a list of text",
        ),
        ("[[issuers]]\naudience = ['a', 7]", "issuers[0].audience[1]", "expected a string"),
        (
            "[[issuers]]\nleeway_seconds = -1",
            "issuers[0].leeway_seconds",
            "expected a whole number that is not negative",
        ),
        (
            "[[issuers]]\nleeway_seconds = 1.5",
            "issuers[0].leeway_seconds",
            "expected a whole number",
        ),
        (
            "[[issuers]]\nleeway_seconds = '+1'",
            "issuers[0].leeway_seconds",
            "expected a whole number",
        ),
        (
            "[[issuers]]\nleeway_seconds = '30s'",
            "issuers[0].leeway_seconds",
            "expected a whole number",
        ),
        (
            "[[issuers]]\nleeway_seconds = ''",
            "issuers[0].leeway_seconds",
            "expected a whole number",
        ),
        ("[[issuers]]\ndiscover = 'yes'", "issuers[0].discover", "expected true or false"),
        ("[[issuers]]\ndiscover = 1", "issuers[0].discover", "expected true or false"),
        ("[[issuers]]\n[issuers.provider.auth1]", "issuers[0].provider.auth1", "unknown field"),
        (
            "[[issuers]]\n[issuers.provider.keycloak]\nbase = 'a'",
            "issuers[0].provider.keycloak",
            "missing field `realm`",
        ),
        (
            "[[issuers]]\n[issuers.provider.okta]\nserver = 'a'",
            "issuers[0].provider.okta.server",
            "unknown field",
        ),
        ("[sources]\ncookie = 'a'", "sources.cookie", "unknown field"),
        ("[[sources.cookies]]\nname = 'a'", "sources.cookies[0]", "missing field `origins`"),
        (
            "[[sources.cookies]]\nname = 'a'\norigin = 'b'",
            "sources.cookies[0].origin",
            "unknown field",
        ),
        ("[token_cache]", "token_cache", "missing field `capacity`"),
        ("[one_time_tokens]", "one_time_tokens", "missing field `capacity`"),
        ("one_time_tokens = true", "one_time_tokens", "expected a table"),
        ("[dpop]\npublic_url = 'a'", "dpop.public_url", "unknown field"),
        ("[dpop]\nrequired = 'yes'", "dpop.required", "expected true or false"),
        (
            "[[issuers]]\n[issuers.introspection]\nclient_id = 'a'",
            "issuers[0].introspection",
            "missing field `url`",
        ),
        (
            "[[issuers]]\n[issuers.introspection]\ncache_age = 1",
            "issuers[0].introspection.cache_age",
            "unknown field",
        ),
        (
            "[[issuers]]\n[[issuers]]\n[issuers.provider.github_actions]\nrepository = 'a'",
            "issuers[1].provider.github_actions.repository",
            "unknown field `repository`, expected one of `repositories`",
        ),
        (
            "[[issuers]]\n[issuers.provider.github_actions]\nrepository_ids = [74]",
            "issuers[0].provider.github_actions.repository_ids[0]",
            "expected a string",
        ),
        (
            "[[issuers]]\n[issuers.provider.gitlab_ci]\nprojects = 'a'",
            "issuers[0].provider.gitlab_ci",
            "missing field `instance`",
        ),
        (
            "[[issuers]]\n[issuers.provider.spiffe]\nbundle = 'a'",
            "issuers[0].provider.spiffe.bundle",
            "unknown field",
        ),
        ("token_cache = 100", "token_cache", "invalid type"),
        ("[resource_metadata]\nurl = 'a'", "resource_metadata.url", "unknown field"),
    ];
    for (toml, place, fault) in rows {
        let error =
            LayerConfig::from_deserializer(toml::Deserializer::parse(toml).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Member);
        assert_eq!(error.to_string(), format!("{place}: this is not a valid configuration"));
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(fault), "{cause}\nwithout\n{fault}");
    }
    let error = LayerConfig::from_deserializer(&mut serde_json::Deserializer::from_str("[]"));
    assert_eq!(error.unwrap_err().to_string(), "this is not a valid configuration");
}

#[test]
fn scopes_that_include_others_are_texts_with_whole_names() {
    let expected = "expected text, or a list of text (a name with a dot needs quotation marks)";
    for (toml, place) in [
        // A dot outside of quotation marks makes a table.
        ("[scope_hierarchy]\norders.admin = 'orders.write'", "scope_hierarchy.orders"),
        ("scope_hierarchy.orders.admin = 'orders.write'", "scope_hierarchy.orders"),
        ("[scope_hierarchy]\na = { 0 = 'b' }", "scope_hierarchy.a"),
        ("[scope_hierarchy]\na = [['b']]", "scope_hierarchy.a[0]"),
        ("[scope_hierarchy]\na = 7", "scope_hierarchy.a"),
        ("[scope_hierarchy]\na = 2026-01-01", "scope_hierarchy.a"),
        ("scope_hierarchy = ['a']", "scope_hierarchy"),
        ("scope_hierarchy = [['a', 'b']]", "scope_hierarchy"),
        ("scope_hierarchy = 'a'", "scope_hierarchy"),
    ] {
        let parsed = toml::Deserializer::parse(toml).unwrap();
        let error = LayerConfig::from_deserializer(parsed).unwrap_err();
        assert_eq!(error.to_string(), format!("{place}: this is not a valid configuration"));
        let cause = error.source().unwrap().to_string();
        let is_entry = place != "scope_hierarchy" && !place.ends_with(']');
        assert!(cause.contains(expected) || !is_entry, "{cause}");
    }
    let whole = "[scope_hierarchy]\n'orders.admin' = ['orders.write', 'x y']\n\"a\" = 'b'";
    assert!(toml::from_str::<LayerConfig>(whole).is_ok());
}

#[test]
fn date_is_not_a_list_of_text() {
    for member in ["audience", "issuer", "required_claims"] {
        let toml = format!("[[issuers]]\n{member} = 2026-01-01");
        let error = toml::from_str::<LayerConfig>(&toml).unwrap_err().to_string();
        assert!(error.contains("expected text (a number in quotes)"), "{error}");
    }
}

#[test]
fn members_have_no_positions() {
    for json in
        ["[]", r#"{"issuers": [["https://issuer.example", true]]}"#, r#"{"sources": [true]}"#]
    {
        let error = serde_json::from_str::<LayerConfig>(json).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence, expected a table"), "{error}");
    }
}

#[test]
fn member_that_is_given_twice_is_an_error() {
    for json in [
        r#"{"optional": true, "optional": false}"#,
        r#"{"issuers": {"a": {}, "a": {}}}"#,
        r#"{"scope_hierarchy": {"a": "b", "a": "c"}}"#,
        r#"{"issuers": [{"dangerous_any_issuer": false, "dangerous_any_issuer": true}]}"#,
    ] {
        let error = serde_json::from_str::<LayerConfig>(json).unwrap_err().to_string();
        assert!(error.contains("duplicate"), "{error}");
    }
}

#[test]
fn member_without_a_value_is_an_error() {
    let tables = [
        ("", "{M}"),
        ("issuers", r#"{"issuers": [{M}]}"#),
        ("sources", r#"{"sources": {M}}"#),
        ("token_cache", r#"{"token_cache": {M}}"#),
        ("resource_metadata", r#"{"resource_metadata": {M}}"#),
        ("dpop", r#"{"dpop": {M}}"#),
        ("one_time_tokens", r#"{"one_time_tokens": {M}}"#),
        ("issuers.introspection", r#"{"issuers": [{"introspection": {M}}]}"#),
        ("issuers.provider", r#"{"issuers": [{"provider": {M}}]}"#),
        ("issuers.provider.spiffe", r#"{"issuers": [{"provider": {"spiffe": {M}}}]}"#),
        (
            "issuers.provider.github_actions",
            r#"{"issuers": [{"provider": {"github_actions": {M}}}]}"#,
        ),
        ("issuers.provider.gitlab_ci", r#"{"issuers": [{"provider": {"gitlab_ci": {M}}}]}"#),
        ("sources.cookies", r#"{"sources": {"cookies": [{M}]}}"#),
    ];
    let mut count = 0;
    // These are an error with each value.
    let secrets = ["dpop.nonce_key", "issuers.introspection.client_secret", "issuers.secret"];
    for member in members().iter().filter(|member| !secrets.contains(&member.as_str())) {
        let (table, name) = member.rsplit_once('.').unwrap_or(("", member));
        let form = tables.iter().find(|(name, _)| *name == table);
        let (_, form) = form.unwrap_or_else(|| panic!("list the table {table} above"));
        let json = form.replace("{M}", &format!(r#"{{"{name}": null}}"#));
        let error = serde_json::from_str::<LayerConfig>(&json).unwrap_err().to_string();
        assert!(error.contains("invalid type: null"), "{json}: {error}");
        count += 1;
    }
    assert!(count > 110, "{count} members");
    // In YAML a name without a value is null.
    for yaml in [
        "required_scopes:\nrealm: a\n",
        "scope_hierarchy:\nrealm: a\n",
        "sources:\nrealm: a\n",
        "token_cache:\nrealm: a\n",
        "scope_hierarchy:\n  a:\nrealm: a\n",
        "sources:\n  cookies:\nrealm: a\n",
        "issuers:\n  main:\n    provider:\n      auth0:\n",
    ] {
        let error = serde_norway::from_str::<LayerConfig>(yaml).unwrap_err();
        assert!(error.to_string().contains("invalid type: unit value"), "{yaml}: {error}");
    }
}
