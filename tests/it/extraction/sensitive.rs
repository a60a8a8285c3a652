//! The credentials are marked as sensitive.

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Response};
use tower_jwt_auth::{
    JwtAuthLayer, PresentedToken, Rejection, ResponseForRejection, verify_async_fn, verify_fn,
};

use super::{echo, outcome};
use crate::support::requests::{Body, bearer, reached, request, send, send_later};

#[test]
fn the_header_stays_and_is_marked_sensitive() {
    for authorization in ["Bearer  abc", "bearer abc"] {
        let response = send(&echo(), request([authorization]));
        let value = &reached(&response).unwrap().headers[AUTHORIZATION];
        assert_eq!(value, authorization);
        assert!(value.is_sensitive());
        assert!(!format!("{:?}", reached(&response).unwrap()).contains("abc\""));
    }
    // What passes without being a bearer token is somebody's password, more often than not.
    let response = send(&echo().optional(), request(["Basic YTpi"]));
    let value = &reached(&response).unwrap().headers[AUTHORIZATION];
    assert_eq!(value, "Basic YTpi");
    assert!(value.is_sensitive());
}

#[test]
fn credentials_are_marked_sensitive_on_every_path_through_the_layer() {
    let layers = [
        echo().exempt(|_| true),
        echo().optional(),
        echo().optional().exempt(|_| true),
        echo().exempt(|_| false).optional(),
    ];
    let printing = echo().exempt(|head| {
        assert!(!format!("{head:?}").contains("canary"), "a predicate can print the head");
        true
    });
    let long = format!("Negotiate {}", "canary".repeat(20_000));
    for layer in layers.iter().chain([&printing]) {
        for authorization in [
            &["Bearer canary"][..],
            &["Basic canary"],
            &["Bearer canary!"],
            &["Basic a, Bearer canary"],
            &["Basic canary", "Bearer canary"],
            &["canary"],
            &[&long],
        ] {
            let response = send(layer, request(authorization));
            // Some are refused: then the inner service sees nothing.
            let Some(head) = reached(&response) else { continue };
            let values: Vec<_> = head.headers.get_all(AUTHORIZATION).iter().collect();
            assert_eq!(values, authorization, "{layer:?}");
            assert!(values.iter().all(|value| value.is_sensitive()), "{layer:?} {authorization:?}");
            assert!(!format!("{head:?}").contains("canary"), "{layer:?} {authorization:?}");
        }
    }
    // An exempt path passes all of them.
    assert!(reached(&send(&printing, request(["Basic canary", "Bearer canary"]))).is_some());
}

#[tokio::test]
async fn the_header_is_sensitive_after_a_wait_too() {
    let layer = JwtAuthLayer::new(verify_async_fn(async |token: PresentedToken| {
        tokio::task::yield_now().await;
        Ok(token.as_str().to_owned())
    }));
    let response = send_later(&layer, bearer("abc")).await;
    assert!(reached(&response).unwrap().headers[AUTHORIZATION].is_sensitive());
    assert_eq!(outcome(&response).as_deref(), Ok("abc"));
}

/// Answers with the head of the request.
struct HeadPrinter;

impl ResponseForRejection<Body> for HeadPrinter {
    type Remembered = Parts;

    fn remember(&self, head: &Parts) -> Parts {
        assert!(head.headers.get_all(AUTHORIZATION).iter().all(HeaderValue::is_sensitive));
        head.clone()
    }

    fn response_for_rejection(&self, _: &Rejection, head: &Parts) -> Response<Body> {
        Response::new(format!("{head:?}").into_bytes())
    }

    fn empty_body(&self) -> Body {
        Body::new()
    }
}

#[test]
fn what_a_responder_sees_of_the_credentials_is_sensitive() {
    for authorization in [
        &["Bearer canary"][..],
        &["Bearer canary!"],
        &["Basic canary"],
        &["Bearer canary", "Bearer canary"],
        &["Bearer a, Bearer canary"],
    ] {
        let refuse = |_: &PresentedToken| Err::<(), _>(Rejection::invalid_token());
        let layer = JwtAuthLayer::new(verify_fn(refuse)).with_rejection_response(HeadPrinter);
        let response = send(&layer, request(authorization));
        let body = String::from_utf8(response.into_body()).unwrap();
        assert!(!body.contains("canary"), "{body}");
    }
}
