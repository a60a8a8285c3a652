//! `--cookie`, `--header`, `--websocket`: where the token is, beside the header `Authorization`.

use tower_jwt_auth::{ConfigError, Source};

use crate::flags::Sources;
use crate::with_causes;

pub(crate) fn of(flags: &Sources) -> Result<Vec<Source>, String> {
    let cookie = flags.cookie.as_deref().map(|name| Source::cookie(name, &flags.cookie_origins));
    let header = flags.header.as_deref().map(Source::header);
    let websocket = flags.websocket.then(|| Ok(Source::websocket_protocol()));
    let default = Some(Ok(Source::authorization_header()));
    [default, cookie, header, websocket]
        .into_iter()
        .flatten()
        .collect::<Result<_, ConfigError>>()
        .map_err(|error| with_causes(&error))
}
