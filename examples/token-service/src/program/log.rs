//! The log, on standard error.

use std::io::{self, IsTerminal};

use token_service::ACCESS_LOG;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use super::failure::{Failure, with_causes};
use super::flags::LogFormat;

/// The log filter: `warn` by default. `RUST_LOG` adds to it, for example `tower_jwt_auth=debug` to see why tokens are
/// refused. Targets that `RUST_LOG` does not name keep `warn`. The access log follows its flag alone.
pub(super) fn to_standard_error(format: LogFormat, access_log: bool) -> Result<(), Failure> {
    let targets = std::env::var_os("RUST_LOG").unwrap_or_default();
    let targets: Targets = match targets.to_str() {
        Some("") => Ok(Targets::new()),
        Some(targets) => targets.parse().map_err(|error| with_causes(&error)),
        None => Err("it is not UTF-8".to_owned()),
    }
    .map_err(|error: String| Failure::bad(format!("RUST_LOG cannot be read: {error}")))?;
    let targets = match targets.default_level() {
        None => targets.with_default(LevelFilter::WARN),
        Some(_) => targets,
    };
    let level = if access_log { LevelFilter::INFO } else { LevelFilter::OFF };
    let targets = targets.with_target(ACCESS_LOG, level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let layer = match format {
        LogFormat::Text => layer.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().with_span_list(false).flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(layer).with(targets).init();
    Ok(())
}
