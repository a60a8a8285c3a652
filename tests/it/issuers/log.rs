//! What the log gets of issuers that strangers may make up.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{IssuerSet, IssuerTemplate, JwksUrl, JwtVerifier, RejectionKind};

use super::flood::open_template;
use super::{entra, kind};
use crate::key_engine::{pass, secs, unknown};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens to everything, and lives on. With a single subscriber, `tracing` asks the thread that
/// meets an event first whether anybody wants it, for all threads: that may be another test's.
static EVERYTHING: LazyLock<tracing::Dispatch> = LazyLock::new(|| {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    tracing::Dispatch::new(subscriber.with_writer(io::sink).finish())
});

impl Log {
    fn start(level: tracing::Level) -> (Self, tracing::subscriber::DefaultGuard) {
        LazyLock::force(&EVERYTHING);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn count(&self, what: &str) -> usize {
        self.text().matches(what).count()
    }
}

#[tokio::test(start_paused = true)]
async fn c12_made_up_tenants_do_not_write_the_log() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    let known = mock.clone();
    let issuers = IssuerSet::new();
    issuers.add_template(open_template(move |_| known.clone()).0);
    for n in 0..3_000 {
        let tenant = format!("canary-{n:029}");
        let token = mock.token().issuer(format!("https://login.test/{tenant}/v2.0")).build();
        assert_eq!(kind(&issuers, &token).await, Some(RejectionKind::KeysUnavailable));
        tokio::time::sleep(secs(1) / 10).await;
    }
    let text = log.text();
    assert!(!text.contains("canary"), "{text}");
    let lines = text.lines().count();
    assert_eq!(lines, log.count("there is no room for a further issuer"), "{text}");
    assert!((4..=6).contains(&lines), "{text}");
}

#[tokio::test(start_paused = true)]
async fn c12_an_issuer_of_a_template_is_logged_once_it_has_had_keys() {
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

    // One that is named is nobody's invention.
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_tenants(["two"]));
    mocks[1].set_answer(MockAnswer::Status(500));
    assert!(kind(&issuers, &mocks[1].token().build()).await.is_some());
    assert_eq!(log.count("the keys cannot be fetched"), 2, "{}", log.text());
    assert!(log.text().contains("login.test/two"));
}

/// Its name is the application's, whoever's token asks for it.
#[tokio::test(start_paused = true)]
async fn c12_keys_that_all_tenants_share_are_logged() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let mock = MockIssuer::with_issuer("https://login.test/one/v2.0");
    mock.set_answer(MockAnswer::Status(500));
    let keys = JwksUrl::new(&mock.jwks_url()).unwrap().with_fetcher(mock.clone());
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |issuer, _| {
        JwtVerifier::new(issuer, "https://api.test", keys.clone())
    });
    let issuers = IssuerSet::new();
    issuers.add_template(template.unwrap().allow_if(|_| true));
    assert!(kind(&issuers, &mock.token().build()).await.is_some());
    assert_eq!(log.count("the keys cannot be fetched"), 1, "{}", log.text());
    assert!(log.text().contains(&mock.jwks_url()));
}

#[tokio::test(start_paused = true)]
async fn c12_failed_first_fetches_are_there_at_debug() {
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
