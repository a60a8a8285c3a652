//! The decision about a request whose token the verifier has in a cache.

use http::request::Parts;
use http::{HeaderMap, Request};

use crate::authenticate::{Decision, Policy, Remembered};
use crate::extract::RawBearer;
use crate::extract::authorization;
use crate::rejection::response::Asked;
use crate::scheme::{Schemes, TokenScheme};
use crate::verify::Accepted;

impl<C> Policy<C> {
    /// Whether [`recall`](Self::recall) is asked before anything else: nothing but the cache decides about a token.
    pub(crate) fn recalls_first(&self) -> bool {
        self.has_token_cache
            && self.sources.is_none()
            && self.exempt.is_none()
            && self.observers.is_empty()
            && self.schemes == Schemes::BEARER
    }
}

impl<C: Send + Sync + 'static> Policy<C> {
    /// The token of a request, if the verifier has it in a cache and would accept it now. Its header is then marked as
    /// sensitive.
    #[inline]
    pub(crate) fn recall(&self, headers: &mut HeaderMap) -> Option<Accepted<C>> {
        self.verifier.recall(&mut RawBearer::new(headers))
    }

    /// The decision, if the request is exempt, or if the verifier has its token in a cache and would accept it now. The
    /// token's header is then marked as sensitive. Not inlined, so that it costs nothing without a cache.
    #[inline(never)]
    pub(super) fn pass_or_recall(&self, head: &mut Parts) -> Option<Decision<C>> {
        if self.exempt.is_some() {
            authorization::mark(&mut head.headers);
            if self.is_exempt(head) {
                return Some(self.pass(head, None, true));
            }
        }
        if !self.schemes.contains(TokenScheme::Bearer) {
            return None;
        }
        let accepted = self.recall(&mut head.headers)?;
        Some(Decision::Verified(accepted))
    }

    /// What is kept of a request whose token was recalled, and of which the responder keeps this.
    #[inline(always)]
    pub(crate) fn remember_recalled<B, M>(&self, request: &Request<B>, kept: M) -> Remembered<M> {
        let asked = Asked::keeping(request.method(), request.headers(), self.grpc.answers, kept);
        Remembered { asked, observation: None, used: None }
    }
}
