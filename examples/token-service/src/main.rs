//! A token service for a small team, and its administration.
//!
//! ```sh
//! cargo run -p token-service -- --demo
//! cargo run -p token-service -- --help
//! ```

mod program;

use std::process::ExitCode;

fn main() -> ExitCode {
    program::run()
}
