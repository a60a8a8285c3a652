//! Where a look-up cannot wait: outside of a tokio runtime, and on one without timers.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use tokio::runtime::Builder;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::test_util::MockIssuer;
use tower_jwt_auth::{JwtAuthLayer, JwtVerifier, KeySourceError, Rejection, RejectionKind};

use super::{Scripted, answer, fetched, secs, unknown};
use crate::support::requests::bearer;

/// Polls once, without a runtime: what has to wait for nothing is there.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn with_set(issuer: &MockIssuer) -> JwtVerifier {
    let set = issuer.jwk_set();
    fetched(issuer, Scripted::new(move |_, _| answer(200, &[], set.clone())))
}

/// The status of the layer, and the body that a client would get.
async fn through_the_layer(verifier: &JwtVerifier, token: &str) -> u16 {
    let layer: JwtAuthLayer = JwtAuthLayer::new(verifier.clone());
    let inner =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
    layer.layer(inner).oneshot(bearer(token)).await.unwrap().status().as_u16()
}

fn cause(refused: Result<impl Sized, Rejection>) -> String {
    let rejection = refused.map(drop).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    rejection.source().map(ToString::to_string).unwrap_or_default()
}

fn failed(result: Result<(), KeySourceError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn without_a_runtime_a_look_up_that_has_to_wait_is_503_with_a_cause() {
    let issuer = MockIssuer::new();
    let verifier = with_set(&issuer);
    let token = issuer.token().build();
    assert!(cause(at_once(verifier.verify(&token))).contains("runtime"));
    assert_eq!(at_once(through_the_layer(&verifier, &token)), 503);
    assert!(verifier.verify_now(&token).is_err());
    assert!(failed(at_once(verifier.refresh())).contains("runtime"));
    assert!(failed(at_once(verifier.ready(secs(1)))).contains("runtime"));
    assert!(!verifier.key_status().is_ready());

    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(verifier.ready(secs(5))).unwrap();
    drop(runtime);
    // What is known needs none.
    assert!(at_once(verifier.verify(&token)).is_ok());
    assert_eq!(at_once(through_the_layer(&verifier, &token)), 200);
    assert!(at_once(verifier.ready(secs(1))).is_ok());
    let strange = unknown(&issuer, "x");
    assert!(cause(at_once(verifier.verify(&strange))).contains("runtime"));
    assert_eq!(at_once(through_the_layer(&verifier, &strange)), 503);
}

#[test]
fn on_a_runtime_without_timers_a_look_up_that_has_to_wait_is_503_with_a_cause() {
    let issuer = MockIssuer::new();
    let verifier = with_set(&issuer);
    let token = issuer.token().build();
    let timeless = || Builder::new_current_thread().build().unwrap();
    let runtime = timeless();
    let text = cause(runtime.block_on(verifier.verify(&token)));
    assert!(text.contains("timers") && text.contains("enable_all"), "{text}");
    assert_eq!(runtime.block_on(through_the_layer(&verifier, &token)), 503);
    for text in [
        failed(runtime.block_on(verifier.refresh())),
        failed(runtime.block_on(verifier.ready(secs(5)))),
    ] {
        assert!(text.contains("timers"), "{text}");
    }
    assert!(verifier.key_status().last_error().is_some());

    let good = Builder::new_current_thread().enable_time().build().unwrap();
    good.block_on(verifier.refresh()).unwrap();
    assert_eq!(good.block_on(through_the_layer(&verifier, &token)), 200);
    // Known keys need no timers, and an unknown one does no harm.
    assert_eq!(runtime.block_on(through_the_layer(&verifier, &token)), 200);
    assert_eq!(runtime.block_on(through_the_layer(&verifier, &unknown(&issuer, "x"))), 503);
    assert_eq!(timeless().block_on(through_the_layer(&verifier, &token)), 200);
}

/// A wait that began on one runtime goes on where another one polls it.
#[test]
fn a_wait_whose_runtime_has_ended_does_not_panic() {
    let issuer = MockIssuer::new();
    issuer.set_answer(tower_jwt_auth::test_util::MockAnswer::Hang);
    let verifier = issuer.verifier();
    let token = issuer.token().build();
    let mut waiting = Box::pin(verifier.verify(&token));
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    first.block_on(async {
        assert!(tokio::time::timeout(secs(1) / 20, &mut waiting).await.is_err());
    });
    drop(first);
    assert!(cause(at_once(waiting)).contains("runtime"));
}
