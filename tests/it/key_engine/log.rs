//! What the operator's log gets: changes, and outages at a bounded rate; nothing of a stranger's.

use std::io;
use std::sync::{Arc, Mutex};

use tower_jwt_auth::RejectionKind;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};

use super::{kind, secs, unknown};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn c12_an_outage_is_told_once_a_minute_however_many_strangers_ask() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = crate::support::subscribe(subscriber);

    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.rotate();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(500));
    verifier.refresh().await.unwrap_err();
    for n in 0..600 {
        let refused = kind(&verifier, &unknown(&issuer, &format!("canary-{n}"))).await;
        assert_eq!(refused, Some(RejectionKind::KeysUnavailable));
        tokio::time::sleep(secs(1)).await;
    }
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let count = |what| text.matches(what).count();
    assert_eq!(count("the keys changed"), 2, "{text}");
    assert!((9..=11).contains(&count("the keys cannot be fetched")), "{text}");
    assert!(text.contains("500") && text.contains("https://issuer.test/jwks"), "{text}");
    assert!(!text.contains("canary"), "{text}");
}
