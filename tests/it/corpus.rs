//! The fuzz targets on the corpus that is kept: on stable, as ordinary tests, and with a bound on the
//! memory that an input may ask for.

#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::path::Path;

use self::targets::{TARGETS, Target};

/// Both sides together, and the layer around ours.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

fn replay(name: &str, target: Target) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut count = 0;
    // Once before, for what is made once for each process.
    target(b"");
    target(b"\0{}\0{}");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        println!("{}", path.display());
        let cost = allocation_counter::measure(|| target(&input));
        assert!(cost.bytes_max < MOST_BYTES, "{}: {cost:?}", path.display());
        count += 1;
    }
    count
}

#[test]
fn the_corpus_of_every_fuzz_target() {
    for (name, target) in TARGETS {
        assert!(replay(name, target) >= 5, "no corpus of {name}");
    }
}
