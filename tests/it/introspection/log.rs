//! What the log gets of an endpoint that fails.

use futures_util::FutureExt;
use tower_jwt_auth::JwtAuthLayer;

use super::{Endpoint, kind, ok, secs, status};
use crate::support::log_text::Log;
use crate::support::requests::{bearer, send_later};

#[tokio::test(start_paused = true)]
async fn refused_credentials_are_logged_once_a_minute_however_many_requests_there_are() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let endpoint = Endpoint::new(|_| status(401));
    let verifier = endpoint.verifier();
    for token in 0..600 {
        kind(&verifier, &format!("{token}.canary")).await;
        tokio::time::advance(secs(1)).await;
    }
    let text = log.text();
    assert_eq!(log.count("tokens cannot be introspected"), 10, "{text}");
    assert!(
        text.contains("WARN") && text.contains("credentials of the client orders-api"),
        "{text}"
    );
    assert!(text.contains("https://issuer.example/introspect") && text.contains("401"), "{text}");
    assert!(text.contains("failures=60"), "{text}");
    for secret in ["canary", "s3cret", "tenant", "b3JkZXJz"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_tokens_and_a_panic_of_the_fetcher_are_logged_once_a_minute() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let endpoint = Endpoint::usual();
    endpoint.set_delay(secs(1));
    let verifier = endpoint.verifier();
    let tokens: Vec<String> = (0..2000).map(|n| format!("{n}.canary")).collect();
    let mut all: Vec<_> = tokens.iter().map(|token| Box::pin(kind(&verifier, token))).collect();
    let ended = all.iter_mut().filter_map(|request| request.now_or_never()).count();
    assert_eq!(ended, 2000 - 1024);
    let text = log.text();
    assert_eq!(log.count("asked about too many tokens"), 1, "{text}");
    drop(all);

    let endpoint = Endpoint::new(|_| panic!("canary"));
    let verifier = endpoint.verifier();
    for token in 0..10 {
        kind(&verifier, &format!("{token}.canary")).await;
    }
    let text = log.text();
    assert_eq!(log.count("the request to the introspection endpoint panicked"), 1, "{text}");
    assert!(!text.contains("canary"), "{text}");
}

#[tokio::test]
async fn neither_a_token_nor_the_text_of_an_answer_is_logged() {
    let (log, _guard) = Log::start(tracing::Level::TRACE);
    for answer in [
        r#"{"active": true, "canary": 1, "canary": 2}"#,
        r#"{"active": "canary"}"#,
        r#"{"active": true, "exp": "canary"}"#,
        "canary",
        r#"{"active": false, "sub": "canary"}"#,
        r#"{"active": true, "aud": "canary"}"#,
    ] {
        let layer = JwtAuthLayer::new(Endpoint::new(move |_| ok(answer)).verifier());
        send_later(&layer, bearer("canary-token")).await;
    }
    let text = log.text();
    assert!(log.count("tokens cannot be introspected") >= 4, "{text}");
    assert!(!text.contains("canary"), "{text}");
}
