//! Rules of the application, and the token that they get.

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderValue, Method};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, Rejection, VerifiedToken, dangerous_any_bearer,
    verify_async_fn, verify_fn,
};

use super::{echo, extracted};
use crate::support::requests::{bearer, reached, refusal, request, send, send_later};
use crate::support::{b64, key};

#[tokio::test]
async fn rules_of_every_kind_refuse_alike() {
    let jwt = JwtAuthLayer::new(key(Algorithm::HS256).verifier());
    let any = JwtAuthLayer::new(dangerous_any_bearer());
    let rule = echo();
    let later = JwtAuthLayer::new(verify_async_fn(async |_: PresentedToken| Ok(())));
    for authorization in [
        &[][..],
        &["Basic YTpi"],
        &["Bearer"],
        &["Bearer a b"],
        &["Bearer a", "Bearer a"],
        &["Bearer a, Bearer b"],
    ] {
        for grpc in [false, true] {
            let mut request = request(authorization);
            if grpc {
                *request.method_mut() = Method::POST;
                let media_type = HeaderValue::from_static("application/grpc");
                request.headers_mut().insert(CONTENT_TYPE, media_type);
                request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
            }
            let answers = [
                send(&jwt, request.clone()),
                send(&any, request.clone()),
                send(&rule, request.clone()),
                send_later(&later, request).await,
            ];
            for answer in &answers {
                assert!(refusal(answer).is_some());
                assert_eq!(refusal(answer), refusal(&answers[0]));
                assert_eq!(answer.status(), answers[0].status());
                assert_eq!(answer.headers(), answers[0].headers());
            }
        }
    }
    // And `dangerous_any_bearer` asks for no more than that there is one.
    let response = send(&any, bearer("anything"));
    let head = reached(&response).unwrap();
    assert!(VerifiedToken::<()>::from_extensions(&head.extensions).is_ok());
}

#[test]
fn a_token_matches_its_secret_and_nothing_else() {
    let token = PresentedToken::bearer("demo-key-alice").unwrap();
    assert!(token.matches("demo-key-alice"));
    assert!(token.matches(b"demo-key-alice"));
    assert!(token.matches(String::from("demo-key-alice")));
    for other in ["", "demo-key-alic", "demo-key-alice ", "demo-key-alicE", "Demo-key-alice"] {
        assert!(!token.matches(other), "{other:?}");
    }
    // The scheme is no part of it.
    let layer = JwtAuthLayer::new(verify_fn(|token: &PresentedToken| {
        token.matches("abc").then_some(()).ok_or_else(Rejection::invalid_token)
    }));
    for (value, status) in [("Bearer abc", 204), ("bearer  abc", 204), ("Bearer abcd", 401)] {
        assert_eq!(send(&layer, request([value])).status(), status, "{value}");
    }
}

#[test]
fn a_rule_sees_the_token_as_it_came() {
    let token = b64([0xab; 3000]);
    assert_eq!(extracted([format!("Bearer {token}")]).as_deref(), Ok(&*token));
}
