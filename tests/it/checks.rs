//! Checks that run after the verification and may wait: what compiles, what they see, what they change.

use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::header::{HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use serde::Deserialize;
use tower_jwt_auth::{
    Accepted, Algorithm, Checked, IssuerSet, JwtAuthLayer, JwtVerifier, PresentedToken,
    RegisteredClaims, Rejection, RejectionKind, RequestSummary, TokenScheme, VerifiedToken,
    VerifyToken, WithChecks, verify_fn,
};

use crate::support::requests::{Body, bearer, field, poll, reached, refusal, send_later};
use crate::support::{claims, claims_with, key};

/// A database that knows who is disabled.
#[derive(Default)]
struct Database {
    asked: AtomicUsize,
    is_down: bool,
}

impl Database {
    async fn is_disabled(&self, user: Option<&str>) -> Result<bool, io::Error> {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.is_down {
            true => Err(io::Error::other("the connection was lost")),
            false => Ok(user == Some("mallory")),
        }
    }
}

fn verifier() -> JwtVerifier {
    key(Algorithm::ES256).verifier()
}

fn token_of(user: &str) -> String {
    key(Algorithm::ES256).token(&claims_with("sub", user))
}

async fn send(verifier: WithChecks, token: &str) -> Response<Body> {
    send_later(&JwtAuthLayer::new(verifier), bearer(token)).await
}

/// A disabled user is refused, and others pass.
async fn refuses_mallory(verifier: WithChecks) {
    let layer = JwtAuthLayer::new(verifier);
    let response = send_later(&layer, bearer(&token_of("mallory"))).await;
    assert_eq!(refusal(&response), Some(RejectionKind::InvalidToken));
    let response = send_later(&layer, bearer(&token_of("alice"))).await;
    assert_eq!(response.status(), 204);
}

#[tokio::test]
async fn an_async_closure_that_captured_a_database_is_a_check() {
    let database = Arc::new(Database::default());
    let checked = verifier().with_check(async move |token, _request| {
        if database.is_disabled(token.sub.as_deref()).await.map_err(Rejection::unavailable)? {
            return Err(Rejection::invalid_token());
        }
        Ok(())
    });
    refuses_mallory(checked).await;
}

#[tokio::test]
async fn a_closure_that_returns_an_async_block_is_a_check() {
    let database = Arc::new(Database::default());
    let moved = Arc::clone(&database);
    // It moves what it captured into the block, as it would not as an `Fn`.
    let checked = verifier().with_check(move |token, _| async move {
        match moved.is_disabled(token.sub.as_deref()).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(Rejection::invalid_token()),
            Err(error) => Err(Rejection::unavailable(error)),
        }
    });
    refuses_mallory(checked).await;

    let checked = verifier().with_check(move |token, _| {
        let database = Arc::clone(&database);
        async move {
            if database.is_disabled(token.sub.as_deref()).await.map_err(Rejection::unavailable)? {
                Err(Rejection::invalid_token())?;
            }
            Ok(())
        }
    });
    refuses_mallory(checked).await;
}

#[tokio::test]
async fn a_plain_async_function_is_a_check() {
    async fn check(
        token: VerifiedToken<RegisteredClaims>,
        _: RequestSummary,
    ) -> Result<(), Rejection> {
        let database = Database::default();
        match database.is_disabled(token.sub.as_deref()).await.map_err(Rejection::unavailable)? {
            true => Err(Rejection::invalid_token()),
            false => Ok(()),
        }
    }
    refuses_mallory(verifier().with_check(check)).await;
}

#[tokio::test]
async fn a_check_reads_custom_claims() {
    #[derive(Deserialize)]
    struct Claims {
        tenant: u32,
    }
    let checked = verifier().with_claims::<Claims>().with_check(async |token, _| {
        if token.tenant == 7 { Ok(()) } else { Err(Rejection::invalid_token()) }
    });
    let layer = JwtAuthLayer::new(checked);
    for (tenant, status) in [(7, 204), (8, 401)] {
        let token = key(Algorithm::ES256).token(&claims_with("tenant", tenant));
        assert_eq!(send_later(&layer, bearer(&token)).await.status(), status);
    }
}

#[tokio::test]
async fn any_verifier_takes_a_check() {
    use tower_jwt_auth::VerifyToken;

    let issuers = IssuerSet::new();
    issuers.add(verifier()).unwrap();
    refuses_mallory(issuers.with_check(async |token, _| match token.sub.as_deref() {
        Some("mallory") => Err(Rejection::invalid_token()),
        _ => Ok(()),
    }))
    .await;

    let keys = verify_fn(|token: &PresentedToken| Ok(token.as_str().len()));
    let layer = JwtAuthLayer::new(keys.with_check(async |token, _| match token.claims() {
        3 => Ok(()),
        _ => Err(Rejection::invalid_token()),
    }));
    assert_eq!(send_later(&layer, bearer("abc")).await.status(), 204);
    assert_eq!(send_later(&layer, bearer("abcd")).await.status(), 401);
}

#[tokio::test]
async fn a_check_refuses_with_any_kind() {
    for &kind in RejectionKind::ALL {
        let checked = verifier().with_check(async move |_, _| match kind {
            _ if false => Ok(()),
            kind => Err(Rejection::from(kind)),
        });
        let response = send(checked, &token_of("alice")).await;
        assert_eq!(refusal(&response), Some(kind));
        assert_eq!(response.status(), Rejection::from(kind).status());
        assert!(reached(&response).is_none());
    }
}

#[tokio::test]
async fn a_check_that_cannot_tell_is_a_503_and_grpc_14() {
    let database = Arc::new(Database { is_down: true, ..Database::default() });
    let checked = verifier().with_check(async move |token, _| {
        database.is_disabled(token.sub.as_deref()).await.map_err(Rejection::unavailable)?;
        Ok(())
    });
    let layer = JwtAuthLayer::new(checked);
    let response = send_later(&layer, bearer(&token_of("alice"))).await;
    assert_eq!(response.status(), 503);
    assert_eq!(field(&response, "retry-after"), Some("5"));

    let mut request = bearer(&token_of("alice"));
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
    *request.method_mut() = http::Method::POST;
    let response = send_later(&layer, request).await;
    assert_eq!(field(&response, "grpc-status"), Some("14"));
}

#[tokio::test]
async fn checks_run_in_order_and_the_first_refusal_wins() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str, result: Result<(), RejectionKind>| {
        let ran = Arc::clone(&ran);
        async move |_: VerifiedToken, _: RequestSummary| {
            tokio::task::yield_now().await;
            ran.lock().unwrap().push(name);
            result.map_err(Rejection::from)
        }
    };
    let checked = verifier()
        .with_check(note("first", Ok(())))
        .with_check(note("second", Err(RejectionKind::TooOld)))
        .with_check(note("third", Err(RejectionKind::WrongIssuer)));
    let response = send(checked, &token_of("alice")).await;
    assert_eq!(refusal(&response), Some(RejectionKind::TooOld));
    assert_eq!(*ran.lock().unwrap(), ["first", "second"]);
}

#[tokio::test]
async fn a_check_runs_for_every_accepted_token_and_for_no_other() {
    let database = Arc::new(Database::default());
    let asked = Arc::clone(&database);
    let layer = JwtAuthLayer::new(verifier().with_check(async move |token, _| {
        database.is_disabled(token.sub.as_deref()).await.map_err(Rejection::unavailable)?;
        Ok(())
    }));
    let alice = token_of("alice");
    for requests in 1..4 {
        assert_eq!(send_later(&layer, bearer(&alice)).await.status(), 204);
        assert_eq!(asked.asked.load(Ordering::Relaxed), requests);
    }
    let expired = key(Algorithm::ES256).token(&claims_with("exp", 1));
    for request in [bearer(&expired), bearer("no-jwt"), Request::new(())] {
        assert_eq!(send_later(&layer, request).await.status(), 401);
    }
    assert_eq!(asked.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_check_sees_method_and_uri() {
    let checked = verifier().with_check(async |_, request| {
        match (request.method().as_str(), request.uri().path()) {
            ("POST", "/orders") => Ok(()),
            _ => Err(Rejection::invalid_token()),
        }
    });
    let layer = JwtAuthLayer::new(checked);
    for (method, uri, status) in
        [("POST", "/orders?page=2", 204), ("GET", "/orders", 401), ("POST", "/", 401)]
    {
        let mut request = bearer(&token_of("alice"));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = Uri::from_static(uri);
        assert_eq!(send_later(&layer, request).await.status(), status, "{method} {uri}");
    }
}

#[tokio::test]
async fn what_checks_add_reaches_the_handler_and_the_response() {
    #[derive(Clone, Debug, PartialEq)]
    struct User(&'static str);
    #[derive(Clone, Debug, PartialEq)]
    struct Tenant(u32);

    let name = HeaderName::from_static("x-checked");
    let (first, second) = (name.clone(), name.clone());
    let checked = verifier()
        .with_check(async move |_, _| {
            let value = HeaderValue::from_static("1");
            let checked = Checked::new().with_request_extension(User("first"));
            Ok(checked.with_request_extension(Tenant(7)).with_response_header(first, value))
        })
        .with_check(async move |_, _| {
            let value = HeaderValue::from_static("2");
            Ok(Checked::new()
                .with_request_extension(User("second"))
                .with_response_header(second, value))
        });
    let response = send(checked, &token_of("alice")).await;
    let head = reached(&response).unwrap();
    assert_eq!(head.extensions.get(), Some(&User("second")));
    assert_eq!(head.extensions.get(), Some(&Tenant(7)));
    assert_eq!(head.extensions.get::<VerifiedToken>().unwrap().sub.as_deref(), Some("alice"));
    let values: Vec<_> = response.headers().get_all(&name).iter().collect();
    assert_eq!(values, ["1", "2"]);
}

#[tokio::test]
async fn what_a_refusing_check_added_is_gone() {
    let checked = verifier()
        .with_check(async |_, _| {
            let name = HeaderName::from_static("x-checked");
            Ok(Checked::new().with_response_header(name, HeaderValue::from_static("1")))
        })
        .with_check(async |_, _| match true {
            true => Err(Rejection::invalid_token()),
            false => Ok(()),
        });
    let response = send(checked, &token_of("alice")).await;
    assert_eq!((response.status().as_u16(), field(&response, "x-checked")), (401, None));
}

#[tokio::test]
async fn a_check_is_dropped_with_its_request() {
    let guard = Arc::new(());
    let captured = Arc::clone(&guard);
    let checked = verifier().with_check(async move |_, _| {
        let _captured = captured;
        std::future::pending::<Result<(), Rejection>>().await
    });
    let layer = JwtAuthLayer::new(checked);
    let before = Arc::strong_count(&guard);
    let token = token_of("alice");
    {
        let mut waiting = pin!(send_later(&layer, bearer(&token)));
        assert!(poll(waiting.as_mut()).is_pending());
        assert_eq!(Arc::strong_count(&guard), before + 1);
    }
    assert_eq!(Arc::strong_count(&guard), before);
}

#[tokio::test]
async fn a_panic_in_a_check_ends_its_request_alone() {
    let layer = JwtAuthLayer::new(verifier().with_check(async |token, _| {
        assert_ne!(token.sub.as_deref(), Some("mallory"), "a bug in the check");
        Ok(())
    }));
    for _ in 0..3 {
        let (mallory, alice) = (token_of("mallory"), token_of("alice"));
        let panicked = AssertUnwindSafe(send_later(&layer, bearer(&mallory))).catch_unwind().await;
        assert!(panicked.is_err());
        assert_eq!(send_later(&layer, bearer(&alice)).await.status(), 204);
    }
}

#[tokio::test]
async fn a_check_needs_no_runtime_and_no_task() {
    // Ready at the first poll of the response: nothing else has run in between.
    let layer = JwtAuthLayer::new(verifier().with_check(async |_, _| Ok(())));
    let token = token_of("alice");
    let response = send_later(&layer, bearer(&token)).now_or_never();
    assert_eq!(response.unwrap().status(), 204);
}

#[tokio::test(start_paused = true)]
async fn checks_of_many_requests_run_at_once() {
    let checked = verifier().with_check(async |_, _| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    });
    let layer = JwtAuthLayer::new(checked);
    let token = token_of("alice");
    let started = tokio::time::Instant::now();
    let requests = (0..100).map(|_| send_later(&layer, bearer(&token)));
    for response in futures_util::future::join_all(requests).await {
        assert_eq!(response.status(), 204);
    }
    assert_eq!(started.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn an_expiry_that_a_verifier_sets_stays_behind_a_check() {
    use tower_jwt_auth::{Verification, VerifyToken};

    struct Rule(JwtVerifier);

    impl VerifyToken<RegisteredClaims> for Rule {
        fn verify_token(
            &self,
            token: &PresentedToken,
            head: &http::request::Parts,
        ) -> Verification<RegisteredClaims> {
            let date = tower_jwt_auth::NumericDate::from_unix_seconds(5);
            let verification = self.0.verify_token(token, head);
            verification.map(move |accepted: Accepted<_>| {
                accepted.with_expires_at(date).with_request_extension(7_u8)
            })
        }
    }
    let checked = Rule(verifier())
        .with_check(async |_, _| Ok(Checked::new().with_request_extension("added")));
    let token = key(Algorithm::ES256).token(&claims());
    let response = send(checked, &token).await;
    let head = reached(&response).unwrap();
    let verified = head.extensions.get::<VerifiedToken>().unwrap();
    assert_eq!(verified.expires_at().unwrap().unix_seconds(), 5);
    assert_eq!(head.extensions.get(), Some(&7_u8));
    assert_eq!(head.extensions.get(), Some(&"added"));
}

fn head_of(path: &'static str) -> http::request::Parts {
    Request::get(path).body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn token_without_a_request_is_verified_and_checked() {
    let database = Arc::new(Database::default());
    let (asked, plain) = (Arc::clone(&database), verifier());
    let checked = plain.clone().with_check(async move |token, request: RequestSummary| {
        match database.is_disabled(token.sub.as_deref()).await {
            Ok(false) if request.uri().path() == "/queues/orders" => Ok(()),
            Ok(_) => Err(Rejection::invalid_token()),
            Err(error) => Err(Rejection::unavailable(error)),
        }
    });
    let head = head_of("/queues/orders");
    let kind = async |token: &str, head: &http::request::Parts| {
        checked.verify(token, head).await.err().map(|rejection| rejection.kind())
    };
    let (alice, mallory) = (token_of("alice"), token_of("mallory"));
    let token = checked.verify(&alice, &head).await.unwrap();
    assert_eq!(token.sub.as_deref(), Some("alice"));
    assert_eq!(kind(&mallory, &head).await, Some(RejectionKind::InvalidToken));
    assert_eq!(kind(&alice, &head_of("/")).await, Some(RejectionKind::InvalidToken));
    assert_eq!(asked.asked.load(Ordering::Relaxed), 3);
    // A refusal of the verifier is the answer, and no check is asked.
    let expired = key(Algorithm::ES256).token(&claims_with("exp", 1));
    assert_eq!(kind(&expired, &head).await, Some(RejectionKind::ExpiredToken));
    for not_a_token in ["", "a b", "a\r\nb", "é", &format!("Bearer {alice}")] {
        let refused = kind(not_a_token, &head).await;
        assert_eq!(refused, Some(RejectionKind::MalformedCredentials), "{not_a_token}");
    }
    assert_eq!(asked.asked.load(Ordering::Relaxed), 3);
    // A clone from before runs no check.
    assert!(plain.verify(&mallory).await.is_ok());
}

#[tokio::test]
async fn token_without_a_request_keeps_its_claims_by_name() {
    let checked = verifier().with_check(async |_, _| Ok(()));
    let token = key(Algorithm::ES256).token(&claims_with("scope", "read"));
    let token = checked.verify(&token, &head_of("/")).await.unwrap();
    assert!(VerifiedToken::scope(&token).unwrap().contains("read"));
}

#[tokio::test]
async fn verifier_that_accepts_no_bearer_tokens_refuses_one_without_a_request() {
    struct NoBearer(JwtVerifier);

    impl VerifyToken<RegisteredClaims> for NoBearer {
        fn verify_token(
            &self,
            token: &PresentedToken,
            head: &http::request::Parts,
        ) -> tower_jwt_auth::Verification<RegisteredClaims> {
            self.0.verify_token(token, head)
        }

        fn schemes(&self) -> &[TokenScheme] {
            &[]
        }
    }

    let checked = NoBearer(verifier()).with_check(async |_, _| Ok(()));
    let refused = checked.verify(&token_of("alice"), &head_of("/")).await.unwrap_err();
    assert_eq!(refused.kind(), RejectionKind::InvalidToken);
}
