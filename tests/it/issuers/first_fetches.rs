//! What unverified tokens make a set fetch, and whom they can keep out.

use tokio::task::JoinSet;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{IssuerSet, IssuerTemplate, RejectionKind};

use super::{entra, kind, verifier};
use crate::key_engine::{pass, retry_after, secs, unknown};

/// Healthy issuers, and a template that allows no tenant yet.
fn tenants(count: usize) -> (Vec<String>, Vec<MockIssuer>, IssuerTemplate) {
    let tenants: Vec<_> = (0..count).map(|n| format!("t{n}")).collect();
    let (mocks, template) = entra(&tenants.iter().map(String::as_str).collect::<Vec<_>>());
    (tenants, mocks, template)
}

fn set(template: IssuerTemplate) -> IssuerSet {
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template);
    issuers
}

fn fetches(mocks: &[MockIssuer]) -> usize {
    mocks.iter().map(MockIssuer::key_fetches).sum()
}

#[tokio::test(start_paused = true)]
async fn named_tenants_are_held_from_their_first_token_on() {
    let (names, mocks, template) = tenants(40);
    let issuers = set(template.allow_tenants(names));
    for _ in 0..50 {
        for mock in &mocks {
            let refused = kind(&issuers, &mock.token().forged().build()).await;
            assert_eq!(refused, Some(RejectionKind::InvalidSignature));
        }
    }
    assert_eq!(fetches(&mocks), 40);
    for _ in 0..2 {
        for mock in &mocks {
            assert_eq!(kind(&issuers, &mock.token().build()).await, None);
        }
    }
    assert_eq!(fetches(&mocks), 40);
    assert_eq!(issuers.key_status().len(), 40);
}

/// As many requests as by the verifier alone: its back-off and its bucket are not forgotten.
#[tokio::test(start_paused = true)]
async fn named_tenant_whose_issuer_fails_is_held() {
    let (names, mocks, template) = tenants(17);
    let issuers = set(template.allow_tenants(names));
    let alone = MockIssuer::new();
    let verifier = verifier(&alone, "https://api.test");
    alone.set_answer(MockAnswer::Status(500));
    for mock in &mocks {
        mock.set_answer(MockAnswer::Status(500));
    }
    for _ in 0..50 {
        for mock in &mocks {
            let refused = kind(&issuers, &mock.token().forged().build()).await;
            assert_eq!(refused, Some(RejectionKind::Unavailable));
        }
        assert!(verifier.verify(&alone.token().forged().build()).await.is_err());
    }
    for mock in &mocks {
        assert_eq!(mock.requests().len(), alone.requests().len());
    }
    assert!(alone.requests().len() <= 10);
}

#[tokio::test(start_paused = true)]
async fn waits_for_unknown_keys_of_many_tenants_keep_no_other_tenant_out() {
    let (names, mocks, template) = tenants(30);
    for template in [template.clone().allow_tenants(names), template.allow_if(|_| true)] {
        let issuers = set(template);
        let mut attackers = JoinSet::new();
        // Two at a time for each tenant: one of them waits on once the first keys are there.
        for mock in mocks[..16].iter().chain(&mocks[..16]) {
            let (issuers, token) = (issuers.clone(), unknown(mock, "x"));
            attackers.spawn(async move {
                loop {
                    let _ = issuers.verify(&token).await;
                    tokio::time::sleep(secs(1) / 10).await;
                }
            });
        }
        for mock in &mocks[16..] {
            assert_eq!(kind(&issuers, &mock.token().build()).await, None);
            pass(1).await;
        }
        attackers.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_were_given_up_before_the_first_keys_keep_no_tenant_out() {
    let (_, mocks, template) = tenants(17);
    let issuers = set(template.allow_if(|_| true));
    // Their fetches end without them, and spend what an issuer has for unknown keys.
    for _ in 0..4 {
        let mut clients = JoinSet::new();
        for mock in &mocks[..16] {
            let (issuers, token) = (issuers.clone(), unknown(mock, "x"));
            clients.spawn(async move { issuers.verify(&token).await.is_ok() });
        }
        tokio::task::yield_now().await;
        clients.shutdown().await;
        pass(1).await;
    }
    let mut waiting = JoinSet::new();
    for mock in &mocks[..16] {
        let (issuers, token) = (issuers.clone(), unknown(mock, "x"));
        waiting.spawn(async move { issuers.verify(&token).await.is_ok() });
    }
    pass(1).await;
    assert_eq!(kind(&issuers, &mocks[16].token().build()).await, None);
    waiting.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn tenants_without_a_verified_token_share_64_first_fetches_and_one_each_second() {
    let (_, mocks, template) = tenants(17);
    let issuers = set(template.allow_if(|_| true));
    // Each of them is evicted before its next token comes.
    let forge = async || {
        for mock in mocks.iter().cycle().take(340) {
            match issuers.verify(&mock.token().forged().build()).await.unwrap_err() {
                refused if refused.kind() == RejectionKind::InvalidSignature => {}
                refused => {
                    assert_eq!(refused.kind(), RejectionKind::Unavailable);
                    assert_eq!(retry_after(&refused), 1);
                }
            }
        }
    };
    forge().await;
    assert_eq!(fetches(&mocks), 64);
    pass(10).await;
    forge().await;
    assert_eq!(fetches(&mocks), 74);
    pass(1).await;
    let is_refused =
        async |mock: &MockIssuer| kind(&issuers, &mock.token().build()).await.is_some();
    let mut refused = 0;
    for mock in &mocks {
        refused += usize::from(is_refused(mock).await);
    }
    assert_eq!(refused, 0, "what each verified token gives back is there for the next one");
    // A quiet time fills the bucket, and no more than that.
    pass(3_600).await;
    let before = fetches(&mocks);
    forge().await;
    assert!(fetches(&mocks) - before <= 64 + 1, "{}", fetches(&mocks) - before);
}

#[tokio::test(start_paused = true)]
async fn any_number_of_tenants_with_good_tokens_get_their_first_keys_at_once() {
    let (_, mocks, template) = tenants(300);
    let issuers = set(template.allow_if(|_| true));
    for mock in &mocks {
        assert_eq!(kind(&issuers, &mock.token().build()).await, None);
    }
}
