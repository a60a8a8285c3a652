//! Which instance is polled ready, cloned and called.

use std::sync::atomic::Ordering;
use std::task::Poll;

use http::{Request, Response};
use tower::{Layer, Service};
use tower_jwt_auth::{RegisteredClaims, VerifiedToken};

use super::{Gate, Strict, When, forged, good, in_time, is_ready, ready, status};
use crate::support::requests::{bearer, poll};

#[tokio::test]
async fn an_inner_service_is_never_called_without_being_polled_ready() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut service = when.layer(&Gate::open()).layer(inner);
        for round in 0..3 {
            assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            let mut clone = service.clone();
            assert_eq!(status(&mut clone, good()).await.unwrap(), 200, "{when:?}");
            assert_eq!(log.calls(), 2 * (round + 1), "{when:?}");
        }
    }
}

#[tokio::test]
async fn requests_of_one_service_overlap_and_each_has_a_ready_instance() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(inner);
        let mut waiting = Vec::new();
        for token in [good(), forged(), good()] {
            let mut future = Box::pin(ready(&mut service).await.call(bearer(token)));
            assert!(poll(future.as_mut()).is_pending());
            waiting.push(future);
        }
        assert_eq!(log.calls(), 0, "{when:?}");
        gate.set_open();
        let mut statuses = Vec::new();
        for future in waiting.into_iter().rev() {
            statuses.push(future.await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 401, 200], "{when:?}");
        // Those that were polled ready for these requests, in the order of their ends.
        assert_eq!(*log.called.lock().unwrap(), [2, 0], "{when:?}");
    }
}

#[tokio::test]
async fn a_good_verdict_at_once_clones_nothing_and_others_clone_once() {
    for when in When::ALL {
        for (token, expected, clones) in
            [(good(), 200, usize::from(when.is_pending())), (forged(), 401, 1), ("no-jwt", 401, 1)]
        {
            let (inner, log) = Strict::new();
            let mut service = when.layer(&Gate::open()).layer(inner);
            assert_eq!(status(&mut service, token).await.unwrap(), expected, "{when:?}");
            assert_eq!(log.clones.load(Ordering::Relaxed), clones, "{when:?} {expected}");
        }
    }
}

#[tokio::test]
async fn the_instance_that_was_polled_ready_is_the_one_that_is_called() {
    for when in When::ALL {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(inner);
        let response = ready(&mut service).await.call(bearer(good()));
        // The one that is left behind is another.
        assert!(is_ready(&mut service));
        gate.set_open();
        assert_eq!(response.await.unwrap().status(), 200);
        assert_eq!(*log.called.lock().unwrap(), [0], "{when:?}");
        assert_eq!(log.readied.load(Ordering::Relaxed), 2, "{when:?}");
    }
}

#[tokio::test]
async fn readiness_and_its_errors_are_those_of_the_inner_service() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let (mut service, mut handle) =
            tower_test::mock::spawn_with::<Request<()>, Response<Vec<u8>>, _, _>(|mock| {
                layer.layer(mock)
            });
        handle.allow(0);
        assert!(service.poll_ready().is_pending(), "{when:?}");
        handle.allow(1);
        assert!(service.poll_ready().is_ready(), "{when:?}");

        // The mock panics when it is called without being polled ready.
        let response = tokio::spawn(service.call(bearer(good())));
        let (seen, respond) = in_time(handle.next_request()).await.unwrap();
        let token = VerifiedToken::<RegisteredClaims>::from_extensions(seen.extensions());
        assert!(token.is_ok(), "{when:?}");
        respond.send_response(Response::new(b"mock".to_vec()));
        assert_eq!(response.await.unwrap().unwrap().body(), b"mock", "{when:?}");

        handle.send_error("the inner service is gone");
        let Poll::Ready(Err(error)) = service.poll_ready() else {
            panic!("{when:?}: no error");
        };
        assert!(error.to_string().contains("the inner service is gone"), "{when:?}: {error}");
    }
}

#[tokio::test]
async fn an_error_of_the_inner_service_passes() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let (mut service, mut handle) =
            tower_test::mock::spawn_with::<Request<()>, Response<Vec<u8>>, _, _>(|mock| {
                layer.layer(mock)
            });
        handle.allow(1);
        assert!(service.poll_ready().is_ready());
        let response = tokio::spawn(service.call(bearer(good())));
        let (_, respond) = in_time(handle.next_request()).await.unwrap();
        respond.send_error("boom");
        assert_eq!(response.await.unwrap().unwrap_err().to_string(), "boom", "{when:?}");
    }
}
