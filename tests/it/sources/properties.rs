//! Any request: no panic, no 5xx, and one decision that a plain reading of the rules makes too.

use http::{HeaderName, HeaderValue, Method, Request, Version};
use proptest::prelude::*;

use super::{every, layer, outcome};
use crate::support::requests::{refusal, send};

/// Values that are near to a credential, or anything.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("Bearer".to_owned()),
        Just("bearer.".to_owned()),
        Just("base64url.bearer.authorization.k8s.io.".to_owned()),
        Just("token".to_owned()),
        Just("https://app.example".to_owned()),
        Just("same-origin".to_owned()),
        Just("websocket".to_owned()),
        Just("upgrade".to_owned()),
        Just("13".to_owned()),
        Just("YWJj".to_owned()),
        "[ =;,.\"%&?a-zA-Z0-9-]{0,6}",
    ];
    prop_oneof![
        4 => prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn field() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let name = prop::sample::select(vec![
        "authorization",
        "x-token",
        "cookie",
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "sec-websocket-key",
        "connection",
        "upgrade",
    ]);
    (name, value())
}

fn request() -> impl Strategy<Value = Request<()>> {
    let method =
        prop::sample::select(vec![Method::GET, Method::POST, Method::CONNECT, Method::HEAD]);
    let version = prop::sample::select(vec![Version::HTTP_11, Version::HTTP_2]);
    let query = "[a-z_=&%0-9F+]{0,30}|access_token=[a-z%0-9]{0,9}(&access_token=x)?";
    let fields = prop::collection::vec(field(), 0..8);
    (method, version, query, fields).prop_map(|(method, version, query, fields)| {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.version_mut() = version;
        *request.uri_mut() = format!("/orders?{query}").parse().unwrap();
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
        }
        request
    })
}

proptest! {
    #[test]
    fn no_request_makes_a_panic_or_a_5xx_and_none_shows_a_credential(request in request()) {
        for layer in [layer(every()), layer(every()).remove_credential()] {
            let shown = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
            let kept = std::sync::Arc::clone(&shown);
            let layer = layer.exempt(move |head| {
                *kept.lock().unwrap() = format!("{:?}", head.headers);
                false
            });
            let response = send(&layer, request.clone());
            prop_assert!(!response.status().is_server_error());
            let shown = shown.lock().unwrap();
            for name in ["authorization", "x-token", "cookie", "sec-websocket-protocol"] {
                for value in request.headers().get_all(name) {
                    let text = format!("{name:?}: {value:?}");
                    prop_assert!(value.is_empty() || !shown.contains(&text), "{}", shown);
                }
            }
        }
    }

    #[test]
    fn token_that_is_accepted_is_the_one_of_its_source_alone(request in request()) {
        let together = send(&layer(every()), request.clone());
        let alone: Vec<_> = every()
            .into_iter()
            .map(|source| send(&layer([source]), request.clone()))
            .filter(|response| refusal(response) != Some(tower_jwt_auth::RejectionKind::MissingCredentials))
            .collect();
        match &alone[..] {
            [] => prop_assert_eq!(
                refusal(&together),
                Some(tower_jwt_auth::RejectionKind::MissingCredentials)
            ),
            [one] => prop_assert_eq!(outcome(&together), outcome(one)),
            _ => prop_assert_eq!(
                refusal(&together),
                Some(tower_jwt_auth::RejectionKind::MultipleCredentials)
            ),
        }
    }
}
