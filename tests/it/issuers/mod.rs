//! Several issuers: a token's `iss` chooses only among those allowed, and never another's key.

mod eviction;
mod first_fetches;
mod flood;
#[cfg(feature = "tracing")]
mod log;
mod templates;
mod unlocked;

use serde_json::json;
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{
    Algorithm, IssuerSet, IssuerTemplate, JwtAuthLayer, JwtVerifier, OidcDiscovery, RejectionKind,
    VerifiedToken,
};

use crate::key_engine::pass;
use crate::support::requests::{reached, refusal, request, send};
use crate::support::{self, b64};

const WRONG_ISSUER: Option<RejectionKind> = Some(RejectionKind::WrongIssuer);

fn verifier(issuer: &MockIssuer, audience: &str) -> JwtVerifier {
    let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    JwtVerifier::new(issuer.issuer(), audience, keys).unwrap()
}

async fn kind(issuers: &IssuerSet, token: &str) -> Option<RejectionKind> {
    issuers.verify(token).await.err().map(|rejection| rejection.kind())
}

fn two() -> (MockIssuer, MockIssuer, IssuerSet) {
    let (a, b) =
        (MockIssuer::with_issuer("https://a.test"), MockIssuer::with_issuer("https://b.test"));
    let issuers = IssuerSet::new();
    issuers.add(verifier(&a, "https://api.test")).unwrap();
    issuers.add(verifier(&b, "https://api.test")).unwrap();
    (a, b, issuers)
}

#[tokio::test(start_paused = true)]
async fn one_issuers_key_never_verifies_anothers_token() {
    let (a, b, issuers) = two();
    assert_eq!(kind(&issuers, &a.token().build()).await, None);
    assert_eq!(kind(&issuers, &b.token().build()).await, None);
    assert_eq!((a.key_fetches(), b.key_fetches()), (1, 1));

    // Signed by A in the name of B, with A's `kid`.
    let forged = a.token().issuer(b.issuer()).build();
    assert_eq!(kind(&issuers, &forged).await, Some(RejectionKind::UnknownKey));
    assert_eq!(a.key_fetches(), 1);
    // With the `kid` of B.
    let kid = issuers.key_status()[1].status().kids()[0].clone();
    let forged = a.token().issuer(b.issuer()).header("kid", kid).build();
    assert_eq!(kind(&issuers, &forged).await, Some(RejectionKind::InvalidSignature));
}

#[tokio::test(start_paused = true)]
async fn two_issuers_with_one_kid_are_told_apart() {
    let keys = [1, 2].map(|_| support::TestKey::generate(Algorithm::ES256));
    let issuers = IssuerSet::new();
    for (name, key) in ["https://a.test", "https://b.test"].iter().zip(&keys) {
        let verifier = JwtVerifier::new(*name, support::AUDIENCE, key.verification_key()).unwrap();
        issuers.add(verifier.with_clock(support::now())).unwrap();
    }
    let [a, b] = &keys;
    assert_eq!(a.kid(), b.kid());
    for (key, name, expected) in [
        (a, "https://a.test", None),
        (b, "https://b.test", None),
        (a, "https://b.test", Some(RejectionKind::InvalidSignature)),
        (b, "https://a.test", Some(RejectionKind::InvalidSignature)),
    ] {
        let token = key.token(&support::claims_with("iss", name));
        assert_eq!(kind(&issuers, &token).await, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_not_here_makes_no_request() {
    let (a, b, issuers) = two();
    for name in ["https://c.test", "https://a.test/", "https://A.test", "https://a.test\u{0}", ""] {
        let token = a.token().issuer(name).build();
        assert_eq!(kind(&issuers, &token).await, WRONG_ISSUER, "{name}");
    }
    for claims in [
        json!({"iss": ["https://a.test"]}).to_string(),
        json!({"iss": 5}).to_string(),
        json!([]).to_string(),
        "no JSON".to_owned(),
    ] {
        let token = format!("{}.{}.{}", b64(r#"{"alg":"ES256"}"#), b64(&claims), b64("x"));
        assert_eq!(kind(&issuers, &token).await, Some(RejectionKind::MalformedClaims), "{claims}");
    }
    for claims in [r#"{"iss": "https://c.test", "iss": "https://a.test"}"#, r#"{"iss": "x", }"#] {
        let token = format!("{}.{}.{}", b64(r#"{"alg":"ES256"}"#), b64(claims), b64("x"));
        assert_eq!(kind(&issuers, &token).await, WRONG_ISSUER, "{claims}");
    }
    let token = a.token().without("iss").build();
    assert_eq!(kind(&issuers, &token).await, Some(RejectionKind::MissingClaim));
    assert_eq!(kind(&issuers, "x").await, Some(RejectionKind::MalformedToken));
    assert_eq!((a.requests().len(), b.requests().len()), (0, 0));
}

/// The first `iss` picks the verifier, which then reads the claims strictly.
#[tokio::test]
async fn token_with_two_issuers_is_refused_whichever_issuer_signed_it() {
    const FORGED: Option<RejectionKind> = Some(RejectionKind::InvalidSignature);
    const MALFORMED: Option<RejectionKind> = Some(RejectionKind::MalformedClaims);

    let keys = [1, 2].map(|_| support::TestKey::generate(Algorithm::ES256));
    let issuers = IssuerSet::new();
    for (name, key) in ["https://a.test", "https://b.test"].iter().zip(&keys) {
        let verifier = JwtVerifier::new(*name, support::AUDIENCE, key.verification_key()).unwrap();
        issuers.add(verifier.with_clock(support::now())).unwrap();
    }
    let rest = format!(r#""aud":"{}","exp":{}"#, support::AUDIENCE, support::NOW + 60);
    for (claims, by_a, by_b) in [
        (r#"{"iss":"https://a.test",REST}"#, None, FORGED),
        (r#"{REST,"\u0069ss":"https:\/\/a.test"}"#, None, FORGED),
        (r#"{"x":{"iss":"https://b.test"},"iss":"https://a.test",REST}"#, None, FORGED),
        (r#"{"iss":"https://a.test","iss":"https://a.test",REST}"#, MALFORMED, FORGED),
        (r#"{"iss":"https://a.test","iss":"https://b.test",REST}"#, MALFORMED, FORGED),
        (r#"{"iss":"https://a.test",REST,"\u0069ss":"https://b.test"}"#, MALFORMED, FORGED),
        (r#"{"\u0069ss":"https://b.test",REST,"iss":"https://a.test"}"#, FORGED, MALFORMED),
        (r#"{"iss":"https://a.test","x":1,"x":1,REST}"#, MALFORMED, FORGED),
        (r#"{"iss":"https://a.test",REST} and more"#, MALFORMED, MALFORMED),
        (r#"{"iss":"https://a.test",REST,}"#, MALFORMED, FORGED),
        (r#"{"iss":5,"iss":"https://a.test",REST}"#, MALFORMED, MALFORMED),
    ] {
        let claims = claims.replace("REST", &rest);
        for (key, expected) in keys.iter().zip([by_a, by_b]) {
            let token = key.token_of(r#"{"alg":"ES256"}"#, &claims);
            assert_eq!(kind(&issuers, &token).await, expected, "{claims}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_issuer_has_its_own_audience_and_algorithms() {
    let (a, b) =
        (MockIssuer::with_issuer("https://a.test"), MockIssuer::with_issuer("https://b.test"));
    let issuers = IssuerSet::new();
    issuers.add(verifier(&a, "orders")).unwrap();
    let narrow = verifier(&b, "https://api.test").with_algorithms([Algorithm::RS256]).unwrap();
    issuers.add(narrow).unwrap();
    assert_eq!(kind(&issuers, &a.token().audience("orders").build()).await, None);
    assert_eq!(kind(&issuers, &a.token().build()).await, Some(RejectionKind::WrongAudience));
    let refused = kind(&issuers, &b.token().build()).await;
    assert_eq!(refused, Some(RejectionKind::UnsupportedAlgorithm));
}

#[tokio::test(start_paused = true)]
async fn issuers_are_added_and_removed_while_the_layer_serves() {
    let (a, b, issuers) = two();
    let layer: JwtAuthLayer = JwtAuthLayer::new(issuers.clone());
    for issuer in [&a, &b] {
        assert_eq!(kind(&issuers, &issuer.token().build()).await, None);
        let response = send(&layer, request([issuer.token().bearer()]));
        let _: &VerifiedToken =
            VerifiedToken::from_extensions(&reached(&response).unwrap().extensions).unwrap();
    }
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    pass(1).await;
    assert_eq!(tasks(), 2);
    assert!(issuers.remove("https://a.test") && !issuers.remove("https://a.test"));
    pass(1).await;
    assert_eq!(tasks(), 1);
    let response = send(&layer, request([a.token().bearer()]));
    assert_eq!(refusal(&response), WRONG_ISSUER);
    let response = send(&layer, request([b.token().bearer()]));
    assert!(reached(&response).is_some());

    issuers.add(verifier(&a, "https://api.test")).unwrap();
    assert!(issuers.add(verifier(&a, "https://api.test")).is_err());
    assert_eq!(kind(&issuers, &a.token().build()).await, None);
    let names: Vec<_> =
        issuers.key_status().into_iter().map(|one| one.issuer().to_owned()).collect();
    assert_eq!(names, ["https://a.test", "https://b.test"]);
    assert!(format!("{issuers:?}").contains("https://b.test"));
}

#[test]
fn issuer_without_a_name_or_with_a_name_that_was_added_is_an_error() {
    let key = || support::key(Algorithm::ES256).verification_key();
    let any = tower_jwt_auth::ExpectedIssuer::dangerous_any();
    let issuers: IssuerSet = IssuerSet::default().with_capacity(1).unwrap();
    assert!(issuers.add(JwtVerifier::new(any, "a", key()).unwrap()).is_err());
    issuers.add(JwtVerifier::new(["x", "x/"], "a", key()).unwrap()).unwrap();
    assert!(issuers.add(JwtVerifier::new("x/", "a", key()).unwrap()).is_err());
    assert!(issuers.add(JwtVerifier::new(["y", "x"], "a", key()).unwrap()).is_err());
    // The capacity is for issuers of templates.
    issuers.add(JwtVerifier::new("y", "a", key()).unwrap()).unwrap();
    assert!(issuers.clone().with_capacity(0).is_err());
    assert!(issuers.remove("x"));
    assert!(!issuers.remove("x/"));
    issuers.add(JwtVerifier::new("x/", "a", key()).unwrap()).unwrap();
}

#[tokio::test]
async fn length_limits_are_those_of_the_verifier_that_is_picked() {
    const TOO_LONG: Option<RejectionKind> = Some(RejectionKind::TokenTooLong);

    let key = support::key(Algorithm::HS256);
    let verifier = |name: &str, token, header| {
        JwtVerifier::new(name, support::AUDIENCE, key.verification_key())
            .and_then(|verifier| verifier.with_max_token_length(token))
            .and_then(|verifier| verifier.with_max_header_length(header))
            .unwrap()
            .with_clock(support::now())
    };
    let issuers = IssuerSet::new();
    let of_tenants = verifier("https://login.test/one", 65_536, 16_384);
    let template = IssuerTemplate::new("https://login.test/{t}", move |_| Ok(of_tenants.clone()));
    issuers.add_template(template.unwrap().allow_tenants(["one"]));
    issuers.add(verifier("https://long.test", 65_536, 16_384)).unwrap();
    issuers.add(verifier("https://short.test", 2_048, 1_024)).unwrap();
    issuers.add(verifier("https://usual.test", 16_384, 4_096)).unwrap();
    let token = |name: &str, header: usize, claims: usize| {
        let mut members = support::claims_with("iss", name);
        members["x"] = "x".repeat(claims).into();
        key.token_of(
            json!({"alg": "HS256", "x": "x".repeat(header)}).to_string(),
            members.to_string(),
        )
    };
    for (name, lengths) in [
        ("https://short.test", [None, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG]),
        ("https://usual.test", [None, None, None, TOO_LONG, TOO_LONG]),
        ("https://long.test", [None; 5]),
        ("https://login.test/one", [None; 5]),
        ("https://other.test", [WRONG_ISSUER; 5]),
    ] {
        let sizes = [(0, 0), (1_000, 0), (0, 2_000), (4_000, 0), (0, 20_000)];
        for ((header, claims), expected) in sizes.into_iter().zip(lengths) {
            let refused = kind(&issuers, &token(name, header, claims)).await;
            assert_eq!(refused, expected, "{name}: {header}, {claims}");
        }
        assert_eq!(kind(&issuers, &token(name, 0, 60_000)).await, TOO_LONG, "{name}");
    }
    let no_payload = "x".repeat(20_000);
    assert_eq!(kind(&issuers, &no_payload).await, Some(RejectionKind::MalformedToken));
}

/// `A*` is not base64url: it is malformed once it is decoded.
#[tokio::test]
async fn token_that_no_verifier_of_the_set_allows_is_not_decoded() {
    const TOO_LONG: Option<RejectionKind> = Some(RejectionKind::TokenTooLong);
    const MALFORMED: Option<RejectionKind> = Some(RejectionKind::MalformedToken);

    let key = support::key(Algorithm::HS256);
    let verifier = |name: &str, length| {
        let verifier = JwtVerifier::new(name, support::AUDIENCE, key.verification_key()).unwrap();
        verifier.with_max_token_length(length).unwrap().with_clock(support::now())
    };
    let long = |length| format!("e30.{}.x", "A*".repeat(length / 2 - 3));
    let issuers = IssuerSet::new();
    for (name, limit) in [("https://a.test", 16_384), ("https://b.test", 32_768)] {
        issuers.add(verifier(name, limit)).unwrap();
        assert_eq!(kind(&issuers, &long(limit)).await, MALFORMED, "{name}");
        assert_eq!(kind(&issuers, &long(limit + 2)).await, TOO_LONG, "{name}");
    }
    // What a template's verifiers allow is known once it has made one.
    let of_tenant = verifier("https://login.test/one", 40_000);
    let template = IssuerTemplate::new("https://login.test/{t}", move |_| Ok(of_tenant.clone()));
    issuers.add_template(template.unwrap().allow_tenants(["one"]));
    assert_eq!(kind(&issuers, &long(65_536)).await, MALFORMED);
    assert_eq!(kind(&issuers, &long(65_538)).await, TOO_LONG);
    let mut members = support::claims_with("iss", "https://login.test/one");
    members["x"] = "x".repeat(25_000).into();
    assert_eq!(kind(&issuers, &key.token(&members)).await, None);
    assert_eq!(kind(&issuers, &long(40_000)).await, MALFORMED);
    assert_eq!(kind(&issuers, &long(40_002)).await, TOO_LONG);
}

/// Issuers of tenants, which are served by one mock each.
fn entra(tenants: &[&str]) -> (Vec<MockIssuer>, IssuerTemplate) {
    let name = |tenant: &&str| format!("https://login.test/{tenant}/v2.0");
    let mocks: Vec<_> =
        tenants.iter().map(|tenant| MockIssuer::with_issuer(name(tenant))).collect();
    let known = mocks.clone();
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |found| {
        let (issuer, tenant) = (found.issuer(), found.tenant());
        assert_eq!(issuer, name(&tenant));
        let mock = known.iter().find(|mock| mock.issuer() == issuer).cloned().unwrap_or_default();
        let keys = OidcDiscovery::new_with(issuer, mock)?;
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    (mocks, template.unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_template_serves_the_tenants_that_are_allowed() {
    let (mocks, template) = entra(&["one", "two", "three"]);
    let nobody = IssuerSet::new();
    nobody.add_template(template.clone());
    assert_eq!(kind(&nobody, &mocks[0].token().build()).await, WRONG_ISSUER);

    let issuers = IssuerSet::new();
    issuers.add_template(template.clone().allow_tenants(["one", "two"]));
    for mock in &mocks[..2] {
        assert_eq!(kind(&issuers, &mock.token().build()).await, None);
        assert_eq!(kind(&issuers, &mock.token().build()).await, None);
        assert_eq!(mock.key_fetches(), 1);
    }
    assert_eq!(kind(&issuers, &mocks[2].token().build()).await, WRONG_ISSUER);
    assert!(mocks[2].requests().is_empty());
    let crossed = mocks[0].token().issuer(mocks[1].issuer()).build();
    assert_eq!(kind(&issuers, &crossed).await, Some(RejectionKind::UnknownKey));

    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_if(|found| found.tenant().starts_with('t')));
    assert_eq!(kind(&issuers, &mocks[2].token().build()).await, None);
    assert_eq!(kind(&issuers, &mocks[0].token().build()).await, WRONG_ISSUER);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_is_a_plain_name() {
    let (mocks, template) = entra(&["one"]);
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_if(|_| true));
    for tenant in [
        "",
        ".",
        "..",
        "a/b",
        "../one",
        "a%2fb",
        "a b",
        "é",
        "{tenantid}",
        "a?b",
        "a#b",
        &"a".repeat(65),
    ] {
        let token = mocks[0].token().issuer(format!("https://login.test/{tenant}/v2.0")).build();
        assert_eq!(kind(&issuers, &token).await, WRONG_ISSUER, "{tenant}");
    }
    for issuer in
        ["https://login.test/one/v2.0/", "https://login.test/one", "https://login.test//v2.0"]
    {
        assert_eq!(kind(&issuers, &mocks[0].token().issuer(issuer).build()).await, WRONG_ISSUER);
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_makes_a_verifier_of_another_issuer_is_503() {
    let mock = MockIssuer::with_issuer("https://login.test/one/v2.0");
    let key = support::key(Algorithm::ES256).verification_key();
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |_| {
        JwtVerifier::new("https://login.test", "https://api.test", key.clone())
    });
    let issuers = IssuerSet::new();
    issuers.add_template(template.unwrap().allow_tenants(["one"]));
    let rejection = issuers.verify(&mock.token().build()).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    let cause = std::error::Error::source(&rejection).unwrap().to_string();
    assert!(cause.contains("another issuer"), "{cause}");

    for template in [
        "https://a.test",
        "https://a.test/{t",
        "https://a.test/t}",
        "https://{t}.test/",
        "https://a.test/{a}/{b}",
        "https://a.test/{{a}}",
    ] {
        let made =
            IssuerTemplate::new(template, |found| JwtVerifier::discover(found.issuer(), "a"));
        assert!(made.is_err(), "{template}");
    }
}
