use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::authorize::Rule;
use crate::claims::RegisteredClaims;
use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
#[cfg(feature = "token-cache")]
use crate::verify::Accepted;
use crate::verify::{
    AcceptedTokens, IssuerSet, JwtVerifier, TokenForm, UnconfirmedToken, Verification, VerifyToken,
};

/// The verifier of a [`LayerConfig`](crate::LayerConfig): one issuer or several, the cache and the required scopes.
///
/// It is a [`JwtVerifier`] if the configuration has one issuer, and an [`IssuerSet`] otherwise. As a [`VerifyToken`]
/// it also refuses tokens without the `required_scopes`. [`as_jwt_verifier`](Self::as_jwt_verifier) and
/// [`as_issuer_set`](Self::as_issuer_set) do not: use them for the status of keys. Cloning is cheap.
///
/// # Example: a check of the application's own
///
/// ```
/// use tower_jwt_auth::{
///     ConfigError, JwtAuthLayer, LayerConfig, RegisteredClaims, Rejection, VerifyToken,
/// };
///
/// fn layer(config: &LayerConfig) -> Result<JwtAuthLayer, ConfigError> {
///     let verifier = config.verifier::<RegisteredClaims>()?.with_check(async |token, _request| {
///         match token.sub.as_deref() {
///             Some("mallory") => Err(Rejection::invalid_token()),
///             _ => Ok(()),
///         }
///     });
///     config.layer_with_verifier(verifier)
/// }
/// # let _ = layer;
/// ```
pub struct ConfigVerifier<C = RegisteredClaims> {
    issuers: Issuers<C>,
    /// The same verifier, with the required scopes.
    scoped: Arc<dyn VerifyToken<C>>,
}

pub(super) enum Issuers<C> {
    One(JwtVerifier<C>),
    Several(IssuerSet<C>),
}

impl<C> ConfigVerifier<C> {
    /// The verifier of the only issuer; `None` if there are several issuers. It does not check the required scopes.
    pub fn as_jwt_verifier(&self) -> Option<&JwtVerifier<C>> {
        match &self.issuers {
            Issuers::One(verifier) => Some(verifier),
            Issuers::Several(_) => None,
        }
    }

    /// The set of the issuers; `None` if there is only one issuer. It does not check the required scopes.
    pub fn as_issuer_set(&self) -> Option<&IssuerSet<C>> {
        match &self.issuers {
            Issuers::One(_) => None,
            Issuers::Several(issuers) => Some(issuers),
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> ConfigVerifier<C> {
    pub(super) fn new(issuers: Issuers<C>, scopes: Option<Rule<C>>) -> Self {
        let verifier: Arc<dyn VerifyToken<C>> = match &issuers {
            Issuers::One(verifier) => Arc::new(verifier.clone()),
            Issuers::Several(issuers) => Arc::new(issuers.clone()),
        };
        Self { issuers, scoped: with_scopes(verifier, scopes) }
    }

    pub(super) fn into_scoped(self) -> Arc<dyn VerifyToken<C>> {
        self.scoped
    }
}

/// The same verifier, for tokens that meet the rule.
pub(super) fn with_scopes<C: Send + Sync + 'static>(
    verifier: Arc<dyn VerifyToken<C>>,
    rule: Option<Rule<C>>,
) -> Arc<dyn VerifyToken<C>> {
    match rule {
        Some(rule) => Arc::new(WithScopes { verifier, rule }),
        None => verifier,
    }
}

struct WithScopes<C> {
    verifier: Arc<dyn VerifyToken<C>>,
    rule: Rule<C>,
}

impl<C: Send + Sync + 'static> WithScopes<C> {
    fn check(&self, verification: Verification<C>) -> Verification<C> {
        let rule = self.rule.clone();
        verification.and_then(move |accepted| {
            rule.check(accepted.token())?;
            Ok(accepted)
        })
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for WithScopes<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        self.check(self.verifier.verify_token(token, head))
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.check(self.verifier.verify_unconfirmed(token, head))
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.verifier.schemes()
    }

    fn token_form(&self) -> TokenForm {
        self.verifier.token_form()
    }

    fn describe(&self) -> Option<Summary> {
        self.verifier.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.verifier.accepted_tokens()
    }

    #[cfg(feature = "token-cache")]
    fn has_token_cache(&self) -> bool {
        self.verifier.has_token_cache()
    }

    /// A token without the scopes is verified again: that path has its refusal.
    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        self.verifier.recall(token).filter(|accepted| self.rule.check(accepted.token()).is_ok())
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for ConfigVerifier<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        self.scoped.verify_token(token, head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.scoped.verify_unconfirmed(token, head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.scoped.schemes()
    }

    fn token_form(&self) -> TokenForm {
        self.scoped.token_form()
    }

    fn describe(&self) -> Option<Summary> {
        self.scoped.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.scoped.accepted_tokens()
    }

    #[cfg(feature = "token-cache")]
    fn has_token_cache(&self) -> bool {
        self.scoped.has_token_cache()
    }

    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        self.scoped.recall(token)
    }
}

impl<C> Clone for ConfigVerifier<C> {
    fn clone(&self) -> Self {
        let issuers = match &self.issuers {
            Issuers::One(verifier) => Issuers::One(verifier.clone()),
            Issuers::Several(issuers) => Issuers::Several(issuers.clone()),
        };
        Self { issuers, scoped: Arc::clone(&self.scoped) }
    }
}

impl<C> fmt::Debug for ConfigVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("ConfigVerifier");
        match &self.issuers {
            Issuers::One(verifier) => f.field("verifier", verifier),
            Issuers::Several(issuers) => f.field("issuers", issuers),
        };
        f.finish_non_exhaustive()
    }
}
