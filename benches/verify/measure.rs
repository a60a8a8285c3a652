//! Interleaved rounds: A B C, B C A, … so that noise falls on all alike.

use std::time::Instant;

/// One thing that is measured: a closure that does it `n` times and tells whether all went well.
pub(crate) struct Contender {
    name: &'static str,
    /// Prepares and runs a batch; returns the time of the run alone, in nanoseconds.
    run: Box<dyn FnMut(usize) -> f64>,
}

/// What is measured, and nothing else: the name by which `scripts/instructions` finds it.
#[inline(never)]
fn measured_region(run: impl FnOnce() -> bool) -> bool {
    run()
}

impl Contender {
    pub(crate) fn new(name: &'static str, mut run: impl FnMut(usize) -> bool + 'static) -> Self {
        Self {
            name,
            run: Box::new(move |n| {
                let start = now();
                let good = measured_region(|| run(n));
                let elapsed = start.elapsed().as_nanos() as f64;
                assert!(good, "{name}: an unexpected outcome");
                elapsed
            }),
        }
    }

    /// With inputs that are made before the clock starts.
    pub(crate) fn with_input<I: 'static>(
        name: &'static str,
        mut prepare: impl FnMut() -> I + 'static,
        mut run: impl FnMut(I) -> bool + 'static,
    ) -> Self {
        Self {
            name,
            run: Box::new(move |n| {
                let inputs: Vec<I> = (0..n).map(|_| prepare()).collect();
                let start = now();
                let good = measured_region(|| {
                    inputs.into_iter().fold(true, |good, input| run(input) & good)
                });
                let elapsed = start.elapsed().as_nanos() as f64;
                assert!(good, "{name}: an unexpected outcome");
                elapsed
            }),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it `n` times, without a round to warm up: caches of the processor are not counted.
    pub(crate) fn count(mut self, n: usize) {
        (self.run)(n);
    }
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Nanoseconds per request, one for each round.
    rounds: Vec<f64>,
}

/// About how long one batch takes, in nanoseconds.
const BATCH_NS: f64 = 400_000.0;

pub(crate) fn interleaved(mut contenders: Vec<Contender>, rounds: usize) -> Vec<Series> {
    let mut series: Vec<(usize, Series)> = contenders
        .iter_mut()
        .map(|contender| {
            (contender.run)(32);
            let each = (contender.run)(64) / 64.0;
            let batch = ((BATCH_NS / each) as usize).clamp(8, 2048);
            (batch, Series { name: contender.name, rounds: Vec::with_capacity(rounds) })
        })
        .collect();
    let count = contenders.len();
    for round in 0..rounds {
        for turn in 0..count {
            let at = (turn + round) % count;
            let (batch, series) = &mut series[at];
            series.rounds.push((contenders[at].run)(*batch) / *batch as f64);
        }
    }
    series.into_iter().map(|(_, series)| series).collect()
}

impl Series {
    pub(crate) fn median_ns(&self) -> f64 {
        quantile(&self.rounds, 0.5)
    }

    /// Lower quartile, median and upper quartile of the ratios, round by round.
    pub(crate) fn ratios_to(&self, other: &Self) -> [f64; 3] {
        let ratios: Vec<f64> =
            self.rounds.iter().zip(&other.rounds).map(|(one, other)| one / other).collect();
        [0.25, 0.5, 0.75].map(|q| quantile(&ratios, q))
    }
}

fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}
