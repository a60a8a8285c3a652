//! The program: reads the flags, and serves or runs one command of the administration.
//!
//! The exit status is 0 for success, 1 if a command cannot do what it is asked for (there is no such user), and 2 if a
//! flag, a file or the database is bad. The reason is one sentence on standard error.

mod admin;
mod announcement;
mod failure;
mod flags;
mod key_encryption;
mod log;
mod options;
mod password;
mod serve;
mod termination;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;

use self::failure::Failure;
use self::flags::Flags;

/// How long work that cannot be cancelled may take when the program ends, such as the hash of a password.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => return Failure::flags(&error).report(),
    };
    match run_with(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run_with(flags: Flags) -> Result<(), Failure> {
    log::to_standard_error(flags.serve.log_format, flags.serve.access_log)?;
    let runtime = Runtime::new().map_err(|error| Failure::bad_because(&error))?;
    let result = match flags.command {
        None => runtime.block_on(serve::serve(&flags.database, flags.serve)),
        Some(command) => runtime.block_on(admin::run(&flags.database, &flags.serve, command)),
    };
    runtime.shutdown_timeout(LAST_WORK);
    result
}
