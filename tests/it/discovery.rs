//! Discovery: OpenID Connect Discovery and RFC 8414.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    ConfigErrorKind, Fetch, JwtVerifier, KeySource, OidcDiscovery, RejectionKind,
};

use crate::key_engine::{Scripted, answer, kind, pass, secs, unknown};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);

fn verifier(issuer: &MockIssuer) -> JwtVerifier {
    discovered(issuer, issuer.clone())
}

#[tokio::test(start_paused = true)]
async fn metadata_are_found_at_each_well_known_place() {
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
async fn the_issuer_of_the_metadata_is_the_very_one() {
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
async fn an_issuer_that_speaks_for_another_later_is_not_followed() {
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
async fn the_url_of_the_set_is_held_to_the_same_rules() {
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
        let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
        let keys = keys.refuse_private_addresses().unwrap();
        let careful = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
        let refused = kind(&careful, &issuer.token().build()).await;
        assert_eq!(refused, private.then_some(RejectionKind::Unavailable), "{jwks_uri}");
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
    assert_eq!(verifier.key_status().changes(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_is_not_stormed() {
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
fn an_issuer_that_is_no_url_to_fetch_is_an_error_at_build_time() {
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
async fn discovery_on_the_wire_with_a_path_and_a_rotation() {
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

fn metadata(jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"https://issuer.test","jwks_uri":"{jwks_uri}"}}"#)
}

fn discovered(issuer: &MockIssuer, fetch: impl Fetch) -> JwtVerifier {
    let keys = OidcDiscovery::new_with(issuer.issuer(), fetch).unwrap();
    JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap()
}

/// The set moves; its old place answers 200 with something that is no set of keys.
#[tokio::test(start_paused = true)]
async fn a_set_that_moved_is_found_when_its_old_place_answers_without_keys() {
    let issuer = MockIssuer::new();
    let moved = Arc::new(AtomicUsize::new(0));
    let (set, state) = (issuer.jwk_set(), moved.clone());
    let fetch = Scripted::new(move |_, url| {
        let has_moved = state.load(Ordering::SeqCst) == 1;
        let place = if has_moved { "https://issuer.test/new" } else { "https://issuer.test/old" };
        match url {
            "https://issuer.test/old" if has_moved => answer(200, &[], r#"{"keys":[]}"#.into()),
            url if url == place => answer(200, &[], set.clone()),
            url if url.ends_with("openid-configuration") => {
                answer(200, &[("cache-control", "max-age=86400")], metadata(place))
            }
            _ => answer(404, &[], String::new()),
        }
    });
    let verifier = discovered(&issuer, fetch);
    verifier.refresh().await.unwrap();
    moved.store(1, Ordering::SeqCst);
    // The set was good for ten minutes, and an hour more.
    pass(3 * 3600).await;
    let error = verifier.key_status().last_error().map(str::to_owned);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{error:?}");
}

/// The metadata name another set, which is unreadable at first.
#[tokio::test(start_paused = true)]
async fn a_set_at_a_new_place_replaces_the_old_one_as_soon_as_it_can_be_read() {
    let (old, new) = (MockIssuer::new(), MockIssuer::new());
    let step = Arc::new(AtomicUsize::new(0));
    let (old_set, new_set, state) = (old.jwk_set(), new.jwk_set(), step.clone());
    let fetch = Scripted::new(move |_, url| {
        let step = state.load(Ordering::SeqCst);
        match url {
            "https://issuer.test/old" => answer(200, &[], old_set.clone()),
            "https://issuer.test/new" if step == 1 => answer(200, &[], "{}".into()),
            "https://issuer.test/new" => answer(200, &[], new_set.clone()),
            _ if step == 0 => answer(200, &[], metadata("https://issuer.test/old")),
            _ => answer(200, &[], metadata("https://issuer.test/new")),
        }
    });
    let verifier = discovered(&old, fetch);
    verifier.refresh().await.unwrap();
    let (old_token, new_token) = (old.token().build(), new.token().build());
    // The metadata are no longer fresh.
    pass(601).await;
    step.store(1, Ordering::SeqCst);
    assert!(verifier.refresh().await.is_err());
    step.store(2, Ordering::SeqCst);
    assert!(verifier.refresh().await.is_ok());
    assert_eq!(verifier.key_status().last_error(), None);
    let verdicts = (kind(&verifier, &old_token).await, kind(&verifier, &new_token).await);
    assert_eq!(verdicts, (Some(RejectionKind::UnknownKey), None));
}

/// Metadata that take longer than two seconds: that is too long only while the old ones will do.
#[tokio::test(start_paused = true)]
async fn slow_metadata_are_good_later_too() {
    let issuer = MockIssuer::new();
    let set = issuer.jwk_set();
    let fetch = Scripted::new(move |_, url| match url {
        url if url.ends_with("openid-configuration") => Box::pin(async move {
            tokio::time::sleep(secs(5) / 2).await;
            answer(200, &[], metadata("https://issuer.test/jwks")).await
        }),
        _ => answer(200, &[], set.clone()),
    });
    let verifier = discovered(&issuer, fetch.clone());
    verifier.refresh().await.unwrap();
    pass(4 * 3600).await;
    let error = verifier.key_status().last_error().map(str::to_owned);
    // Whoever starts anew has no trouble.
    discovered(&issuer, fetch).refresh().await.unwrap();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{error:?}");
}

/// The metadata move from the second place to the first, and a gateway answers 502 at the second.
#[tokio::test(start_paused = true)]
async fn metadata_that_moved_are_looked_for_when_nothing_is_good_any_longer() {
    let issuer = MockIssuer::new();
    let moved = Arc::new(AtomicUsize::new(0));
    let (set, state) = (issuer.jwk_set(), moved.clone());
    let fetch = Scripted::new(move |_, url| {
        let has_moved = state.load(Ordering::SeqCst) == 1;
        let good = || answer(200, &[], metadata("https://issuer.test/jwks"));
        match url.rsplit('/').next().unwrap() {
            "openid-configuration" if has_moved => good(),
            "openid-configuration" => answer(404, &[], String::new()),
            "oauth-authorization-server" if has_moved => answer(502, &[], String::new()),
            "oauth-authorization-server" => good(),
            _ => answer(200, &[], set.clone()),
        }
    });
    let verifier = discovered(&issuer, fetch.clone());
    verifier.refresh().await.unwrap();
    moved.store(1, Ordering::SeqCst);
    pass(4 * 3600).await;
    let error = verifier.key_status().last_error().map(str::to_owned);
    discovered(&issuer, fetch).refresh().await.unwrap();
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None, "{error:?}");
}

/// An ingress without a back-end answers 404, a busy one 429, a new one with a page of HTML.
#[tokio::test(start_paused = true)]
async fn metadata_that_are_away_for_a_moment_do_not_stop_the_set() {
    for answer in [
        MockAnswer::Status(404),
        MockAnswer::Status(429),
        MockAnswer::Body("text/html", "<html>".into()),
        MockAnswer::Redirect("https://login.test/".into()),
    ] {
        let issuer = MockIssuer::new();
        let verifier = discovered(&issuer, issuer.clone());
        verifier.refresh().await.unwrap();
        issuer.set_metadata_answer(answer.clone());
        pass(700).await;
        issuer.rotate();
        let verdict = kind(&verifier, &issuer.token().build()).await;
        assert_eq!(verdict, None, "{answer:?}: {:?}", verifier.key_status().last_error());
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_is_not_asked_elsewhere() {
    let issuer = MockIssuer::with_issuer("https://issuer.test/a");
    issuer.set_metadata_answer(MockAnswer::Status(429));
    let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    assert!(keys.refresh().await.is_err());
    assert_eq!(issuer.requests().len(), 1, "{:?}", issuer.requests());
}

#[test]
fn an_issuer_with_white_space_is_an_error_at_build_time() {
    for issuer in ["https://issuer.test\n", " https://issuer.test", "https://is\tsuer.test"] {
        assert!(OidcDiscovery::new(issuer).is_err(), "{issuer:?}");
    }
}
