//! `/metrics`, in the text format of Prometheus, on a listener of its own: the public one does not have it.
//!
//! Nothing of it is a secret, but it tells how much the service is used, so only the operator should reach it. OBSERVING.md
//! lists the metrics.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::net::TcpListener;
use tokio::time::interval;
use tower_jwt_auth::RingKeyState;

use crate::observe::meters;
use crate::store::{Measured, SqlStore, Store, seconds};
use crate::{ConnectionLimits, Service, connections};

/// The version of the text format that the recorder writes.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often the durations that were recorded are sorted into their buckets. They take up memory until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// How many connections there may be at once.
const CONNECTIONS: u32 = 16;

/// The recorder of the process.
#[derive(Debug)]
pub struct Metrics {
    recorder: PrometheusHandle,
    process: Collector,
}

impl Metrics {
    /// Installs the recorder. From now on the process counts.
    ///
    /// # Errors
    ///
    /// If the process has a recorder already.
    pub fn install() -> Result<Self, Box<dyn Error + Send + Sync>> {
        // The durations of the layer, too.
        let durations = Matcher::Suffix("_duration_seconds".to_owned());
        let builder =
            PrometheusBuilder::new().set_buckets_for_metric(durations, &meters::BUCKETS)?;
        let recorder = builder.install_recorder()?;
        meters::describe();
        let process = Collector::default();
        process.describe();
        Ok(Self { recorder, process })
    }

    /// Measures the operations of this store. Returns the store to use instead.
    pub fn measure(self, store: SqlStore) -> (Arc<dyn Store>, MeasuredMetrics) {
        let (measured, running) = Measured::new(Arc::new(store.clone()));
        (Arc::new(measured), MeasuredMetrics { metrics: self, store, running })
    }
}

/// The metrics, with those of the store.
#[derive(Debug)]
pub struct MeasuredMetrics {
    metrics: Metrics,
    store: SqlStore,
    running: Arc<AtomicUsize>,
}

impl MeasuredMetrics {
    /// Serves `/metrics` of this service. Runs until it is dropped.
    pub async fn serve(self, listener: TcpListener, service: Arc<Service>) {
        let recorder = self.metrics.recorder.clone();
        let upkeep = async {
            let mut ticks = interval(UPKEEP);
            loop {
                ticks.tick().await;
                recorder.run_upkeep();
            }
        };
        let state = Arc::new((self, service));
        let router = Router::new().route("/metrics", get(metrics)).with_state(state);
        let mut limits = ConnectionLimits::new(Vec::new());
        limits.connections = CONNECTIONS as usize;
        limits.per_address = CONNECTIONS;
        tokio::join!(upkeep, connections::serve(listener, router, limits, pending()));
    }

    /// All metrics, as they are now.
    fn render(&self, service: &Service) -> String {
        let (open, idle, max) = self.store.connections();
        meters::connections(open, idle, max, self.running.load(Ordering::Relaxed));
        keys(service);
        self.metrics.process.collect();
        self.metrics.recorder.run_upkeep();
        self.metrics.recorder.render()
    }
}

async fn metrics(State(state): State<Arc<(MeasuredMetrics, Arc<Service>)>>) -> impl IntoResponse {
    let (metrics, service) = &*state;
    ([(CONTENT_TYPE, TEXT), (CACHE_CONTROL, "no-store")], metrics.render(service))
}

/// The metrics of the keys.
fn keys(service: &Service) {
    let keys = service.keys.keys();
    let of = |state| keys.iter().filter(move |key| key.state() == state);
    let (next, current) = (RingKeyState::Next, RingKeyState::Current);
    let published = keys.len();
    let (nexts, currents) = (of(next).count(), of(current).count());
    meters::keys(nexts, currents, published.saturating_sub(nexts).saturating_sub(currents));
    let now = service.now();
    if let Some(since) = of(current).map(|key| key.signs_from().unix_seconds()).next() {
        let age = seconds(service.settings.key_age);
        let following = of(next).map(|key| key.signs_from().unix_seconds()).min();
        let following = following.unwrap_or_else(|| since.saturating_add(age));
        meters::key_times(now.saturating_sub(since), following.saturating_sub(now));
    }
}
