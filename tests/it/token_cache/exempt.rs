//! A layer asks its predicate before it asks the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tower_jwt_auth::{Clock, JwtAuthLayer, NumericDate, RegisteredClaims, VerifiedToken};

use super::{cached, hs256};
use crate::support::requests::{bearer, reached, refusal, request, send};
use crate::support::{claims, claims_with, now};

/// The time of the tests. Counts how often a verifier, or its cache, asks for it.
#[derive(Clone, Debug, Default)]
struct CountedClock(Arc<AtomicUsize>);

impl Clock for CountedClock {
    fn now(&self) -> NumericDate {
        self.0.fetch_add(1, Ordering::Relaxed);
        now().now()
    }
}

fn is_marked(headers: &HeaderMap) -> bool {
    headers.get_all(AUTHORIZATION).iter().all(http::HeaderValue::is_sensitive)
}

#[test]
fn exempt_request_with_a_known_token_passes_without_it() {
    let (verifier, _) = cached();
    let is_exempt = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_exempt);
    let layer = JwtAuthLayer::new(verifier).exempt(move |head| {
        assert!(head.headers[AUTHORIZATION].is_sensitive());
        asked.load(Ordering::Relaxed)
    });
    let token = hs256().token(&claims());
    let is_verified = || {
        let response = send(&layer, bearer(&token));
        let extensions = &reached(&response).unwrap().extensions;
        VerifiedToken::<RegisteredClaims>::from_extensions(extensions).is_ok()
    };
    assert!(is_verified() && is_verified());
    is_exempt.store(true, Ordering::Relaxed);
    assert!(!is_verified());
    is_exempt.store(false, Ordering::Relaxed);
    assert!(is_verified());
}

#[test]
fn exempt_request_asks_the_predicate_once_and_the_verifier_never() {
    let (verifier, keys) = cached();
    let clock = CountedClock::default();
    let (is_exempt, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (answer, count) = (Arc::clone(&is_exempt), Arc::clone(&asked));
    let layer = JwtAuthLayer::new(verifier.with_clock(clock.clone())).exempt(move |head| {
        assert!(is_marked(&head.headers));
        count.fetch_add(1, Ordering::Relaxed);
        answer.load(Ordering::Relaxed)
    });
    let asked = || asked.swap(0, Ordering::Relaxed);
    let (known, new) = (hs256().token(&claims()), hs256().token(&claims_with("sub", "new")));
    for _ in 0..2 {
        clock.0.store(0, Ordering::Relaxed);
        assert_eq!(refusal(&send(&layer, bearer(&known))), None);
        assert_eq!(asked(), 1);
        assert!(clock.0.load(Ordering::Relaxed) > 0, "the verifier is asked without the exemption");
    }
    let lookups = keys.lookups();
    let bearers = [known, new].map(|token| format!("Bearer {token}"));
    let [known, new] = &bearers;
    is_exempt.store(true, Ordering::Relaxed);
    clock.0.store(0, Ordering::Relaxed);
    for lines in [
        vec![known.as_str()],
        vec![new],
        vec![known, known],
        vec!["Bearer a b"],
        vec!["Basic YTpi"],
        vec![],
    ] {
        let response = send(&layer, request(lines.clone()));
        let head = reached(&response).expect("forwarded");
        assert!(is_marked(&head.headers), "{lines:?}");
        assert_eq!(asked(), 1, "{lines:?}");
        assert_eq!(clock.0.load(Ordering::Relaxed), 0, "{lines:?}");
    }
    assert_eq!(keys.lookups(), lookups);
    is_exempt.store(false, Ordering::Relaxed);
    for lines in [vec![known.as_str(), known], vec!["Bearer a b"], vec!["Basic YTpi"], vec![]] {
        assert!(refusal(&send(&layer, request(lines.clone()))).is_some(), "{lines:?}");
        assert_eq!(asked(), 1, "{lines:?}");
    }
}
