//! What is logged of issuers that clients may make up.

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{IssuerSet, IssuerTemplate, JwksUrl, JwtVerifier, RejectionKind};

use super::flood::open_template;
use super::{entra, kind};
use crate::key_engine::{pass, secs, unknown};
use crate::support::log_text::Log;

#[tokio::test(start_paused = true)]
async fn made_up_tenants_do_not_write_the_log() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    let known = mock.clone();
    let issuers = IssuerSet::new();
    issuers.add_template(open_template(move |_| known.clone()).0);
    for n in 0..3_000 {
        let tenant = format!("canary-{n:029}");
        let token = mock.token().issuer(format!("https://login.test/{tenant}/v2.0")).build();
        assert_eq!(kind(&issuers, &token).await, Some(RejectionKind::Unavailable));
        tokio::time::sleep(secs(1) / 10).await;
    }
    assert_eq!(log.text(), "");
}

#[tokio::test(start_paused = true)]
async fn full_set_writes_nothing_above_debug() {
    let (mocks, template) = entra(&["one", "two", "three"]);
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template.allow_if(|_| true));
    for mock in &mocks {
        assert_eq!(kind(&issuers, &mock.token().build()).await, None);
    }
    let (log, _guard) = Log::start(tracing::Level::INFO);
    for mock in &mocks {
        assert!(kind(&issuers, &mock.token().forged().build()).await.is_some());
    }
    // New keys are reported, as ever; an eviction is not.
    assert_eq!(log.text().lines().count(), log.count("the keys changed"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_of_a_template_is_logged_once_it_has_had_keys() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let (mocks, template) = entra(&["one", "two"]);
    let issuers = IssuerSet::new();
    issuers.add_template(template.clone().allow_if(|_| true));
    mocks[0].set_answer(MockAnswer::Status(500));
    assert!(kind(&issuers, &mocks[0].token().build()).await.is_some());
    assert_eq!(log.text(), "");
    mocks[0].set_answer(MockAnswer::Good);
    pass(61).await;
    assert_eq!(kind(&issuers, &mocks[0].token().build()).await, None);
    assert_eq!(log.count("the keys changed"), 1);
    mocks[0].set_answer(MockAnswer::Status(500));
    assert!(kind(&issuers, &unknown(&mocks[0], "x")).await.is_some());
    assert_eq!(log.count("the keys cannot be fetched"), 1, "{}", log.text());
    assert_eq!(log.count("login.test/one"), log.count("login.test"));

    // No client made up a tenant that the application named.
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_tenants(["two"]));
    mocks[1].set_answer(MockAnswer::Status(500));
    assert!(kind(&issuers, &mocks[1].token().build()).await.is_some());
    assert_eq!(log.count("the keys cannot be fetched"), 2, "{}", log.text());
    assert!(log.text().contains("login.test/two"));
}

/// Their name is the application's, whichever token asks for them.
#[tokio::test(start_paused = true)]
async fn keys_that_all_tenants_share_are_logged() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let mock = MockIssuer::with_issuer("https://login.test/one/v2.0");
    mock.set_answer(MockAnswer::Status(500));
    let keys = JwksUrl::new_with(&mock.jwks_url(), mock.clone()).unwrap();
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |found| {
        let issuer = found.issuer();
        JwtVerifier::new(issuer, "https://api.test", keys.clone())
    });
    let issuers = IssuerSet::new();
    issuers.add_template(template.unwrap().allow_if(|_| true));
    assert!(kind(&issuers, &mock.token().build()).await.is_some());
    assert_eq!(log.count("the keys cannot be fetched"), 1, "{}", log.text());
    assert!(log.text().contains(&mock.jwks_url()));
}

#[tokio::test(start_paused = true)]
async fn failed_first_fetches_are_there_at_debug() {
    let (log, _guard) = Log::start(tracing::Level::DEBUG);
    let (mocks, template) = entra(&["one"]);
    mocks[0].set_answer(MockAnswer::Status(500));
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_if(|_| true));
    assert!(kind(&issuers, &mocks[0].token().build()).await.is_some());
    let text = log.text();
    let line = text.lines().find(|line| line.contains("the keys cannot be fetched")).unwrap();
    assert!(line.contains("DEBUG") && line.contains("login.test/one"), "{line}");
}
