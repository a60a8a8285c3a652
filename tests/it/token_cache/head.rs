//! On a hit, the head of a request stays where it is, unless the responder wants to see it. Nobody sees the difference.

use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, Version};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, EmptyBody, JwtAuthLayer, Rejection, ResponseForRejection, VerifiedToken,
};

use super::{cached, hs256, told};
use crate::support::requests::{Body, Reached, bearer, field, reached, refusal};
use crate::support::{TestKey, claims};

/// The default responder, but it may want the head of a request.
struct WantsHead;

impl ResponseForRejection<Body> for WantsHead {
    type Remembered = ();

    fn remember(&self, _: &Parts) {}

    fn response_for_rejection(&self, rejection: &Rejection, (): &()) -> Response<Body> {
        EmptyBody.response_for_rejection(rejection, &())
    }

    fn empty_body(&self) -> Body {
        Body::new()
    }
}

/// What somebody outside of the layer has put into the request.
#[derive(Clone, Debug, PartialEq)]
struct FromOutside(u8);

/// Requests of all forms with this token.
fn requests(token: &str) -> impl Iterator<Item = Request<()>> {
    (0..8).map(move |form| {
        let mut request = bearer(token);
        *request.uri_mut() = "/orders?page=2".parse().unwrap();
        *request.version_mut() = Version::HTTP_2;
        request.headers_mut().insert("x-other", HeaderValue::from_static("kept"));
        if form & 1 != 0 {
            request.extensions_mut().insert(FromOutside(7));
        }
        if form & 2 != 0 {
            *request.method_mut() = Method::POST;
            request.headers_mut().insert(CONTENT_TYPE, "application/grpc+proto".parse().unwrap());
        }
        if form & 4 != 0 {
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
        request
    })
}

/// The answer to a request whose token is known, through layers around a service that says what it got.
async fn answer<R: ResponseForRejection<Body>>(
    outer: JwtAuthLayer<Value, R>,
    inner: Option<JwtAuthLayer>,
    request: &Request<()>,
) -> Response<Body> {
    let service = service_fn(async |request: Request<()>| {
        let mut response = Response::new(Body::from("done"));
        response.extensions_mut().insert(Reached(request.into_parts().0));
        Ok::<_, std::convert::Infallible>(response)
    });
    let answer = |request: Request<()>| async {
        let (outer, service) = (&outer, service);
        match &inner {
            Some(inner) => outer.layer(inner.layer(service)).oneshot(request).await,
            None => outer.layer(service).oneshot(request).await,
        }
    };
    answer(request.clone()).await.unwrap();
    answer(request.clone()).await.unwrap()
}

#[tokio::test]
async fn service_sees_the_same_request_whether_or_not_the_responder_wants_its_head() {
    let token = hs256().token(&claims());
    for is_nested in [false, true] {
        for request in requests(&token) {
            let (verifier, _) = cached();
            let outer = || JwtAuthLayer::<Value>::new(verifier.clone().with_claims());
            let inner = || is_nested.then(|| JwtAuthLayer::new(verifier.clone()));
            let ours = answer(outer(), inner(), &request).await;
            let usual = answer(outer().with_rejection_response(WantsHead), inner(), &request).await;
            let [ours, usual] = [&ours, &usual].map(|response| reached(response).unwrap());
            for head in [ours, usual] {
                assert_eq!(head.method, request.method());
                assert_eq!(head.uri, *request.uri());
                assert_eq!(head.version, request.version());
                assert_eq!(head.headers, *request.headers());
                assert!(head.headers[AUTHORIZATION].is_sensitive());
                let outside = head.extensions.get::<FromOutside>();
                assert_eq!(outside, request.extensions().get());
            }
            assert_eq!(ours.extensions.len(), usual.extensions.len());
            let [ours, usual] = [ours, usual].map(|head| {
                told(VerifiedToken::<Value>::from_extensions(&head.extensions).unwrap())
            });
            assert_eq!(ours, usual);
        }
    }
}

#[tokio::test]
async fn refusal_from_below_is_the_same_whether_or_not_the_responder_wants_the_head() {
    let token = hs256().token(&claims());
    let mut over_grpc = 0;
    for request in requests(&token) {
        let (verifier, _) = cached();
        let outer = || JwtAuthLayer::<Value>::new(verifier.clone().with_claims());
        // It has another key, and leaves the refusal to the outer layer.
        let inner = || Some(JwtAuthLayer::new(TestKey::generate(Algorithm::HS256).verifier()));
        let ours = answer(outer(), inner(), &request).await;
        let usual = answer(outer().with_rejection_response(WantsHead), inner(), &request).await;
        assert!(refusal(&ours).is_some() && refusal(&ours) == refusal(&usual));
        assert_eq!(ours.status(), usual.status());
        assert_eq!(ours.headers(), usual.headers());
        assert_eq!(ours.body(), usual.body());
        over_grpc += usize::from(field(&ours, "grpc-status").is_some());
    }
    assert_eq!(over_grpc, 2);
}
