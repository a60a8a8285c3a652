//! The files that a configuration names.

use std::fs::File;
use std::io::Read;

use crate::config::place::Place;
use crate::config_error::ConfigError;

/// More of a file is not read.
const MAX_FILE: u64 = 1024 * 1024;

/// What a file contains. The path of a secret is not named in an error: by mistake it may be the secret.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Contents {
    Public,
    Secret,
}

/// Reads a whole file.
pub(super) fn read(path: &str, contents: Contents, place: &Place) -> Result<Vec<u8>, ConfigError> {
    let file_at = match contents {
        Contents::Secret => "the file".to_owned(),
        Contents::Public => format!("the file {path}"),
    };
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(MAX_FILE.saturating_add(1)).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(place.error(format_args!("{file_at} cannot be read")).with_source(error)),
        Ok(length) if u64::try_from(length).unwrap_or(u64::MAX) > MAX_FILE => {
            Err(place.error(format_args!("{file_at} is longer than 1 MiB")))
        }
        Ok(_) => Ok(bytes),
    }
}

/// The text of a file without the line break at its end; `None` if it is not UTF-8.
pub(super) fn one_line(bytes: &[u8]) -> Option<&str> {
    let text = str::from_utf8(bytes).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Some(text.strip_suffix('\r').unwrap_or(text))
}
