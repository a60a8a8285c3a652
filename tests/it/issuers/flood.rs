//! Tenants that strangers make up, where the application allows whatever looks like one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Algorithm, Fetch, FetchFuture, FetchRequest, IssuerSet, IssuerTemplate, JwtVerifier, KeyLookup,
    KeyQuery, KeySource, KeySourceError, KeyStatus, OidcDiscovery, RejectionKind,
};

use super::kind;
use crate::key_engine::{pass, retry_after, secs};
use crate::support;

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::KeysUnavailable);

#[derive(Clone, Debug)]
struct Silent;

impl Fetch for Silent {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        Box::pin(std::future::pending())
    }
}

fn name(tenant: usize) -> String {
    format!("https://login.test/{tenant:036}/v2.0")
}

fn of_tenant(mock: &MockIssuer, tenant: usize) -> String {
    mock.token().issuer(name(tenant)).build()
}

/// Whatever is as long as a GUID, fetched from where `fetch` says; and how many were made.
pub(super) fn open_template<F: Fetch + Clone>(
    fetch: impl Fn(&str) -> F + Send + Sync + 'static,
) -> (IssuerTemplate, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |issuer, _| {
        count.fetch_add(1, Ordering::Relaxed);
        let keys = OidcDiscovery::new(issuer)?.with_fetcher(fetch(issuer));
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    (template.unwrap().allow_if(|tenant| tenant.len() == 36), made)
}

#[tokio::test(start_paused = true)]
async fn v49_made_up_tenants_do_not_flood_the_host_of_the_issuers() {
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    let known = mock.clone();
    let (template, made) = open_template(move |_| known.clone());
    let issuers = IssuerSet::new();
    issuers.add_template(template);
    for n in 0..2_000 {
        assert_eq!(kind(&issuers, &of_tenant(&mock, n)).await, UNAVAILABLE, "{n}");
    }
    assert_eq!(made.load(Ordering::Relaxed), 25);
    // Each asks at three places.
    assert_eq!(mock.requests().len(), 3 * 25);

    let refused = issuers.verify(&of_tenant(&mock, 2_000)).await.unwrap_err();
    assert_eq!(retry_after(&refused), 1);
    for second in 1..=60 {
        pass(1).await;
        for n in 0..100 {
            let _ = kind(&issuers, &of_tenant(&mock, 10_000 * second + n)).await;
        }
    }
    assert!(made.load(Ordering::Relaxed) <= 7 * 25, "{made:?} in a minute");
    assert_eq!(issuers.key_status().len(), 25);
    // Four or five attempts of each in its ten seconds.
    let requests = mock.requests().len();
    assert!(requests <= 7 * 25 * 3 * 6, "{requests} requests in a minute");
}

#[tokio::test(start_paused = true)]
async fn v49_issuers_that_give_way_keep_their_back_off_for_ten_seconds() {
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    mock.set_metadata_answer(MockAnswer::Status(500));
    let known = mock.clone();
    let (template, made) = open_template(move |_| known.clone());
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template);
    for _ in 0..150 {
        for n in 0..2 {
            assert_eq!(kind(&issuers, &of_tenant(&mock, n)).await, UNAVAILABLE);
        }
        tokio::time::sleep(secs(1) / 10).await;
    }
    let requests = mock.requests().len();
    assert!(requests <= 40, "{requests} requests in 15 s for two tenants");
    assert_eq!(made.load(Ordering::Relaxed), 2);
}

/// New tenants compete with the made-up ones; those that are held do not notice.
#[tokio::test(start_paused = true)]
async fn v42_made_up_tenants_that_hang_harm_no_issuer_that_is_held() {
    let good = [7_777, 8_888].map(|n| MockIssuer::with_issuer(name(n)));
    let known = good.clone();
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |issuer, _| {
        let keys = OidcDiscovery::new(issuer)?;
        let keys = match known.iter().find(|mock| mock.issuer() == issuer) {
            Some(mock) => keys.with_fetcher(mock.clone()),
            None => keys.with_fetcher(Silent),
        };
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    let issuers = IssuerSet::new();
    issuers.add_template(template.unwrap().allow_if(|tenant| tenant.len() == 36));
    let [held, new] = &good;
    assert_eq!(kind(&issuers, &held.token().build()).await, None);

    for second in 0..60 {
        for n in 0..100 {
            let (issuers, token) = (issuers.clone(), of_tenant(held, 10_000 * (second + 1) + n));
            tokio::spawn(async move { issuers.verify(&token).await.is_ok() });
        }
        pass(1).await;
        let start = Instant::now();
        assert_eq!(kind(&issuers, &held.token().build()).await, None, "{second}");
        let further = kind(&issuers, &new.token().build()).await;
        assert!(further.is_none() || further == UNAVAILABLE, "{further:?}");
        assert!(start.elapsed() < secs(1), "{second}: {:?}", start.elapsed());
        assert!(issuers.key_status().len() <= 25 + 2);
    }
    // Whoever made them up has gone: there is room within ten seconds.
    pass(10).await;
    assert_eq!(kind(&issuers, &new.token().build()).await, None);
    // Neither outage nor silence costs an issuer its place once it had keys.
    held.set_answer(MockAnswer::Hang);
    pass(400).await;
    for n in 0..200 {
        let (issuers, token) = (issuers.clone(), of_tenant(held, n));
        tokio::spawn(async move { issuers.verify(&token).await.is_ok() });
    }
    pass(1).await;
    assert_eq!(kind(&issuers, &held.token().build()).await, None);
}

/// They are not tried for ever.
#[tokio::test(start_paused = true)]
async fn v49_made_up_tenants_that_strangers_forget_leave() {
    let (strange, good) =
        (MockIssuer::with_issuer("https://login.test/x/v2.0"), MockIssuer::with_issuer(name(7)));
    let (s, g) = (strange.clone(), good.clone());
    let (template, made) =
        open_template(move |issuer| if issuer == g.issuer() { g.clone() } else { s.clone() });
    let issuers = IssuerSet::new();
    issuers.add_template(template);
    for n in 100..110 {
        assert_eq!(kind(&issuers, &of_tenant(&strange, n)).await, UNAVAILABLE);
    }
    // One that comes again and again stays, with its back-off.
    for _ in 0..130 {
        pass(1).await;
        assert_eq!(kind(&issuers, &of_tenant(&strange, 100)).await, UNAVAILABLE);
        assert_eq!(kind(&issuers, &good.token().build()).await, None);
    }
    let names: Vec<_> = issuers.key_status().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [good.issuer(), &name(100)]);
    assert_eq!(made.load(Ordering::Relaxed), 11);
    pass(1).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 2);
}

/// Counts how often it is asked for its status, and has no keys.
#[derive(Clone, Debug, Default)]
struct Asked(Arc<AtomicUsize>);

impl KeySource for Asked {
    fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
        KeyLookup::ready(Err(KeySourceError::new("no keys")))
    }

    fn status(&self) -> KeyStatus {
        self.0.fetch_add(1, Ordering::Relaxed);
        KeyStatus::new(false)
    }
}

/// However many ask for room that is not there, the issuers are gone through now and then.
#[tokio::test(start_paused = true)]
async fn v49_issuers_are_asked_to_give_way_once_in_ten_milliseconds() {
    let asked = Asked::default();
    let source = asked.clone();
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |issuer, _| {
        JwtVerifier::new(issuer, "https://api.test", source.clone())
    });
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template.unwrap().allow_if(|_| true));
    let mock = MockIssuer::new();
    for (milliseconds, times) in [(0, 1), (9, 1), (1, 2), (5, 2), (5, 3)] {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        for n in 0..50 {
            assert_eq!(kind(&issuers, &of_tenant(&mock, n)).await, UNAVAILABLE);
        }
        assert_eq!(asked.0.load(Ordering::Relaxed), times, "{milliseconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn v42_keys_in_memory_need_no_proof() {
    let key = support::key(Algorithm::ES256);
    let verification_key = key.verification_key();
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |issuer, _| {
        let verifier = JwtVerifier::new(issuer, support::AUDIENCE, verification_key.clone())?;
        Ok(verifier.with_clock(support::now()))
    });
    let issuers = IssuerSet::new().with_capacity(8).unwrap();
    issuers.add_template(template.unwrap().allow_if(|_| true));
    for n in 0..10 {
        let token = key.token(&support::claims_with("iss", name(n)));
        let expected = if n < 8 { None } else { UNAVAILABLE };
        assert_eq!(kind(&issuers, &token).await, expected, "{n}");
    }
}
