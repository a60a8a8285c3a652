//! The response future: polls, bounds and sizes.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::rc::Rc;

use http::{Request, Response};
use tower::buffer::Buffer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    EmptyBody, JwtAuthLayer, RegisteredClaims, Rejection, ResponseFuture, VerifiedToken,
};

use super::{Gate, Ready, Strict, When, forged, good, ready};
use crate::support::requests::{bearer, poll};

#[tokio::test]
async fn a_future_that_is_polled_again_does_not_panic() {
    for when in When::ALL {
        for token in [good(), forged()] {
            // The future of the inner service is an `async` block: polled again, it panics.
            let (inner, _) = Strict::new();
            let mut service = when.layer(&Gate::open()).layer(inner);
            let mut future = Box::pin(ready(&mut service).await.call(bearer(token)));
            future.as_mut().await.unwrap();
            assert!(poll(future.as_mut()).is_pending(), "{when:?}");
            assert!(poll(future.as_mut()).is_pending(), "{when:?}");
        }
    }
}

#[tokio::test]
async fn bodies_and_services_need_not_be_send() {
    for when in When::ALL {
        let layer = when.layer(&Gate::open());
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async move {
                let served = Rc::new(std::cell::Cell::new(0));
                let count = Rc::clone(&served);
                let inner = service_fn(move |request: Request<Rc<str>>| {
                    let count = Rc::clone(&count);
                    async move {
                        count.set(count.get() + 1);
                        let body: Rc<String> = Rc::new(request.body().to_string());
                        Ok::<_, Rc<str>>(Response::new(body))
                    }
                });
                let service = layer.layer(inner);
                for (token, expected) in [(good(), "body"), (forged(), "")] {
                    let request = bearer(token).map(|()| Rc::<str>::from("body"));
                    let future = service.clone().oneshot(request);
                    let response = tokio::task::spawn_local(future).await.unwrap().unwrap();
                    assert_eq!(response.body().as_str(), expected, "{when:?}");
                }
                assert_eq!(served.get(), 1, "{when:?}");
            })
            .await;
    }
}

/// A body of nothing but a `Default`.
#[derive(Debug, Default, PartialEq)]
struct NoBody;

async fn through<Q, A>(layer: JwtAuthLayer, body: Q, answer: fn() -> A, token: &str) -> (u16, A)
where
    A: Default,
{
    let inner =
        service_fn(
            move |_: Request<Q>| async move { Ok::<_, Infallible>(Response::new(answer())) },
        );
    let request = bearer(token).map(|()| body);
    let response = layer.layer(inner).oneshot(request).await.unwrap();
    (response.status().as_u16(), response.into_body())
}

#[tokio::test]
async fn any_body_will_do() {
    for when in When::ALL {
        let layer = || when.layer(&Gate::open());
        assert_eq!(through(layer(), (), || (), good()).await, (200, ()));
        assert_eq!(through(layer(), NoBody, || NoBody, forged()).await, (401, NoBody));
        let bytes = through(layer(), vec![0_u8], || vec![1_u8], good()).await;
        assert_eq!(bytes, (200, vec![1]));
        let bytes = through(layer(), PhantomData::<Rc<()>>, || Some(1), forged()).await;
        assert_eq!(bytes, (401, None));
        let boxed = through(layer(), Box::new([0; 9]), || String::from("yes"), good()).await;
        assert_eq!(boxed, (200, String::from("yes")));
    }
}

#[test]
fn refusals_and_proofs_are_small() {
    assert!(size_of::<Rejection>() <= 16);
    assert!(size_of::<Result<(), Rejection>>() <= 16);
    // Pointers to the claims and to given scopes, and the time at which the token expires, whatever its claims are.
    assert!(size_of::<VerifiedToken>() <= 40);
    assert_eq!(size_of::<VerifiedToken<[u64; 9]>>(), size_of::<VerifiedToken<()>>());
}

#[test]
fn the_future_of_a_request_that_need_not_wait_is_small() {
    // That of the inner service, or a response, and which of them. The headers for the response, and the way
    // back: the policy, the responder, the media type of a gRPC request and, for observers, a pointer.
    type Inner = Buffer<Request<[u64; 99]>, Ready>;
    let future = size_of::<ResponseFuture<Inner, RegisteredClaims, EmptyBody, [u64; 99]>>();
    let largest = size_of::<<Inner as Service<Request<[u64; 99]>>>::Future>()
        .max(size_of::<Option<Response<()>>>());
    let words = 1 + 1 + 1 + 4;
    assert!(future <= largest + words * size_of::<usize>(), "{future} for {largest}");
}
