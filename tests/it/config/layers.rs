//! The members of the layer, and layers with checks of the application.

use http::Request;
use serde_json::json;
use sha2::{Digest, Sha256};
use tower_jwt_auth::{
    Algorithm, ClientCertificate, ClientCertificates, JwtAuthLayer, JwtVerifier, RegisteredClaims,
    Rejection, RejectionKind, SenderConstrained, VerifyToken,
};

use crate::config::{config, layer, secret_file, token, toml_with};
use crate::support::requests::{bearer, reached, refusal, send, send_later};
use crate::support::{AUDIENCE, ISSUER, b64, key};

fn challenge<C: Send + Sync + 'static>(layer: &JwtAuthLayer<C>, request: Request<()>) -> String {
    send(layer, request).headers()["www-authenticate"].to_str().unwrap().to_owned()
}

#[test]
fn token_without_the_required_scopes_is_403_and_named() {
    let layer = layer(&toml_with("required_scopes = 'orders:read orders:write'", ""));
    let response = send(&layer, bearer(&token(Algorithm::HS256, "orders:write orders:read x")));
    assert_eq!(response.status(), 204);
    let response = send(&layer, bearer(&token(Algorithm::HS256, "orders:read")));
    assert_eq!(response.status(), 403);
    assert_eq!(refusal(&response), Some(RejectionKind::InsufficientScope));
    assert!(
        challenge(&layer, bearer(&token(Algorithm::HS256, "orders:read")))
            .contains(r#"error="insufficient_scope""#)
    );
    assert!(challenge(&layer, Request::new(())).contains(r#"scope="orders:read orders:write""#));
}

#[test]
fn required_scopes_are_checked_for_tokens_from_the_cache_too() {
    let layer = layer(&toml_with(
        "required_scopes = 'orders:read'\ntoken_cache = { capacity = 10, max_token_length = 4096 }",
        "",
    ));
    for _ in 0..3 {
        for (scope, status) in [("orders:read", 204), ("orders:write", 403)] {
            let response = send(&layer, bearer(&token(Algorithm::HS256, scope)));
            assert_eq!(response.status(), status);
        }
    }
}

#[test]
fn required_scopes_are_checked_whatever_the_verifier_is() {
    let config = config(&toml_with("required_scopes = 'orders:read'", ""));
    let keys = key(Algorithm::HS256).verification_key();
    let own: JwtVerifier = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap();
    let layers = [
        config.layer_with_verifier(own).unwrap(),
        config.layer_with_verifier(config.verifier().unwrap()).unwrap(),
        JwtAuthLayer::new(config.verifier::<RegisteredClaims>().unwrap()),
    ];
    for layer in layers {
        for (scope, status) in [("orders:read", 204), ("orders:write", 403)] {
            let response = send(&layer, bearer(&token(Algorithm::HS256, scope)));
            assert_eq!(response.status(), status);
        }
    }
}

#[test]
fn bound_token_needs_the_required_scopes_and_the_certificate() {
    let key = key(Algorithm::HS256);
    let token = |scope: &str| {
        key.token(&json!({
            "iss": ISSUER, "aud": AUDIENCE, "exp": 4_102_444_800_u64, "scope": scope,
            "cnf": {"x5t#S256": b64(Sha256::digest("certificate"))},
        }))
    };
    let over = |certificate: &str, token: &str| {
        let mut request = bearer(token);
        request.extensions_mut().insert(ClientCertificate::from_der(certificate));
        request
    };
    let more = "\n[issuers.other]\nissuer = 'https://other.example'\naudience = 'a'\n";
    let other = format!("{more}secret_file = '{}'\nalgorithms = 'HS256'", secret_file().display());
    for more in ["", &other] {
        for (top, status) in [("", 204), ("required_scopes = 'orders:read'", 403)] {
            let verifier = config(&toml_with(top, more)).verifier::<RegisteredClaims>().unwrap();
            let certificates = ClientCertificates::from_extensions();
            let bound = SenderConstrained::client_certificates(verifier, certificates);
            let layer = JwtAuthLayer::new(bound);
            let response = send(&layer, over("certificate", &token("orders:read")));
            assert_eq!(response.status(), 204, "{top}");
            let response = send(&layer, over("certificate", &token("orders:write")));
            assert_eq!(response.status(), status, "{top}");
            let response = send(&layer, over("another", &token("orders:read")));
            assert_eq!(refusal(&response), Some(RejectionKind::UnconfirmedSender), "{top}");
        }
    }
}

#[test]
fn scope_that_includes_another_meets_it() {
    let layer = layer(&toml_with(
        "required_scopes = 'orders:read'\n\
         scope_hierarchy = { 'orders:admin' = ['orders:write'], 'orders:write' = 'orders:read x' }",
        "",
    ));
    assert_eq!(send(&layer, bearer(&token(Algorithm::HS256, "orders:admin"))).status(), 204);
    assert_eq!(send(&layer, bearer(&token(Algorithm::HS256, "x"))).status(), 403);
}

#[test]
fn rule_of_the_required_scopes_can_be_checked_without_a_layer() {
    let all = config(&toml_with("required_scopes = 'orders:read orders:write'", ""));
    let verifier = all.verifier::<RegisteredClaims>().unwrap();
    let verifier = verifier.as_jwt_verifier().unwrap().clone().with_claims_by_name();
    let rule = all.required_scopes().unwrap().unwrap();
    for (scope, is_met) in [("orders:write orders:read x", true), ("orders:read", false)] {
        let token = verifier.verify_now(&token(Algorithm::HS256, scope)).unwrap();
        assert_eq!(rule.check(&token).is_ok(), is_met, "{scope}");
    }
    let none = config(&toml_with("", ""));
    assert!(none.required_scopes::<RegisteredClaims>().unwrap().is_none());
}

#[test]
fn challenge_has_the_realm_and_the_scope_of_the_configuration() {
    let required = "required_scopes = 'orders:read'\nrealm = 'shop'\n";
    let named = layer(&toml_with(required, ""));
    assert_eq!(challenge(&named, Request::new(())), r#"Bearer realm="shop", scope="orders:read""#);
    let other = layer(&toml_with(&format!("{required}scope_in_challenge = ['a', 'b']"), ""));
    assert_eq!(challenge(&other, Request::new(())), r#"Bearer realm="shop", scope="a b""#);
    let none = layer(&toml_with("", ""));
    assert_eq!(challenge(&none, Request::new(())), r#"Bearer realm="api""#);
}

#[test]
fn optional_layer_forwards_a_request_without_a_token_only() {
    let config = config(&toml_with("optional = true", "")).allow_optional();
    let layer: JwtAuthLayer = JwtAuthLayer::from_config(&config).unwrap();
    assert_eq!(send(&layer, Request::new(())).status(), 204);
    assert_eq!(send(&layer, bearer("bad")).status(), 401);
    assert_eq!(send(&layer, bearer(&token(Algorithm::HS256, ""))).status(), 204);
}

#[test]
fn token_is_found_in_each_source_of_the_configuration() {
    let good = token(Algorithm::HS256, "");
    let with = |name: &'static str, value: String| {
        let mut request = Request::new(());
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    let all = layer(&toml_with(
        "[sources]\nheaders = ['x-token']\ncookies.page = { name = 'token', origins = 'https://app.example' }\n\
         dangerous_query = 'access_token'",
        "",
    ));
    let mut cookie = with("cookie", format!("token={good}"));
    cookie.headers_mut().insert("origin", "https://app.example".parse().unwrap());
    let mut foreign = with("cookie", format!("token={good}"));
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let query = Request::get(format!("/?access_token={good}")).body(()).unwrap();
    for (request, status) in [
        (bearer(&good), 204),
        (with("x-token", good.clone()), 204),
        (cookie, 204),
        (foreign, 403),
        (query, 204),
        (Request::new(()), 401),
    ] {
        assert_eq!(send(&all, request).status(), status);
    }
    let header_only =
        layer(&toml_with("sources = { authorization_header = false, headers = 'x-token' }", ""));
    assert_eq!(send(&header_only, bearer(&good)).status(), 401);
    assert_eq!(send(&header_only, with("x-token", good.clone())).status(), 204);
    let default = layer(&toml_with("", ""));
    assert_eq!(send(&default, with("x-token", good)).status(), 401);
}

#[test]
fn credential_is_removed_if_the_configuration_says_so() {
    let good = token(Algorithm::HS256, "");
    for (top, is_there) in [("remove_credential = true", false), ("", true)] {
        let response = send(&layer(&toml_with(top, "")), bearer(&good));
        assert_eq!(reached(&response).unwrap().headers.contains_key("authorization"), is_there);
    }
}

#[test]
fn form_of_a_grpc_refusal_is_that_of_the_configuration() {
    let grpc = |content_type: &str| {
        let mut request = Request::post("/a.B/C").version(http::Version::HTTP_2).body(()).unwrap();
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        request
    };
    for (top, content_type, status) in [
        ("", "application/grpc", 200),
        ("", "application/grpc-web", 401),
        ("grpc_web = true", "application/grpc-web", 200),
        ("without_grpc = true", "application/grpc", 401),
    ] {
        let response = send(&layer(&toml_with(top, "")), grpc(content_type));
        assert_eq!(response.status(), status, "{top}");
    }
    let response = send(
        &layer(&toml_with("grpc_error_info = 'orders.example'", "")),
        grpc("application/grpc"),
    );
    assert!(response.headers().contains_key("grpc-status-details-bin"));
}

#[test]
fn metadata_of_the_resource_are_those_of_the_configuration() {
    let layer = layer(&toml_with(
        "required_scopes = 'orders:read'\n[resource_metadata]\nresource = 'https://api.example/orders'\n\
         scopes = 'orders:write'\nname = 'Orders'\nnames = { de = 'Bestellungen' }\n\
         documentation = 'https://api.example/docs'\npolicy = 'https://api.example/policy'\n\
         terms_of_service = 'https://api.example/terms'\nresponse_jwks_url = 'https://api.example/jwks'\n\
         response_algorithms = 'ES256'\nalso_at_root = true\n\
         more_authorization_servers = 'https://more.example'\n\
         authorization_servers = ['https://more.example', 'https://issuer.example']",
        "",
    ));
    let document = layer.resource_metadata_layer().unwrap().document().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    let expected = json!({
        "resource": "https://api.example/orders",
        "authorization_servers": ["https://more.example", "https://issuer.example"],
        "scopes_supported": ["orders:read", "orders:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Orders",
        "resource_name#de": "Bestellungen",
        "resource_documentation": "https://api.example/docs",
        "resource_policy_uri": "https://api.example/policy",
        "resource_tos_uri": "https://api.example/terms",
        "jwks_uri": "https://api.example/jwks",
        "resource_signing_alg_values_supported": ["ES256"],
    });
    assert_eq!(document, expected);
    let challenge = challenge(&layer, Request::new(()));
    assert!(challenge.contains("/.well-known/oauth-protected-resource/orders"), "{challenge}");
    let config =
        config(&toml_with("resource_metadata.resource = 'https://api.example/orders'", ""));
    assert_eq!(config.resource(), Some("https://api.example/orders"));
}

#[test]
fn checks_can_be_put_around_the_configured_verifier() {
    let config = config(&toml_with("realm = 'shop'\nrequired_scopes = 'orders:read'", ""));
    let verifier = config.verifier::<RegisteredClaims>().unwrap().with_check(async |token, _| {
        match token.sub.as_deref() {
            Some("alice") => Err(Rejection::invalid_token()),
            _ => Ok(()),
        }
    });
    let layer = config.layer_with_verifier(verifier).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let response = send_later(&layer, bearer(&token(Algorithm::HS256, "orders:read"))).await;
        assert_eq!(refusal(&response), Some(RejectionKind::InvalidToken));
        assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("shop"));
        let response = send_later(&layer, bearer(&token(Algorithm::HS256, ""))).await;
        assert_eq!(response.status(), 403);
    });
}

#[test]
fn claims_have_the_type_of_the_application() {
    #[derive(serde::Deserialize)]
    struct Claims {
        #[allow(dead_code)]
        tenant: String,
    }

    let layer: JwtAuthLayer<Claims> =
        JwtAuthLayer::from_config(&config(&toml_with("", ""))).unwrap();
    let response = send(&layer, bearer(&token(Algorithm::HS256, "")));
    assert_eq!(refusal(&response), Some(RejectionKind::UnexpectedClaims));
}

#[test]
fn debug_form_shows_the_issuers_and_no_url() {
    let toml = "[[issuers]]\nissuer = 'https://issuer.example'\naudience = 'a'\n\
                jwks_url = 'https://issuer.example/jwks?key=hunter2'";
    let config = config(toml);
    let verifier = config.verifier::<RegisteredClaims>().unwrap();
    let text = format!("{config:?} {verifier:?}");
    assert!(text.contains("https://issuer.example"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
