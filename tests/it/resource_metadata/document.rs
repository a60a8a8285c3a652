//! The document, and that it cannot differ from the configuration of the layer.

use std::sync::Arc;

use serde_json::json;
use tower_jwt_auth::{
    AcceptedTokens, Algorithm, ConfigErrorKind, ExpectedIssuer, IssuerSet, IssuerTemplate,
    JwtAuthLayer, JwtVerifier, PresentedToken, Rejection, ResourceMetadata, Rule, Scope,
    TokenKinds, dangerous_any_bearer, verify_fn,
};

use super::{RESOURCE, document, layer, metadata, of, servers, verifier};
use crate::support::requests::{bearer, send};
use crate::support::{AUDIENCE, ISSUER, key};

#[test]
fn document_of_a_verifier_has_these_bytes() {
    let document = layer().resource_metadata_layer().unwrap().document().unwrap();
    assert_eq!(
        std::str::from_utf8(&document).unwrap(),
        r#"{"resource":"https://api.example/mcp","authorization_servers":["https://issuer.example"],"bearer_methods_supported":["header"]}"#
    );
}

#[test]
fn document_of_an_optional_layer_is_the_same() {
    let bytes = |layer: JwtAuthLayer| layer.resource_metadata_layer().unwrap().document().unwrap();
    assert_eq!(bytes(layer().optional()), bytes(layer()));
    assert_eq!(bytes(layer().exempt(|_| true).without_grpc()), bytes(layer()));
}

#[test]
fn document_of_an_issuer_set_has_these_bytes_and_follows_its_changes() {
    let issuers = IssuerSet::new();
    issuers.add(of("https://b.example")).unwrap();
    issuers.add(of("https://a.example")).unwrap();
    let layer: JwtAuthLayer =
        JwtAuthLayer::new(issuers.clone()).with_resource_metadata(metadata()).unwrap();
    let served = layer.resource_metadata_layer().unwrap();
    assert_eq!(
        std::str::from_utf8(&served.document().unwrap()).unwrap(),
        r#"{"resource":"https://api.example/mcp","authorization_servers":["https://b.example","https://a.example"],"bearer_methods_supported":["header"]}"#
    );
    assert!(issuers.remove("https://a.example"));
    issuers.add(of("https://c.example")).unwrap();
    assert_eq!(
        document(&layer)["authorization_servers"],
        json!(["https://b.example", "https://c.example"])
    );
    // The layer that was made before, and each clone of the set, see the changes.
    assert!(issuers.clone().remove("https://b.example"));
    let bytes = served.document().unwrap();
    assert!(str::from_utf8(&bytes).unwrap().contains(r#":["https://c.example"],"#));
}

#[test]
fn every_member_has_its_place() {
    let metadata = metadata()
        .with_name("Orders")
        .unwrap()
        .add_name_in("de", "Aufträge")
        .unwrap()
        .add_name_in("pt-BR", "Pedidos")
        .unwrap()
        .add_name_in("DE", "Bestellungen")
        .unwrap()
        .with_documentation("http://docs.example/orders?v=1#start")
        .unwrap()
        .with_policy("https://api.example/policy")
        .unwrap()
        .with_terms_of_service("https://api.example/tos")
        .unwrap()
        .with_jwks_url("https://api.example/jwks.json")
        .unwrap()
        .with_response_algorithms([Algorithm::ES256, Algorithm::ES256, Algorithm::EdDSA])
        .add_authorization_server("https://second.example/tenant")
        .unwrap()
        .add_authorization_server(ISSUER)
        .unwrap()
        .add_scopes(Scope::from("orders:read orders:write orders:read"))
        .unwrap();
    let layer = JwtAuthLayer::new(verifier()).with_resource_metadata(metadata).unwrap();
    assert_eq!(
        document(&layer),
        json!({
            "resource": RESOURCE,
            "authorization_servers": [ISSUER, "https://second.example/tenant"],
            "jwks_uri": "https://api.example/jwks.json",
            "scopes_supported": ["orders:read", "orders:write"],
            "bearer_methods_supported": ["header"],
            "resource_signing_alg_values_supported": ["ES256", "EdDSA"],
            "resource_name": "Orders",
            "resource_name#DE": "Bestellungen",
            "resource_name#pt-BR": "Pedidos",
            "resource_documentation": "http://docs.example/orders?v=1#start",
            "resource_policy_uri": "https://api.example/policy",
            "resource_tos_uri": "https://api.example/tos",
        })
    );
}

#[test]
fn algorithms_of_tokens_are_not_those_of_responses() {
    let verifier = verifier().with_algorithms([Algorithm::HS256]).unwrap();
    let layer = JwtAuthLayer::new(verifier).with_resource_metadata(metadata()).unwrap();
    assert_eq!(document(&layer).get("resource_signing_alg_values_supported"), None);
    let layer = layer.with_resource_metadata(metadata().with_response_algorithms([])).unwrap();
    assert_eq!(document(&layer).get("resource_signing_alg_values_supported"), None);
    // `none` is not an algorithm.
    assert!(Algorithm::ALL.iter().all(|algorithm| algorithm.name() != "none"));
}

#[test]
fn order_of_the_setters_does_not_matter() {
    let rule: Rule = Rule::all_scopes(["mcp:read", "mcp:list"]).unwrap();
    let metadata = || metadata().add_scopes(Scope::from("mcp:write mcp:read")).unwrap();
    let new = || JwtAuthLayer::new(verifier());
    let layers = [
        new()
            .with_scope_in_challenge(rule.required_scope())
            .unwrap()
            .with_realm("mcp")
            .unwrap()
            .with_resource_metadata(metadata())
            .unwrap(),
        new()
            .with_resource_metadata(metadata())
            .unwrap()
            .with_realm("mcp")
            .unwrap()
            .with_scope_in_challenge(rule.required_scope())
            .unwrap(),
    ];
    for layer in layers {
        assert_eq!(
            document(&layer)["scopes_supported"],
            json!(["mcp:read", "mcp:list", "mcp:write"])
        );
        // The setters that make another type of layer keep the metadata.
        let layer = layer.with_rejection_response(tower_jwt_auth::ProblemJson::new());
        assert_eq!(document(&layer)["resource"], RESOURCE);
    }
}

#[test]
fn offline_access_is_never_a_scope_of_the_document() {
    let error = metadata().add_scopes(Scope::from("read offline_access")).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata);
    assert!(layer().with_scope_in_challenge(Scope::from("offline_access")).is_err());
    assert!(metadata().add_scopes(Scope::from("or\u{e9}e")).is_err());
    assert!(metadata().add_scopes(None).is_ok());
}

#[test]
fn decorators_forward_the_issuers_of_their_verifiers() {
    let checked = verifier().with_check(async |_, _| Ok::<(), Rejection>(()));
    assert_eq!(servers(&checked), [ISSUER]);
    assert_eq!(servers(&verifier().map_claims(|_| 1_u8)), [ISSUER]);
    assert_eq!(servers(&Arc::new(checked)), [ISSUER]);
    let kinds = TokenKinds::new()
        .add_prefix("sk_", verify_fn(|_: &PresentedToken| Err(Rejection::invalid_token())))
        .unwrap()
        .add_issuer("https://a.example", of("https://a.example"))
        .unwrap()
        .with_jwt(of(ISSUER))
        .with_otherwise(of("https://a.example"));
    assert_eq!(servers(&kinds), ["https://a.example", ISSUER]);
    assert_eq!(servers(&dangerous_any_bearer()), [""; 0]);
    let both = AcceptedTokens::new().add_authorization_server("a").add_authorization_server("a");
    assert_eq!(
        both.and(AcceptedTokens::new().add_authorization_server("b")).authorization_servers(),
        ["a", "b"]
    );
}

#[test]
fn other_names_of_an_issuer_are_no_authorization_servers() {
    let google = ["accounts.google.com", "https://accounts.google.com"];
    assert_eq!(servers(&of(google)), ["https://accounts.google.com"]);
    let slash = ["https://issuer.example", "https://issuer.example/"];
    assert_eq!(servers(&of(slash)), ["https://issuer.example"]);
    assert_eq!(servers(&of("kubernetes/serviceaccount")), [""; 0]);
    assert_eq!(servers(&of(ExpectedIssuer::dangerous_any())), [""; 0]);
}

#[test]
fn template_lists_the_tenants_that_it_names_and_none_that_a_client_may_have_made_up() {
    let template = |text: &str| {
        IssuerTemplate::new(text, |found| {
            JwtVerifier::new(found.issuer(), AUDIENCE, key(Algorithm::HS256).verification_key())
        })
        .unwrap()
    };
    let issuers = IssuerSet::new();
    let named =
        template("https://login.example/{tenant}/v2").allow_tenants(["b", "a", "no/tenant"]);
    issuers.add_template(named);
    issuers.add_template(template("https://open.example/{tenant}").allow_if(|_| true));
    let named = ["https://login.example/a/v2", "https://login.example/b/v2"];
    assert_eq!(servers(&issuers), named);

    // A token of a made-up tenant, and one of a named tenant, add their issuers to the set.
    for issuer in ["https://open.example/canary", "https://login.example/a/v2"] {
        let token = key(Algorithm::HS256).token(&json!({
            "iss": issuer, "aud": AUDIENCE, "exp": 9_999_999_999_i64,
        }));
        let layer: JwtAuthLayer = JwtAuthLayer::new(issuers.clone());
        assert_eq!(send(&layer, bearer(&token)).status(), 204, "{issuer}");
    }
    assert_eq!(servers(&issuers), named);
}

#[cfg(feature = "oidc-discovery")]
#[test]
fn issuer_of_the_keys_is_the_authorization_server() {
    use tower_jwt_auth::{Fetch, FetchFuture, FetchRequest, OidcDiscovery};

    #[derive(Debug)]
    struct NoNetwork;

    impl Fetch for NoNetwork {
        fn fetch(&self, _: FetchRequest) -> FetchFuture {
            Box::pin(std::future::pending())
        }
    }

    let keys = OidcDiscovery::new_with(ISSUER, NoNetwork).unwrap();
    let names = ["https://issuer.example/", ISSUER];
    assert_eq!(servers(&JwtVerifier::new(names, AUDIENCE, keys).unwrap()), [ISSUER]);
}

#[test]
fn layer_without_an_authorization_server_is_an_error_that_says_what_to_do() {
    let any = || of(ExpectedIssuer::dangerous_any());
    let error = JwtAuthLayer::new(any()).with_resource_metadata(metadata()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata);
    assert!(error.to_string().contains("add_authorization_server"), "{error}");
    let metadata = metadata().add_authorization_server(ISSUER).unwrap();
    let layer = JwtAuthLayer::new(any()).with_resource_metadata(metadata).unwrap();
    assert_eq!(document(&layer)["authorization_servers"], json!([ISSUER]));
}

#[test]
fn layer_without_metadata_serves_none() {
    let error = JwtAuthLayer::new(verifier()).resource_metadata_layer().unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata);
    assert!(error.to_string().contains("with_resource_metadata"), "{error}");
}

#[test]
fn bad_values_are_errors_of_their_setters() {
    type Set = fn(ResourceMetadata) -> Result<ResourceMetadata, tower_jwt_auth::ConfigError>;
    let bad: &[Set] = &[
        |m| m.with_name(" "),
        |m| m.add_name_in("", "x"),
        |m| m.add_name_in("de_DE", "x"),
        |m| m.add_name_in("de-", "x"),
        |m| m.add_name_in("1de", "x"),
        |m| m.add_name_in("deutschland", "x"),
        |m| m.add_name_in("de", ""),
        |m| m.with_documentation("docs"),
        |m| m.with_documentation("javascript:alert(1)"),
        |m| m.with_policy("mailto:a@b.example"),
        |m| m.with_terms_of_service("https://api.example/\u{e9}"),
        |m| m.with_jwks_url("http://api.example/jwks.json"),
        |m| m.add_authorization_server("http://issuer.example"),
        |m| m.add_authorization_server("https://issuer.example?x=1"),
        |m| m.add_authorization_server("https://issuer.example#x"),
        |m| m.add_authorization_server("issuer"),
        |m| m.with_authorization_servers([""; 0]),
        |m| m.with_authorization_servers(["http://issuer.example"]),
    ];
    for (index, set) in bad.iter().enumerate() {
        let error = set(metadata()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata, "{index}");
    }
}
