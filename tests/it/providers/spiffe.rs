//! JWT-SVIDs of a SPIFFE trust domain.

use http::StatusCode;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, IssuerSet, JwtAuthLayer, JwtVerifier, KnownIssuer, RejectionKind,
    Rule, SpiffeBundle, VerifyToken,
};

use super::{MISSING, WRONG_AUDIENCE, WRONG_TYPE, WRONG_WORKLOAD, Web, kind, with};
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{self, NOW, now};

const BUNDLE: &str = "https://spire.example.org/bundle";

const UNSUPPORTED: Option<RejectionKind> = Some(RejectionKind::UnsupportedAlgorithm);

fn jwk(algorithm: Algorithm, key_use: &str) -> Value {
    let key = json!({"kid": format!("{algorithm}"), "use": key_use, "alg": null});
    with(&support::key(algorithm).jwk(), key)
}

/// A bundle in the form of the standard's appendix A.
fn bundle() -> Value {
    let jwt_keys = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::Ed25519];
    let mut keys: Vec<Value> = jwt_keys.map(|algorithm| jwk(algorithm, "jwt-svid")).into();
    keys.push(with(&jwk(Algorithm::ES256, "x509-svid"), json!({"kid": "x509", "x5c": ["MII="]})));
    json!({"spiffe_sequence": 12, "spiffe_refresh_hint": 600, "keys": keys})
}

fn svid() -> Value {
    json!({"sub": "spiffe://example.org/ns/shop/sa/web", "aud": ["orders"], "iat": NOW, "exp": NOW + 300})
}

fn token(algorithm: Algorithm, header: Value, claims: &Value) -> String {
    let header = with(&json!({"alg": algorithm.name(), "kid": algorithm.name()}), header);
    support::key(algorithm).token_of(header.to_string(), claims.to_string())
}

fn of(bundle: SpiffeBundle) -> KnownIssuer {
    KnownIssuer::spiffe("example.org", "orders", bundle).unwrap()
}

fn verifier() -> (Web, JwtVerifier) {
    let web = Web::default().at(BUNDLE, bundle());
    let verifier = of(SpiffeBundle::at_url(BUNDLE).unwrap()).verifier_with(web.clone());
    (web, verifier.with_clock(now()))
}

#[tokio::test(start_paused = true)]
async fn svid_of_the_trust_domain_is_accepted_without_an_issuer() {
    let (web, verifier) = verifier();
    for (changes, expected) in [
        (json!({}), None),
        (json!({"iss": "https://oidc.example.org"}), None),
        (json!({"aud": "orders"}), None),
        (json!({"aud": ["spiffe://example.org/other"]}), WRONG_AUDIENCE),
        (json!({"aud": null}), MISSING),
        (json!({"exp": null}), MISSING),
        (json!({"exp": NOW - 300}), Some(RejectionKind::ExpiredToken)),
        (json!({"sub": null}), MISSING),
        (json!({"sub": ""}), MISSING),
        (json!({"sub": "web"}), WRONG_WORKLOAD),
        (json!({"sub": "spiffe://example.org"}), WRONG_WORKLOAD),
        (json!({"sub": "spiffe://example.org/"}), WRONG_WORKLOAD),
        (json!({"sub": "spiffe://other.example/ns/shop/sa/web"}), WRONG_WORKLOAD),
        (json!({"sub": "spiffe://example.org.other.example/web"}), WRONG_WORKLOAD),
        (json!({"sub": "spiffe://example.org/ns/../web"}), WRONG_WORKLOAD),
    ] {
        let token = token(Algorithm::ES256, json!({}), &with(&svid(), changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    assert_eq!(web.asked(), [BUNDLE]);
}

#[tokio::test(start_paused = true)]
async fn only_the_algorithms_and_types_of_the_standard_are_accepted() {
    let (_, verifier) = verifier();
    for (algorithm, expected) in [
        (Algorithm::RS256, None),
        (Algorithm::ES384, None),
        (Algorithm::Ed25519, UNSUPPORTED),
        (Algorithm::HS256, UNSUPPORTED),
    ] {
        let token = token(algorithm, json!({}), &svid());
        assert_eq!(kind(&verifier, &token).await, expected, "{algorithm}");
    }
    for (typ, expected) in [
        (Value::Null, None),
        (json!("JWT"), None),
        (json!("JOSE"), None),
        (json!("at+jwt"), WRONG_TYPE),
        (json!("wit+jwt"), WRONG_TYPE),
        (json!("dpop+jwt"), WRONG_TYPE),
    ] {
        let token = token(Algorithm::ES256, json!({ "typ": typ }), &svid());
        assert_eq!(kind(&verifier, &token).await, expected, "{typ}");
    }
}

#[tokio::test(start_paused = true)]
async fn x509_authorities_of_the_bundle_verify_no_token() {
    let (_, verifier) = verifier();
    let by_name = token(Algorithm::ES256, json!({"kid": "x509"}), &svid());
    assert_eq!(kind(&verifier, &by_name).await, Some(RejectionKind::UnknownKey));

    let published = json!({"keys": [with(&jwk(Algorithm::ES256, "sig"), json!({}))]}).to_string();
    for without_svid_keys in [published.as_str(), r#"{"keys": []}"#, "{", ""] {
        let error = SpiffeBundle::from_json(without_svid_keys).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::KeySet, "{without_svid_keys}");
    }
}

#[tokio::test(start_paused = true)]
async fn bundle_from_a_file_is_used_without_a_fetch() {
    let given = SpiffeBundle::from_json(&bundle().to_string()).unwrap();
    let web = Web::default();
    let verifier = of(given).verifier_with(web.clone()).with_clock(now());
    assert_eq!(kind(&verifier, &token(Algorithm::RS256, json!({}), &svid())).await, None);
    assert!(web.asked().is_empty());
}

#[tokio::test(start_paused = true)]
async fn bundle_is_fetched_by_plain_http_from_a_listed_host_only() {
    let inside = "http://spire:8443/bundle";
    assert_eq!(SpiffeBundle::at_url(inside).unwrap_err().kind(), ConfigErrorKind::Url);
    let given = || of(SpiffeBundle::at_url(BUNDLE).unwrap());
    assert_eq!(given().with_jwks_url(inside).unwrap_err().kind(), ConfigErrorKind::Url);
    assert_eq!(given().with_fetch_base(BUNDLE).unwrap_err().kind(), ConfigErrorKind::Url);

    let web = Web::default().at(inside, bundle());
    let listed = given().dangerous_allow_http_hosts(["spire"]).unwrap();
    let verifier = listed.with_jwks_url(inside).unwrap().verifier_with(web).with_clock(now());
    // The keys are still those with `use: jwt-svid`.
    assert_eq!(kind(&verifier, &token(Algorithm::ES256, json!({}), &svid())).await, None);
}

#[tokio::test(start_paused = true)]
async fn layer_answers_401_to_another_trust_domain_and_a_rule_compares_the_workload() {
    let (_, verifier) = verifier();
    let layer = JwtAuthLayer::new(verifier.clone());
    let good = token(Algorithm::ES256, json!({}), &svid());
    let foreign = with(&svid(), json!({"sub": "spiffe://other.example/web"}));
    let foreign = token(Algorithm::ES256, json!({}), &foreign);
    assert_eq!(send_later(&layer, bearer(&good)).await.status(), StatusCode::NO_CONTENT);
    let response = send_later(&layer, bearer(&foreign)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refusal(&response), WRONG_WORKLOAD);

    let token = verifier.with_claims_by_name().verify(&good).await.unwrap();
    let is = |id| Rule::claim("sub", id).unwrap().check(&token).is_ok();
    assert!(is("spiffe://example.org/ns/shop/sa/web"));
    assert!(!is("spiffe://example.org/ns/shop/sa/we"));
}

#[tokio::test(start_paused = true)]
async fn operator_sees_the_trust_domain_and_no_weakening() {
    let (_, verifier) = verifier();
    let summary = verifier.describe().unwrap();
    assert!(summary.dangers().is_empty(), "{:?}", summary.dangers());
    assert!(summary.accepts()[0].contains("sub spiffe://example.org/…"), "{:?}", summary.accepts());

    let foreign = with(&svid(), json!({"sub": "spiffe://other.example/web"}));
    let explanation = verifier.explain(&token(Algorithm::ES256, json!({}), &foreign)).await;
    let failed = explanation.failed().unwrap();
    assert_eq!(failed.name(), "required claims");
    assert_eq!(failed.expected(), Some("sub spiffe://example.org/…"));
    assert_eq!(failed.found(), Some(r#"sub "spiffe://other.example/web""#));
}

#[test]
fn what_is_no_trust_domain_or_names_all_services_is_an_error() {
    let bundle = || SpiffeBundle::at_url(BUNDLE).unwrap();
    let long = "a".repeat(256);
    for name in [
        "",
        " ",
        "spiffe://example.org",
        "example.org/web",
        "Example.org",
        "example.org:443",
        "a*b",
        "exämple.org",
        "a%62",
        &long,
    ] {
        let error = KnownIssuer::spiffe(name, "orders", bundle()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Issuer, "{name}");
    }
    for audience in ["", "spiffe://example.org", "spiffe://example.org/"] {
        let error = KnownIssuer::spiffe("example.org", audience, bundle()).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience, "{audience}");
    }
    let good = KnownIssuer::spiffe("prod_1.example-org", "spiffe://example.org/orders", bundle());
    assert_eq!(good.unwrap().issuer(), "spiffe://prod_1.example-org");
    let (_, verifier) = verifier();
    assert_eq!(IssuerSet::new().add(verifier).unwrap_err().kind(), ConfigErrorKind::Issuer);
}
