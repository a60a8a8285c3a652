use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::on_response::OnResponse;
use crate::extract::presented_token::{PresentedToken, TokenScheme};
#[cfg(feature = "query-token")]
use crate::extract::query;
use crate::extract::source::Source;
use crate::extract::{cookie, websocket};
use crate::rejection::RejectionKind;

/// The sources of a layer, in order, and whether it removes the credential.
#[derive(Clone)]
pub(crate) struct Sources {
    all: Vec<Source>,
    pub(crate) removes: bool,
}

/// A token that a layer with sources has found, in the extensions of the request. An inner layer and the extractor of
/// [`PresentedToken`] read it, since the head may no longer contain it.
#[derive(Clone)]
pub(crate) struct FoundToken {
    pub(crate) token: PresentedToken,
    pub(crate) source: Source,
}

impl Default for Sources {
    fn default() -> Self {
        Self { all: vec![Source::authorization_header()], removes: false }
    }
}

impl Sources {
    /// # Errors
    ///
    /// When there is no source, or when a credential could be in two of them at once.
    pub(crate) fn replace(&mut self, all: Vec<Source>) -> Result<(), ConfigError> {
        if all.is_empty() {
            return Err(ConfigError::new(ConfigErrorKind::Source, "a layer needs a source"));
        }
        for (at, source) in all.iter().enumerate() {
            if all.iter().take(at).any(|other| other.overlaps(source)) {
                let message = format!("the {source} overlaps with another source of the layer");
                return Err(ConfigError::new(ConfigErrorKind::Source, message));
            }
        }
        self.all = all;
        Ok(())
    }

    /// Whether this is what a layer does without sources.
    pub(crate) fn are_default(&self) -> bool {
        !self.removes && matches!(&*self.all, [source] if source.is_authorization_header())
    }

    /// Returns the only token of a request, and its source. Credentials in two sources are refused, whatever they
    /// are.
    pub(crate) fn find(
        &self,
        head: &Parts,
        schemes: &[TokenScheme],
    ) -> Result<FoundToken, RejectionKind> {
        let mut found =
            self.all.iter().filter_map(|source| Some((source, find_in(source, head, schemes)?)));
        match (found.next(), found.next()) {
            (None, _) => Err(RejectionKind::MissingCredentials),
            (Some(_), Some(_)) => Err(RejectionKind::MultipleCredentials),
            (Some((source, token)), None) => {
                token.map(|token| FoundToken { token, source: source.clone() })
            }
        }
    }

    /// Marks the values of all sources as sensitive, valid or not, so that `Debug` hides them. Those of
    /// `Authorization` in any case.
    pub(crate) fn mark_sensitive(&self, headers: &mut HeaderMap) {
        let has_cookie = self.all.iter().any(|source| source.as_cookie().is_some());
        let has_protocol = self.all.iter().any(|source| source.as_protocol().is_some());
        let is_ours = |name: &HeaderName| {
            name == AUTHORIZATION
                || (has_cookie && name == COOKIE)
                || (has_protocol && name == SEC_WEBSOCKET_PROTOCOL)
                || self.all.iter().any(|source| source.as_header() == Some(name))
        };
        headers
            .iter_mut()
            .filter(|(name, _)| is_ours(name))
            .for_each(|(_, value)| value.set_sensitive(true));
    }

    /// Removes the parameters with a token from the URI.
    pub(crate) fn clear_query(&self, head: &mut Parts) -> bool {
        #[cfg(feature = "query-token")]
        {
            query::remove(&mut head.uri, self.all.iter().filter_map(Source::as_parameter))
        }
        #[cfg(not(feature = "query-token"))]
        {
            let _ = head;
            false
        }
    }

    /// Removes the sub-protocols with a token from a handshake.
    pub(crate) fn clear_protocols(&self, head: &mut Parts) -> Option<OnResponse> {
        websocket::remove(head, self.all.iter().filter_map(Source::as_protocol))
    }

    /// Removes the credentials of all other sources, except those of another scheme in `Authorization`.
    pub(crate) fn clear_headers(&self, headers: &mut HeaderMap, refusal: Option<RejectionKind>) {
        for name in self.all.iter().filter_map(Source::as_header) {
            headers.remove(name);
        }
        cookie::remove(headers, self.all.iter().filter_map(Source::as_cookie));
        if refusal != Some(RejectionKind::UnsupportedScheme)
            && self.all.iter().any(Source::is_authorization_header)
        {
            headers.remove(AUTHORIZATION);
        }
    }

    /// The values of `bearer_methods_supported` (RFC 9728 section 2).
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn bearer_methods(&self) -> Vec<&'static str> {
        let mut methods: Vec<_> = self.all.iter().filter_map(Source::bearer_method).collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// The names of the weakenings among the sources.
    pub(crate) fn danger(&self) -> Option<&'static str> {
        #[cfg(feature = "query-token")]
        if self.all.iter().any(|source| source.as_parameter().is_some()) {
            return Some("dangerous_query");
        }
        None
    }
}

/// The credential of a source: in the head, or from there by an outer layer that has removed it.
fn find_in(
    source: &Source,
    head: &Parts,
    schemes: &[TokenScheme],
) -> Option<Result<PresentedToken, RejectionKind>> {
    source.find(head, schemes).or_else(|| {
        let outer = head.extensions.get::<FoundToken>().filter(|it| it.source.overlaps(source))?;
        Some(source.check_sender(head).map(|()| outer.token.clone()))
    })
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, source) in self.all.iter().enumerate() {
            write!(f, "{}{source}", if at == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}
