//! Discovery: OpenID Connect Discovery and RFC 8414.

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{ConfigErrorKind, JwtVerifier, OidcDiscovery, RejectionKind};

use crate::key_engine::{kind, pass, secs, unknown};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::KeysUnavailable);

fn verifier(issuer: &MockIssuer) -> JwtVerifier {
    let keys = OidcDiscovery::new(issuer.issuer()).unwrap().with_fetcher(issuer.clone());
    JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a3_metadata_are_found_at_each_well_known_place() {
    for (issuer, place, looked) in [
        ("https://a.test", "/.well-known/openid-configuration", 1),
        ("https://a.test/", "/.well-known/openid-configuration", 1),
        ("https://a.test", "/.well-known/oauth-authorization-server", 2),
        ("https://a.test/api/oidc", "/api/oidc/.well-known/openid-configuration", 1),
        ("https://a.test/api/oidc/", "/api/oidc/.well-known/openid-configuration", 1),
        ("https://a.test/api", "/.well-known/oauth-authorization-server/api", 2),
        ("https://a.test/api", "/.well-known/openid-configuration/api", 3),
    ] {
        let issuer = MockIssuer::with_issuer(issuer);
        issuer.set_metadata_path(place);
        let verifier = verifier(&issuer);
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{place}");
        assert_eq!(issuer.requests().len(), looked + 1, "{place}");
        assert_eq!(issuer.requests()[looked - 1], place);

        // From then on it is asked for there, and only when it is no longer fresh.
        issuer.rotate();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{place}");
        assert_eq!(issuer.requests().len(), looked + 2, "{place}");
        pass(1300).await;
        let later = issuer.requests();
        let later = &later[looked + 2..];
        assert!(later.iter().any(|path| path == place), "{later:?}");
        assert!(later.iter().all(|path| path == place || path.ends_with("/jwks")), "{later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a3_the_issuer_of_the_metadata_is_the_very_one() {
    for other in ["https://issuer.test/", "https://ISSUER.test", "https://issuer.test:443", "x", ""]
    {
        let issuer = MockIssuer::new();
        issuer.set_metadata_issuer(other);
        let verifier = verifier(&issuer);
        assert_eq!(kind(&verifier, &issuer.token().build()).await, UNAVAILABLE, "{other}");
        assert_eq!(issuer.key_fetches(), 0, "{other}");
        let error = verifier.key_status().last_error().unwrap().to_owned();
        assert!(error.contains("another issuer"), "{error}");

        issuer.set_metadata_issuer(issuer.issuer());
        pass(16).await;
        assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a3_an_issuer_that_speaks_for_another_later_is_not_followed() {
    let issuer = MockIssuer::new();
    let verifier = verifier(&issuer);
    verifier.refresh().await.unwrap();
    issuer.set_metadata_issuer("https://attacker.test");
    issuer.rotate_and_drop();
    pass(1300).await;
    // The set was fetched once more while the metadata were fresh, and then no longer.
    assert!(verifier.key_status().last_error().unwrap().contains("another issuer"));
    pass(2 * 3600).await;
    assert_eq!(kind(&verifier, &issuer.token().build()).await, UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn c13_v46_the_url_of_the_set_is_held_to_the_same_rules() {
    for jwks_uri in [
        "http://issuer.test/jwks",
        "http://127.0.0.1/jwks",
        "file:///etc/passwd",
        "ftp://issuer.test/jwks",
        "gopher://issuer.test/jwks",
        "data:application/json,{\"keys\":[]}",
        "https://user:password@issuer.test/jwks",
        "/jwks",
        "",
    ] {
        let issuer = MockIssuer::new();
        issuer.set_jwks_uri(jwks_uri);
        let verifier = verifier(&issuer);
        assert_eq!(kind(&verifier, &issuer.token().build()).await, UNAVAILABLE, "{jwks_uri}");
        assert_eq!(issuer.requests(), ["/.well-known/openid-configuration"], "{jwks_uri}");
    }
    for (jwks_uri, private) in [
        ("https://10.0.0.1/jwks", true),
        ("https://169.254.169.254/jwks", true),
        ("https://localhost/jwks", true),
        ("https://keys.test/jwks?p=policy", false),
    ] {
        let issuer = MockIssuer::new();
        issuer.set_jwks_uri(jwks_uri);
        let keys = OidcDiscovery::new(issuer.issuer()).unwrap().with_fetcher(issuer.clone());
        let keys = keys.refuse_private_addresses().unwrap();
        let careful = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
        let refused = kind(&careful, &issuer.token().build()).await;
        assert_eq!(refused, private.then_some(RejectionKind::KeysUnavailable), "{jwks_uri}");
        assert_eq!(kind(&verifier(&issuer), &issuer.token().build()).await, None);
    }
    assert!(OidcDiscovery::new("https://10.0.0.1").unwrap().refuse_private_addresses().is_err());
}

#[tokio::test(start_paused = true)]
async fn bad_metadata_are_503_and_leave_the_old_set() {
    let json = |body: &'static str| MockAnswer::Body("application/json", body.into());
    for answer in [
        MockAnswer::Status(500),
        MockAnswer::Status(404),
        MockAnswer::Body("text/html", "<html>".into()),
        json("{}"),
        json("[]"),
        json(r#"{"issuer": "https://issuer.test"}"#),
        json(r#"{"issuer": 5, "jwks_uri": "https://issuer.test/jwks"}"#),
        json(
            r#"{"issuer": "https://issuer.test", "issuer": "https://issuer.test", "jwks_uri": "https://issuer.test/jwks"}"#,
        ),
        MockAnswer::Redirect("https://attacker.test/".into()),
        MockAnswer::Refuse,
        MockAnswer::Hang,
        MockAnswer::HalfBody,
        MockAnswer::Drip(secs(1)),
    ] {
        let issuer = MockIssuer::new();
        issuer.set_metadata_answer(answer.clone());
        let fresh = verifier(&issuer);
        let start = tokio::time::Instant::now();
        assert_eq!(kind(&fresh, &issuer.token().build()).await, UNAVAILABLE, "{answer:?}");
        assert!(start.elapsed() < secs(8), "{answer:?}");
        assert_eq!(kind(&fresh, "ey.not-a-token.x").await, Some(RejectionKind::MalformedToken));

        issuer.set_metadata_answer(MockAnswer::Good);
        pass(21).await;
        assert!(fresh.verify_now(&issuer.token().build()).is_ok(), "{answer:?}");
        // Stale for an hour at most, whichever of the two documents is away.
        issuer.set_metadata_answer(answer.clone());
        pass(660).await;
        assert!(fresh.verify_now(&issuer.token().build()).is_ok(), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_cannot_be_reached_do_not_stop_the_set() {
    for answer in [MockAnswer::Refuse, MockAnswer::Status(503), MockAnswer::Hang] {
        let issuer = MockIssuer::new();
        let verifier = verifier(&issuer);
        verifier.refresh().await.unwrap();
        issuer.set_metadata_answer(answer.clone());
        pass(700).await;
        issuer.rotate();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_that_moves_is_found_again() {
    let issuer = MockIssuer::new();
    let verifier = verifier(&issuer);
    verifier.refresh().await.unwrap();
    issuer.set_jwks_uri("https://issuer.test/elsewhere");
    issuer.rotate_and_drop();
    // The old place is 404; with the retry the metadata are asked.
    assert_eq!(kind(&verifier, &issuer.token().build()).await, UNAVAILABLE);
    pass(2).await;
    assert!(verifier.verify_now(&issuer.token().build()).is_ok());
    assert_eq!(verifier.key_status().generation(), 2);
}

#[tokio::test(start_paused = true)]
async fn v49_an_issuer_that_is_away_is_not_stormed() {
    let issuer = MockIssuer::new();
    issuer.set_metadata_answer(MockAnswer::Status(404));
    let verifier = verifier(&issuer);
    for n in 0..150 {
        kind(&verifier, &unknown(&issuer, &n.to_string())).await;
        tokio::time::sleep(secs(1) / 10).await;
    }
    assert!(issuer.requests().len() <= 40, "{}", issuer.requests().len());
}

#[test]
fn c13_v46_an_issuer_that_is_no_url_to_fetch_is_an_error_at_build_time() {
    for issuer in [
        "http://issuer.test",
        "file:///etc",
        "issuer",
        "",
        "https://issuer.test/?a=b",
        "https://issuer.test/#a",
        "https://u:p@issuer.test",
    ] {
        let error = JwtVerifier::discover(issuer, "https://api.test").unwrap_err();
        assert!(
            [ConfigErrorKind::Url, ConfigErrorKind::Issuer].contains(&error.kind()),
            "{issuer}: {error}"
        );
    }
    let verifier = JwtVerifier::discover("https://issuer.test", "https://api.test").unwrap();
    assert!(format!("{verifier:?}").contains("OidcDiscovery { issuer: \"https://issuer.test\""));
}

#[tokio::test]
async fn a3_discovery_on_the_wire_with_a_path_and_a_rotation() {
    let issuer = MockIssuer::listen("/api/oidc").await;
    let verifier = JwtVerifier::discover(issuer.issuer(), "https://api.test").unwrap();
    verifier.ready(secs(5)).await.unwrap();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    issuer.rotate_and_drop();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    assert_eq!(
        issuer.requests(),
        ["/api/oidc/.well-known/openid-configuration", "/api/oidc/jwks", "/api/oidc/jwks"]
    );
}
