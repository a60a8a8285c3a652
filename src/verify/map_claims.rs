use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::extract::PresentedToken;
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::issuer_set::IssuerSet;
use crate::verify::jwt::JwtVerifier;
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verify_token::VerifyToken;

/// A verifier that converts the claims of another verifier to the type `D`. [`VerifyToken::map_claims`] creates
/// it.
///
/// The header, the expiry and the scopes of the token do not change, and the additions to the request and the
/// response are kept. A `MapClaims` is cheap to clone. For an example, see [`TokenKinds`](crate::TokenKinds).
pub struct MapClaims<D>(Arc<dyn VerifyToken<D>>);

impl<D: 'static> MapClaims<D> {
    pub(super) fn new<C: 'static>(
        verifier: impl VerifyToken<C>,
        map: impl Fn(&C) -> D + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Mapped { verifier, map: Arc::new(map), claims: PhantomData }))
    }
}

/// A [`MapClaims`] before its types are erased.
struct Mapped<V, C, F> {
    verifier: V,
    map: Arc<F>,
    claims: PhantomData<fn() -> C>,
}

impl<V, C, D, F> VerifyToken<D> for Mapped<V, C, F>
where
    V: VerifyToken<C>,
    C: 'static,
    F: Fn(&C) -> D + Send + Sync + 'static,
{
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<D> {
        let map = Arc::clone(&self.map);
        let verification = self.verifier.verify_token(token, head);
        verification.map(move |accepted| accepted.map_claims(&*map))
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<D> {
        let map = Arc::clone(&self.map);
        let verification = self.verifier.verify_unconfirmed(token, head);
        verification.map(move |accepted| accepted.map_claims(&*map))
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.verifier.schemes()
    }

    fn confirms_sender(&self) -> bool {
        self.verifier.confirms_sender()
    }

    fn describe(&self) -> Option<Summary> {
        self.verifier.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.verifier.accepted_tokens()
    }
}

impl<D: 'static> VerifyToken<D> for MapClaims<D> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<D> {
        self.0.verify_token(token, head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<D> {
        self.0.verify_unconfirmed(token, head)
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.0.schemes()
    }

    fn confirms_sender(&self) -> bool {
        self.0.confirms_sender()
    }

    fn describe(&self) -> Option<Summary> {
        self.0.describe()
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.0.accepted_tokens()
    }
}

// The same method as in the trait, so that users need not import the trait.
impl<C: DeserializeOwned + Send + Sync + 'static> JwtVerifier<C> {
    /// Converts the claims of each accepted token to another type: see [`VerifyToken::map_claims`].
    #[must_use]
    pub fn map_claims<D: 'static>(
        self,
        map: impl Fn(&C) -> D + Send + Sync + 'static,
    ) -> MapClaims<D> {
        MapClaims::new(self, map)
    }
}

// The same for this verifier.
impl<C: DeserializeOwned + Send + Sync + 'static> IssuerSet<C> {
    /// Converts the claims of each accepted token to another type: see [`VerifyToken::map_claims`].
    #[must_use]
    pub fn map_claims<D: 'static>(
        self,
        map: impl Fn(&C) -> D + Send + Sync + 'static,
    ) -> MapClaims<D> {
        MapClaims::new(self, map)
    }
}

impl<D> Clone for MapClaims<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D> fmt::Debug for MapClaims<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapClaims").finish_non_exhaustive()
    }
}
