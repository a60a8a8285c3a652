//! Issuers of the trade: metadata and tokens of their shapes, under their real URLs, without a network.

#![allow(clippy::needless_pass_by_value, reason = "JSON that is written where it is passed")]

mod auth0;
mod cognito;
mod dex;
mod entra_id;
mod github;
mod gitlab;
mod google;
mod keycloak;
mod kubernetes;
mod okta;
mod spiffe;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, Fetch, FetchFuture, FetchRequest, JwtVerifier, KnownIssuer,
    RejectionKind,
};

use crate::support::{self};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

const API_ID: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";

const POOL: &str = "eu-west-1_AbCdEfGhI";

const CLIENT: &str = "7kd2qkvqm1h2r3s4t5u6v7w8x9";

const MISSING: Option<RejectionKind> = Some(RejectionKind::MissingClaim);

const WRONG_AUDIENCE: Option<RejectionKind> = Some(RejectionKind::WrongAudience);

const WRONG_ISSUER: Option<RejectionKind> = Some(RejectionKind::WrongIssuer);

const WRONG_WORKLOAD: Option<RejectionKind> = Some(RejectionKind::WrongWorkload);

const WRONG_TYPE: Option<RejectionKind> = Some(RejectionKind::WrongTokenType);

/// What lies on the web: documents by their URLs, all else is 404. It remembers what was asked for.
#[derive(Clone, Debug, Default)]
struct Web {
    documents: Vec<(String, Bytes)>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Metadata of an issuer, at the usual place, and its keys.
    fn issuer(self, issuer: &str, jwks_uri: &str, more: Value, keys: Value) -> Self {
        let metadata = with(&json!({"issuer": issuer, "jwks_uri": jwks_uri}), more);
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        self.at(&place, metadata).at(jwks_uri, json!({ "keys": keys }))
    }

    fn at(mut self, url: &str, document: Value) -> Self {
        self.documents.push((url.to_owned(), document.to_string().into()));
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for Web {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.asked.lock().unwrap().push(request.url().to_owned());
        let found = self.documents.iter().find(|(url, _)| url == request.url());
        let mut response = Response::new(found.map(|(_, body)| body.clone()).unwrap_or_default());
        if found.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        let json = "application/json; charset=UTF-8".parse().unwrap();
        response.headers_mut().insert("content-type", json);
        Box::pin(async move { Ok(response) })
    }
}

/// An object with some members replaced or added, or, by null, taken out.
fn with(object: &Value, changes: Value) -> Value {
    let mut changed = object.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => changed.remove(name),
            false => changed.insert(name.clone(), value.clone()),
        };
    }
    changed.into()
}

/// The RSA key of the tests under this `kid`.
fn rsa_jwk(kid: &str, more: Value) -> Value {
    let jwk = support::key(Algorithm::RS256).jwk();
    with(&with(&jwk, json!({ "kid": kid })), more)
}

/// A token signed by that key.
fn rsa_token(kid: &str, header: Value, claims: &Value) -> String {
    let header = with(&json!({"alg": "RS256", "kid": kid}), header);
    support::key(Algorithm::RS256).token_of(header.to_string(), claims.to_string())
}

async fn kind<C: serde::de::DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Option<RejectionKind> {
    verifier.verify(token).await.err().map(|rejection| rejection.kind())
}

#[test]
fn names_that_look_right_and_are_not_are_errors() {
    use ConfigErrorKind::{Audience, Issuer, Url};

    let api = "https://api.example";
    let odd =
        ["", " ", ".", "..", "a/b", "a?b", "a#b", "a@b", "a b", "a\n", "a%2fb", "a\\b", "ä", "{a}"];
    for part in odd {
        let domain = format!("{part}.example");
        for (name, made) in [
            ("auth0", KnownIssuer::auth0(&domain, api)),
            ("auth0 alone", KnownIssuer::auth0(part, api)),
            ("keycloak", KnownIssuer::keycloak("https://login.example", part, "orders")),
            ("entra", KnownIssuer::entra_id(part, API_ID)),
            ("entra v1", KnownIssuer::entra_id_v1(part, API_ID)),
            ("cognito", KnownIssuer::cognito(&format!("eu-west-1_{part}"), [CLIENT])),
            ("cognito region", KnownIssuer::cognito(&format!("{part}_AbC"), [CLIENT])),
            ("okta", KnownIssuer::okta(&domain, "default", "api://default")),
            ("okta server", KnownIssuer::okta("acme.okta.com", part, "api://default")),
            ("firebase", KnownIssuer::firebase(&format!("acme{part}app"))),
        ] {
            let good = name == "firebase" && part.is_empty();
            assert_eq!(made.is_ok(), good, "{name}: {part:?}");
            assert!(made.err().is_none_or(|error| error.kind() == Issuer), "{name}: {part:?}");
        }
    }
    for (kind, made) in [
        (Issuer, KnownIssuer::auth0("https://acme.eu.auth0.com/", api)),
        (Issuer, KnownIssuer::auth0("acme.eu.auth0.com/", api)),
        (Issuer, KnownIssuer::auth0("acme.eu.auth0.com:443", api)),
        (Issuer, KnownIssuer::auth0("ACME.eu.auth0.com", api)),
        (Issuer, KnownIssuer::auth0("acme", api)),
        (Issuer, KnownIssuer::auth0("acme..example", api)),
        (Issuer, KnownIssuer::auth0("-acme.example", api)),
        (Issuer, KnownIssuer::auth0("127.0.0.1", api)),
        (Issuer, KnownIssuer::auth0(&format!("{}.example", "a".repeat(64)), api)),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", "")),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", "https://acme.eu.auth0.com/userinfo")),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", Vec::<String>::new())),
        (Url, KnownIssuer::keycloak("login.example", "shop", "orders")),
        (Url, KnownIssuer::keycloak("http://login.example", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://login.example?a=b", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://login.example#a", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://a@login.example", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example ", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example/realms", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example/realms/shop/", "shop", "orders")),
        (Audience, KnownIssuer::keycloak("https://login.example", "shop", "account")),
        (Audience, KnownIssuer::keycloak("https://login.example", "shop", ["orders", "account"])),
        (Issuer, KnownIssuer::entra_id("common", API_ID)),
        (Issuer, KnownIssuer::entra_id("organizations", API_ID)),
        (Issuer, KnownIssuer::entra_id("consumers", API_ID)),
        (Issuer, KnownIssuer::entra_id("acme.onmicrosoft.com", API_ID)),
        (Issuer, KnownIssuer::entra_id(&TENANT.to_uppercase(), API_ID)),
        (Issuer, KnownIssuer::entra_id_v1("common", API_ID)),
        (Audience, KnownIssuer::entra_id(TENANT, "api://orders")),
        (Audience, KnownIssuer::entra_id(TENANT, API_ID.to_uppercase())),
        (Audience, KnownIssuer::entra_id_v1(TENANT, "")),
        (Url, KnownIssuer::dex("http://dex.example/dex", "web")),
        (Url, KnownIssuer::dex("dex.example", "web")),
        (Issuer, KnownIssuer::dex("https://dex.example/dex ", "web")),
        (Audience, KnownIssuer::dex("https://dex.example/dex", "")),
        (Audience, KnownIssuer::dex("https://dex.example/dex", Vec::<String>::new())),
        (Issuer, KnownIssuer::cognito("eu-west-1", [CLIENT])),
        (Issuer, KnownIssuer::cognito("AbCdEfGhI", [CLIENT])),
        (Issuer, KnownIssuer::cognito("evil.example_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("eu-west_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("cn-north-1_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("eu-west-1:0a1b2c3d-0000-0000-0000-0a1b2c3d4e5f", [CLIENT])),
        (Audience, KnownIssuer::cognito(POOL, Vec::<String>::new())),
        (Audience, KnownIssuer::cognito(POOL, [""])),
        (Audience, KnownIssuer::cognito(POOL, ["https://api.example"])),
        (Audience, KnownIssuer::google_id_tokens("")),
        (Issuer, KnownIssuer::okta("https://acme.okta.com", "default", "api://default")),
        (Issuer, KnownIssuer::okta("acme-admin.okta.com", "default", "api://default")),
        (Issuer, KnownIssuer::okta("acme.okta.com", "oauth2/default", "api://default")),
        (Audience, KnownIssuer::okta("acme.okta.com", "default", "")),
        (Issuer, KnownIssuer::firebase("Acme App")),
        (Issuer, KnownIssuer::firebase("471147114711")),
        (Issuer, KnownIssuer::firebase("acme")),
        (Url, KnownIssuer::kubernetes("kubernetes/serviceaccount", "orders")),
        (Url, KnownIssuer::kubernetes("http://kubernetes.default.svc", "orders")),
        (Audience, KnownIssuer::kubernetes("https://cluster.example", "")),
        (Audience, KnownIssuer::kubernetes("https://cluster.example", "https://cluster.example")),
        (
            Audience,
            KnownIssuer::kubernetes("https://cluster.example", "https://kubernetes.default.svc"),
        ),
    ] {
        let error = made.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    for (made, issuer) in [
        (KnownIssuer::auth0("login.example", api), "https://login.example/"),
        (
            KnownIssuer::keycloak("https://login.example/auth/", "shop", "orders"),
            "https://login.example/auth/realms/shop",
        ),
        (
            KnownIssuer::keycloak("http://localhost:8080", "shop", "orders"),
            "http://localhost:8080/realms/shop",
        ),
        (
            KnownIssuer::cognito("us-gov-west-1_AbC123", [CLIENT]),
            "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC123",
        ),
        (
            KnownIssuer::okta("login.example", "aus1c2d3E4", "api://orders"),
            "https://login.example/oauth2/aus1c2d3E4",
        ),
    ] {
        assert_eq!(made.unwrap().issuer(), issuer);
    }
    assert!(
        KnownIssuer::auth0("login.example", api)
            .unwrap()
            .with_jwks_url("http://a.example")
            .is_err()
    );
    let debug = format!("{:?}", KnownIssuer::cognito(POOL, [CLIENT]).unwrap());
    assert!(debug.contains("CognitoClient") && debug.contains(CLIENT), "{debug}");
}
