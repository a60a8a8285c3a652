//! Observers and the refusals of services inside of a layer: one refusal is one call.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, Rejection, RejectionKind, verify_fn,
};

use super::outcomes::Seen;
use crate::support::requests::bearer;
use crate::support::{ISSUER, claims, key};

fn outer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

/// Refuses each token.
fn inner() -> JwtAuthLayer<u32> {
    JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Err::<u32, _>(Rejection::invalid_token())))
}

/// Sends a good token of the outer layer through both.
fn send(outer: &JwtAuthLayer, inner: &JwtAuthLayer<u32>) -> Response<String> {
    let service =
        service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new("reached".to_owned())));
    let token = key(Algorithm::ES256).token(&claims());
    let response = outer.layer(inner.layer(service)).oneshot(bearer(&token));
    response.now_or_never().unwrap().unwrap()
}

#[test]
fn refusal_of_an_inner_layer_is_told_to_the_observers_of_the_outer_one() {
    let (seen, outer) = Seen::by(outer());
    assert_eq!(send(&outer, &inner()).status(), 401);
    let outcomes = seen.take();
    let [accepted, refused] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(accepted.is_accepted() && accepted.duration().is_some());
    assert_eq!(refused.kind(), Some(RejectionKind::InvalidToken));
    assert_eq!(refused.issuer(), Some(ISSUER), "that of the token which the outer layer verified");
    assert_eq!(refused.duration(), None, "the layer has decided before");
}

#[test]
fn refusal_of_an_inner_layer_with_observers_is_told_to_them_alone() {
    let (outer_seen, outer) = Seen::by(outer());
    let (inner_seen, inner) = Seen::by(inner());
    assert_eq!(send(&outer, &inner).status(), 401);
    assert!(outer_seen.one().is_accepted());
    let refused = inner_seen.one();
    assert_eq!(refused.kind(), Some(RejectionKind::InvalidToken));
    assert!(refused.duration().is_some());
    assert_eq!(refused.issuer(), None, "the rule of the inner layer knows none");
}

#[test]
fn inner_layer_that_writes_its_refusal_tells_its_own_observers() {
    let (outer_seen, outer) = Seen::by(outer());
    let with_realm = inner().with_realm("inner").unwrap();
    assert_eq!(send(&outer, &with_realm).status(), 401);
    assert!(outer_seen.one().is_accepted());
    let (inner_seen, with_realm) = Seen::by(with_realm);
    send(&outer, &with_realm);
    assert!(inner_seen.one().is_refused());
    assert!(outer_seen.one().is_accepted());
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn refusal_of_a_handler_is_an_outcome_without_a_duration() {
    use axum::body::Body;
    use axum::{Router, routing::get};
    use tower_jwt_auth::Scope;

    let (seen, layer) = Seen::by(outer());
    let forbidden = async || Rejection::insufficient_scope(Scope::from("orders:write"));
    let app: Router = Router::new().route("/", get(forbidden)).layer(layer);
    let token = key(Algorithm::ES256).token(&claims());
    let response = app.oneshot(bearer(&token).map(|()| Body::empty())).await.unwrap();
    assert_eq!(response.status(), 403);
    let outcomes = seen.take();
    let [accepted, refused] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(accepted.is_accepted());
    assert_eq!(refused.kind(), Some(RejectionKind::InsufficientScope));
    assert_eq!((refused.duration(), refused.issuer()), (None, Some(ISSUER)));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn refusal_of_an_extractor_behind_an_optional_layer_is_an_outcome() {
    use axum::body::Body;
    use axum::{Router, routing::get};
    use tower_jwt_auth::VerifiedToken;

    let (seen, layer) = Seen::by(outer().optional());
    let app: Router = Router::new()
        .route("/", get(async |token: VerifiedToken| token.sub.clone().unwrap_or_default()))
        .layer(layer);
    let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    assert_eq!(response.status(), 401);
    let outcomes = seen.take();
    let [passed, refused] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert!(passed.is_anonymous());
    assert_eq!(refused.kind(), Some(RejectionKind::MissingCredentials));
    assert_eq!((refused.duration(), refused.issuer()), (None, None));
}
