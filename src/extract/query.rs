//! Finds the token in the query (RFC 6750 section 2.3).

use std::mem;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization;
use crate::extract::presented_token::{PresentedToken, TokenSource};
use crate::rejection::RejectionKind;
use crate::scheme::TokenScheme;

/// A parameter of the query with this name.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Parameter(Arc<str>);

impl Parameter {
    pub(super) fn new(name: &str) -> Result<Self, ConfigError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        match !name.is_empty() && name.bytes().all(fits) {
            true => Ok(Self(name.into())),
            false => Err(ConfigError::new(
                ConfigErrorKind::Source,
                format!("{name:?} cannot be the name of a query parameter with a token"),
            )),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// The token of the only parameter with the name.
    pub(super) fn find(&self, query: &str) -> Option<Result<PresentedToken, RejectionKind>> {
        let mut values = form_urlencoded::parse(query.as_bytes())
            .filter_map(|(name, value)| (name == *self.0).then_some(value));
        let token = values.next()?;
        Some(match (values.next(), HeaderValue::from_str(&token)) {
            (Some(_), _) => Err(RejectionKind::MultipleCredentials),
            (None, Ok(mut value)) if authorization::is_token68(token.as_bytes()) => {
                value.set_sensitive(true);
                let range = 0..value.len();
                let (scheme, source) = (TokenScheme::Bearer, TokenSource::Query);
                Ok(PresentedToken::found(value, range, scheme, source))
            }
            (None, _) => Err(RejectionKind::MalformedCredentials),
        })
    }

    fn is_name_of(&self, piece: &str) -> bool {
        form_urlencoded::parse(piece.as_bytes()).any(|(name, _)| name == *self.0)
    }
}

/// Removes these parameters from the URI, and returns them. The others do not change. `None` if none was there.
pub(super) fn remove<'a>(
    uri: &mut Uri,
    parameters: impl Iterator<Item = &'a Parameter>,
) -> Option<String> {
    let parameters: Vec<&Parameter> = parameters.collect();
    let is_removed = |piece: &&str| parameters.iter().any(|parameter| parameter.is_name_of(piece));
    let (removed, rest): (Vec<_>, Vec<_>) = uri.query()?.split('&').partition(is_removed);
    if removed.is_empty() {
        return None;
    }
    let removed = removed.join("&");
    let target = match rest.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), rest.join("&")),
    };
    let mut parts = mem::take(uri).into_parts();
    // The characters are those of the URI, so it is one.
    parts.path_and_query =
        Some(PathAndQuery::try_from(target).unwrap_or_else(|_| PathAndQuery::from_static("/")));
    *uri = Uri::from_parts(parts).unwrap_or_default();
    Some(removed)
}
