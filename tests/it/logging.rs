//! The spans of a request, as the page on logging records a subject in them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::{Router, routing::get};
use serde::Deserialize;
use tower::ServiceExt;
use tower_http::trace::TraceLayer;
use tower_jwt_auth::{Algorithm, JwtAuthLayer, VerifiedToken};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, info, info_span};

use crate::support::{claims_with, key, log};

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// What was logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

async fn record_subject(token: VerifiedToken<Claims>, request: Request, next: Next) -> Response {
    Span::current().record("subject", &token.sub);
    next.run(request).await
}

fn app() -> Router {
    let verifier = key(Algorithm::ES256).verifier().with_claims::<Claims>();
    Router::new()
        .route("/me", get(async || info!("a handler ran")))
        .route_layer(from_fn(record_subject))
        .route_layer(JwtAuthLayer::new(verifier))
        .layer(TraceLayer::new_for_http().make_span_with(|request: &Request| {
            info_span!("request", path = request.uri().path(), subject = Empty)
        }))
}

/// The status, and all that is logged at any level.
async fn logged(token: &str) -> (u16, String) {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let guard = log::subscribe(subscriber);
    let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
    let response = app().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    drop(guard);
    (response.status().as_u16(), log.text())
}

#[tokio::test]
async fn events_of_a_handler_carry_the_subject_that_was_recorded_behind_the_layer() {
    let token = key(Algorithm::ES256).token(&claims_with("sub", "alice"));
    let (status, log) = logged(&token).await;
    assert_eq!(status, 200);
    let handler = log.lines().find(|line| line.contains("a handler ran"));
    let handler = handler.unwrap_or_else(|| panic!("{log}"));
    assert!(handler.contains(r#"request{path="/me" subject="alice"}"#), "{handler}");
    assert!(!log.contains(&token), "{log}");
}

#[tokio::test]
async fn refused_requests_are_in_the_span_of_an_outer_layer_without_a_subject() {
    let token = key(Algorithm::ES256).token(&claims_with("aud", "https://other.example"));
    let (status, log) = logged(&token).await;
    assert_eq!(status, 401);
    assert!(log.contains(r#"request{path="/me"}"#), "{log}");
    assert!(!log.contains("subject"), "{log}");
    assert!(!log.contains(&token), "{log}");
    #[cfg(feature = "tracing")]
    {
        let refusal = log.lines().find(|line| line.contains("refused a request"));
        let refusal = refusal.unwrap_or_else(|| panic!("{log}"));
        assert!(refusal.contains(r#"request{path="/me"}: tower_jwt_auth: refused"#), "{refusal}");
        assert!(refusal.contains("reason=WrongAudience"), "{refusal}");
    }
}
