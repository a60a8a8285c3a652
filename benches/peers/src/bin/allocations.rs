//! Heap allocations per request, as JSON. A program of its own: the allocator that counts is part of it, and would be
//! part of the times.

use serde_json::json;
use tower_jwt_auth_peers::contenders;
use tower_jwt_auth_peers::fixture::{Algorithm, Fixture, Scenario};

const REQUESTS: usize = 100;

fn main() {
    for algorithm in Algorithm::ALL {
        let fixture = Fixture::new(algorithm);
        for scenario in Scenario::MEASURED {
            let header = fixture.authorization(scenario);
            for mut contender in contenders(&fixture, scenario) {
                contender.run(&vec![header.clone(); 1_024]);
                let mut count = 0;
                contender.run_with(&vec![header.clone(); REQUESTS], &mut |measured| {
                    count = allocation_counter::measure(|| measured()).count_total;
                });
                let line = json!({
                    "algorithm": algorithm.name(),
                    "scenario": scenario.name(),
                    "name": contender.name(),
                    "allocations": count as f64 / REQUESTS as f64,
                });
                println!("{line}");
            }
        }
    }
}
