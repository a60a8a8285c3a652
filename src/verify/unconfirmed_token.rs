use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::extract::PresentedToken;
use crate::verify::verification::Verification;
use crate::verify::verified_token::VerifiedToken;

/// A token for [`VerifyToken::verify_unconfirmed`](crate::VerifyToken::verify_unconfirmed): the caller checks to whom
/// the token is bound, after the verifier has accepted it.
///
/// Only a [`SenderConstrained`](crate::SenderConstrained) creates it, for one call. It cannot be cloned or kept. A clone
/// of its [`token`](Self::token) is like any other token: a verifier refuses it if it is bound.
pub struct UnconfirmedToken<'t> {
    token: &'t PresentedToken,
    note: BindingNote,
}

/// Whether a verifier has found that a token is bound, so that the caller notices if another one in between loses the
/// binding.
#[derive(Clone, Default)]
pub(super) struct BindingNote(Arc<AtomicBool>);

impl<'t> UnconfirmedToken<'t> {
    pub(super) fn new(token: &'t PresentedToken) -> Self {
        Self { token, note: BindingNote::default() }
    }

    /// The token as the client sent it.
    pub fn token(&self) -> &'t PresentedToken {
        self.token
    }

    pub(super) fn note(&self) -> BindingNote {
        self.note.clone()
    }

    /// Records whether the accepted token is bound.
    pub(super) fn noted<C: 'static>(&self, verification: Verification<C>) -> Verification<C> {
        let note = self.note();
        verification.map(move |accepted| {
            if VerifiedToken::confirmation(accepted.token()).is_some() {
                note.0.store(true, Ordering::Relaxed);
            }
            accepted
        })
    }
}

impl BindingNote {
    pub(super) fn is_bound(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for UnconfirmedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnconfirmedToken").field("token", &self.token).finish_non_exhaustive()
    }
}
