//! Plain http to listed hosts, and documents that are fetched elsewhere than at the issuer's name.

use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{
    ConfigErrorKind, JwksUrl, JwtVerifier, KeySource, KnownIssuer, OidcDiscovery,
};

use super::{Pages, verifies};

fn metadata(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}"}}"#)
}

const NAME: &str = "http://localhost:8080/realms/shop";
const BASE: &str = "http://keycloak:8080/realms/shop";
const PLACE: &str = "http://keycloak:8080/realms/shop/.well-known/openid-configuration";
const CERTS: &str = "http://keycloak:8080/realms/shop/certs";

#[tokio::test(start_paused = true)]
async fn plain_http_set_is_fetched_from_a_listed_host_alone() {
    let url = "http://keycloak:8080/certs";
    for hosts in [&["keycloak"] as &[&str], &["dex", "KEYCLOAK"]] {
        let issuer = MockIssuer::new();
        let pages = Pages::new().with(url, issuer.jwk_set());
        let keys = JwksUrl::dangerous_allow_http_hosts_with(url, hosts, pages).unwrap();
        assert!(verifies(keys, &issuer).await);
    }
    for hosts in [&[] as &[&str], &["dex"], &["cloak"], &["keycloak.example"]] {
        let error = JwksUrl::dangerous_allow_http_hosts(url, hosts).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Url, "{hosts:?}");
    }
    for host in ["http://keycloak", "keycloak:8080", "*", ""] {
        assert!(JwksUrl::dangerous_allow_http_hosts(url, ["keycloak", host]).is_err(), "{host}");
        assert!(OidcDiscovery::dangerous_allow_http_hosts(NAME, [host]).is_err(), "{host}");
    }
    // Private addresses are refused as ever.
    let keys = JwksUrl::dangerous_allow_http_hosts("http://10.0.0.5/certs", ["10.0.0.5"]).unwrap();
    assert!(keys.refuse_private_addresses().is_err());
}

#[tokio::test(start_paused = true)]
async fn plain_http_issuer_is_discovered_at_a_listed_host() {
    let issuer = MockIssuer::with_issuer(BASE);
    assert!(OidcDiscovery::new(BASE).is_err());
    let pages = Pages::new().with(PLACE, metadata(BASE, CERTS)).with(CERTS, issuer.jwk_set());
    let keys = OidcDiscovery::dangerous_allow_http_hosts(BASE, ["keycloak"]).unwrap();
    assert!(verifies(keys.with_fetcher(pages), &issuer).await);
    // Its metadata do not lead to another host by http.
    let pages = Pages::new().with(PLACE, metadata(BASE, "http://dex/keys"));
    let keys = OidcDiscovery::dangerous_allow_http_hosts(BASE, ["keycloak"]).unwrap();
    let error = keys.with_fetcher(pages.clone()).refresh().await.unwrap_err().to_string();
    assert!(error.contains("jwks_uri") && error.contains("http"), "{error}");
    assert_eq!(pages.urls(), [PLACE]);
}

#[tokio::test(start_paused = true)]
async fn https_issuer_leads_to_http_at_a_listed_host_alone() {
    let name = "https://login.test";
    let place = "https://login.test/.well-known/openid-configuration";
    for (jwks_uri, hosts, is_fetched) in [
        ("http://keys:8080/jwks", &["keys"] as &[&str], true),
        ("http://keys:8080/jwks", &["login.test"], false),
        ("http://login.test/jwks", &["keys"], false),
        ("http://127.0.0.1/jwks", &["keys"], false),
        ("http://keys.login.test/jwks", &["keys", "login.test"], false),
    ] {
        let issuer = MockIssuer::with_issuer(name);
        let pages =
            Pages::new().with(place, metadata(name, jwks_uri)).with(jwks_uri, issuer.jwk_set());
        let keys = OidcDiscovery::dangerous_allow_http_hosts_with(name, hosts, pages).unwrap();
        assert_eq!(verifies(keys, &issuer).await, is_fetched, "{jwks_uri} {hosts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn documents_are_fetched_at_the_base_and_tokens_name_the_issuer() {
    let issuer = MockIssuer::with_issuer(NAME);
    // The server publishes its name, or the host that it was asked by.
    for jwks_uri in ["http://localhost:8080/realms/shop/certs", CERTS] {
        let pages =
            Pages::new().with(PLACE, metadata(NAME, jwks_uri)).with(CERTS, issuer.jwk_set());
        let keys = OidcDiscovery::dangerous_allow_http_hosts(NAME, ["keycloak"]).unwrap();
        let keys = keys.with_fetch_base(BASE).unwrap().with_fetcher(pages.clone());
        assert!(verifies(keys, &issuer).await, "{jwks_uri}");
        assert_eq!(pages.urls(), [PLACE, CERTS]);
    }
    // Setters in the other order.
    let pages = Pages::new().with(PLACE, metadata(NAME, CERTS)).with(CERTS, issuer.jwk_set());
    let keys = OidcDiscovery::dangerous_allow_http_hosts(NAME, ["keycloak"]).unwrap();
    let keys = keys.with_fetcher(pages).with_fetch_base(BASE).unwrap();
    assert!(verifies(keys, &issuer).await);
}

#[tokio::test(start_paused = true)]
async fn metadata_at_the_base_must_name_the_issuer_and_not_the_base() {
    let issuer = MockIssuer::with_issuer(NAME);
    for named in [BASE, "http://localhost:8080/realms/shop/", "http://localhost:8080"] {
        let pages = Pages::new().with(PLACE, metadata(named, CERTS)).with(CERTS, issuer.jwk_set());
        let keys = OidcDiscovery::dangerous_allow_http_hosts(NAME, ["keycloak"]).unwrap();
        let keys = keys.with_fetch_base(BASE).unwrap().with_fetcher(pages.clone());
        let error = keys.refresh().await.unwrap_err().to_string();
        assert!(error.contains("another issuer") && error.contains(NAME), "{error}");
        assert_eq!(pages.urls(), [PLACE]);
    }
}

#[tokio::test(start_paused = true)]
async fn issuer_whose_name_is_not_fetched_is_discovered_at_a_base() {
    for (name, jwks_uri) in [
        ("http://login.test/realms/shop", "http://login.test/realms/shop/certs"),
        ("http://login.test/realms/shop", "https://login.test/realms/shop/certs"),
        ("accounts.login.test", "https://login.test/realms/shop/certs"),
        ("urn:issuer", "https://login.test/realms/shop/certs"),
    ] {
        let base = "https://login.test/realms/shop";
        assert!(OidcDiscovery::new(name).is_err());
        let issuer = MockIssuer::with_issuer(name);
        let pages = Pages::new()
            .with(&format!("{base}/.well-known/openid-configuration"), metadata(name, jwks_uri))
            .with("https://login.test/realms/shop/certs", issuer.jwk_set());
        let keys = OidcDiscovery::from_fetch_base_with(name, base, pages).unwrap();
        assert!(verifies(keys, &issuer).await, "{name} {jwks_uri}");
    }
    for (name, base) in [
        ("", "https://login.test"),
        ("a b", "https://login.test"),
        ("a\n", "https://login.test"),
        ("https://login.test/?a", "https://login.test"),
        ("https://login.test", "http://login.test"),
        ("https://login.test", "https://login.test/?a"),
        ("https://login.test", "login.test"),
    ] {
        assert!(OidcDiscovery::from_fetch_base(name, base).is_err(), "{name:?} {base}");
    }
}

#[test]
fn base_is_held_to_the_rules_of_a_url() {
    let keys = || OidcDiscovery::new(NAME).unwrap();
    for base in [
        BASE,
        "http://10.0.0.5",
        "https://user@keycloak",
        "https://keycloak/#a",
        "https://keycloak/?a",
        "keycloak",
        "file:///keycloak",
        "",
    ] {
        let error = keys().with_fetch_base(base).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Url, "{base}");
    }
    assert!(keys().with_fetch_base("http://127.0.0.1:8080/realms/shop").is_ok());
    // What is fetched is what must not be private, in either order.
    let keys = || OidcDiscovery::new("https://login.test").unwrap();
    let private = "https://10.0.0.5";
    assert!(keys().with_fetch_base(private).unwrap().refuse_private_addresses().is_err());
    assert!(keys().refuse_private_addresses().unwrap().with_fetch_base(private).is_err());
    let keys = OidcDiscovery::new("https://10.0.0.5").unwrap();
    let keys = keys.with_fetch_base("https://login.test").unwrap();
    assert!(keys.refuse_private_addresses().is_ok());
}

#[tokio::test(start_paused = true)]
async fn known_issuer_is_fetched_at_a_base_and_at_a_url_by_plain_http() {
    let issuer = MockIssuer::with_issuer(NAME);
    let keycloak = || KnownIssuer::keycloak("http://localhost:8080", "shop", "orders").unwrap();
    assert!(keycloak().with_fetch_base(BASE).is_err());
    assert!(keycloak().with_jwks_url(CERTS).is_err());
    assert!(keycloak().dangerous_allow_http_hosts(["keycloak:8080"]).is_err());
    let allowed = || keycloak().dangerous_allow_http_hosts(["keycloak"]).unwrap();
    let pages = Pages::new().with(PLACE, metadata(NAME, CERTS)).with(CERTS, issuer.jwk_set());
    let token = issuer.token().audience("orders").build();
    for known in [allowed().with_fetch_base(BASE), allowed().with_jwks_url(CERTS)] {
        let verifier: JwtVerifier = known.unwrap().verifier_with(pages.clone());
        assert!(verifier.verify(&token).await.is_ok());
    }
    assert_eq!(pages.urls(), [PLACE, CERTS, CERTS]);
}
