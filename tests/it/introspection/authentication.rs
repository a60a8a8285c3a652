//! How the endpoint is asked, and by whom.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use tower_jwt_auth::{
    Algorithm, ClientAuthentication, ConfigErrorKind, Introspection, JwtVerifier, SigningKey,
};

use super::{Asked, Endpoint, URL, kind};
use crate::support::{AUDIENCE, ISSUER, now};

async fn asked_by(client: ClientAuthentication) -> Asked {
    let endpoint = Endpoint::usual();
    let verifier = Introspection::new_with(ISSUER, AUDIENCE, URL, client, endpoint.clone());
    assert_eq!(kind(&verifier.unwrap().with_clock(now()), "a+b/c.good").await, None);
    endpoint.asked().remove(0)
}

#[tokio::test]
async fn token_is_posted_as_a_form_with_a_hint() {
    let client = ClientAuthentication::client_secret_basic("a", "b").unwrap();
    let asked = asked_by(client).await;
    assert_eq!((asked.method.clone(), &*asked.url), (Method::POST, URL));
    assert_eq!(asked.token(), "a+b/c.good");
    assert_eq!(asked.member("token_type_hint"), Some("access_token"));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    assert_eq!(asked.form.len(), 2);
}

#[tokio::test]
async fn basic_credentials_are_form_encoded_before_base64() {
    for (id, secret, expected) in [
        ("orders-api", "s3cret", "orders-api:s3cret"),
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("https://api.example", "p&q=%+ /~", "https%3A%2F%2Fapi.example:p%26q%3D%25%2B+%2F%7E"),
    ] {
        let asked = asked_by(ClientAuthentication::client_secret_basic(id, secret).unwrap()).await;
        let value = asked.headers.get("authorization").unwrap();
        assert!(value.is_sensitive());
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap(), expected);
        assert_eq!(asked.member("client_secret"), None);
    }
}

#[tokio::test]
async fn posted_credentials_are_in_the_form_alone() {
    let asked = asked_by(ClientAuthentication::client_secret_post("a:b", "p&q=").unwrap()).await;
    assert_eq!(asked.member("client_id"), Some("a:b"));
    assert_eq!(asked.member("client_secret"), Some("p&q="));
    assert_eq!(asked.header("authorization"), None);
}

#[tokio::test]
async fn client_with_a_certificate_sends_its_id_alone() {
    let asked = asked_by(ClientAuthentication::tls_client("orders-api").unwrap()).await;
    assert_eq!(asked.member("client_id"), Some("orders-api"));
    let names: Vec<&str> = asked.form.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["token", "token_type_hint", "client_id"]);
    assert_eq!(asked.header("authorization"), None);
    for id in ["", "a\n", "\u{e4}"] {
        let error = ClientAuthentication::tls_client(id).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::ClientAuthentication, "{id:?}");
    }
    let text = format!("{:?}", ClientAuthentication::tls_client("orders-api").unwrap());
    assert!(text.contains("orders-api") && text.contains("tls_client_auth"), "{text}");
}

#[tokio::test]
async fn signed_assertion_names_the_client_and_the_server_and_is_new_for_each_request() {
    let key = SigningKey::generate(Algorithm::ES256).unwrap().with_kid("k1");
    let public = key.verification_key();
    let client = ClientAuthentication::private_key_jwt("orders-api", key, ISSUER).unwrap();
    let endpoint = Endpoint::usual();
    let verifier =
        Introspection::new_with(ISSUER, AUDIENCE, URL, client, endpoint.clone()).unwrap();
    for token in ["1.good", "2.good"] {
        assert_eq!(kind(&verifier.clone().with_clock(now()), token).await, None);
    }
    let mut ids = Vec::new();
    for asked in endpoint.asked() {
        assert_eq!(
            asked.member("client_assertion_type"),
            Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        );
        let assertion = asked.member("client_assertion").unwrap();
        let at_server = JwtVerifier::new("orders-api", ISSUER, public.clone()).unwrap();
        let claims = at_server.verify_now(assertion).unwrap();
        assert_eq!(claims.sub.as_deref(), Some("orders-api"));
        let (exp, iat) = (claims.exp.unwrap(), claims.iat.unwrap());
        assert_eq!(exp.unix_seconds() - iat.unix_seconds(), 60);
        assert_eq!(claims.header().unwrap().kid(), Some("k1"));
        ids.push(claims.jti.clone().unwrap());
        assert_eq!(asked.member("client_secret"), None);
        assert_eq!(asked.header("authorization"), None);
    }
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn credentials_that_no_server_accepts_are_a_configuration_error() {
    for (id, secret) in [
        ("", "b"),
        ("a", ""),
        ("a", "b\n"),
        ("a\r\n", "b"),
        ("a", "\u{e4}"),
        ("a\0", "b"),
        ("\u{e4}", "b"),
    ] {
        for client in [
            ClientAuthentication::client_secret_basic(id, secret),
            ClientAuthentication::client_secret_post(id, secret),
        ] {
            let error = client.unwrap_err();
            assert_eq!(error.kind(), ConfigErrorKind::ClientAuthentication, "{id:?} {secret:?}");
            assert!(secret.len() < 2 || !error.to_string().contains(secret), "{error}");
        }
    }
    let key = || SigningKey::from_secret(&[7; 32], Algorithm::HS256).unwrap();
    let error = ClientAuthentication::private_key_jwt("", key(), ISSUER).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::ClientAuthentication);
    let error = ClientAuthentication::private_key_jwt("a", key(), "").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Audience);
}

#[test]
fn debug_shows_no_secret_of_a_client() {
    const SECRET: &str = "canary-canary-canary";
    let key = SigningKey::from_secret(b"canary-canary-canary-canary-canary", Algorithm::HS256);
    let encoded = STANDARD.encode(format!("orders-api:{SECRET}"));
    for client in [
        ClientAuthentication::client_secret_basic("orders-api", SECRET).unwrap(),
        ClientAuthentication::client_secret_post("orders-api", SECRET).unwrap(),
        ClientAuthentication::private_key_jwt("orders-api", key.unwrap(), ISSUER).unwrap(),
    ] {
        let verifier =
            Introspection::new_with(ISSUER, AUDIENCE, URL, client.clone(), Endpoint::usual());
        let text = format!("{client:?} {:?} {:#?}", verifier.as_ref().unwrap(), client);
        assert!(text.contains("orders-api"), "{text}");
        assert!(!text.contains("canary") && !text.contains(&encoded[..20]), "{text}");
        // Nor the query of the URL.
        assert!(!text.contains("tenant"), "{text}");
    }
}
