use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization::{self, Token68};
use crate::extract::on_response::OnResponse;
use crate::extract::presented_token::PresentedToken;
#[cfg(feature = "query-token")]
use crate::extract::query;
use crate::extract::source::{Credentials, Source};
use crate::extract::{cookie, websocket};
use crate::rejection::RejectionKind;
use crate::scheme::{Schemes, TokenScheme};

/// The sources of a layer, in order, and whether it removes the credential.
#[derive(Clone)]
pub(crate) struct Sources {
    all: Vec<Source>,
    pub(crate) removes: bool,
}

/// The scheme of the credential, good or not, that the innermost layer with sources and with two challenges has found,
/// in the extensions of the request: the head may no longer contain it.
#[derive(Clone, Copy)]
pub(crate) struct SchemeUsed(pub(crate) Option<TokenScheme>);

/// The credentials, good or not, that layers have moved out of the head of a request, in its extensions. A layer inside
/// finds what its own sources are, and decides about it as if it were still in the head.
#[derive(Clone, Default)]
struct Removed {
    headers: HeaderMap,
    #[cfg(feature = "query-token")]
    query: String,
}

impl Removed {
    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            headers: &self.headers,
            #[cfg(feature = "query-token")]
            query: Some(&self.query),
        }
    }

    fn is_empty(&self) -> bool {
        #[cfg(feature = "query-token")]
        if !self.query.is_empty() {
            return false;
        }
        self.headers.is_empty()
    }
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

    /// Returns the only token of a request. Credentials in two sources are refused, whatever they are.
    pub(crate) fn find(
        &self,
        head: &Parts,
        schemes: Schemes,
    ) -> Result<PresentedToken, RejectionKind> {
        let mut found = self.all.iter().filter_map(|source| find_in(source, head, schemes));
        match (found.next(), found.next()) {
            (None, _) => Err(RejectionKind::MissingCredentials),
            (Some(_), Some(_)) => Err(RejectionKind::MultipleCredentials),
            (Some(found), None) => found,
        }
    }

    /// The scheme of a credential in which no token was found.
    pub(crate) fn scheme_used(&self, head: &Parts) -> Option<TokenScheme> {
        if !self.have_authorization_header() {
            return Some(TokenScheme::Bearer);
        }
        authorization::scheme_in(&head.headers).or_else(|| {
            let removed: &Removed = head.extensions.get()?;
            authorization::scheme_in(&removed.headers)
        })
    }

    /// Whether one of the sources is `Authorization`.
    pub(crate) fn have_authorization_header(&self) -> bool {
        self.all.iter().any(Source::is_authorization_header)
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

    /// Moves the parameters and the sub-protocols with a token out of the head, and, if the layer is told to, the
    /// credentials of the other sources. Returns what the response needs then.
    pub(crate) fn remove(&self, head: &mut Parts, schemes: Schemes) -> Vec<OnResponse> {
        let mut removed = head.extensions.remove::<Removed>().unwrap_or_default();
        let protocols = self.all.iter().filter_map(Source::as_protocol);
        let select = websocket::remove(head, &mut removed.headers, protocols);
        let keep_private = self.remove_query(head, &mut removed);
        if self.removes {
            self.remove_from(&mut head.headers, &mut removed.headers, schemes);
        }
        if !removed.is_empty() {
            head.extensions.insert(removed);
        }
        select.into_iter().chain(keep_private).collect()
    }

    fn remove_query(&self, head: &mut Parts, removed: &mut Removed) -> Option<OnResponse> {
        #[cfg(feature = "query-token")]
        {
            let parameters = self.all.iter().filter_map(Source::as_parameter);
            let query = query::remove(&mut head.uri, parameters)?;
            removed.query.push('&');
            removed.query.push_str(&query);
            Some(OnResponse::KeepPrivate)
        }
        #[cfg(not(feature = "query-token"))]
        {
            let _ = (head, removed);
            None
        }
    }

    /// Moves the credentials in headers and cookies, except those of another scheme in `Authorization`.
    fn remove_from(&self, headers: &mut HeaderMap, removed: &mut HeaderMap, schemes: Schemes) {
        let is_of_another_scheme = || {
            let found = authorization::extract(headers, schemes, Token68::First);
            found.is_err_and(|kind| kind == RejectionKind::UnsupportedScheme)
        };
        let is_removed = self.have_authorization_header() && !is_of_another_scheme();
        let authorization = is_removed.then_some(&AUTHORIZATION);
        for name in self.all.iter().filter_map(Source::as_header).chain(authorization) {
            for value in headers.get_all(name) {
                // It fits: the head has more fields.
                let _ = removed.try_append(name.clone(), value.clone());
            }
            headers.remove(name);
        }
        cookie::remove(headers, removed, self.all.iter().filter_map(Source::as_cookie));
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

/// The credential of a source: in the head, or among what layers outside have removed from there. One in the head does
/// not hide one that was removed: these are two.
fn find_in(
    source: &Source,
    head: &Parts,
    schemes: Schemes,
) -> Option<Result<PresentedToken, RejectionKind>> {
    let in_head = Credentials {
        headers: &head.headers,
        #[cfg(feature = "query-token")]
        query: head.uri.query(),
    };
    let found = source.find(&in_head, head, schemes);
    let Some(removed) = head.extensions.get::<Removed>() else { return found };
    match (found, source.find(&removed.credentials(), head, schemes)) {
        (Some(_), Some(_)) => Some(Err(RejectionKind::MultipleCredentials)),
        (found, removed) => found.or(removed),
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, source) in self.all.iter().enumerate() {
            write!(f, "{}{source}", if at == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}
