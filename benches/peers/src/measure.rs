//! Rounds in which all contenders take turns, in random order.
//!
//! Noise falls on all alike, and none always follows the same one: a contender that follows other code finds the
//! caches of the processor cold.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use http::HeaderValue;

use crate::contender::{Contender, Group, cpu_time};
use crate::fixture::{Algorithm, Scenario};

/// Runs before the first round: fills caches, and lets a key earn its tables.
const WARM_UP: usize = 1_024;
/// A round in which the base took this much longer than in its fastest round is discarded.
const MAX_SLOWDOWN: f64 = 1.10;
/// Discarded rounds are made up for, until this many times the wanted rounds were run.
const MAX_EFFORT: usize = 3;

pub struct Series {
    pub name: &'static str,
    pub group: Group,
    /// The length of the header of a contender with requests of its own, in bytes.
    pub own_length: Option<usize>,
    /// Nanoseconds per request, one for each round that was kept.
    pub rounds: Vec<f64>,
}

pub struct Measured {
    pub series: Vec<Series>,
    pub discarded: usize,
}

/// How long a batch takes.
fn batch_time(algorithm: Algorithm, scenario: Scenario) -> Duration {
    match algorithm {
        Algorithm::Hs256 => Duration::from_micros(400),
        _ if scenario == Scenario::Missing => Duration::from_micros(400),
        _ => Duration::from_micros(2_000),
    }
}

/// Measures `rounds` good rounds. The first contender is the base, by which a round is judged.
pub fn interleaved(
    contenders: &mut [Contender],
    algorithm: Algorithm,
    scenario: Scenario,
    header: &Option<HeaderValue>,
    rounds: usize,
) -> Measured {
    let run = |contenders: &mut [Contender], at: usize, count: usize| {
        let contender: &mut Contender = &mut contenders[at];
        let (scenario, headers) = contender.requests((scenario, header), count);
        let batch = contender.run(&headers);
        let name = contender.name();
        assert!(batch.outcomes.are_right(scenario), "{name}: {:?}", batch.outcomes);
        batch.elapsed.as_nanos() as f64 / count as f64
    };
    let wanted = batch_time(algorithm, scenario).as_nanos() as f64;
    let batches: Vec<usize> = (0..contenders.len())
        .map(|at| {
            run(contenders, at, WARM_UP);
            ((wanted / run(contenders, at, 64)) as usize).clamp(4, 2_048)
        })
        .collect();

    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let mut random = Random::new();
    let mut all: Vec<Vec<f64>> = Vec::new();
    let mut kept = 0;
    while kept < rounds && all.len() < rounds * MAX_EFFORT {
        let mut times = vec![0.0; contenders.len()];
        random.shuffle(&mut order);
        for &at in &order {
            times[at] = run(contenders, at, batches[at]);
        }
        all.push(times);
        kept = good(&all).count();
    }

    let series = contenders.iter().enumerate().map(|(at, contender)| Series {
        name: contender.name(),
        group: contender.group(),
        own_length: contender.own_length(),
        rounds: good(&all).map(|times| times[at]).collect(),
    });
    Measured { series: series.collect(), discarded: all.len() - kept }
}

fn good(rounds: &[Vec<f64>]) -> impl Iterator<Item = &Vec<f64>> {
    let fastest = rounds.iter().map(|times| times[0]).fold(f64::INFINITY, f64::min);
    rounds.iter().filter(move |times| times[0] <= fastest * MAX_SLOWDOWN)
}

/// SplitMix64, with a random seed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Fisher and Yates.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
    }
}

/// What is verified by two threads: it takes the number of the thread and of the request.
pub type Verify<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// By the CPU time of the threads, how much more two threads do than one, in `rounds` good rounds. The first one is the
/// base, which shares nothing: a round in which its two threads did not do twice as much was disturbed.
pub fn two_threads(contenders: &[Verify<'_>], rounds: usize) -> Vec<Vec<f64>> {
    /// How far the base may be from 2.
    const MAX_DISTURBANCE: f64 = 0.1;
    // Requests per second of all threads.
    let speed = |verify: Verify<'_>, threads: usize, requests: usize| {
        let barrier = &Barrier::new(threads);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn(move || {
                        barrier.wait();
                        let start = cpu_time();
                        assert!((0..requests).all(|at| verify(thread, at)));
                        requests as f64 / (cpu_time() - start).as_secs_f64()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<f64>()
        })
    };
    // As many requests as take one thread 20 ms.
    let requests: Vec<usize> =
        contenders.iter().map(|verify| (speed(*verify, 2, 10_000) / 2.0 * 0.02) as usize).collect();
    let mut random = Random::new();
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let mut kept = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds * MAX_EFFORT {
        let mut ratios = vec![0.0; contenders.len()];
        random.shuffle(&mut order);
        for &at in &order {
            let (verify, requests) = (contenders[at], requests[at]);
            ratios[at] = speed(verify, 2, requests) / speed(verify, 1, requests);
        }
        if (ratios[0] - 2.0).abs() <= MAX_DISTURBANCE {
            kept.iter_mut().zip(ratios).for_each(|(kept, ratio)| kept.push(ratio));
        }
        if kept[0].len() == rounds {
            break;
        }
    }
    kept
}
