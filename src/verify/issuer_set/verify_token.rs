//! The set for the requests of a layer.

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::extract::PresentedToken;
#[cfg(feature = "token-cache")]
use crate::extract::RawBearer;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::by_name::Input;
use crate::verify::issuer_set::IssuerSet;
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::jwt::Step;
use crate::verify::token_form::TokenForm;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verify_token::VerifyToken;

impl<C: DeserializeOwned + Send + Sync + 'static> IssuerSet<C> {
    #[inline]
    fn verify_presented(
        &self,
        token: &PresentedToken,
        input: fn(&PresentedToken) -> Input<'_>,
    ) -> Verification<C> {
        let name = |issuer: &Issuer<C>| token.note_issuer(|| issuer.configured_name());
        if let Some((issuer, verified)) = self.recall(input(token).into()) {
            name(&issuer);
            return Verification::ready(Ok(verified.into()));
        }
        let mut note = self.note();
        match self.begin(input(token), name, &mut note.token) {
            Err(rejection) => Verification::ready(Err(rejection)),
            Ok((issuer, Step::Done(result))) => {
                Verification::ready(self.keep(note, &issuer, result).map(Accepted::from))
            }
            Ok((issuer, Step::Wait(keys))) => {
                let (issuers, token) = (self.clone(), token.clone());
                Verification::pending(async move {
                    let input = input(&token);
                    let result = issuers.finish(&issuer, input, keys, &mut note.token).await;
                    issuers.keep(note, &issuer, result).map(Accepted::from)
                })
            }
        }
    }
}

impl<C> VerifyToken<C> for IssuerSet<C>
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
        self.cache.is_on()
    }

    #[cfg(feature = "token-cache")]
    fn recall(&self, token: &mut RawBearer<'_>) -> Option<Accepted<C>> {
        self.recall_raw(token).map(Accepted::from)
    }
}
