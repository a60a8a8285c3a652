//! The layer asks the cache before it reads the token: everything else stays as it is.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use serde_json::Value;
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{
    Accepted, Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, PresentedToken, RegisteredClaims,
    Rejection, RejectionKind, TokenKinds, Verification, VerifiedToken, VerifyToken, verify_fn,
};

use super::{Counted, cached, hs256, told};
use crate::support::requests::{bearer, reached, refusal, request, send, send_later};
use crate::support::{ISSUER, TestKey, claims, claims_with, key};

use RejectionKind::*;

/// A service that finds its token, or answers with another status.
fn cost_of_a_hit<C: Send + Sync + 'static>(verifier: impl VerifyToken<C>, token: &str) -> u64 {
    let mut service = JwtAuthLayer::new(verifier).layer(service_fn(|request: Request<()>| {
        let verified = VerifiedToken::<C>::from_extensions(request.extensions());
        assert!(verified.is_ok());
        std::future::ready(Ok::<_, Infallible>(Response::new(())))
    }));
    let mut run =
        |request| service.call(request).now_or_never().unwrap().unwrap().status().as_u16();
    assert_eq!(run(bearer(token)), 200);
    assert_eq!(run(bearer(token)), 200);
    let (measured, mut status) = (bearer(token), 0);
    let cost = allocation_counter::measure(|| status = run(measured));
    assert_eq!(status, 200);
    cost.count_total
}

#[test]
fn token_from_the_cache_costs_the_layer_three_allocations() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let token = key(algorithm).token(&claims());
        let verifier = || key(algorithm).verifier().with_token_cache(100).unwrap();
        assert_eq!(cost_of_a_hit::<RegisteredClaims>(verifier(), &token), 3);
        assert_eq!(cost_of_a_hit::<RegisteredClaims>(Arc::new(verifier()), &token), 3);
        assert_eq!(cost_of_a_hit::<Value>(verifier().with_claims(), &token), 3);
        let issuers = IssuerSet::new().with_token_cache(100).unwrap();
        issuers.add(key(algorithm).verifier()).unwrap();
        assert_eq!(cost_of_a_hit::<RegisteredClaims>(issuers, &token), 3);
    }
}

#[test]
fn token_from_the_cache_costs_verify_now_no_allocation() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let verifier = key(algorithm).verifier().with_token_cache(100).unwrap();
        let token = key(algorithm).token(&claims());
        assert!(verifier.verify_now(&token).is_ok());
        let mut result = None;
        let cost = allocation_counter::measure(|| result = Some(verifier.verify_now(&token)));
        assert!(result.unwrap().is_ok());
        assert_eq!(cost.count_total, 0);
    }
}

#[test]
fn handler_finds_the_same_token_on_a_hit() {
    let (verifier, keys) = cached();
    let layer = JwtAuthLayer::<Value>::new(verifier.with_claims());
    let token = hs256().token(&claims_with("scope", "a b"));
    let answers = [(); 3].map(|()| {
        let response = send(&layer, bearer(&token));
        let extensions = &reached(&response).unwrap().extensions;
        told(VerifiedToken::<Value>::from_extensions(extensions).unwrap())
    });
    assert_eq!(keys.lookups(), 1);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
    // The text is kept for rules, of which there is none in `verify_now`.
    assert_eq!(answers[2]["scope"], "a b");
}

#[test]
fn text_of_a_token_is_known_to_rules_whoever_verified_it_first() {
    let (verifier, _) = cached();
    let token = hs256().token(&claims_with("scope", "a"));
    let in_layer = || {
        let response = send(&JwtAuthLayer::new(verifier.clone()), bearer(&token));
        let extensions = &reached(&response).unwrap().extensions;
        let verified = VerifiedToken::<RegisteredClaims>::from_extensions(extensions).unwrap();
        VerifiedToken::scope(verified).is_some()
    };
    let without_a_request =
        || VerifiedToken::scope(&verifier.verify_now(&token).unwrap()).is_some();
    for _ in 0..2 {
        assert!(!without_a_request());
        assert!(in_layer());
    }
}

#[test]
fn credentials_are_examined_as_without_a_cache() {
    let (verifier, _) = cached();
    let plain = JwtAuthLayer::new(hs256().verifier());
    let layer = JwtAuthLayer::new(verifier);
    let t = hs256().token(&claims());
    assert_eq!(refusal(&send(&layer, bearer(&t))), None);
    let forms = [
        vec![format!("Bearer {t}")],
        vec![format!("bEARER   {t}")],
        vec![format!("Bearer\t{t}")],
        vec![format!("Bearer{t}")],
        vec![format!("Bearer: {t}")],
        vec![format!("Bearer {t} ")],
        vec![format!("Bearer {t},")],
        vec![format!("Bearer {t}, Bearer {t}")],
        vec![format!("Bearer {t}, realm=\"x\"")],
        vec![format!("Bearer \"{t}\"")],
        vec![format!("Bearer {t}=")],
        vec![format!("Basic {t}")],
        vec![format!("DPoP {t}")],
        vec![t.clone()],
        vec![format!("Bearer {t}"), format!("Bearer {t}")],
        vec![format!("Bearer {t}"), "Basic YTpi".to_owned()],
        vec![format!("Bearer{}{t}", " ".repeat(66_000))],
        vec![format!("Bearer{}{t}", " ".repeat(60_000))],
        vec![],
    ];
    for form in forms {
        let [ours, expected] =
            [&layer, &plain].map(|layer| refusal(&send(layer, request(form.clone()))));
        assert_eq!(ours, expected, "{:?}", form.first().map(|form| &form[..20.min(form.len())]));
    }
}

#[test]
fn head_of_a_request_with_a_known_token_is_marked_sensitive() {
    let (verifier, _) = cached();
    let layer = JwtAuthLayer::new(verifier);
    let token = hs256().token(&claims());
    for _ in 0..2 {
        let response = send(&layer, bearer(&token));
        assert!(reached(&response).unwrap().headers[AUTHORIZATION].is_sensitive());
    }
}

#[tokio::test]
async fn disabled_user_is_refused_with_a_token_that_is_known() {
    let is_disabled = Arc::new(AtomicBool::new(false));
    for in_a_set in [false, true] {
        let (verifier, keys) = cached();
        let asked = Arc::clone(&is_disabled);
        let check = async move |_: VerifiedToken, _| match asked.load(Ordering::Relaxed) {
            true => Err(Rejection::invalid_token()),
            false => Ok(()),
        };
        let checked = match in_a_set {
            false => verifier.with_check(check),
            true => {
                let issuers = IssuerSet::new().with_token_cache(100).unwrap();
                issuers.add(verifier).unwrap();
                issuers.with_check(check)
            }
        };
        // Behind an `Arc`, which passes on what the layer asks.
        let layer = JwtAuthLayer::new(Arc::new(checked));
        let token = hs256().token(&claims());
        is_disabled.store(false, Ordering::Relaxed);
        assert_eq!(send_later(&layer, bearer(&token)).await.status(), 204);
        assert_eq!(send_later(&layer, bearer(&token)).await.status(), 204);
        is_disabled.store(true, Ordering::Relaxed);
        let response = send_later(&layer, bearer(&token)).await;
        assert_eq!(refusal(&response), Some(InvalidToken));
        assert_eq!(keys.lookups(), 1);
    }
}

/// A custom verifier around another one.
struct NotMallory(JwtVerifier);

impl VerifyToken<RegisteredClaims> for NotMallory {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        self.0.verify_token(token, head).and_then(|accepted: Accepted<RegisteredClaims>| {
            match accepted.token().sub.as_deref() {
                Some("mallory") => Err(Rejection::invalid_token()),
                _ => Ok(accepted),
            }
        })
    }
}

#[test]
fn rule_of_a_custom_verifier_is_asked_for_a_token_that_is_known() {
    let (verifier, keys) = cached();
    let plain = JwtAuthLayer::new(verifier.clone());
    let layer = JwtAuthLayer::new(Arc::new(NotMallory(verifier)));
    let token = hs256().token(&claims_with("sub", "mallory"));
    for _ in 0..2 {
        assert_eq!(refusal(&send(&plain, bearer(&token))), None);
        assert_eq!(refusal(&send(&layer, bearer(&token))), Some(InvalidToken));
    }
    assert_eq!(keys.lookups(), 1);
}

#[test]
fn mapped_claims_and_kinds_of_tokens_stay_right() {
    let (verifier, keys) = cached();
    let token = hs256().token(&claims());
    let subject = |claims: &RegisteredClaims| claims.sub.clone();
    let mapped = JwtAuthLayer::new(verifier.clone().map_claims(subject));
    for _ in 0..2 {
        let response = send(&mapped, bearer(&token));
        let extensions = &reached(&response).unwrap().extensions;
        let verified = VerifiedToken::<Option<String>>::from_extensions(extensions).unwrap();
        assert_eq!(verified.claims().as_deref(), Some("alice"));
    }
    assert_eq!(keys.lookups(), 1);

    // The verifier knows the token, but it is not the one for it.
    let nobody =
        || verify_fn(|_: &PresentedToken| Err::<RegisteredClaims, _>(Rejection::invalid_token()));
    let kinds = TokenKinds::new()
        .add_issuer(ISSUER, nobody())
        .unwrap()
        .with_jwt(verifier.clone())
        .with_otherwise(verifier.clone());
    assert_eq!(refusal(&send(&JwtAuthLayer::new(verifier.clone()), bearer(&token))), None);
    assert_eq!(refusal(&send(&JwtAuthLayer::new(kinds), bearer(&token))), Some(InvalidToken));
    let kinds = TokenKinds::new().add_issuer(ISSUER, verifier).unwrap().with_jwt(nobody());
    let layer = JwtAuthLayer::new(Arc::new(kinds));
    for _ in 0..2 {
        assert_eq!(refusal(&send(&layer, bearer(&token))), None);
    }
    assert_eq!(keys.lookups(), 1);
}

#[test]
fn layers_with_other_claims_or_rules_do_not_share() {
    let (verifier, _) = cached();
    let token = hs256().token(&claims());
    let strict = verifier.clone().require_rfc9068();
    for _ in 0..2 {
        assert_eq!(refusal(&send(&JwtAuthLayer::new(verifier.clone()), bearer(&token))), None);
        let response = send(&JwtAuthLayer::new(strict.clone()), bearer(&token));
        assert_eq!(refusal(&response), Some(WrongTokenType));
    }
}

#[test]
fn known_token_is_accepted_with_its_issuer_for_observers() {
    for in_a_set in [false, true] {
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&outcomes);
        let (verifier, keys) = cached();
        let layer: JwtAuthLayer = match in_a_set {
            false => JwtAuthLayer::new(verifier),
            true => {
                let issuers = IssuerSet::new().with_token_cache(100).unwrap();
                issuers.add(verifier).unwrap();
                JwtAuthLayer::new(issuers)
            }
        };
        let layer = layer.on_outcome(move |outcome| told.lock().unwrap().push(outcome.clone()));
        let token = hs256().token(&claims());
        for _ in 0..3 {
            assert_eq!(refusal(&send(&layer, bearer(&token))), None);
        }
        assert_eq!(keys.lookups(), 1);
        let outcomes = outcomes.lock().unwrap();
        assert_eq!(outcomes.len(), 3);
        for outcome in &*outcomes {
            assert!(outcome.is_accepted() && outcome.duration().is_some());
            assert_eq!((outcome.issuer(), outcome.scheme().is_some()), (Some(ISSUER), true));
            assert!(!format!("{outcome:?}").contains(&token));
        }
    }
}

#[cfg(feature = "tracing")]
#[test]
fn known_token_writes_no_log() {
    use crate::support::log_text::Log;

    let (verifier, _) = cached();
    let layer = JwtAuthLayer::new(verifier.clone());
    let token = hs256().token(&claims());
    let (log, _guard) = Log::start(tracing::Level::TRACE);
    // The line with what is accepted, once.
    assert_eq!(refusal(&send(&layer, bearer(&token))), None);
    let before = log.text();
    assert_eq!(refusal(&send(&layer, bearer(&token))), None);
    assert!(verifier.verify_now(&token).is_ok());
    assert_eq!(log.text(), before);
    assert!(!before.contains(&token));
    // Nor does the verifier show it.
    assert!(!format!("{verifier:?} {layer:?}").contains(&token));
}

/// A buffer as a server has it, with a whole head in it.
struct Buffer(Vec<u8>, Arc<AtomicBool>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

#[test]
fn cache_does_not_hold_the_buffer_of_a_request() {
    for in_a_set in [false, true] {
        let (verifier, keys) = cached();
        let layer: JwtAuthLayer = match in_a_set {
            false => JwtAuthLayer::new(verifier),
            true => {
                let issuers = IssuerSet::new().with_token_cache(100).unwrap();
                issuers.add(verifier).unwrap();
                JwtAuthLayer::new(issuers)
            }
        };
        let token = hs256().token(&claims());
        let is_dropped = Arc::new(AtomicBool::new(false));
        let head = format!("Bearer {token}{}", "\0".repeat(8000));
        let head = bytes::Bytes::from_owner(Buffer(head.into_bytes(), Arc::clone(&is_dropped)));
        let value = HeaderValue::from_maybe_shared(head.slice(..7 + token.len())).unwrap();
        drop(head);
        let mut request = Request::new(());
        request.headers_mut().insert(AUTHORIZATION, value);
        assert_eq!(refusal(&send(&layer, request)), None);
        assert!(is_dropped.load(Ordering::Relaxed), "in a set: {in_a_set}");
        assert_eq!(refusal(&send(&layer, bearer(&token))), None);
        assert_eq!(keys.lookups(), 1);
    }
}

#[test]
fn forged_token_is_refused_beside_the_known_one() {
    let keys = Counted::of(hs256());
    let verifier = JwtVerifier::new(ISSUER, crate::support::AUDIENCE, keys).unwrap();
    let layer =
        JwtAuthLayer::new(verifier.with_clock(crate::support::now()).with_token_cache(9).unwrap());
    let good = hs256().token(&claims());
    let forged = TestKey::generate(Algorithm::HS256).token(&claims());
    for _ in 0..3 {
        assert_eq!(refusal(&send(&layer, bearer(&good))), None);
        assert_eq!(refusal(&send(&layer, bearer(&forged))), Some(InvalidSignature));
    }
}
