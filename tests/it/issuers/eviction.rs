//! Which issuers a set keeps, and which it evicts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{IssuerSet, RejectionKind};

use super::flood::{made_up, open_template};
use super::{WRONG_ISSUER, entra, kind, verifier};
use crate::key_engine::pass;

const FORGED: Option<RejectionKind> = Some(RejectionKind::InvalidSignature);

fn listed(issuers: &IssuerSet) -> Vec<String> {
    issuers.key_status().into_iter().map(|one| one.issuer().to_owned()).collect()
}

fn names(mocks: &[&MockIssuer]) -> Vec<String> {
    mocks.iter().map(|mock| mock.issuer().to_owned()).collect()
}

async fn is_served(issuers: &IssuerSet, mock: &MockIssuer) -> bool {
    kind(issuers, &mock.token().build()).await.is_none()
}

/// A token that anybody can make, of an issuer that has the keys to refuse it.
async fn forge(issuers: &IssuerSet, mock: &MockIssuer) {
    assert_eq!(kind(issuers, &mock.token().forged().build()).await, FORGED);
}

#[tokio::test(start_paused = true)]
async fn allowed_tenant_is_served_however_many_forged_tokens_name_other_tenants() {
    let tenants: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    let (mocks, template) = entra(&tenants.iter().map(String::as_str).collect::<Vec<_>>());
    for template in [template.clone().allow_tenants(tenants), template.allow_if(|_| true)] {
        let issuers = IssuerSet::new().with_capacity(4).unwrap();
        issuers.add_template(template);
        for minute in 0..20 {
            for mock in &mocks {
                forge(&issuers, mock).await;
            }
            assert!(is_served(&issuers, &mocks[minute]).await, "{minute}");
            pass(60).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn issuer_with_a_verified_token_is_never_evicted_by_one_without() {
    let tenants: Vec<_> = (0..40).map(|n| format!("t{n}")).collect();
    let (mocks, template) = entra(&tenants.iter().map(String::as_str).collect::<Vec<_>>());
    let issuers = IssuerSet::new().with_capacity(2).unwrap();
    issuers.add_template(template.allow_if(|_| true));
    let kept = [&mocks[0], &mocks[1]];
    for mock in kept {
        assert!(is_served(&issuers, mock).await);
    }
    for mock in &mocks[2..] {
        forge(&issuers, mock).await;
        assert_eq!(
            kind(&issuers, &mock.token().expired().build()).await.unwrap(),
            RejectionKind::ExpiredToken
        );
    }
    assert_eq!(listed(&issuers), names(&kept));
    for mock in kept {
        assert!(is_served(&issuers, mock).await);
        assert_eq!(mock.key_fetches(), 1);
    }
    // Neither an outage of its issuer nor hours without a token change that.
    mocks[0].set_answer(MockAnswer::Status(500));
    pass(4_300).await;
    assert_eq!(kind(&issuers, &mocks[0].token().build()).await, Some(RejectionKind::Unavailable));
    for mock in &mocks[2..] {
        forge(&issuers, mock).await;
    }
    assert_eq!(listed(&issuers), names(&kept));
}

#[tokio::test(start_paused = true)]
async fn least_recently_verified_issuer_is_evicted_from_a_full_set() {
    let (mocks, template) = entra(&["a", "b", "c"]);
    let added = MockIssuer::with_issuer("https://a.test");
    let issuers = IssuerSet::new().with_capacity(2).unwrap();
    issuers.add(verifier(&added, "https://api.test")).unwrap();
    issuers.add_template(template.allow_if(|_| true));
    let [a, b, c] = [0, 1, 2].map(|n| &mocks[n]);
    for mock in [&added, a, b, a] {
        assert!(is_served(&issuers, mock).await);
    }
    // A forged token is no use of an issuer.
    forge(&issuers, b).await;
    assert!(is_served(&issuers, c).await);
    assert_eq!(listed(&issuers), names(&[&added, a, c]));
    // Its next token makes it again.
    assert!(is_served(&issuers, b).await);
    assert_eq!(listed(&issuers), names(&[&added, b, c]));
    assert_eq!([a, b, c].map(MockIssuer::key_fetches), [1, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn explained_token_counts_as_a_verified_one_only_when_it_is_accepted() {
    let (mocks, template) = entra(&["a", "b", "c"]);
    let issuers = IssuerSet::new().with_capacity(2).unwrap();
    issuers.add_template(template.allow_if(|_| true));
    let [a, b, c] = [0, 1, 2].map(|n| &mocks[n]);
    for refused in [a.token().forged(), a.token().expired()] {
        assert!(!issuers.explain(&refused.build()).await.is_accepted());
    }
    assert!(listed(&issuers).is_empty());
    // The first one waits for its keys, and the next one does not.
    for mock in [a, b, a] {
        let explanation = issuers.explain(&mock.token().build()).await;
        assert!(explanation.is_accepted(), "{explanation}");
    }
    assert_eq!(listed(&issuers), names(&[a, b]));
    assert!(is_served(&issuers, c).await);
    assert_eq!(listed(&issuers), names(&[a, c]));
    assert_eq!([a, b, c].map(MockIssuer::key_fetches), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn unverified_issuers_are_evicted_oldest_first() {
    let mock = MockIssuer::with_issuer("https://login.test/none/v2.0");
    let known = mock.clone();
    let (template, made) = open_template(move |_| known.clone());
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template);
    let made = || made.load(Ordering::Relaxed);
    for (tenants, expected) in [
        ((0..16).collect(), 16),
        ((0..16).collect(), 16), // All of them are there.
        (vec![16], 17),          // In the place of 0,
        (vec![1], 17),           // and not of 1,
        (vec![0], 18),           // which is the next one.
        (vec![2], 18),
        (vec![1], 19),
    ] {
        for tenant in tenants {
            let refused = kind(&issuers, &made_up(&mock, tenant)).await;
            assert_eq!(refused, Some(RejectionKind::Unavailable));
        }
        assert_eq!(made(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn add_replaces_an_issuer_that_a_token_made() {
    let (mocks, template) = entra(&["one", "two"]);
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_tenants(["one", "two"]));
    forge(&issuers, &mocks[0]).await;
    assert!(is_served(&issuers, &mocks[1]).await);
    for mock in &mocks {
        issuers.add(verifier(mock, "orders")).unwrap();
        assert!(!is_served(&issuers, mock).await);
        assert_eq!(kind(&issuers, &mock.token().audience("orders").build()).await, None);
        assert!(issuers.add(verifier(mock, "orders")).is_err());
    }
    assert_eq!(listed(&issuers), names(&[&mocks[0], &mocks[1]]));
    // Without it, the template allows the tenant as before.
    assert!(issuers.remove(mocks[0].issuer()));
    assert!(is_served(&issuers, &mocks[0]).await);
}

#[tokio::test(start_paused = true)]
async fn issuer_is_added_to_a_set_that_is_full_of_tenants() {
    let tenants: Vec<_> = (0..40).map(|n| format!("t{n}")).collect();
    let (mocks, template) = entra(&tenants.iter().map(String::as_str).collect::<Vec<_>>());
    let issuers = IssuerSet::new().with_capacity(1).unwrap();
    issuers.add_template(template.allow_if(|_| true));
    assert!(is_served(&issuers, &mocks[0]).await);
    for mock in &mocks[1..] {
        forge(&issuers, mock).await;
    }
    let added = ["https://a.test", "https://b.test"].map(MockIssuer::with_issuer);
    for mock in &added {
        issuers.add(verifier(mock, "https://api.test")).unwrap();
    }
    for mock in [&added[0], &added[1], &mocks[0], &mocks[1], &mocks[0]] {
        assert!(is_served(&issuers, mock).await);
    }
    assert_eq!(listed(&issuers), names(&[&added[0], &added[1], &mocks[0]]));
}

#[tokio::test(start_paused = true)]
async fn smaller_capacity_evicts_the_least_recently_verified_issuers() {
    let (mocks, template) = entra(&["a", "b", "c"]);
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_if(|_| true));
    for n in [0, 1, 2, 1] {
        assert!(is_served(&issuers, &mocks[n]).await);
    }
    let issuers = issuers.with_capacity(2).unwrap();
    assert_eq!(listed(&issuers), names(&[&mocks[1], &mocks[2]]));
    let issuers = issuers.with_capacity(1).unwrap();
    assert_eq!(listed(&issuers), names(&[&mocks[1]]));
    pass(1).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 1);
}

/// Else a client could make a readiness probe fail.
#[tokio::test(start_paused = true)]
async fn key_status_lists_no_issuer_that_a_client_may_have_made_up() {
    let (mocks, template) = entra(&["one", "two"]);
    let issuers = IssuerSet::new();
    let is_allowed = Arc::new(AtomicBool::new(true));
    let allowed = Arc::clone(&is_allowed);
    issuers.add_template(template.clone().allow_if(move |_| allowed.load(Ordering::SeqCst)));
    mocks[0].set_answer(MockAnswer::Status(500));
    assert!(!is_served(&issuers, &mocks[0]).await);
    forge(&issuers, &mocks[1]).await;
    assert!(listed(&issuers).is_empty());
    assert!(!format!("{issuers:?}").contains("one"), "{issuers:?}");
    assert!(is_served(&issuers, &mocks[1]).await);
    assert_eq!(listed(&issuers), names(&[&mocks[1]]));
    // Nor one that is allowed no longer.
    is_allowed.store(false, Ordering::SeqCst);
    assert!(listed(&issuers).is_empty());
    is_allowed.store(true, Ordering::SeqCst);
    assert!(listed(&issuers).is_empty());

    // A tenant that the application named is listed, with what is wrong.
    let issuers = IssuerSet::new();
    issuers.add_template(template.allow_tenants(["one"]));
    assert!(!is_served(&issuers, &mocks[0]).await);
    assert_eq!(kind(&issuers, &mocks[1].token().build()).await, WRONG_ISSUER);
    let status = issuers.key_status();
    assert_eq!(status[0].issuer(), mocks[0].issuer());
    let keys = status[0].status();
    assert!(!keys.is_ready() && keys.last_error().is_some());
}
