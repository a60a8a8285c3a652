//! Random sequences of operations, spread over the instances. A sequence that fails is made as short as possible, and printed.

use std::cell::Cell;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

use super::case::{Case, Op, op};
use super::number_from;
use super::world::World;

/// So many cases run, unless `INSTANCES_CASES` has another number.
const CASES: u64 = 200;

/// `INSTANCES_SEED` gives other sequences than those of CI.
#[test]
fn several_instances_behave_as_one() {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let cases = u32::try_from(number_from("INSTANCES_CASES", CASES)).unwrap();
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number_from("INSTANCES_SEED", 1).to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);

    let number = Cell::new(0);
    let run = async |ops: &[Op]| {
        number.set(number.get() + 1);
        let mut case = Case::new(&world, number.get()).await;
        for (position, op) in ops.iter().enumerate() {
            let result = case.run(op).await;
            result.map_err(|why| format!("operation {position}, {op:?}: {why}"))?;
        }
        Ok::<(), String>(())
    };
    let result = TestRunner::new_with_rng(config, rng)
        .run(&vec(op(), 1..40), |ops| runtime.block_on(run(&ops)).map_err(TestCaseError::fail));
    result.unwrap_or_else(|error| panic!("{error}"));
}
