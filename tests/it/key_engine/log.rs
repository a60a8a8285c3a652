//! What the operator's log gets: changes, and outages at a bounded rate; nothing of a stranger's.

use tower_jwt_auth::RejectionKind;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

use super::{kind, secs, unknown};
use crate::support::log_text::Log;

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_a_minute_however_many_strangers_ask() {
    let (log, _guard) = Log::start(tracing::Level::INFO);
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.rotate();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(500));
    verifier.refresh().await.unwrap_err();
    for n in 0..600 {
        let refused = kind(&verifier, &unknown(&issuer, &format!("canary-{n}"))).await;
        assert_eq!(refused, Some(RejectionKind::Unavailable));
        tokio::time::sleep(secs(1)).await;
    }
    let text = log.text();
    assert_eq!(log.count("the keys changed"), 2, "{text}");
    assert!((9..=11).contains(&log.count("the keys cannot be fetched")), "{text}");
    assert!(text.contains("500") && text.contains("https://issuer.test/jwks"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}
