//! What a configuration says, and which one is an error.

use tower_jwt_auth::{
    ConfigErrorKind, ExpectedAudience, ExpectedIssuer, Introspection, JwtAuthLayer, VerifyToken,
};

use super::{Endpoint, URL, client, secs};
use crate::support::{AUDIENCE, ISSUER, key};

fn at(url: &str) -> Result<Introspection, ConfigErrorKind> {
    Introspection::new_with(ISSUER, AUDIENCE, url, client(), Endpoint::usual())
        .map_err(|error| error.kind())
}

#[test]
fn endpoint_is_at_https_or_on_this_machine() {
    for url in ["https://issuer.example/introspect", "http://127.0.0.1:7/i", "http://localhost/i"] {
        assert!(at(url).is_ok(), "{url}");
    }
    for url in [
        "",
        "introspect",
        "http://issuer.example/introspect",
        "ftp://issuer.example/",
        "https://user:password@issuer.example/",
        "https://issuer.example/#a",
        "https://issuer.example/ a",
    ] {
        assert_eq!(at(url).unwrap_err(), ConfigErrorKind::Url, "{url}");
    }
    let listed = |url: &str| {
        let hosts = ["keycloak"];
        let fetch = Endpoint::usual();
        Introspection::dangerous_allow_http_hosts_with(
            ISSUER,
            AUDIENCE,
            url,
            client(),
            hosts,
            fetch,
        )
    };
    assert!(listed("http://other/introspect").is_err());
    let verifier = listed("http://keycloak/introspect").unwrap();
    let summary = verifier.describe().unwrap();
    assert_eq!(summary.dangers(), ["dangerous_allow_http_hosts(keycloak)"]);
    assert!(at("https://10.0.0.1/i").unwrap().refuse_private_addresses().is_err());
    assert!(at(URL).unwrap().refuse_private_addresses().is_ok());
}

#[test]
fn issuer_and_audience_must_not_be_empty() {
    let new = |issuer: &str, audience: &str| {
        let verifier = Introspection::new_with(issuer, audience, URL, client(), Endpoint::usual());
        verifier.unwrap_err().kind()
    };
    assert_eq!(new("", AUDIENCE), ConfigErrorKind::Issuer);
    assert_eq!(new(ISSUER, ""), ConfigErrorKind::Audience);
}

#[test]
fn limits_outside_of_their_bounds_are_errors() {
    let verifier = || Endpoint::usual().verifier();
    let kinds = [
        verifier().with_cache_age(secs(3601)).unwrap_err().kind(),
        verifier().with_leeway(secs(301)).unwrap_err().kind(),
        verifier().with_cache_capacity(0).unwrap_err().kind(),
        verifier().with_max_token_length(127).unwrap_err().kind(),
    ];
    use ConfigErrorKind::{Capacity, Duration, Length};
    assert_eq!(kinds, [Duration, Duration, Capacity, Length]);
    assert!(verifier().with_cache_age(secs(3600)).is_ok());
}

#[test]
fn summary_names_the_endpoint_without_its_query_and_each_danger() {
    let layer = JwtAuthLayer::new(Endpoint::usual().verifier());
    assert_eq!(
        layer.describe().to_string(),
        "issuer https://issuer.example, audience https://api.example, by introspection at \
         https://issuer.example/introspect as orders-api"
    );
    let (issuer, audience) = (ExpectedIssuer::dangerous_any(), ExpectedAudience::dangerous_any());
    let verifier = Introspection::new_with(issuer, audience, URL, client(), Endpoint::usual())
        .unwrap()
        .dangerous_allow_missing_audience()
        .dangerous_ignore_confirmation();
    let summary = verifier.describe().unwrap();
    assert_eq!(
        summary.dangers(),
        [
            "ExpectedIssuer::dangerous_any",
            "ExpectedAudience::dangerous_any",
            "dangerous_ignore_confirmation",
            "dangerous_allow_missing_audience",
        ]
    );
    let keys = key(tower_jwt_auth::Algorithm::ES256).verification_key();
    let signed = Endpoint::usual().verifier().require_signed_responses(keys).unwrap();
    let text = signed.describe().unwrap().to_string();
    assert!(text.ends_with("as orders-api, signed by keys in memory (1: ES256)"), "{text}");
}

#[test]
fn issuer_is_named_as_the_authorization_server() {
    let names = |issuer: ExpectedIssuer| {
        let verifier = Introspection::new_with(issuer, AUDIENCE, URL, client(), Endpoint::usual());
        verifier.unwrap().accepted_tokens().authorization_servers().to_vec()
    };
    assert_eq!(names(ISSUER.into()), [ISSUER]);
    assert_eq!(names(["urn:a", "http://localhost:1", ISSUER].into()), [ISSUER]);
    assert!(names(ExpectedIssuer::dangerous_any()).is_empty());
}
