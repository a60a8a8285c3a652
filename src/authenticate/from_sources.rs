//! The decision of a layer with sources of its own.

use http::request::Parts;

use crate::authenticate::{Decision, Policy, ResponseHeaders};
use crate::extract::authorization;
use crate::extract::{FoundToken, OnResponse, SchemeUsed, Sources};
use crate::observe::Begun;
use crate::rejection::RejectionKind;
use crate::scheme::Schemes;
use crate::verify::{Extras, VerificationState};

impl<C: Send + Sync + 'static> Policy<C> {
    /// Decides about one request like [`authenticate`](Self::authenticate), which calls it. Not inlined, so that it
    /// costs nothing without sources. A cache of the verifier is asked by the verifier, after the token was found:
    /// before, nobody knows whether there are other credentials.
    #[cold]
    #[inline(never)]
    pub(super) fn authenticate_from(&self, sources: &Sources, head: &mut Parts) -> Decision<C> {
        let begun = self.observers.begin();
        let found = sources.find(head, self.schemes);
        // On every path, and before the predicate runs: the predicate and inner services may print the head.
        sources.mark_sensitive(&mut head.headers);
        authorization::mark_proofs(&mut head.headers, self.schemes);
        if self.schemes == Schemes::ALL {
            let used = match &found {
                Ok(token) => Some(token.scheme()),
                Err(_) => sources.scheme_used(head),
            };
            head.extensions.insert(SchemeUsed(used));
        }
        let on_response = sources.remove(head, self.schemes);
        if self.is_exempt(head) {
            return self.pass_and_change(head, begun, true, on_response);
        }
        let mut token = match found {
            Ok(token) => token,
            Err(kind) if self.optional && counts_as_none(kind) => {
                return self.pass_and_change(head, begun, false, on_response);
            }
            Err(kind) => {
                if let Some(begun) = begun {
                    begun.end(&mut head.extensions);
                }
                return Decision::Refused(kind.into());
            }
        };
        head.extensions.insert(FoundToken(token.clone()));
        if let Some(begun) = begun {
            begun.follow(&mut token, &mut head.extensions);
        }
        let mut verification = self.verifier.verify_token(&token, head);
        if !on_response.is_empty() {
            verification = verification.map(|accepted| accepted.with_on_response(on_response));
        }
        match verification.0 {
            VerificationState::Ready(Ok(accepted)) => Decision::Verified(accepted),
            VerificationState::Ready(Err(rejection)) => Decision::Refused(rejection),
            VerificationState::Pending(verdict) => Decision::Pending(verdict),
        }
    }

    /// Forwards the request without a token, and changes the response.
    fn pass_and_change(
        &self,
        head: &mut Parts,
        begun: Option<Begun>,
        is_exempt: bool,
        on_response: Vec<OnResponse>,
    ) -> Decision<C> {
        let mut decision = self.pass(head, begun, is_exempt);
        if let Decision::Pass(admitted) = &mut decision
            && !on_response.is_empty()
        {
            let extras = Extras { on_response, ..Extras::default() };
            admitted.headers = Some(ResponseHeaders(Box::new(extras)));
        }
        decision
    }
}

/// Whether an optional layer forwards the request: nobody is logged in.
fn counts_as_none(kind: RejectionKind) -> bool {
    use RejectionKind::{ForeignOrigin, MissingCredentials, UnsupportedScheme};

    matches!(kind, MissingCredentials | UnsupportedScheme | ForeignOrigin)
}
