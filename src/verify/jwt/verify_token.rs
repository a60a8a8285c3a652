//! The verifier for the requests of a layer.

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::by_name::Input;
use crate::verify::jwt::{JwtVerifier, MayWait, Step};
use crate::verify::token_form::TokenForm;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verify_token::VerifyToken;

impl<C: DeserializeOwned + Send + Sync + 'static> JwtVerifier<C> {
    #[inline]
    fn verify_presented(
        &self,
        token: &PresentedToken,
        input: fn(&PresentedToken) -> Input<'_>,
    ) -> Verification<C> {
        token.note_issuer(|| self.rules.issuer().display());
        match self.begin_or_recall(input(token), MayWait::Yes) {
            Step::Done(result) => Verification::ready(result.map(Accepted::from)),
            Step::Wait(keys) => {
                let (verifier, token) = (self.clone(), token.clone());
                Verification::pending(async move {
                    let found = keys.await;
                    verifier.resume_and_keep(input(&token), found).map(Accepted::from)
                })
            }
        }
    }
}

impl<C> VerifyToken<C> for JwtVerifier<C>
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    fn verify_token(&self, token: &PresentedToken, _: &Parts) -> Verification<C> {
        self.verify_presented(token, |token| Input::Presented(token))
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, _: &Parts) -> Verification<C> {
        let verification = self.verify_presented(token.token(), |token| Input::Unconfirmed(token));
        token.noted(verification)
    }

    fn token_form(&self) -> TokenForm {
        TokenForm::JWS
    }

    fn describe(&self) -> Option<Summary> {
        Some(self.summary())
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.issued_by()
    }

    #[cfg(feature = "token-cache")]
    fn has_token_cache(&self) -> bool {
        self.rules.cache().is_on()
    }

    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        self.recall_raw(token).map(Accepted::from)
    }
}
