//! Requests that do not end, and layers that are missing.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::timeout;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, EndAtExpiryLayer, ExpiringBody, JwtAuthLayer, PresentedToken, RegisteredClaims,
    verify_fn,
};

use super::{Written, data, next, request};
use crate::support::{claims, key};

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
}

type Expiring = Response<ExpiringBody<Written>>;

fn endless() -> impl Service<
    Request<ExpiringBody<String>>,
    Response = Response<Written>,
    Error = BoxError,
    Future: Send,
> + Clone {
    service_fn(async |_| {
        let frames = stream::iter([data(b"a")]).chain(stream::pending());
        Ok::<_, BoxError>(Response::new(super::stream(frames)))
    })
}

async fn assert_goes_on(response: Expiring) {
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    assert_eq!(next(&mut body).await, "a");
    assert!(timeout(Duration::from_secs(7 * 86_400), next(&mut body)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn token_without_an_expiry_does_not_end() {
    let verifier = verify_fn(|_: &PresentedToken| Ok(RegisteredClaims::default()));
    let service = JwtAuthLayer::new(verifier).layer(EndAtExpiryLayer::new().layer(endless()));
    assert_goes_on(service.oneshot(request(String::new())).await.unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn request_without_a_token_does_not_end() {
    let layer = JwtAuthLayer::new(key(Algorithm::EdDSA).verifier());
    for layer in [layer.clone().optional(), layer.exempt(|_| true)] {
        let service = layer.layer(EndAtExpiryLayer::new().layer(endless()));
        assert_goes_on(service.oneshot(Request::new(String::new())).await.unwrap()).await;
    }
}

#[tokio::test]
async fn missing_layer_is_a_500_and_the_service_is_not_called() {
    let never = service_fn(
        async |_: Request<ExpiringBody<String>>| -> Result<Response<Written>, BoxError> {
            panic!("called")
        },
    );
    let bare = EndAtExpiryLayer::new().layer(never);
    let response = bare.oneshot(request(String::new())).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "");

    // The claims type is another one.
    let auth = JwtAuthLayer::new(key(Algorithm::EdDSA).verifier().with_claims::<Claims>());
    let service = auth.layer(EndAtExpiryLayer::new().layer(never));
    let authorization = format!("Bearer {}", key(Algorithm::EdDSA).token(&claims()));
    let request = Request::post("/").header("authorization", authorization);
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(start_paused = true)]
async fn claims_type_is_the_one_of_the_verifier() {
    let clock = super::TimerClock::new();
    let verifier = key(Algorithm::EdDSA).verifier().with_clock(clock).with_claims::<Claims>();
    let layer = EndAtExpiryLayer::new().with_claims::<Claims>();
    let inner = service_fn(async |request: Request<ExpiringBody<String>>| {
        let token = tower_jwt_auth::VerifiedToken::<Claims>::from_extensions(request.extensions());
        assert_eq!(token.unwrap().sub, "alice");
        Ok::<_, BoxError>(Response::new(super::stream(stream::pending())))
    });
    let service = JwtAuthLayer::new(verifier).layer(layer.layer(inner));
    let mut body = service.oneshot(request(String::new())).await.unwrap().into_body();
    assert_eq!(next(&mut body).await, "expired");
    assert_eq!(clock.seconds(), super::LIFETIME + super::LEEWAY);
}
