//! The metrics: their names and labels as the guide on logging promises them, and their values.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use metrics::{set_default_local_recorder, with_local_recorder};
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Algorithm, Clock, IssuerSet, IssuerTemplate, JwtAuthLayer, JwtVerifier, OidcDiscovery,
    RejectionKind, SystemClock,
};

use super::recorder::Kept;
use crate::support::requests::{bearer, request, send};
use crate::support::{claims, claims_with, key};

const OUTCOMES: &str = "tower_jwt_auth_outcomes_total";
const DURATION: &str = "tower_jwt_auth_authentication_duration_seconds";
const FETCHES: &str = "tower_jwt_auth_key_fetches_total";
const AGE: &str = "tower_jwt_auth_key_age_seconds";
const CONFIRMED: &str = "tower_jwt_auth_keys_confirmed_timestamp_seconds";

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

/// Requests of every outcome: two accepted, one refused, one anonymous, one exempt.
fn every_outcome(kept: &Kept) {
    with_local_recorder(kept, || {
        let layer = layer().with_metrics();
        let good = || bearer(&key(Algorithm::ES256).token(&claims()));
        send(&layer, good());
        send(&layer, good());
        send(&layer, bearer(&key(Algorithm::ES256).token(&claims_with("aud", "other"))));
        send(&layer.clone().optional(), request([""; 0]));
        send(&layer.exempt(|_| true), good());
    });
}

async fn every_fetch() {
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(500));
    verifier.refresh().await.unwrap_err();
}

#[test]
fn outcomes_are_counted_by_what_became_of_the_request_and_by_kind() {
    let kept = Kept::default();
    every_outcome(&kept);
    let count = |outcome, kind| kept.values(OUTCOMES, &[("outcome", outcome), ("kind", kind)]);
    assert_eq!(count("accepted", "none"), [1.0, 1.0]);
    assert_eq!(count("refused", "WrongAudience"), [1.0]);
    assert_eq!(count("anonymous", "none"), [1.0]);
    assert_eq!(count("exempt", "none"), [1.0]);
}

#[test]
fn duration_is_measured_once_for_each_decision() {
    let kept = Kept::default();
    every_outcome(&kept);
    for (outcome, times) in [("accepted", 2), ("refused", 1), ("anonymous", 1), ("exempt", 1)] {
        let durations = kept.values(DURATION, &[("outcome", outcome)]);
        assert_eq!(durations.len(), times, "{outcome}");
        assert!(durations.iter().all(|seconds| (0.0..60.0).contains(seconds)), "{durations:?}");
    }
}

#[test]
fn layer_counts_only_when_it_is_told_to_and_then_once() {
    let kept = Kept::default();
    let good = || bearer(&key(Algorithm::ES256).token(&claims()));
    with_local_recorder(&kept, || send(&layer(), good()));
    assert_eq!(kept.calls(), []);
    with_local_recorder(&kept, || send(&layer().with_metrics().with_metrics(), good()));
    assert_eq!(kept.calls().len(), 2, "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn fetches_are_counted_by_source_and_result() {
    let kept = Kept::default();
    let _guard = set_default_local_recorder(&kept);
    every_fetch().await;
    let count = |result| {
        kept.values(FETCHES, &[("source", "https://issuer.test/jwks"), ("result", result)])
    };
    assert_eq!((count("ok"), count("failed")), (vec![1.0], vec![1.0]));
}

#[tokio::test(start_paused = true)]
async fn age_of_keys_rises_during_an_outage() {
    let kept = Kept::default();
    let _guard = set_default_local_recorder(&kept);
    let issuer = MockIssuer::new();
    let verifier = issuer.verifier();
    verifier.refresh().await.unwrap();
    issuer.set_answer(MockAnswer::Status(500));
    tokio::time::sleep(Duration::from_secs(100)).await;
    verifier.refresh().await.unwrap_err();
    let source = [("source", "https://issuer.test/jwks")];
    let ages = kept.values(AGE, &source);
    let last = *ages.last().unwrap();
    assert!(ages.len() == 2 && ages[0] < 1.0 && (100.0..102.0).contains(&last), "{ages:?}");

    let now: f64 = u32::try_from(SystemClock.now().unix_seconds()).unwrap().into();
    let confirmed = kept.values(CONFIRMED, &source);
    assert!(confirmed.iter().all(|at| (now - 60.0..now + 1.0).contains(at)), "{confirmed:?}");
    assert!(confirmed.iter().all(|at| *at == confirmed[0]), "{confirmed:?}");

    // A probe that looks at the keys tells their age, too.
    tokio::time::advance(Duration::from_secs(5)).await;
    verifier.key_status();
    assert!(*kept.values(AGE, &source).last().unwrap() >= last + 5.0);
}

#[tokio::test(start_paused = true)]
async fn sources_that_a_client_may_have_made_up_share_one_name() {
    let kept = Kept::default();
    let _guard = set_default_local_recorder(&kept);
    let name = |tenant: &str| format!("https://login.test/{tenant}/v2.0");
    let mocks = ["canary-one", "canary-two"].map(|tenant| MockIssuer::with_issuer(name(tenant)));
    mocks[1].set_answer(MockAnswer::Status(500));
    let known = mocks.clone();
    let template = IssuerTemplate::new("https://login.test/{t}/v2.0", move |found| {
        let mock = known.iter().find(|mock| mock.issuer() == found.issuer()).unwrap();
        let keys = OidcDiscovery::new_with(found.issuer(), mock.clone())?;
        JwtVerifier::new(found.issuer(), "https://api.test", keys)
    });
    let template = template.unwrap();

    let issuers: IssuerSet = IssuerSet::new();
    issuers.add_template(template.clone().allow_if(|_| true));
    assert!(issuers.verify(&mocks[0].token().build()).await.is_ok());
    assert!(issuers.verify(&mocks[1].token().build()).await.is_err());
    issuers.key_status();
    for result in ["ok", "failed"] {
        assert!(!kept.values(FETCHES, &[("source", "template"), ("result", result)]).is_empty());
    }
    assert!(kept.calls().iter().all(|call| call.name == FETCHES), "{:?}", kept.calls());
    assert!(!format!("{:?}", kept.calls()).contains("canary"), "{:?}", kept.calls());

    // Those that the application named have their names.
    let issuers: IssuerSet = IssuerSet::new();
    issuers.add_template(template.allow_tenants(["canary-one"]));
    assert!(issuers.verify(&mocks[0].token().build()).await.is_ok());
    let source = name("canary-one");
    assert_eq!(kept.values(FETCHES, &[("source", &source), ("result", "ok")]), [1.0]);
    assert_eq!(kept.values(AGE, &[("source", &source)]).len(), 1);
}

/// The table of the guide: names, kinds, and labels.
fn promised() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/logging.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `tower_jwt_auth_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
    })
    .collect()
}

#[tokio::test(start_paused = true)]
async fn table_of_the_guide_has_every_metric_and_no_other() {
    let kept = Kept::default();
    every_outcome(&kept);
    let _guard = set_default_local_recorder(&kept);
    every_fetch().await;

    let promised = promised();
    let calls = kept.calls();
    let recorded: BTreeMap<_, _> = calls
        .iter()
        .map(|call| {
            let labels: BTreeSet<String> = call.labels.keys().cloned().collect();
            (call.name.clone(), (call.kind.to_owned(), labels))
        })
        .collect();
    assert_eq!(promised, recorded);
    let described: BTreeMap<_, _> = kept.described.lock().unwrap().iter().cloned().collect();
    assert_eq!(
        described.into_iter().map(|(name, kind)| (name, kind.to_owned())).collect::<Vec<_>>(),
        promised.into_iter().map(|(name, (kind, _))| (name, kind)).collect::<Vec<_>>(),
    );
}

#[test]
fn kind_is_the_name_of_the_reason() {
    let names: BTreeSet<&str> = RejectionKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), RejectionKind::ALL.len());
    assert!(RejectionKind::ALL.iter().all(|kind| kind.as_str() == format!("{kind:?}")));
    assert!(!names.contains("none"));
}
