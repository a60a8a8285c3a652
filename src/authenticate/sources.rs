//! The setters of a layer for the sources of tokens.

use std::sync::Arc;

use http::request::Parts;

use crate::authenticate::{JwtAuthLayer, Policy};
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::extract::authorization;
use crate::extract::{SchemeUsed, Source, Sources};
use crate::scheme::{Schemes, TokenScheme};

impl<C: Send + Sync + 'static, R> JwtAuthLayer<C, R> {
    /// Replaces the [sources](Source): the parts of a request in which the layer looks for the token. The default is
    /// [`Source::authorization_header`] alone.
    ///
    /// A request may have a credential in only one of the sources. Credentials in two of them are refused with 400
    /// ([`MultipleCredentials`](crate::RejectionKind::MultipleCredentials)), so the order of the sources does not
    /// change what is accepted. The layer ignores tokens in other parts of the request, and in the body.
    ///
    /// The layer marks the header values of all sources as sensitive.
    ///
    /// # Errors
    ///
    /// When `sources` is empty, or when two sources could both contain one credential: the same header, cookie or
    /// parameter twice, or two sub-protocol prefixes, one of which begins with the other. Also when the verifier accepts
    /// only the scheme `DPoP`, and [`Source::authorization_header`] is not one of the sources: no other one can have it.
    ///
    /// # Example: a browser client with a WebSocket
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigError, JwtAuthLayer, JwtVerifier, Source};
    ///
    /// fn layer(verifier: JwtVerifier) -> Result<JwtAuthLayer, ConfigError> {
    ///     JwtAuthLayer::new(verifier)
    ///         .with_sources([Source::authorization_header(), Source::websocket_protocol()])
    /// }
    /// # let _ = layer;
    /// ```
    pub fn with_sources(
        mut self,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, ConfigError> {
        let policy = self.policy_mut();
        let mut changed = policy.sources.as_deref().cloned().unwrap_or_default();
        changed.replace(sources.into_iter().collect())?;
        policy.set_sources(changed)?;
        Ok(self)
    }

    /// Removes the credential from the head of each request: the line of the header, the one cookie, the sub-protocol
    /// or the query parameter. By default headers and cookies stay; sub-protocols and query parameters are always
    /// removed.
    ///
    /// So no service inside of the layer, such as a reverse proxy, forwards or logs the token by accident. The verifier
    /// does not get it in the head either. Credentials of another scheme in `Authorization` stay, whatever is in
    /// the other sources.
    ///
    /// [`PresentedToken::from_request`](crate::PresentedToken::from_request) and the axum extractor still return the
    /// token. An authentication layer inside of this one reads only the head by default. If it has
    /// [sources](Self::with_sources) or removes credentials too, it also finds the removed credentials, valid or not,
    /// as if they were in the head. So a credential that a service in between adds to the head is a second one, which
    /// such a layer refuses with 400. To exchange the token in between, do not remove the first one but replace it, or
    /// let the inner layer read only the head, without sources.
    #[must_use]
    pub fn remove_credential(mut self) -> Self {
        let policy = self.policy_mut();
        let mut sources = policy.sources.as_deref().cloned().unwrap_or_default();
        sources.removes = true;
        policy.sources = Some(Arc::new(sources));
        self
    }
}

impl<C: 'static> Policy<C> {
    /// Replaces the sources. If none of them is `Authorization`, no token can have the scheme `DPoP`, and the layer does
    /// not offer it.
    ///
    /// # Errors
    ///
    /// When the verifier accepts only that scheme.
    fn set_sources(&mut self, sources: Sources) -> Result<(), ConfigError> {
        let accepted = Schemes::new(self.verifier.schemes());
        let schemes = match sources.have_authorization_header() {
            true => accepted,
            false => accepted.without_dpop(),
        };
        if schemes.is_empty() && !accepted.is_empty() {
            let message = "the verifier accepts only the scheme `DPoP`, which only the \
                           `Authorization` header can have";
            return Err(ConfigError::new(ConfigErrorKind::Source, message));
        }
        if schemes != self.schemes {
            let algorithms = self.verifier.accepted_tokens().dpop_algorithms().collect();
            self.challenges = Arc::new(self.challenges.with_schemes(schemes, algorithms));
            self.schemes = schemes;
        }
        self.sources = (!sources.are_default()).then(|| Arc::new(sources));
        Ok(())
    }
}

impl<C> Policy<C> {
    /// The scheme of the credential in the sources of this layer; `None` if there is none, or it has another scheme.
    #[cold]
    pub(super) fn scheme_used(&self, head: &Parts) -> Option<TokenScheme> {
        match self.sources {
            // Not what a layer outside has found.
            None => authorization::scheme_in(&head.headers),
            Some(_) => head.extensions.get().and_then(|SchemeUsed(used)| *used),
        }
    }

    /// The ways in which the layer accepts a token, as in `bearer_methods_supported` (RFC 9728 section 2): another
    /// header, another parameter, a cookie and a sub-protocol have no name there.
    #[cfg(feature = "resource-metadata")]
    pub(super) fn bearer_methods(&self) -> Vec<&'static str> {
        match &self.sources {
            _ if !self.schemes.contains(TokenScheme::Bearer) => Vec::new(),
            Some(sources) => sources.bearer_methods(),
            None => Sources::default().bearer_methods(),
        }
    }
}

#[cfg(all(test, feature = "resource-metadata"))]
mod tests {
    use super::*;
    use crate::verify::dangerous_any_bearer;

    #[test]
    fn methods_are_those_of_the_sources_without_duplicates() {
        let layer = || JwtAuthLayer::new(dangerous_any_bearer());
        let methods = |sources| layer().with_sources(sources).unwrap().policy().bearer_methods();
        let cookie = Source::cookie("token", ["https://app.example"]).unwrap();
        let header = Source::header("x-token").unwrap();
        assert_eq!(layer().policy().bearer_methods(), ["header"]);
        assert_eq!(methods(vec![Source::authorization_header(), header.clone()]), ["header"]);
        assert_eq!(methods(vec![cookie.clone(), Source::websocket_protocol()]), [""; 0]);
        assert_eq!(methods(vec![header, cookie]), [""; 0]);
        #[cfg(feature = "query-token")]
        {
            let query = Source::dangerous_query("access_token").unwrap();
            let both = vec![query, Source::authorization_header()];
            assert_eq!(methods(both), ["header", "query"]);
            let other = Source::dangerous_query("token").unwrap();
            assert_eq!(methods(vec![other, Source::authorization_header()]), ["header"]);
        }
    }
}
