//! What is around the verifier of every layer: the check of proofs, and the record of one-time tokens.

use std::sync::{Arc, OnceLock};

use http::request::Parts;

use crate::config::layer_config::LayerConfig;
use crate::config::place::Place;
#[cfg(not(feature = "dpop"))]
use crate::config::place::{At, needs};
use crate::config_error::ConfigError;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::TokenScheme;
use crate::summary::Summary;
#[cfg(feature = "dpop")]
use crate::verify::SenderConstrained;
use crate::verify::{
    Accepted, AcceptedTokens, TokenUses, UnconfirmedToken, Verification, VerifiedToken, VerifyToken,
};

/// The members `dpop` and `one_time_tokens`.
#[derive(Clone)]
pub(super) struct Around {
    #[cfg(feature = "dpop")]
    dpop: Option<(Dpop, bool)>,
    one_time: Option<TokenUses>,
}

/// What all layers of a configuration and of its clones share. So nested layers know the uses of each other, and a proof
/// or a token that one of them has accepted is used for all.
#[derive(Clone, Default)]
pub(super) struct SharedAround(Arc<OnceLock<Around>>);

impl LayerConfig {
    pub(super) fn around(&self) -> Result<Around, ConfigError> {
        let shared = &self.0.around.0;
        if let Some(around) = shared.get() {
            return Ok(around.clone());
        }
        let built = self.build_around()?;
        Ok(shared.get_or_init(|| built).clone())
    }

    fn build_around(&self) -> Result<Around, ConfigError> {
        let root = Place::default();
        let one_time = self.0.one_time_tokens.as_ref();
        let one_time = one_time.map(|it| it.store(&root.member("one_time_tokens"))).transpose()?;
        let one_time = one_time.map(TokenUses::new);
        let at = root.member("dpop");
        #[cfg(feature = "dpop")]
        {
            let dpop = match &*self.0.dpop {
                Some(config) => Some((config.dpop(&at)?, config.required.0)),
                None => None,
            };
            Ok(Around { dpop, one_time })
        }
        #[cfg(not(feature = "dpop"))]
        match *self.0.dpop {
            Some(_) => Err(needs("dpop")).at(&at),
            None => Ok(Around { one_time }),
        }
    }
}

impl Around {
    /// Both, with the proofs inside: a token is not used up by a request without its proof.
    pub(super) fn all<C>(&self, verifier: Arc<dyn VerifyToken<C>>) -> Arc<dyn VerifyToken<C>>
    where
        C: Send + Sync + 'static,
    {
        self.once(self.bound(verifier))
    }

    /// The record of one-time tokens alone.
    pub(super) fn once<C>(&self, verifier: Arc<dyn VerifyToken<C>>) -> Arc<dyn VerifyToken<C>>
    where
        C: Send + Sync + 'static,
    {
        match &self.one_time {
            Some(uses) => Arc::new(Once { verifier, uses: uses.clone() }),
            None => verifier,
        }
    }

    #[cfg(feature = "dpop")]
    fn bound<C>(&self, verifier: Arc<dyn VerifyToken<C>>) -> Arc<dyn VerifyToken<C>>
    where
        C: Send + Sync + 'static,
    {
        match &self.dpop {
            Some((dpop, true)) => {
                Arc::new(SenderConstrained::dpop(verifier, dpop.clone()).required())
            }
            Some((dpop, false)) => Arc::new(SenderConstrained::dpop(verifier, dpop.clone())),
            None => verifier,
        }
    }

    #[cfg(not(feature = "dpop"))]
    fn bound<C>(&self, verifier: Arc<dyn VerifyToken<C>>) -> Arc<dyn VerifyToken<C>> {
        verifier
    }
}

/// Records each token once, although the layer of a configuration and the verifier inside of it both do: the outer one
/// tells the inner one by a mark in the extensions. So a check in between is always inside of the record.
struct Once<C> {
    verifier: Arc<dyn VerifyToken<C>>,
    uses: TokenUses,
}

/// An outer verifier records the token.
#[derive(Clone)]
struct RecordedOutside;

/// The head for the verifier inside; `None` if an outer one records the token.
fn marked(head: &Parts) -> Option<Parts> {
    if head.extensions.get::<RecordedOutside>().is_some() {
        return None;
    }
    let mut head = head.clone();
    head.extensions.insert(RecordedOutside);
    Some(head)
}

/// Refuses a bound token. The caller checks the binding later: a request of somebody else would use up the token.
fn unbound<C>(accepted: Accepted<C>) -> Result<Accepted<C>, Rejection> {
    const DESCRIPTION: &str =
        "a bound token that is accepted once needs LayerConfig::layer_with_verifier";
    match VerifiedToken::confirmation(accepted.token()) {
        None => Ok(accepted),
        Some(_) => {
            Err(Rejection::from(RejectionKind::UnconfirmedSender).with_description(DESCRIPTION))
        }
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for Once<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        match marked(head) {
            Some(head) => self.uses.record_after(self.verifier.verify_token(token, &head), &head),
            None => self.verifier.verify_token(token, head),
        }
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        match marked(head) {
            Some(head) => {
                let verification = self.verifier.verify_unconfirmed(token, &head);
                self.uses.record_after(verification.and_then(unbound), &head)
            }
            None => self.verifier.verify_unconfirmed(token, head),
        }
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.verifier.schemes()
    }

    fn describe(&self) -> Option<Summary> {
        self.verifier.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.verifier.accepted_tokens()
    }
}
