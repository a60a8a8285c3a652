//! The spans of fetches.

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Fetch, FetchFuture, FetchRequest, IssuerSet, IssuerTemplate, JwksUrl, JwtVerifier, KeySource,
    OidcDiscovery,
};
use tracing::{Instrument, Level, info, info_span};

use crate::support::log_text::Log;

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
    assert_eq!(log.count(&format!("{source}}}: it::observe::fetch_spans: asked")), 1);
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
