//! Spans: the value of a token that is recorded in the request's, and those of fetches.

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

#[cfg(all(feature = "oidc-discovery", feature = "test-util"))]
mod fetches {
    use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
    use tower_jwt_auth::{
        Fetch, FetchFuture, FetchRequest, IssuerSet, IssuerTemplate, JwksUrl, JwtVerifier,
        KeySource, OidcDiscovery,
    };

    use super::*;

    /// Logs each request, as an HTTP client may do.
    #[derive(Clone, Debug)]
    struct Logging(MockIssuer);

    impl Fetch for Logging {
        fn fetch(&self, request: FetchRequest) -> FetchFuture {
            info!("asked");
            self.0.fetch(request)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn fetch_has_a_span_with_the_name_of_its_source_and_its_result() {
        let (log, _guard) = Log::start(Level::INFO);
        let issuer = MockIssuer::new();
        let keys = JwksUrl::new_with(&issuer.jwks_url(), Logging(issuer.clone())).unwrap();
        keys.refresh().await.unwrap();
        let source = r#"fetch_keys{source="https://issuer.test/jwks""#;
        assert_eq!(log.count(&format!("{source}}}: it::observe::spans::fetches: asked")), 1);
        assert_eq!(log.count(&format!("{source} ok=true}}: tower_jwt_auth: the keys changed")), 1);
        issuer.set_answer(MockAnswer::Status(500));
        keys.refresh().await.unwrap_err();
        let failed = format!("{source} ok=false}}: tower_jwt_auth: the keys cannot be fetched");
        assert_eq!(log.count(&failed), 1, "{}", log.text());
    }

    /// Many requests may wait for one fetch.
    #[tokio::test(start_paused = true)]
    async fn span_of_a_fetch_is_not_within_that_of_a_request() {
        let (log, _guard) = Log::start(Level::INFO);
        let issuer = MockIssuer::new();
        let keys = JwksUrl::new_with(&issuer.jwks_url(), Logging(issuer.clone())).unwrap();
        let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
        let token = issuer.token().build();
        verifier.verify(&token).instrument(info_span!("request")).await.unwrap();
        assert_eq!(log.count("asked"), 1);
        assert_eq!(log.count("request"), 0, "{}", log.text());
    }

    #[tokio::test(start_paused = true)]
    async fn span_with_a_name_that_a_client_may_have_made_up_is_at_debug() {
        for (level, spans) in [(Level::INFO, 0), (Level::DEBUG, 1)] {
            let (log, _guard) = Log::start(level);
            let mock = MockIssuer::with_issuer("https://login.test/canary/v2.0");
            mock.set_answer(MockAnswer::Status(500));
            let (client, token) = (Logging(mock.clone()), mock.token().build());
            let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |found| {
                let keys = OidcDiscovery::new_with(found.issuer(), client.clone())?;
                JwtVerifier::new(found.issuer(), "https://api.test", keys)
            });
            let issuers: IssuerSet = IssuerSet::new();
            issuers.add_template(template.unwrap().allow_if(|_| true));
            assert!(issuers.verify(&token).await.is_err());
            assert!(log.count("asked") > 0);
            let asked = r#"fetch_keys{source="https://login.test/canary/v2.0"}: it::observe"#;
            assert_eq!(log.count(asked).min(1), spans, "{}", log.text());
            assert_eq!(log.count("canary").min(1), spans, "{}", log.text());
        }
    }
}
