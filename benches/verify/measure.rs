//! Interleaved rounds: A B C, B C A, … so that noise falls on all alike.

use std::time::Instant;

/// One thing that is measured: a closure that does it `n` times and tells whether all went well.
pub(crate) struct Contender {
    name: &'static str,
    /// Prepares and runs a batch in a region; returns the time of the run alone, in nanoseconds.
    run: Box<dyn FnMut(usize, Region) -> f64>,
}

type Region = fn(&mut dyn FnMut() -> bool) -> bool;

/// What is measured, and nothing else: the name by which `scripts/instructions` finds it.
#[inline(never)]
fn measured_region(run: &mut dyn FnMut() -> bool) -> bool {
    run()
}

/// The same, not counted.
#[inline(never)]
fn warm_up_region(run: &mut dyn FnMut() -> bool) -> bool {
    std::hint::black_box(run())
}

impl Contender {
    pub(crate) fn new(name: &'static str, mut run: impl FnMut(usize) -> bool + 'static) -> Self {
        Self {
            name,
            run: Box::new(move |n, region| {
                let start = now();
                let good = region(&mut || run(n));
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
            run: Box::new(move |n, region| {
                let mut inputs: Vec<I> = (0..n).map(|_| prepare()).collect();
                let start = now();
                let good =
                    region(&mut || inputs.drain(..).fold(true, |good, input| run(input) & good));
                let elapsed = start.elapsed().as_nanos() as f64;
                assert!(good, "{name}: an unexpected outcome");
                elapsed
            }),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it `n` times, one by one. It has run a few times before, so that the allocator is in the state that it
    /// has in a server.
    pub(crate) fn count(mut self, n: usize) {
        for _ in 0..64 {
            (self.run)(1, warm_up_region);
        }
        for _ in 0..n {
            (self.run)(1, measured_region);
        }
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
            (contender.run)(32, measured_region);
            let each = (contender.run)(64, measured_region) / 64.0;
            let batch = ((BATCH_NS / each) as usize).clamp(8, 2048);
            (batch, Series { name: contender.name, rounds: Vec::with_capacity(rounds) })
        })
        .collect();
    let count = contenders.len();
    for round in 0..rounds {
        for turn in 0..count {
            let at = (turn + round) % count;
            let (batch, series) = &mut series[at];
            series.rounds.push((contenders[at].run)(*batch, measured_region) / *batch as f64);
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
