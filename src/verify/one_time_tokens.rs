use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use crate::claims::RegisteredClaims;
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RejectionKind};
use crate::replay_store::{
    CheckState, RecordedUse, RecordedUses, ReplayEntry, ReplayOutcome, ReplayStore, StoreId,
};
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::token_ids::{malformed, missing, unreadable};
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::VerifyToken;

/// A verifier that accepts each token once, such as the tokens of a CI job that deploys.
///
/// It records the token in a [`ReplayStore`] until no verifier accepts it, with any leeway: 6 minutes after its `exp`,
/// or after the time that a custom verifier set, if that is later. So layers with different settings can share a
/// store. A second request with the token is 401 [`UsedToken`](RejectionKind::UsedToken); of several requests at the
/// same time, one is accepted. If the store fails or is full, the response is 503.
///
/// A token is named by `iss`, `sub` and `jti`. So it is refused as [`MissingClaim`](RejectionKind::MissingClaim) without
/// `iss` or `jti`, if its expiry is not known, or if its claims cannot be read by name. The owner of an entry is the subject
/// of the token, so one subject cannot fill a [`MemoryReplayStore`](crate::MemoryReplayStore) alone. A token without
/// `sub` is accepted; all such tokens of one issuer have the same owner, and share its part of the store.
///
/// **Put it around all other verifiers and checks**, as in the example: a token that the inner verifier refuses is not
/// used up. What runs later can refuse the request without giving the token back: authorization, extractors and the
/// handler. A client that did not get the response needs a new token too.
///
/// Clones share the store. Layers that are nested, such as an optional one outside and a strict one inside, need clones of
/// one value: then the inner layer knows the use that the outer one recorded for the same request.
///
/// # Example: deploy once
///
/// ```
/// use tower_jwt_auth::{
///     DenyList, JwtAuthLayer, JwtVerifier, MemoryReplayStore, MemoryRevocationStore, OneTimeTokens,
/// };
///
/// fn layer(verifier: JwtVerifier, revoked: MemoryRevocationStore) -> JwtAuthLayer {
///     let verifier = DenyList::new(verifier, revoked);
///     JwtAuthLayer::new(OneTimeTokens::new(verifier, MemoryReplayStore::new()))
/// }
/// # let _ = layer;
/// ```
pub struct OneTimeTokens<C = RegisteredClaims> {
    verifier: Arc<dyn VerifyToken<C>>,
    uses: TokenUses,
}

/// Where uses of tokens are recorded. Clones share the record.
#[derive(Clone)]
pub(crate) struct TokenUses {
    store: Arc<dyn ReplayStore>,
    id: StoreId,
}

impl<C: Send + Sync + 'static> OneTimeTokens<C> {
    /// Creates a verifier that records each token that the inner verifier accepts in this store.
    pub fn new(verifier: impl VerifyToken<C>, store: impl ReplayStore) -> Self {
        Self { verifier: Arc::new(verifier), uses: TokenUses::new(store) }
    }
}

impl TokenUses {
    pub(crate) fn new(store: impl ReplayStore) -> Self {
        Self { store: Arc::new(store), id: StoreId::new() }
    }

    /// Records the use of the token, if it is accepted.
    pub(crate) fn record_after<C: Send + Sync + 'static>(
        &self,
        verification: Verification<C>,
        head: &Parts,
    ) -> Verification<C> {
        let (uses, outside) = (self.clone(), RecordedUses::of(&head.extensions));
        verification.then(move |accepted| uses.record(accepted, outside))
    }

    /// Records the use of an accepted token, unless a layer outside has recorded it for the same request.
    fn record<C: Send + Sync + 'static>(
        &self,
        accepted: Accepted<C>,
        outside: RecordedUses,
    ) -> Verification<C> {
        let entry = match entry(accepted.token()) {
            Ok(entry) => entry,
            Err(rejection) => return Verification::ready(Err(rejection)),
        };
        let recorded = RecordedUse::new(&self.id, &entry);
        if recorded.is_one_of(&outside) {
            return Verification::ready(Ok(accepted));
        }
        let decide = |outcome| match outcome {
            Ok(ReplayOutcome::FirstUse) => Ok(accepted.with_recorded_use(outside, recorded)),
            Ok(ReplayOutcome::SeenBefore) => Err(RejectionKind::UsedToken.into()),
            Err(error) => Err(Rejection::unavailable(error)),
        };
        match self.store.record(&entry).into_state() {
            CheckState::Ready(outcome) => Verification::ready(decide(outcome)),
            CheckState::Pending(outcome) => {
                Verification::pending(async move { decide(outcome.await) })
            }
        }
    }
}

fn entry<C>(token: &VerifiedToken<C>) -> Result<ReplayEntry, Rejection> {
    let ids = VerifiedToken::ids(token).ok_or_else(unreadable)?.map_err(malformed)?;
    let issuer = ids.issuer.as_deref().ok_or_else(|| missing("iss"))?;
    let id = ids.token_id.as_deref().ok_or_else(|| missing("jti"))?;
    // Layers with another leeway can have the same store. The expiry of a token that is not a JWT may not be known.
    let until = VerifiedToken::refused_by_all_from(token).ok_or_else(|| missing("exp"))?;
    // With the length, so that no two pairs of an issuer and a subject are the same owner.
    let subject = ids.subject.as_deref().unwrap_or_default();
    let owner = format!("{}:{issuer}:{subject}", issuer.len());
    Ok(ReplayEntry::new("one-time token", &owner, &[id], until))
}

impl<C: Send + Sync + 'static> VerifyToken<C> for OneTimeTokens<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        self.uses.record_after(self.verifier.verify_token(token, head), head)
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.uses.record_after(self.verifier.verify_unconfirmed(token, head), head)
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

impl<C> Clone for OneTimeTokens<C> {
    fn clone(&self) -> Self {
        Self { verifier: Arc::clone(&self.verifier), uses: self.uses.clone() }
    }
}

impl<C> fmt::Debug for OneTimeTokens<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeTokens").finish_non_exhaustive()
    }
}
