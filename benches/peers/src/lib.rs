//! This crate beside other layers, and beside the limits of what a layer can reach: the same token, keys and checks
//! in one process, so that ratios can be trusted where times cannot. `benches/README.md` says how to use it.

pub mod contender;
pub mod fixture;
pub mod growth;
pub mod limits;
pub mod measure;
pub mod peers;
pub mod providers;
pub mod serve;
pub mod this_crate;

use self::contender::Contender;
use self::fixture::{Fixture, Scenario};

/// All contenders that can do the algorithm and have something to do in the scenario. The first one is what ratios
/// are taken to.
pub fn contenders(fixture: &Fixture, scenario: Scenario) -> Vec<Contender> {
    providers::install();
    let mut all = limits::all(fixture);
    all.extend(this_crate::all(fixture));
    all.extend(peers::all(fixture));
    all.retain(|contender| contender.takes_part_in(scenario));
    all
}
