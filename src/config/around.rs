//! What is around the verifier of every layer: the check of proofs, and the record of one-time tokens.

use std::sync::Arc;

use http::request::Parts;

use crate::config::layer_config::LayerConfig;
use crate::config::place::Place;
#[cfg(not(feature = "dpop"))]
use crate::config::place::{At, needs};
use crate::config_error::ConfigError;
#[cfg(feature = "dpop")]
use crate::dpop::Dpop;
use crate::extract::PresentedToken;
use crate::replay_store::MemoryReplayStore;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
#[cfg(feature = "dpop")]
use crate::verify::SenderConstrained;
use crate::verify::{AcceptedTokens, OneTimeTokens, UnconfirmedToken, Verification, VerifyToken};

/// The members `dpop` and `one_time_tokens`.
pub(super) struct Around {
    #[cfg(feature = "dpop")]
    dpop: Option<(Dpop, bool)>,
    one_time: Option<MemoryReplayStore>,
}

impl LayerConfig {
    pub(super) fn around(&self) -> Result<Around, ConfigError> {
        let root = Place::default();
        let one_time = self.0.one_time_tokens.as_ref();
        let one_time = one_time.map(|it| it.store(&root.member("one_time_tokens"))).transpose()?;
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
            Some(store) => {
                let recorded = OneTimeTokens::new(Arc::clone(&verifier), store.clone());
                Arc::new(Once { verifier, recorded })
            }
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
    recorded: OneTimeTokens<C>,
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

impl<C: Send + Sync + 'static> VerifyToken<C> for Once<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        match marked(head) {
            Some(head) => self.recorded.verify_token(token, &head),
            None => self.verifier.verify_token(token, head),
        }
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        match marked(head) {
            Some(head) => self.recorded.verify_unconfirmed(token, &head),
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
