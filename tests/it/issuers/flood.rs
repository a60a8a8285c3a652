//! Tenants that clients make up, where the application allows whatever looks like one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;
use tokio::time::Instant;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Fetch, FetchFuture, FetchRequest, IssuerSet, IssuerTemplate, JwtVerifier, OidcDiscovery,
    RejectionKind,
};

use super::kind;
use crate::key_engine::{pass, retry_after, secs};

const UNAVAILABLE: Option<RejectionKind> = Some(RejectionKind::Unavailable);

/// Never answers, and counts the fetches that are under way.
#[derive(Clone, Debug, Default)]
struct Silent(Arc<AtomicUsize>);

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fetch for Silent {
    fn fetch(&self, _: FetchRequest) -> FetchFuture {
        self.0.fetch_add(1, Ordering::SeqCst);
        let under_way = UnderWay(Arc::clone(&self.0));
        Box::pin(async move {
            let _under_way = under_way;
            std::future::pending().await
        })
    }
}

impl Silent {
    fn under_way(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn name(tenant: usize) -> String {
    format!("https://login.test/{tenant:036}/v2.0")
}

/// A token of a tenant, signed by somebody else.
pub(super) fn made_up(mock: &MockIssuer, tenant: usize) -> String {
    mock.token().issuer(name(tenant)).build()
}

/// Whatever is as long as a GUID, fetched by what `fetch` returns; and how many were made.
pub(super) fn open_template<F: Fetch + Clone>(
    fetch: impl Fn(&str) -> F + Send + Sync + 'static,
) -> (IssuerTemplate, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |found| {
        let issuer = found.issuer();
        count.fetch_add(1, Ordering::Relaxed);
        let keys = OidcDiscovery::new_with(issuer, fetch(issuer))?;
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    (template.unwrap().allow_if(|found| found.tenant().len() == 36), made)
}

/// Two tenants that exist, and any number of others, whose issuer never answers.
fn two_among_silent_ones() -> ([MockIssuer; 2], Silent, IssuerSet) {
    let good = [7_777, 8_888].map(|n| MockIssuer::with_issuer(name(n)));
    let (known, silent) = (good.clone(), Silent::default());
    let others = silent.clone();
    let template = IssuerTemplate::new("https://login.test/{tenantid}/v2.0", move |found| {
        let issuer = found.issuer();
        let keys = OidcDiscovery::new(issuer)?;
        let keys = match known.iter().find(|mock| mock.issuer() == issuer) {
            Some(mock) => keys.with_fetcher(mock.clone()),
            None => keys.with_fetcher(others.clone()),
        };
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    let issuers = IssuerSet::new().with_capacity(2).unwrap();
    issuers.add_template(template.unwrap().allow_if(|found| found.tenant().len() == 36));
    (good, silent, issuers)
}

/// Requests of tenants that were made up, which wait.
fn flood(issuers: &IssuerSet, mock: &MockIssuer, tenants: std::ops::Range<usize>) -> JoinSet<()> {
    let mut waiting = JoinSet::new();
    for n in tenants {
        let (issuers, token) = (issuers.clone(), made_up(mock, n));
        waiting.spawn(async move {
            assert_eq!(kind(&issuers, &token).await, UNAVAILABLE);
        });
    }
    waiting
}

#[tokio::test(start_paused = true)]
async fn sixteen_made_up_tenants_at_most_fetch_at_a_time() {
    let ([held, new], silent, issuers) = two_among_silent_ones();
    assert_eq!(kind(&issuers, &held.token().build()).await, None);
    let mut waiting = flood(&issuers, &held, 0..200);
    pass(1).await;
    assert_eq!(silent.under_way(), 16);
    assert_eq!(waiting.len(), 200);
    while waiting.try_join_next().is_some() {}
    assert_eq!(waiting.len(), 16, "the others were refused at once");

    // A tenant that is there is served; a new one is told when to come back.
    let start = Instant::now();
    assert_eq!(kind(&issuers, &held.token().build()).await, None);
    let refused = issuers.verify(&new.token().build()).await.unwrap_err();
    assert_eq!((refused.kind(), retry_after(&refused)), (RejectionKind::Unavailable, 1));
    assert_eq!(start.elapsed(), secs(0));
    assert!(new.requests().is_empty());

    // Clients that go away leave no fetch behind that counts for nothing.
    waiting.shutdown().await;
    for n in 1..20 {
        let mut waiting = flood(&issuers, &held, 200 * n..200 * (n + 1));
        pass(1).await;
        assert!(silent.under_way() <= 16, "{}", silent.under_way());
        waiting.shutdown().await;
    }
    assert_eq!(kind(&issuers, &new.token().build()).await, None);
}

#[tokio::test(start_paused = true)]
async fn made_up_tenants_that_hang_harm_no_issuer_that_is_held() {
    let ([held, new], _, issuers) = two_among_silent_ones();
    assert_eq!(kind(&issuers, &held.token().build()).await, None);
    let mut all = Vec::new();
    for second in 0..60 {
        all.push(flood(&issuers, &held, 100 * second..100 * (second + 1)));
        pass(1).await;
        let start = Instant::now();
        assert_eq!(kind(&issuers, &held.token().build()).await, None, "{second}");
        assert_eq!(start.elapsed(), secs(0), "{second}");
        let further = kind(&issuers, &new.token().build()).await;
        assert!(further.is_none() || further == UNAVAILABLE, "{further:?}");
        assert!(start.elapsed() < secs(1), "{second}: {:?}", start.elapsed());
    }
    // As soon as nobody waits for a made-up tenant, a new one is served.
    pass(7).await;
    assert_eq!(kind(&issuers, &new.token().build()).await, None);
    // An issuer that had a verified token is held through an outage.
    held.set_answer(MockAnswer::Hang);
    pass(400).await;
    all.push(flood(&issuers, &held, 0..200));
    pass(1).await;
    assert_eq!(kind(&issuers, &held.token().build()).await, None);
}

#[tokio::test(start_paused = true)]
async fn made_up_tenants_take_no_memory_and_no_slot() {
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    let good = MockIssuer::with_issuer(name(9_999_999));
    let known = [mock.clone(), good.clone()];
    let (template, _) =
        open_template(move |issuer| known[usize::from(issuer == known[1].issuer())].clone());
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template);
    assert_eq!(kind(&issuers, &good.token().build()).await, None);
    for n in 0..2_000 {
        assert_eq!(kind(&issuers, &made_up(&mock, n)).await, UNAVAILABLE, "{n}");
    }
    pass(1).await;
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(tasks <= 16 + 1, "{tasks}");
    assert_eq!(kind(&issuers, &good.token().build()).await, None);
    assert_eq!(good.key_fetches(), 1);
    let names: Vec<_> =
        issuers.key_status().into_iter().map(|one| one.issuer().to_owned()).collect();
    assert_eq!(names, [good.issuer()]);
}
