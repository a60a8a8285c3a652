//! The decision of a layer with sources of its own.

use http::request::Parts;

use crate::authenticate::{Decision, Policy};
use crate::extract::{OnResponse, Sources};
use crate::rejection::RejectionKind;
use crate::verify::VerificationState;

impl<C: Send + Sync + 'static> Policy<C> {
    /// Decides about one request like [`authenticate`](Self::authenticate), which calls it. Not inlined, so that it
    /// costs nothing without sources. A cache of the verifier is asked by the verifier, after the token was found:
    /// before, nobody knows whether there are other credentials.
    #[cold]
    #[inline(never)]
    pub(super) fn authenticate_from(&self, sources: &Sources, head: &mut Parts) -> Decision<C> {
        let begun = self.observers.begin();
        let found = sources.find(head, &self.schemes);
        let refusal = found.as_ref().err().copied();
        // On every path, and before the predicate runs: the predicate and inner services may print the head.
        sources.mark_sensitive(&mut head.headers);
        let had_query = sources.clear_query(head);
        if sources.removes {
            sources.clear_headers(&mut head.headers, refusal);
        }
        if let Ok(found) = &found {
            head.extensions.insert(found.clone());
        }
        if self.is_exempt(head) {
            if sources.removes {
                sources.clear_protocols(head);
            }
            return self.pass(head, begun, true);
        }
        let mut token = match found {
            Ok(found) => found.token,
            Err(kind) if self.optional && counts_as_none(kind) => {
                return self.pass(head, begun, false);
            }
            Err(kind) => {
                if let Some(begun) = begun {
                    begun.end(&mut head.extensions);
                }
                return Decision::Refused(kind.into());
            }
        };
        if let Some(begun) = begun {
            begun.follow(&mut token, &mut head.extensions);
        }
        let on_response = sources.clear_protocols(head).or(OnResponse::to_a_query(had_query));
        let mut verification = self.verifier.verify_token(&token, head);
        if let Some(on_response) = on_response {
            verification = verification.map(|accepted| accepted.with_on_response(on_response));
        }
        match verification.0 {
            VerificationState::Ready(Ok(accepted)) => Decision::Verified(accepted),
            VerificationState::Ready(Err(rejection)) => Decision::Refused(rejection),
            VerificationState::Pending(verdict) => Decision::Pending(verdict),
        }
    }
}

/// Whether an optional layer forwards the request: nobody is logged in.
fn counts_as_none(kind: RejectionKind) -> bool {
    use RejectionKind::{ForeignOrigin, MissingCredentials, UnsupportedScheme};

    matches!(kind, MissingCredentials | UnsupportedScheme | ForeignOrigin)
}
