use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{Clock, JwtVerifier, OidcDiscovery, SystemClock};

use super::{Told, published, verifier};
use crate::key_engine::{kind, pass};

fn telling(issuer: &MockIssuer) -> (JwtVerifier, Told) {
    let told = Told::default();
    let note = told.clone();
    let keys = issuer.keys().on_changed_keys(move |changed| note.note(changed));
    (verifier(issuer, keys), told)
}

#[tokio::test(start_paused = true)]
async fn closure_is_called_with_the_first_set_and_with_each_one_that_differs() {
    let issuer = MockIssuer::new();
    let (verifier, told) = telling(&issuer);
    assert!(told.all().is_empty());
    let first = issuer.jwk_set();
    for _ in 0..3 {
        verifier.refresh().await.unwrap();
    }
    told.wait_for(1).await;
    issuer.set_answer(MockAnswer::Status(500));
    verifier.refresh().await.unwrap_err();
    issuer.set_answer(MockAnswer::Body("application/json", "{\"keys\":[]}".into()));
    verifier.refresh().await.unwrap_err();
    issuer.set_answer(MockAnswer::Good);
    issuer.rotate();
    verifier.refresh().await.unwrap();
    let told = told.wait_for(2).await;
    pass(1).await;
    assert_eq!(told.iter().map(|one| one.json()).collect::<Vec<_>>(), [first, issuer.jwk_set()]);
    assert_eq!(told.iter().map(|one| one.keys().len()).collect::<Vec<_>>(), [1, 2]);
    assert!(told.iter().all(|one| one.source() == "https://issuer.test/jwks"));
    let now = SystemClock.now().unix_seconds();
    let at = told[0].fetched_at().unix_seconds();
    assert!((now - 60..=now).contains(&at), "{at} {now}");
}

#[tokio::test(start_paused = true)]
async fn closure_is_told_of_the_issuer_with_discovery_and_never_of_initial_keys() {
    let issuer = MockIssuer::new();
    let told = Told::default();
    let keys = OidcDiscovery::new_with(issuer.issuer(), issuer.clone()).unwrap();
    let noting = told.clone();
    let keys = keys.on_changed_keys(move |changed| noting.note(changed));
    let keys = keys.with_initial_keys(published(&issuer)).unwrap();
    let verifier = verifier(&issuer, keys);
    issuer.set_metadata_answer(MockAnswer::Refuse);
    verifier.refresh().await.unwrap_err();
    pass(1).await;
    assert!(told.all().is_empty());
    issuer.set_metadata_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    assert_eq!(told.wait_for(1).await[0].source(), "https://issuer.test");
}

#[tokio::test(start_paused = true)]
async fn panic_of_the_closure_hurts_neither_requests_nor_later_fetches() {
    let issuer = MockIssuer::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let keys = issuer.keys().on_changed_keys(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        panic!("this panic is part of the test");
    });
    let verifier = verifier(&issuer, keys);
    for round in 1..=3 {
        issuer.rotate();
        verifier.refresh().await.unwrap();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
        while calls.load(Ordering::SeqCst) < round {
            pass(1).await;
        }
    }
    assert_eq!(verifier.key_status().last_error(), None);
}

#[tokio::test]
async fn slow_closure_delays_neither_requests_nor_fetches_and_then_gets_the_newest_set() {
    let issuer = MockIssuer::new();
    let (told, (open, gate)) = (Told::default(), mpsc::channel::<()>());
    let (noting, gate) = (told.clone(), std::sync::Mutex::new(gate));
    let keys = issuer.keys().on_changed_keys(move |changed| {
        noting.note(changed);
        // Until the test ends.
        gate.lock().unwrap().recv().unwrap();
    });
    let verifier = verifier(&issuer, keys);
    for _ in 0..5 {
        issuer.rotate();
        verifier.refresh().await.unwrap();
        assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    }
    assert_eq!(verifier.key_status().changes(), 5);
    open.send(()).unwrap();
    let told = told.wait_for(2).await;
    open.send(()).unwrap();
    assert_eq!(told.last().unwrap().json(), issuer.jwk_set());
}

#[test]
fn set_that_a_runtime_did_not_pass_on_is_passed_on_by_the_next_one() {
    let issuer = MockIssuer::new();
    let (verifier, told) = telling(&issuer);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    first.block_on(async {
        verifier.refresh().await.unwrap();
    });
    drop(first);
    // It may have been quick enough, or not. The same set is fetched again, so this is no change.
    runtime().block_on(async {
        verifier.refresh().await.unwrap();
        told.wait_for(1).await;
    });
    assert_eq!(verifier.key_status().changes(), 1);
    assert_eq!(told.all()[0].json(), issuer.jwk_set());
}

#[tokio::test(start_paused = true)]
async fn debug_of_changed_keys_shows_no_key_material() {
    let issuer = MockIssuer::new();
    let (verifier, told) = telling(&issuer);
    verifier.refresh().await.unwrap();
    let told = told.wait_for(1).await;
    let set: serde_json::Value = serde_json::from_str(told[0].json()).unwrap();
    let text = format!("{told:?}");
    assert!(
        text.contains("https://issuer.test/jwks")
            && !text.contains(set["keys"][0]["x"].as_str().unwrap()),
        "{text}"
    );
}
