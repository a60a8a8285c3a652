//! Any request: no panic, no 5xx, and one decision that a plain reading of the rules makes too.

use std::cell::RefCell;

use http::{HeaderName, HeaderValue, Method, Request, Version};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tower_jwt_auth::{RejectionKind, VerifiedToken};

use super::exclusive::{kinds, with_credentials};
use super::nested::through;
use super::{Seen, every, layer, outcome};
use crate::support::requests::{reached, refusal, send};

use RejectionKind::{ForeignOrigin, MissingCredentials, MultipleCredentials, UnsupportedScheme};

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

fn method() -> impl Strategy<Value = Method> {
    prop::sample::select(vec![Method::GET, Method::POST, Method::CONNECT, Method::HEAD])
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(vec![Version::HTTP_11, Version::HTTP_2])
}

fn query() -> impl Strategy<Value = String> {
    "[a-z_=&%0-9F+]{0,30}|access_token=[a-z%0-9]{0,9}(&access_token=x)?"
}

/// A change of a request.
#[derive(Clone, Debug)]
enum Change {
    Add(&'static str, Vec<u8>),
    Replace(&'static str, Vec<u8>),
    Remove(&'static str),
    Method(Method),
    Version(Version),
    Query(String),
}

impl Change {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => field().prop_map(|(name, value)| Self::Add(name, value)),
            2 => field().prop_map(|(name, value)| Self::Replace(name, value)),
            2 => field().prop_map(|(name, _)| Self::Remove(name)),
            1 => method().prop_map(Self::Method),
            1 => version().prop_map(Self::Version),
            1 => query().prop_map(Self::Query),
        ]
    }

    fn apply(self, request: &mut Request<()>) {
        let headers = request.headers_mut();
        match self {
            Self::Add(name, value) => {
                HeaderValue::from_bytes(&value).map(|value| headers.append(name, value)).ok();
            }
            Self::Replace(name, value) => {
                HeaderValue::from_bytes(&value).map(|value| headers.insert(name, value)).ok();
            }
            Self::Remove(name) => {
                headers.remove(name);
            }
            Self::Method(method) => *request.method_mut() = method,
            Self::Version(version) => *request.version_mut() = version,
            Self::Query(query) => {
                *request.uri_mut() = format!("/orders?{query}").parse().unwrap();
            }
        }
    }
}

/// A request with good credentials, mostly with one, and some changes.
fn near_to_good() -> impl Strategy<Value = Request<()>> {
    let all = kinds().len();
    let credentials = prop_oneof![
        4 => prop::sample::subsequence(kinds(), 1),
        1 => prop::sample::subsequence(kinds(), 0..=all),
    ];
    let changes = prop_oneof![
        1 => Just(Vec::new()),
        2 => prop::collection::vec(Change::any(), 1..4),
    ];
    (credentials, changes).prop_map(|(credentials, changes)| {
        let mut request = with_credentials(&credentials);
        changes.into_iter().for_each(|change| change.apply(&mut request));
        request
    })
}

fn request() -> impl Strategy<Value = Request<()>> {
    prop_oneof![3 => near_to_good(), 1 => arbitrary()]
}

fn arbitrary() -> impl Strategy<Value = Request<()>> {
    let fields = prop::collection::vec(field(), 0..8);
    (method(), version(), query(), fields).prop_map(|(method, version, query, fields)| {
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
    fn layer_inside_of_an_exempt_one_decides_as_if_it_were_alone(request in request()) {
        let alone = outcome(&send(&layer(every()), request.clone()));
        let exempt = layer(every()).exempt(|_| true);
        for outer in [exempt.clone(), exempt.remove_credential()] {
            for inner in [layer(every()), layer(every()).optional()] {
                let response = through(&outer, &inner, request.clone());
                let inside = match refusal(&response) {
                    // An optional layer forwards these.
                    None if VerifiedToken::<Seen>::from_extensions(
                        &reached(&response).unwrap().extensions
                    ).is_err() => {
                        prop_assert!(matches!(
                            alone,
                            Err(MissingCredentials | UnsupportedScheme | ForeignOrigin)
                        ));
                        continue;
                    }
                    _ => outcome(&response),
                };
                prop_assert_eq!(&inside, &alone);
            }
        }
    }
}

#[test]
fn token_that_is_accepted_is_the_one_of_its_source_alone() {
    let accepted = RefCell::new(Vec::new());
    let check = |request: Request<()>| {
        let together = send(&layer(every()), request.clone());
        let alone: Vec<_> = every()
            .into_iter()
            .map(|source| send(&layer([source]), request.clone()))
            .filter(|response| refusal(response) != Some(MissingCredentials))
            .collect();
        match &alone[..] {
            [] => prop_assert_eq!(refusal(&together), Some(MissingCredentials)),
            [one] => prop_assert_eq!(outcome(&together), outcome(one)),
            _ => prop_assert_eq!(refusal(&together), Some(MultipleCredentials)),
        }
        if let Ok((_, source)) = outcome(&together) {
            accepted.borrow_mut().push(source);
        }
        Ok(())
    };
    TestRunner::default().run(&request(), check).unwrap();
    let accepted = accepted.into_inner();
    for kind in kinds() {
        assert!(accepted.contains(&kind), "no token was accepted from {kind:?}");
    }
}
