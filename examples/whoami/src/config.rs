//! `--config`: the settings of the layer from a TOML file.

use std::fs;
use std::path::Path;

use tower_jwt_auth::LayerConfig;

use crate::flags::{Command, Flags};
use crate::with_causes;

/// The file of the flags.
pub(crate) fn of(flags: &Flags) -> Result<Option<LayerConfig>, String> {
    let Some(path) = flags.config.as_deref() else { return Ok(None) };
    let (config, of_requests) = read(path)?;
    match (of_requests, &flags.command) {
        (Some(member), Some(Command::Explain)) => Err(format!(
            "explain has a token and no request: it cannot check `{member}` of {}",
            path.display()
        )),
        (Some(member), None) if flags.clock.is_some() => {
            Err(format!("--clock does not apply to `{member}` of {}", path.display()))
        }
        _ => Ok(Some(config)),
    }
}

/// The settings of a file, and a member of it that is checked for each request, not for a token alone. An error has the
/// line and the member. The handlers can do without a token.
fn read(path: &Path) -> Result<(LayerConfig, Option<&'static str>), String> {
    let cannot_use = |fault: &str| {
        let fault: Vec<&str> = fault.split_whitespace().collect();
        format!("cannot use {}: {}", path.display(), fault.join(" "))
    };
    let text = fs::read_to_string(path).map_err(|error| cannot_use(&with_causes(&error)))?;
    let described = |error: &toml::de::Error, member: &str| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        cannot_use(&format!("line {line}{member}: {}", error.message()))
    };
    let deserializer = toml::Deserializer::parse(&text).map_err(|error| described(&error, ""))?;
    let config: LayerConfig = serde_path_to_error::deserialize(deserializer)
        .map_err(|error| described(error.inner(), &format!(", {}", error.path())))?;
    let members: toml::Table = toml::from_str(&text).map_err(|error| described(&error, ""))?;
    let of_requests =
        ["dpop", "one_time_tokens"].into_iter().find(|name| members.contains_key(*name));
    Ok((config.allow_optional(), of_requests))
}
