//! Revoked tokens, which are refused although they are valid.

mod entries;
mod memory;
mod revocation;
mod revoke_error;
mod store;

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

pub use self::memory::MemoryRevocationStore;
pub use self::revocation::{Revocation, RevocationQuery, Revoked};
pub use self::revoke_error::{RevokeError, RevokeErrorKind};
use self::store::{Found, LookupState};
pub use self::store::{RevocationLookup, RevocationStore};
use crate::claims::RegisteredClaims;
use crate::extract::PresentedToken;
use crate::rejection::{Rejection, RejectionKind};
use crate::scheme::TokenScheme;
use crate::summary::Summary;
use crate::verify::accepted::Accepted;
use crate::verify::accepted_tokens::AcceptedTokens;
use crate::verify::token_ids::{TokenIds, malformed, missing, unreadable};
use crate::verify::unconfirmed_token::UnconfirmedToken;
use crate::verify::verification::Verification;
use crate::verify::verified_token::VerifiedToken;
use crate::verify::verify_token::{VerifyToken, verify_text};

/// A verifier that also refuses revoked tokens.
///
/// It asks the [store](RevocationStore) once for each token that the inner verifier accepts, also if that verifier has
/// the token in a cache. A revoked token is refused with 401 [`RevokedToken`](RejectionKind::RevokedToken). If the
/// store fails, the response is 503. A store in memory costs no boxed future.
///
/// The store must be able to find each token. So a token is refused as [`MissingClaim`](RejectionKind::MissingClaim) if
/// it has no `iss` or no `jti`, or if its claims cannot be read by name, since it is not a JWT. A token without `sub`
/// is accepted: it belongs to no subject. A token without `iat` is refused while an entry for "issued before" concerns
/// it. Each of these claims must have the right type. The claims are read by their names, whatever the claims type, and
/// once for each token: a cached token is not decoded again.
///
/// Both a verifier that wraps this one and the verifier inside can be any [`VerifyToken`]. Outside of
/// [`map_claims`](VerifyToken::map_claims), the claims are decoded for each request. A `DenyList` is cheap to clone.
///
/// # Example: revoke a user's tokens
///
/// ```
/// use std::time::Duration;
/// use tower_jwt_auth::{
///     ConfigError, DenyList, JwtAuthLayer, JwtVerifier, MemoryRevocationStore, Revocation,
/// };
///
/// fn layer(verifier: JwtVerifier, store: &MemoryRevocationStore) -> JwtAuthLayer {
///     JwtAuthLayer::new(DenyList::new(verifier, store.clone()))
/// }
///
/// let store = MemoryRevocationStore::new(100_000)?;
/// let mallory = Revocation::subject("https://issuer.example", "mallory");
/// store.revoke(&mallory, Duration::from_secs(2 * 3600)).expect("the list has room");
/// # let _ = layer;
/// # Ok::<(), ConfigError>(())
/// ```
pub struct DenyList<C = RegisteredClaims> {
    verifier: Arc<dyn VerifyToken<C>>,
    check: Check,
}

#[derive(Clone)]
struct Check {
    store: Arc<dyn RevocationStore>,
    requires_token_id: bool,
    /// Instead of `jti`.
    token_id_claim: Option<Arc<str>>,
}

impl<C: Send + Sync + 'static> DenyList<C> {
    /// Creates a verifier that refuses the tokens that this store calls revoked.
    pub fn new(verifier: impl VerifyToken<C>, store: impl RevocationStore) -> Self {
        let check = Check { store: Arc::new(store), requires_token_id: true, token_id_claim: None };
        Self { verifier: Arc::new(verifier), check }
    }

    /// Also accepts tokens without `jti`, if they have a `sub`. By default they are refused. Such a token cannot be
    /// revoked alone, only with all tokens of its subject.
    #[must_use]
    pub fn dangerous_allow_missing_jti(mut self) -> Self {
        self.check.requires_token_id = false;
        self
    }

    /// Replaces the claim that a token must have to be identified; `jti` by default. Microsoft Entra ID writes `uti`, and
    /// no `jti`, in its tokens of version 2. To revoke such a token, use [`Revocation::of_claim`], or
    /// [`Revocation::token`] with the text of this claim. A token that also has a `jti` can be revoked by either. The
    /// claim is read for each request.
    #[must_use]
    pub fn with_token_id_claim(mut self, claim: &str) -> Self {
        self.check.token_id_claim = Some(Arc::from(claim));
        self
    }

    /// Verifies a bearer token that is not in a header, such as one from a queue or a WebSocket, and asks the store.
    ///
    /// `head` is what the verifier sees as the request: see [`WithChecks::verify`](crate::WithChecks::verify).
    ///
    /// # Errors
    ///
    /// When the verifier refuses the token, the token is revoked or could not be revoked, the store fails, the text is
    /// not a `token68` (for example, since it begins with `Bearer `), or the verifier accepts no bearer tokens.
    pub async fn verify(&self, token: &str, head: &Parts) -> Result<VerifiedToken<C>, Rejection> {
        verify_text(self, token, head).await
    }

    /// Asks the store again about a token that was verified: for a connection that lives longer than its request. It
    /// does not look at the expiry: for that, see [`VerifiedToken::refused_from`].
    ///
    /// # Errors
    ///
    /// When the token is revoked, could not be revoked since it lacks a claim, or the store fails. A token that was
    /// verified without a request needs a verifier with
    /// [`with_claims_by_name`](crate::JwtVerifier::with_claims_by_name).
    ///
    /// # Example: before each message of a WebSocket
    ///
    /// ```
    /// use tower_jwt_auth::{DenyList, Rejection, VerifiedToken};
    ///
    /// async fn answer(
    ///     message: &str,
    ///     token: &VerifiedToken,
    ///     deny_list: &DenyList,
    /// ) -> Result<String, Rejection> {
    ///     deny_list.check(token).await?;
    ///     Ok(format!("you said {message}"))
    /// }
    /// # let _ = answer;
    /// ```
    pub async fn check(&self, token: &VerifiedToken<C>) -> Result<(), Rejection> {
        decide(self.check.find(token)?.wait().await, token)
    }

    fn check_accepted(&self, verification: Verification<C>) -> Verification<C> {
        let check = self.check.clone();
        verification.then(move |accepted| check.run(accepted))
    }
}

impl Check {
    /// Asks the store about an accepted token.
    fn run<C: Send + Sync + 'static>(&self, accepted: Accepted<C>) -> Verification<C> {
        let lookup = match self.find(accepted.token()) {
            Ok(lookup) => lookup,
            Err(rejection) => return Verification::ready(Err(rejection)),
        };
        match lookup.0 {
            LookupState::Ready(found) => {
                Verification::ready(decide(found, accepted.token()).map(|()| accepted))
            }
            LookupState::Pending(found) => Verification::pending(async move {
                decide(found.await, accepted.token())?;
                Ok(accepted)
            }),
        }
    }

    fn find<C>(&self, token: &VerifiedToken<C>) -> Result<RevocationLookup, Rejection> {
        let ids = VerifiedToken::ids(token).ok_or_else(unreadable)?.map_err(malformed)?;
        let issuer = ids.issuer.as_deref().ok_or_else(|| missing("iss"))?;
        let Some(claim) = self.token_id_claim.as_deref() else {
            return self.ask(issuer, ("jti", ids.token_id.as_deref()), ids);
        };
        let id = VerifiedToken::id_in(token, claim).ok_or_else(unreadable)?.map_err(malformed)?;
        self.ask(issuer, (claim, id.as_deref()), ids)
    }

    fn ask(
        &self,
        issuer: &str,
        (claim, token_id): (&str, Option<&str>),
        ids: &TokenIds,
    ) -> Result<RevocationLookup, Rejection> {
        if token_id.is_none() && (self.requires_token_id || ids.subject.is_none()) {
            return Err(missing(claim));
        }
        Ok(self.store.find(&RevocationQuery::new(issuer, token_id, ids)))
    }
}

/// Whether the token is refused, by the answer of the store.
fn decide<C>(found: Found, token: &VerifiedToken<C>) -> Result<(), Rejection> {
    match found.map_err(Rejection::unavailable)? {
        Revoked::No => Ok(()),
        Revoked::Yes => Err(RejectionKind::RevokedToken.into()),
        Revoked::IfIssuedBefore(time) => {
            let ids = VerifiedToken::ids(token).and_then(Result::ok);
            let issued_at = ids.and_then(|ids| ids.issued_at).ok_or_else(|| missing("iat"))?;
            match issued_at < time {
                true => Err(RejectionKind::RevokedToken.into()),
                false => Ok(()),
            }
        }
    }
}

impl<C: Send + Sync + 'static> VerifyToken<C> for DenyList<C> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<C> {
        self.check_accepted(self.verifier.verify_token(token, head))
    }

    fn verify_unconfirmed(&self, token: &UnconfirmedToken<'_>, head: &Parts) -> Verification<C> {
        self.check_accepted(self.verifier.verify_unconfirmed(token, head))
    }

    fn schemes(&self) -> &[TokenScheme] {
        self.verifier.schemes()
    }

    fn confirms_sender(&self) -> bool {
        self.verifier.confirms_sender()
    }

    fn describe(&self) -> Option<Summary> {
        let summary = self.verifier.describe();
        if self.check.requires_token_id {
            return summary;
        }
        let summary = summary.unwrap_or_else(|| Summary::new("tokens by a custom verifier"));
        Some(summary.with_danger("dangerous_allow_missing_jti"))
    }

    fn accepted_tokens(&self) -> AcceptedTokens {
        self.verifier.accepted_tokens()
    }
}

impl<C> Clone for DenyList<C> {
    fn clone(&self) -> Self {
        Self { verifier: Arc::clone(&self.verifier), check: self.check.clone() }
    }
}

impl<C> fmt::Debug for DenyList<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenyList").finish_non_exhaustive()
    }
}
