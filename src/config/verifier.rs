use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::authorize::Rule;
use crate::claims::RegisteredClaims;
use crate::config::around::Around;
use crate::config::issuers::{Issuers, Jwts};
use crate::config_error::ConfigError;
use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
#[cfg(feature = "token-cache")]
use crate::verify::Accepted;
#[cfg(feature = "introspection")]
use crate::verify::Introspection;
use crate::verify::{
    AcceptedTokens, IssuerSet, JwtVerifier, TokenForm, UnconfirmedToken, Verification, VerifyToken,
};

/// The verifier of a [`LayerConfig`](crate::LayerConfig): one issuer or several, the cache and the required scopes.
///
/// It is a [`JwtVerifier`] if the configuration has one issuer, and an [`IssuerSet`] if it has several. An issuer with
/// `introspection` is asked about its tokens; if there are others too, it is asked about all tokens that are not JWTs.
/// As a [`VerifyToken`] it also refuses tokens without the `required_scopes`, checks the proofs of `dpop`, and accepts
/// `one_time_tokens` once. [`as_jwt_verifier`](Self::as_jwt_verifier) and the methods like it return a verifier that does
/// not: use it for the status of keys. Cloning is cheap.
///
/// Inside of [`layer_with_verifier`](crate::LayerConfig::layer_with_verifier), the layer checks proofs and one-time
/// tokens instead, after the checks that are around this verifier. Give a verifier with such a check to that method and
/// to no other layer: elsewhere a request that the check refuses has used up the token. Inside of a
/// [`SenderConstrained`](crate::SenderConstrained) in another layer, a bound token is refused if tokens are accepted
/// once.
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
    /// With everything around it.
    whole: Arc<dyn VerifyToken<C>>,
    /// The same without the check of proofs, for a caller that checks the binding of tokens.
    unconfirmed: Arc<dyn VerifyToken<C>>,
}

impl<C> ConfigVerifier<C> {
    /// The verifier of the only issuer whose keys are known; `None` if there are several such issuers, or none. It does
    /// not check the required scopes, proofs of possession and one-time tokens.
    pub fn as_jwt_verifier(&self) -> Option<&JwtVerifier<C>> {
        match &self.issuers.jwts {
            Some(Jwts::One(verifier)) => Some(verifier),
            Some(Jwts::Several(_)) | None => None,
        }
    }

    /// The set of the issuers whose keys are known; `None` if there is at most one such issuer. It does not check the
    /// required scopes, proofs of possession and one-time tokens.
    pub fn as_issuer_set(&self) -> Option<&IssuerSet<C>> {
        match &self.issuers.jwts {
            Some(Jwts::Several(issuers)) => Some(issuers),
            Some(Jwts::One(_)) | None => None,
        }
    }

    /// The verifier that asks an issuer about its tokens; `None` if the configuration has no `introspection`. It does
    /// not check the required scopes, proofs of possession and one-time tokens.
    #[cfg(feature = "introspection")]
    pub fn as_introspection(&self) -> Option<&Introspection<C>> {
        self.issuers.asked.as_ref().map(|asked| &asked.verifier)
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> ConfigVerifier<C> {
    pub(super) fn new(
        issuers: Issuers<C>,
        scopes: Option<Rule<C>>,
        around: &Around,
    ) -> Result<Self, ConfigError> {
        let scoped = with_scopes(issuers.verifier()?, scopes);
        let unconfirmed = around.once(Arc::clone(&scoped));
        Ok(Self { issuers, whole: around.all(scoped), unconfirmed })
    }

    pub(super) fn into_verifier(self) -> Arc<dyn VerifyToken<C>> {
        self.whole
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
        self.whole.verify_token(token, head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.unconfirmed.verify_unconfirmed(token, head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.whole.schemes()
    }

    fn token_form(&self) -> TokenForm {
        self.whole.token_form()
    }

    fn describe(&self) -> Option<Summary> {
        self.whole.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.whole.accepted_tokens()
    }

    #[cfg(feature = "token-cache")]
    fn has_token_cache(&self) -> bool {
        self.whole.has_token_cache()
    }

    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        self.whole.recall(token)
    }
}

impl<C> Clone for ConfigVerifier<C> {
    fn clone(&self) -> Self {
        Self {
            issuers: self.issuers.clone(),
            whole: Arc::clone(&self.whole),
            unconfirmed: Arc::clone(&self.unconfirmed),
        }
    }
}

impl<C> fmt::Debug for ConfigVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("ConfigVerifier");
        match &self.issuers.jwts {
            Some(Jwts::One(verifier)) => f.field("verifier", verifier),
            Some(Jwts::Several(issuers)) => f.field("issuers", issuers),
            None => &mut f,
        };
        #[cfg(feature = "introspection")]
        if let Some(asked) = &self.issuers.asked {
            f.field("introspection", &asked.verifier);
        }
        f.finish_non_exhaustive()
    }
}
