//! Templates: which tenants they allow, for how long, and which texts are templates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{IssuerSet, IssuerTemplate, JwtVerifier, OidcDiscovery};

use super::{WRONG_ISSUER, entra, kind, verifier};
use crate::key_engine::pass;

#[tokio::test(start_paused = true)]
async fn a_tenant_that_the_predicate_no_longer_allows_is_refused() {
    let mock = MockIssuer::with_issuer("https://login.test/one/v2.0");
    let allowed = Arc::new(AtomicBool::new(true));
    let (known, is_allowed) = (mock.clone(), Arc::clone(&allowed));
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |found| {
        let issuer = found.issuer();
        let keys = OidcDiscovery::new_with(issuer, known.clone())?;
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    let template = template.unwrap().allow_if(move |_| is_allowed.load(Ordering::SeqCst));
    let issuers = IssuerSet::new();
    issuers.add_template(template);
    assert_eq!(kind(&issuers, &mock.token().build()).await, None);
    allowed.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        assert_eq!(kind(&issuers, &mock.token().build()).await, WRONG_ISSUER);
        assert!(issuers.key_status().is_empty());
    }
    pass(1).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    allowed.store(true, Ordering::SeqCst);
    assert_eq!(kind(&issuers, &mock.token().build()).await, None);
}

/// Between the predicate's "yes" and the place in the set.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_removed_while_its_verifier_is_made_does_not_stay() {
    let mock = MockIssuer::with_issuer("https://login.test/one/v2.0");
    let is_allowed = Arc::new(AtomicBool::new(true));
    let issuers = IssuerSet::new();
    let (known, allowed, set) = (mock.clone(), Arc::clone(&is_allowed), issuers.clone());
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |found| {
        let issuer = found.issuer();
        allowed.store(false, Ordering::SeqCst);
        set.remove(issuer);
        let keys = OidcDiscovery::new_with(issuer, known.clone())?;
        JwtVerifier::new(issuer, "https://api.test", keys)
    });
    let template = template.unwrap().allow_if(move |_| is_allowed.load(Ordering::SeqCst));
    issuers.add_template(template);
    assert_eq!(kind(&issuers, &mock.token().build()).await, None);
    for _ in 0..3 {
        pass(3600).await;
        assert_eq!(kind(&issuers, &mock.token().build()).await, WRONG_ISSUER);
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_removed_takes_its_issuers_with_it() {
    const TEXT: &str = "https://login.test/{tenantid}/v2.0";

    let (mocks, template) = entra(&["one", "two"]);
    let issuers = IssuerSet::new();
    issuers.add_template(template.clone().allow_tenants(["one"]));
    issuers.add_template(template.allow_if(|found| found.tenant() == "two"));
    let added = MockIssuer::with_issuer("https://a.test");
    issuers.add(verifier(&added, "https://api.test")).unwrap();
    for mock in mocks.iter().chain([&added]) {
        assert_eq!(kind(&issuers, &mock.token().build()).await, None);
    }
    assert!(!issuers.remove_template("https://login.test/{tenant}/v2.0"));
    assert!(issuers.remove_template(TEXT) && !issuers.remove_template(TEXT));
    for mock in &mocks {
        assert_eq!(kind(&issuers, &mock.token().build()).await, WRONG_ISSUER);
    }
    assert_eq!(kind(&issuers, &added.token().build()).await, None);
    assert_eq!(issuers.key_status().len(), 1);

    // While a verifier is made.
    let (set, made) = (issuers.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&made);
    let template = IssuerTemplate::new(TEXT, move |found| {
        let issuer = found.issuer();
        count.fetch_add(1, Ordering::SeqCst);
        set.remove_template(TEXT);
        JwtVerifier::discover(issuer, "https://api.test")
    });
    issuers.add_template(template.unwrap().allow_tenants(["one"]));
    for _ in 0..2 {
        assert_eq!(kind(&issuers, &mocks[0].token().build()).await, WRONG_ISSUER);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

/// Where readers of URLs find a host, a stranger's word must not stand.
#[test]
fn the_placeholder_of_a_template_is_never_in_the_host() {
    let made = |template: &str| {
        IssuerTemplate::new(template, |found| JwtVerifier::discover(found.issuer(), "a")).is_ok()
    };
    for template in [
        "https:{host}/v2.0",
        "https:/{host}/v2.0",
        "https:///{host}/v2.0",
        "https:{host}",
        "//{host}/v2.0",
        "{scheme}://host.test/",
        "https://{host}/v2.0",
        "https://user@{host}/v2.0",
        "https://host.test:{port}/v2.0",
        "https://host.test?{tenant}/v2.0",
        "https://host.test?x/{tenant}/v2.0",
        "https://host.test#x/{tenant}/v2.0",
        r"https:\\{host}/v2.0",
        r"https://host.test\{tenant}/v2.0",
        r"https://host.test/{tenant}\v2.0",
        " https://host.test/{tenant}",
        "ht\ttps://host.test/{tenant}",
        "https://host.test/{tenant}\n",
        "https://host.test/{tenant}\u{0}",
        "https://host.test/\u{a0}{tenant}",
        "1https://host.test/{tenant}",
        "://host.test/{tenant}",
        "urn:tenant:{tenant}",
    ] {
        assert!(!made(template), "{template:?}");
    }
    for template in [
        "https://host.test/{tenant}",
        "HTTPS://host.test:8443/a/{tenant}/v2.0",
        "http://127.0.0.1:1/{tenant}",
        "tenants/{tenant}",
        "{tenant}",
    ] {
        assert!(made(template), "{template:?}");
    }
}
