//! Nothing that is emitted holds a token, a claim, a key or a secret.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use tower_jwt_auth::{Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, VerificationKey};

use super::{CLAIM, canaries_of, refused};
use crate::support::requests::{bearer, send};
use crate::support::{AUDIENCE, ISSUER, TestKey, claims_with, key};

const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

fn layer(key: &TestKey) -> JwtAuthLayer {
    JwtAuthLayer::new(key.verifier())
}

/// Accepted and refused requests, each with its token.
fn requests(key: &TestKey) -> Vec<(String, http::Request<()>)> {
    let accepted = key.token(&claims_with("c", "canary-claim"));
    let mut requests = refused(key);
    requests.push((accepted.clone(), bearer(&accepted)));
    requests
}

#[test]
fn no_outcome_shows_a_token_a_claim_or_a_key() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let outcomes = Arc::clone(&seen);
        let layer = layer(key).on_outcome(move |outcome| {
            outcomes
                .lock()
                .unwrap()
                .push(format!("{outcome:?} {outcome:#?} {:?}", outcome.issuer()));
        });
        for (token, request) in requests(key) {
            send(&layer, request);
            let texts = std::mem::take(&mut *seen.lock().unwrap());
            assert_eq!(texts.len(), 1);
            canaries_of(key).token(&token).check(&texts[0]);
        }
    }
}

#[cfg(feature = "metrics")]
#[test]
fn no_metric_shows_a_token_a_claim_or_a_key() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        for (token, request) in requests(key) {
            let kept = crate::observe::recorder::Kept::default();
            metrics::with_local_recorder(&kept, || send(&layer(key).with_metrics(), request));
            assert_eq!(kept.calls().len(), 2);
            canaries_of(key).token(&token).debug(&kept);
        }
    }
}

#[test]
fn no_line_at_the_start_shows_a_key_or_a_secret() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let keys = tower_jwt_auth::JwkSet::from_keys([key.verification_key()]).unwrap();
        let of_set = JwtVerifier::new(ISSUER, AUDIENCE, keys).unwrap();
        for layer in [layer(key), JwtAuthLayer::new(of_set)] {
            canaries_of(key).debug(layer.describe());
            canaries_of(key).display(layer.describe());
        }
    }
    let secret = VerificationKey::from_secret(&[b'x'; 40], Algorithm::HS256).unwrap();
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, secret).unwrap();
    assert!(!JwtAuthLayer::new(verifier).describe().to_string().contains("xxx"));
}

/// An explanation shows claims to a developer, but never what makes a token, and `Debug` not even claims.
#[test]
fn no_explanation_shows_a_token_or_a_key_and_its_debug_no_claim() {
    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let issuers = IssuerSet::new();
        issuers.add(key.verifier()).unwrap();
        for (token, _) in requests(key) {
            let of_verifier = key.verifier().explain(&token).now_or_never().unwrap();
            let of_set = issuers.explain(&token).now_or_never().unwrap();
            for explanation in [of_verifier, of_set] {
                let mut canaries = canaries_of(key).token(&token);
                canaries.debug(&explanation);
                canaries.debug(explanation.steps());
                canaries.0.retain(|canary| canary != CLAIM);
                canaries.display(&explanation);
                explanation.steps().iter().for_each(|step| canaries.display(step));
            }
        }
    }
}

/// The subject is recorded where the application asks for it, and nothing else of the token with it.
#[cfg(feature = "tracing")]
#[test]
fn no_span_or_line_at_the_start_shows_more_of_a_token_than_was_asked_for() {
    use crate::support::log_text::Log;
    use tracing::field::Empty;

    for algorithm in ALGORITHMS {
        let key = key(algorithm);
        let layer = layer(key).record_in_span("subject", |claims| claims.sub.as_deref());
        for (token, request) in requests(key) {
            let (log, guard) = Log::start(tracing::Level::TRACE);
            tracing::info_span!("request", subject = Empty).in_scope(|| {
                send(&layer.clone().exempt(|_| false), request);
                tracing::info!("answered");
            });
            drop(guard);
            let text = log.text();
            assert!(text.contains("a layer accepts tokens") && text.contains("answered"), "{text}");
            canaries_of(key).token(&token).check(&text);
        }
    }
}
