//! A recorder that keeps what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

/// One call of a metric.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) name: String,
    /// `counter`, `gauge` or `histogram`.
    pub(crate) kind: &'static str,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    pub(crate) calls: Arc<Mutex<Vec<Recorded>>>,
    pub(crate) described: Arc<Mutex<BTreeSet<(String, &'static str)>>>,
}

impl Kept {
    pub(crate) fn calls(&self) -> Vec<Recorded> {
        self.calls.lock().unwrap().clone()
    }

    /// The values of a metric with exactly these labels, in their order.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let calls = self.calls();
        let calls = calls.iter().filter(|call| call.name == name && call.labels == labels);
        calls.map(|call| call.value).collect()
    }

    fn describe(&self, name: &KeyName, kind: &'static str, about: &SharedString) {
        assert!(!about.is_empty());
        self.described.lock().unwrap().insert((name.as_str().to_owned(), kind));
    }

    fn handle(&self, key: &Key, kind: &'static str) -> Arc<Handle> {
        let labels = key.labels().map(|label| (label.key().to_owned(), label.value().to_owned()));
        let labels = labels.collect();
        let recorded = Recorded { name: key.name().to_owned(), kind, labels, value: 0.0 };
        Arc::new(Handle { recorded, calls: Arc::clone(&self.calls) })
    }
}

struct Handle {
    recorded: Recorded,
    calls: Arc<Mutex<Vec<Recorded>>>,
}

impl Handle {
    fn keep(&self, value: f64) {
        self.calls.lock().unwrap().push(Recorded { value, ..self.recorded.clone() });
    }
}

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        self.keep(u32::try_from(value).unwrap().into());
    }

    fn absolute(&self, _: u64) {
        panic!("counters are only incremented");
    }
}

impl GaugeFn for Handle {
    fn increment(&self, _: f64) {
        panic!("gauges are only set");
    }

    fn decrement(&self, _: f64) {
        panic!("gauges are only set");
    }

    fn set(&self, value: f64) {
        self.keep(value);
    }
}

impl HistogramFn for Handle {
    fn record(&self, value: f64) {
        self.keep(value);
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, about: SharedString) {
        self.describe(&name, "counter", &about);
    }

    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, about: SharedString) {
        self.describe(&name, "gauge", &about);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, about: SharedString) {
        self.describe(&name, "histogram", &about);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(key, "counter"))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(key, "gauge"))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(key, "histogram"))
    }
}
