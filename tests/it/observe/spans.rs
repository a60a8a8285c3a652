//! The value of a token that is recorded in the span of its request.

use serde::Deserialize;
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, PresentedToken, RegisteredClaims, verify_async_fn, verify_fn,
};
use tracing::field::Empty;
use tracing::{Instrument, Level, info, info_span};

use crate::support::log_text::Log;
use crate::support::requests::{bearer, send, send_later};
use crate::support::{claims, key};

#[derive(Clone, Deserialize)]
struct Claims {
    sub: String,
    tenant: Option<String>,
}

fn claims_of(tenant: Option<&str>) -> Claims {
    Claims { sub: "alice".into(), tenant: tenant.map(Into::into) }
}

/// The line of an event in the span of a request that was sent to the layer.
fn line<C: Send + Sync + 'static>(layer: &JwtAuthLayer<C>, token: &str) -> String {
    let (log, _guard) = Log::start(Level::INFO);
    info_span!("request", subject = Empty, tenant = Empty).in_scope(|| {
        send(layer, bearer(token));
        info!("answered");
    });
    let text = log.text();
    text.lines().find(|line| line.contains("answered")).unwrap().to_owned()
}

#[test]
fn subject_is_recorded_in_the_span_of_the_request_when_asked_for() {
    let key = key(Algorithm::ES256);
    let layer: JwtAuthLayer = JwtAuthLayer::new(key.verifier());
    let token = key.token(&claims());
    assert!(line(&layer, &token).contains("request:"), "not without being asked");
    let layer = layer.record_in_span("subject", |claims: &RegisteredClaims| claims.sub.as_deref());
    assert!(line(&layer, &token).contains(r#"request{subject="alice"}:"#));
    // Not of a token that is refused.
    assert!(
        line(&layer, &key.token(&crate::support::claims_with("aud", "x"))).contains("request:")
    );
}

#[test]
fn several_values_of_claims_of_any_type_are_recorded() {
    let layer = |tenant: Option<&'static str>| {
        JwtAuthLayer::new(verify_fn(move |_: &PresentedToken| Ok(claims_of(tenant))))
            .record_in_span("subject", |claims: &Claims| Some(&claims.sub))
            .record_in_span("tenant", |claims| claims.tenant.as_deref())
            .record_in_span("undeclared", |_| Some("nowhere"))
    };
    let both = line(&layer(Some("acme")), "abc");
    assert!(both.contains(r#"request{subject="alice" tenant="acme"}:"#), "{both}");
    let one = line(&layer(None), "abc");
    assert!(one.contains(r#"request{subject="alice"}:"#), "{one}");
    assert!(!both.contains("nowhere"), "{both}");
}

#[tokio::test]
async fn subject_is_recorded_after_a_wait_too() {
    let (log, _guard) = Log::start(Level::INFO);
    let verifier = verify_async_fn(async |_: PresentedToken| {
        tokio::task::yield_now().await;
        Ok(claims_of(None))
    });
    let layer = JwtAuthLayer::new(verifier).record_in_span("subject", |it| Some(&it.sub));
    let request = async {
        send_later(&layer, bearer("abc")).await;
        info!("answered");
    };
    request.instrument(info_span!("request", subject = Empty)).await;
    assert_eq!(log.count(r#"request{subject="alice"}: it::observe::spans: answered"#), 1);
}

#[test]
fn long_text_is_cut_off_at_256_bytes_between_two_characters() {
    for (text, recorded) in [
        ("a".repeat(256), "a".repeat(256)),
        ("a".repeat(257), "a".repeat(256)),
        (format!("{}é", "a".repeat(255)), "a".repeat(255)),
        ("€".repeat(4000), "€".repeat(85)),
        (String::new(), String::new()),
    ] {
        let verifier = verify_fn(|_: &PresentedToken| Ok(()));
        let layer = JwtAuthLayer::new(verifier).record_in_span("subject", move |()| None);
        let text: &'static str = text.leak();
        let layer = layer.record_in_span("tenant", move |()| Some(text));
        let line = line(&layer, "abc");
        assert!(line.contains(&format!(r#"request{{tenant="{recorded}"}}:"#)), "{line}");
    }
}

#[test]
fn line_break_in_a_claim_begins_no_line_of_the_log() {
    let forged = "alice\n2026-01-01 INFO request: forged";
    let verifier = verify_fn(|_: &PresentedToken| Ok(()));
    let layer = JwtAuthLayer::new(verifier).record_in_span("subject", move |()| Some(forged));
    let line = line(&layer, "abc");
    assert!(line.contains(r"alice\n2026") && line.contains("answered"), "{line}");
}
