//! The check of the proof of one request (RFC 9449 section 4.3).

use std::future::Future;
use std::pin::Pin;

use http::request::Parts;
use http::{HeaderName, HeaderValue};

use crate::claims::NumericDate;
use crate::crypto::Algorithm;
use crate::crypto::digest::sha256;
use crate::dpop::Dpop;
use crate::dpop::fault::Fault;
use crate::dpop::nonce::NonceState;
use crate::dpop::proof::{ProofClaims, ProofHeader, segments};
use crate::dpop::{Settings, Store};
use crate::key::ProofJwk;
use crate::rejection::{Rejection, RejectionKind};
use crate::replay_store::{CheckState, RecordedUse, ReplayEntry, ReplayOutcome, ReplayStore};
use crate::token::Scratch;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// The result of a check.
pub(crate) type DpopResult = Result<DpopPassed, Rejection>;

/// What a good proof adds to the request and its response.
pub(crate) struct DpopPassed {
    /// A new nonce, if the client should get one.
    pub(crate) nonce: Option<HeaderValue>,
    /// The use, for layers inside; `None` if a layer outside has recorded it.
    pub(crate) recorded: Option<RecordedUse>,
}

/// The check of a proof: ready, or waiting for the store.
pub(crate) enum DpopCheck {
    Ready(DpopResult),
    Pending(Pin<Box<dyn Future<Output = DpopResult> + Send>>),
}

impl Dpop {
    /// Checks the proof of a request whose token is accepted and bound to the key with this thumbprint.
    pub(crate) fn check(&self, head: &Parts, token: &[u8], jkt: &str) -> DpopCheck {
        let (entry, nonce) = match self.0.verify(head, token, jkt) {
            Ok(verified) => verified,
            Err(rejection) => return DpopCheck::Ready(Err(rejection)),
        };
        let recorded_use = RecordedUse::new(&self.0.store_id, &entry);
        if head.extensions.get().is_some_and(|uses| recorded_use.is_one_of(uses)) {
            // The layer outside with the same settings adds the nonce too.
            return DpopCheck::Ready(Ok(DpopPassed { nonce: None, recorded: None }));
        }
        let passed = DpopPassed { nonce, recorded: Some(recorded_use) };
        // Last: what is refused for another reason must not use up the proof.
        let recorded = match &self.0.store {
            Store::Default(store) => store.record(&entry),
            Store::Custom(store) => store.record(&entry),
        };
        match recorded.into_state() {
            CheckState::Ready(outcome) => DpopCheck::Ready(finish(outcome, passed)),
            CheckState::Pending(outcome) => {
                DpopCheck::Pending(Box::pin(async move { finish(outcome.await, passed) }))
            }
        }
    }

    /// The algorithms of proofs, for the challenge and the metadata.
    pub(crate) fn algorithms(&self) -> &[Algorithm] {
        &self.0.algorithms
    }

    /// A new nonce; `None` if none is required.
    #[cfg(test)]
    pub(super) fn fresh_nonce(&self) -> Option<HeaderValue> {
        self.0.fresh_nonce(self.0.clock.now())
    }

    /// The name of the setting that weakens the check, if it is in force.
    pub(crate) fn danger(&self) -> Option<&'static str> {
        self.0.target.is_dangerous().then_some("Dpop::dangerous_host_of_request")
    }
}

impl Settings {
    fn fresh_nonce(&self, now: NumericDate) -> Option<HeaderValue> {
        self.nonces.as_ref()?.issue(now)
    }

    /// All checks but that of the store, the cheap ones first. A key is loaded only if the token is bound to it: so a
    /// client cannot make the server verify with a key of its choice for each request.
    fn verify(
        &self,
        head: &Parts,
        token: &[u8],
        jkt: &str,
    ) -> Result<(ReplayEntry, Option<HeaderValue>), Rejection> {
        let now = self.clock.now();
        let proof = match single_proof(head) {
            Ok(proof) => proof,
            // The next proof can have a nonce at once.
            Err(fault) => return Err(with_nonce(fault.into(), self.fresh_nonce(now))),
        };
        let mut scratch = Scratch::new();
        let proof = segments(proof, &mut scratch)?;
        let header = ProofHeader::parse(proof.header)?;
        if !self.algorithms.contains(&header.algorithm) {
            return Err(Fault::UnsupportedAlgorithm.into());
        }
        let claims = ProofClaims::parse(proof.payload)?;
        if claims.htm != head.method.as_str() {
            return Err(Fault::WrongMethod.into());
        }
        self.target.check(&claims.htu, head)?;
        if claims.ath != base64_simd::URL_SAFE_NO_PAD.encode_to_string(sha256(&[token])) {
            return Err(Fault::WrongToken.into());
        }
        let jwk = ProofJwk::parse(header.jwk).map_err(|_| Fault::InvalidKey)?;
        if jwk.thumbprint().ok_or(Fault::InvalidKey)? != jkt {
            return Err(Fault::WrongKey.into());
        }
        let until = self.check_times(&claims, now)?;
        let nonce = self.check_nonce(claims.nonce.as_deref(), now)?;
        let key = jwk.load(header.algorithm).map_err(|_| Fault::InvalidKey)?;
        if !key.verify(header.algorithm, proof.message, proof.signature) {
            return Err(Fault::InvalidSignature.into());
        }
        let entry = ReplayEntry::new("DPoP proof", jkt, &[&claims.htu, &claims.jti], until);
        Ok((entry, nonce))
    }

    /// Checks when the proof was created. Returns until when it must be remembered.
    fn check_times(
        &self,
        claims: &ProofClaims<'_>,
        now: NumericDate,
    ) -> Result<NumericDate, Fault> {
        let latest = now.saturating_add(self.leeway);
        if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Fault::CreatedInFuture);
        }
        let until = claims.iat.saturating_add(self.max_age.saturating_add(self.leeway));
        let is_expired = |end: NumericDate| end.saturating_add(self.leeway) <= now;
        if until <= now || claims.exp.is_some_and(is_expired) {
            return Err(Fault::TooOld);
        }
        // By the clock of an instance that is behind, it is accepted for longer. And a store that keeps whole seconds
        // must not end early.
        Ok(until.saturating_add(self.leeway.saturating_add(1)))
    }

    /// Checks the nonce, if one is required. Returns a new one if the client should get one.
    ///
    /// It is checked before the signature, since that is cheap and reveals nothing: every client that has a token can
    /// get a nonce.
    fn check_nonce(
        &self,
        nonce: Option<&str>,
        now: NumericDate,
    ) -> Result<Option<HeaderValue>, Rejection> {
        let Some(nonces) = &self.nonces else {
            return Ok(None);
        };
        let state = nonce.map_or(NonceState::Invalid, |nonce| {
            nonces.check(nonce, now, self.nonce_lifetime, self.leeway)
        });
        match state {
            NonceState::Valid => Ok(None),
            NonceState::NearItsEnd => Ok(self.fresh_nonce(now)),
            NonceState::Invalid => {
                Err(with_nonce(RejectionKind::UseDpopNonce.into(), self.fresh_nonce(now)))
            }
        }
    }
}

/// The value of the one `DPoP` field.
fn single_proof(head: &Parts) -> Result<&[u8], Fault> {
    let mut proofs = head.headers.get_all(DPOP).iter();
    match (proofs.next(), proofs.next()) {
        (Some(proof), None) => Ok(proof.as_bytes()),
        (None, _) => Err(Fault::Missing),
        (Some(_), Some(_)) => Err(Fault::Several),
    }
}

fn with_nonce(rejection: Rejection, nonce: Option<HeaderValue>) -> Rejection {
    match nonce {
        Some(nonce) => rejection.with_header(DPOP_NONCE, nonce),
        None => rejection,
    }
}

fn finish(
    outcome: Result<ReplayOutcome, Box<dyn std::error::Error + Send + Sync>>,
    passed: DpopPassed,
) -> DpopResult {
    match outcome {
        Ok(ReplayOutcome::FirstUse) => Ok(passed),
        Ok(ReplayOutcome::SeenBefore) => Err(Fault::UsedBefore.into()),
        Err(error) => Err(Rejection::unavailable(error)),
    }
}
