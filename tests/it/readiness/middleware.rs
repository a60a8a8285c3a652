//! Within and around limits, buffers, load shedding and timeouts.

use std::time::Duration;

use tower::buffer::Buffer;
use tower::limit::rate::Rate;
use tower::limit::{ConcurrencyLimit, RateLimit};
use tower::load_shed::LoadShed;
use tower::load_shed::error::Overloaded;
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service, ServiceExt};

use super::{Gate, Strict, When, forged, good, is_ready, ready, status};
use crate::support::requests::{bearer, poll};

#[tokio::test]
async fn a_refusal_leaves_no_permit_with_an_idle_service() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut refused = when.layer(&Gate::open()).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = refused.clone();
        let mut response = Box::pin(ready(&mut refused).await.call(bearer(forged())));
        if !when.is_pending() {
            assert!(is_ready(&mut other), "{when:?}: free before the answer is fetched");
        }
        assert_eq!(response.as_mut().await.unwrap().status(), 401);
        // Both the service that refused and its future are still there.
        let mut another = other.clone();
        if !when.is_pending() {
            drop(other);
        }
        assert!(is_ready(&mut another), "{when:?}");
        assert_eq!(another.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
        assert_eq!(log.calls(), 1);
        drop((response, refused));
    }
}

#[tokio::test]
async fn a_pending_request_holds_its_permit_until_its_response() {
    for when in When::PENDING {
        let (verdict, answer) = (Gate::closed(), Gate::closed());
        let (inner, log) = Strict::answering_after(answer.clone());
        let mut service = when.layer(&verdict).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = service.clone();
        let mut response = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(response.as_mut()).is_pending());
        assert!(!is_ready(&mut other), "{when:?}: waits for the verdict");

        verdict.set_open();
        while log.calls() == 0 {
            assert!(poll(response.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        assert!(!is_ready(&mut other), "{when:?}: waits for the response");

        answer.set_open();
        assert_eq!(response.as_mut().await.unwrap().status(), 200);
        assert!(is_ready(&mut other), "{when:?}: done");
    }
}

#[tokio::test]
async fn a_cancelled_request_gives_its_permit_back_and_never_calls_the_inner_service() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let mut service = when.layer(&gate).layer(ConcurrencyLimit::new(inner, 1));
        let mut other = service.clone();
        let mut response = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(response.as_mut()).is_pending());
        assert!(!is_ready(&mut other), "{when:?}");
        drop(response);
        assert!(is_ready(&mut other), "{when:?}");
        gate.set_open();
        tokio::task::yield_now().await;
        assert_eq!(log.calls(), 0, "{when:?}");
        assert_eq!(other.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
    }
}

#[tokio::test]
async fn a_cancelled_look_up_leaves_the_other_waiters_alone() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let service = when.layer(&gate).layer(inner);
        let mut waiting: Vec<_> = [good(), good(), forged()]
            .into_iter()
            .map(|token| Box::pin(service.clone().oneshot(bearer(token))))
            .collect();
        for future in &mut waiting {
            assert!(poll(future.as_mut()).is_pending());
        }
        assert_eq!(gate.waiting(), 3, "{when:?}");
        drop(waiting.remove(0));
        assert_eq!(gate.waiting(), 2, "{when:?}");
        gate.set_open();
        let mut statuses = Vec::new();
        for future in waiting {
            statuses.push(future.await.unwrap().status().as_u16());
        }
        assert_eq!(statuses, [200, 401], "{when:?}");
        assert_eq!(log.calls(), 1, "{when:?}: the cancelled request never got there");
    }
}

#[tokio::test]
async fn over_a_buffer_a_refusal_frees_its_place() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let mut refused = when.layer(&Gate::open()).layer(Buffer::new(inner, 1));
        for _ in 0..5 {
            assert_eq!(status(&mut refused, forged()).await.unwrap(), 401, "{when:?}");
        }
        // `refused` is idle and alive; the buffer has room for one.
        let mut other = refused.clone();
        assert!(is_ready(&mut other), "{when:?}");
        assert_eq!(other.call(bearer(good())).await.unwrap().status(), 200, "{when:?}");
        assert_eq!(log.calls(), 1);
    }
}

#[tokio::test]
async fn within_a_buffer() {
    for when in When::ALL {
        let (inner, log) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = Buffer::new(when.layer(&Gate::open()).layer(limited), 4);
        for _ in 0..3 {
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
            assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        }
        assert_eq!(log.calls(), 3);
    }
}

#[tokio::test]
async fn over_load_shed_only_good_requests_are_shed() {
    for when in When::ALL {
        let answer = Gate::closed();
        let (inner, _) = Strict::answering_after(answer.clone());
        let inner = LoadShed::new(ConcurrencyLimit::new(inner, 1));
        let mut service = when.layer(&Gate::open()).layer(inner);
        // `LoadShed` answers `Overloaded` when it is called without being polled ready, too.
        let first = tokio::spawn(ready(&mut service).await.call(bearer(good())));
        tokio::task::yield_now().await;
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
        let shed = status(&mut service, good()).await.unwrap_err();
        assert!(shed.is::<Overloaded>(), "{when:?}: {shed}");
        answer.set_open();
        assert_eq!(first.await.unwrap().unwrap().status(), 200, "{when:?}");
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
    }
}

#[tokio::test]
async fn within_load_shed_a_refusal_takes_no_place() {
    for when in When::ALL {
        let (inner, _) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let service = LoadShed::new(when.layer(&Gate::open()).layer(limited));
        let mut idle = service.clone();
        for _ in 0..3 {
            assert_eq!(status(&mut idle, forged()).await.unwrap(), 401, "{when:?}");
        }
        assert_eq!(status(&mut service.clone(), good()).await.unwrap(), 200, "{when:?}");

        let gate = Gate::closed();
        let (inner, _) = Strict::answering_after(gate.clone());
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = LoadShed::new(when.layer(&gate).layer(limited));
        let mut first = Box::pin(ready(&mut service).await.call(bearer(good())));
        assert!(poll(first.as_mut()).is_pending());
        let shed = status(&mut service.clone(), good()).await.unwrap_err();
        assert!(shed.is::<Overloaded>(), "{when:?}: {shed}");
        drop(first);
        gate.set_open();
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_the_layer_bounds_the_look_up_too() {
    for when in When::PENDING {
        let gate = Gate::closed();
        let (inner, log) = Strict::new();
        let limited = ConcurrencyLimit::new(inner, 1);
        let mut service = Timeout::new(when.layer(&gate).layer(limited), Duration::from_secs(2));
        let late = status(&mut service, good()).await.unwrap_err();
        assert!(late.is::<Elapsed>(), "{when:?}: {late}");
        assert_eq!((log.calls(), gate.waiting()), (0, 0), "{when:?}");
        gate.set_open();
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_within_the_layer_begins_after_the_verdict() {
    for when in When::ALL {
        let (verdict, answer) = (Gate::closed(), Gate::closed());
        let (inner, _) = Strict::answering_after(answer.clone());
        let inner = Timeout::new(inner, Duration::from_secs(2));
        let mut service = when.layer(&verdict).layer(inner);
        let slow = tokio::spawn({
            let (verdict, answer) = (verdict.clone(), answer.clone());
            async move {
                tokio::time::sleep(Duration::from_secs(3)).await;
                verdict.set_open();
                tokio::time::sleep(Duration::from_secs(1)).await;
                answer.set_open();
            }
        });
        let answered = status(&mut service, good()).await;
        match when.is_pending() {
            true => assert_eq!(answered.unwrap(), 200, "{when:?}"),
            false => assert!(answered.unwrap_err().is::<Elapsed>(), "{when:?}"),
        }
        slow.await.unwrap();
        assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn over_a_buffered_rate_limit_refusals_do_not_count() {
    for when in When::ALL {
        let (inner, _) = Strict::new();
        let limited = RateLimit::new(inner, Rate::new(2, Duration::from_secs(10)));
        let mut service = when.layer(&Gate::open()).layer(Buffer::new(limited, 4));
        let start = tokio::time::Instant::now();
        for _ in 0..10 {
            assert_eq!(status(&mut service, forged()).await.unwrap(), 401, "{when:?}");
        }
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert_eq!(status(&mut service, good()).await.unwrap(), 200, "{when:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{when:?}: {:?}", start.elapsed());
        // The limit is shared by the clones that take the places of others.
        assert_eq!(status(&mut service.clone(), good()).await.unwrap(), 200, "{when:?}");
        assert!(start.elapsed() >= Duration::from_secs(10), "{when:?}: {:?}", start.elapsed());
    }
}
