//! A key that is withdrawn while a verification with it runs.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tokio::sync::Semaphore;
use tower_jwt_auth::{
    Algorithm, IssuerSet, JwkSet, JwtAuthLayer, JwtVerifier, KeyLookup, KeyQuery, KeySource,
    RejectionKind,
};

use super::hs256;
use crate::support::requests::{bearer, refusal, send_later};
use crate::support::{AUDIENCE, ISSUER, TestKey, claims, now};

/// A source whose look-ups find their keys at once, and return them when the test allows it.
#[derive(Clone, Debug)]
struct Blocking {
    set: Arc<Mutex<JwkSet>>,
    permits: Arc<Semaphore>,
}

impl Blocking {
    fn new() -> Self {
        let set = JwkSet::from_keys([hs256().verification_key()]).unwrap();
        Self { set: Arc::new(Mutex::new(set)), permits: Arc::new(Semaphore::new(0)) }
    }

    fn withdraw(&self) {
        let other = TestKey::generate(Algorithm::HS256).verification_key();
        *self.set.lock().unwrap() = JwkSet::from_keys([other]).unwrap();
    }
}

impl KeySource for Blocking {
    fn find_key(&self, query: &KeyQuery<'_>) -> KeyLookup {
        let found = self.set.lock().unwrap().find_key(query);
        let permits = Arc::clone(&self.permits);
        KeyLookup::pending(async move {
            permits.acquire().await.unwrap().forget();
            found.wait().await
        })
    }

    fn generation(&self) -> Option<u64> {
        self.set.lock().unwrap().generation()
    }
}

fn verifier(keys: &Blocking) -> JwtVerifier {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap();
    verifier.with_clock(now()).with_token_cache(100).unwrap()
}

#[tokio::test]
async fn key_withdrawn_during_a_verification_takes_its_token_along() {
    let keys = Blocking::new();
    let verifier = verifier(&keys);
    let token = hs256().token(&claims());

    // The order: the key is found, withdrawn, and then the signature is checked with it.
    let mut running = Box::pin(verifier.verify(&token));
    assert!(running.as_mut().now_or_never().is_none());
    keys.withdraw();
    keys.permits.add_permits(1);
    assert!(running.await.is_ok());

    keys.permits.add_permits(1);
    let rejection = verifier.verify(&token).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InvalidSignature);
}

#[tokio::test]
async fn token_that_waited_for_its_key_is_found_afterwards() {
    let keys = Blocking::new();
    let layer = JwtAuthLayer::new(verifier(&keys));
    let token = hs256().token(&claims());
    keys.permits.add_permits(1);
    assert_eq!(send_later(&layer, bearer(&token)).await.status(), 204);
    // Without a permit.
    assert_eq!(send_later(&layer, bearer(&token)).now_or_never().unwrap().status(), 204);
    keys.withdraw();
    keys.permits.add_permits(1);
    let response = send_later(&layer, bearer(&token)).await;
    assert_eq!(refusal(&response), Some(RejectionKind::InvalidSignature));
}

#[tokio::test]
async fn the_same_in_the_layer_and_in_a_set() {
    for in_a_set in [false, true] {
        let keys = Blocking::new();
        let layer: JwtAuthLayer = match in_a_set {
            false => JwtAuthLayer::new(verifier(&keys)),
            true => {
                let issuers = IssuerSet::new().with_token_cache(100).unwrap();
                issuers.add(verifier(&keys)).unwrap();
                JwtAuthLayer::new(issuers)
            }
        };
        let token = hs256().token(&claims());
        let mut running = Box::pin(send_later(&layer, bearer(&token)));
        assert!(running.as_mut().now_or_never().is_none());
        keys.withdraw();
        keys.permits.add_permits(1);
        assert_eq!(running.await.status(), 204);
        keys.permits.add_permits(1);
        let response = send_later(&layer, bearer(&token)).await;
        assert_eq!(refusal(&response), Some(RejectionKind::InvalidSignature), "{in_a_set}");
    }
}

#[tokio::test]
async fn issuer_removed_during_a_verification_takes_its_token_along() {
    let keys = Blocking::new();
    let issuers = IssuerSet::new().with_token_cache(100).unwrap();
    issuers.add(verifier(&keys)).unwrap();
    let token = hs256().token(&claims());
    let mut running = Box::pin(issuers.verify(&token));
    assert!(running.as_mut().now_or_never().is_none());
    assert!(issuers.remove(ISSUER));
    keys.permits.add_permits(1);
    assert!(running.await.is_ok());
    let rejection = issuers.verify(&token).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::WrongIssuer);
    // Back in the set, it is asked again, and not the token of before.
    issuers.add(verifier(&keys)).unwrap();
    assert!(issuers.verify(&token).now_or_never().is_none());
}
