//! `--config`: the settings of the layer from a TOML file.

use std::fs;
use std::path::Path;

use tower_jwt_auth::LayerConfig;

use crate::with_causes;

/// The settings of a file. An error has the line and the member. The handlers can do without a token.
pub(crate) fn read(path: &Path) -> Result<LayerConfig, String> {
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
    serde_path_to_error::deserialize(deserializer)
        .map(LayerConfig::allow_optional)
        .map_err(|error| described(error.inner(), &format!(", {}", error.path())))
}
