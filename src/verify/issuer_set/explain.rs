use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits, Scratch};
use crate::verify::explanation::{ExplainedStep, Explanation, StepOutcome, quoted};
use crate::verify::issuer_set::entry::Issuer;
use crate::verify::issuer_set::{IssuerSet, issuer_hint};
use crate::verify::jwt::{Stage, unread};

/// The step in which the issuer is chosen. It comes after the header.
const CHOICE: &str = "issuer of the set";

impl<C: DeserializeOwned> IssuerSet<C> {
    /// Verifies a token and lists each step of the verification, including the choice of the issuer (`issuer of
    /// the set`). **For a developer at a terminal**: do not send the result to a client, and do not log it. See
    /// [`JwtVerifier::explain`](crate::JwtVerifier::explain).
    ///
    /// An accepted token counts as a verified token of its issuer, as with [`verify`](Self::verify).
    pub async fn explain(&self, token: &str) -> Explanation {
        let (explanation, outcome) = match self.choose(token.as_bytes()) {
            Ok(issuer) => {
                let explanation = issuer.verifier.explain(token).await;
                if explanation.is_accepted() {
                    self.verified(&issuer);
                }
                let outcome = match explanation.failed().map(ExplainedStep::name) {
                    Some(failed) if is_before_choice(failed) => StepOutcome::NotReached,
                    _ => StepOutcome::Passed,
                };
                (explanation, outcome)
            }
            Err(rejection) => {
                let failed = unchosen(token.as_bytes(), rejection.kind());
                let outcome = failed.map_or(StepOutcome::Failed, |_| StepOutcome::NotReached);
                (without_an_issuer(failed, rejection), outcome)
            }
        };
        let expected = "one that is in the set, or that a template allows".to_owned();
        let found = named_issuer(token.as_bytes());
        let choice = ExplainedStep::new(CHOICE, outcome, expected, found);
        explanation.with_step_after(Stage::Header.name(), choice)
    }

    /// The issuer that the token names. Nothing of the token is verified.
    fn choose(&self, token: &[u8]) -> Result<Arc<Issuer<C>>, Rejection> {
        let mut scratch = Scratch::new();
        let payload = match CompactJws::parse(token, Limits::DEFAULT, &mut scratch) {
            Ok(jws) => jws.payload,
            Err(kind) => self.payload_over_limits(token, kind, &mut scratch)?,
        };
        self.issuer(&issuer_hint(payload)?)
    }
}

fn is_before_choice(step: &str) -> bool {
    Stage::ALL.into_iter().any(|stage| stage <= Stage::Header && stage.name() == step)
}

/// The `iss` of the token, which is not verified.
fn named_issuer(token: &[u8]) -> Option<String> {
    if !Limits::LARGEST.allow(token) {
        return None;
    }
    let mut scratch = Scratch::new();
    let payload = CompactJws::decode_payload(token, &mut scratch).ok()?;
    issuer_hint(payload).ok().map(|issuer| quoted(&issuer))
}

/// The stage that failed before an issuer was chosen; `None` if the choice itself failed.
fn unchosen(token: &[u8], kind: RejectionKind) -> Option<Stage> {
    match CompactJws::parse(token, Limits::LARGEST, &mut Scratch::new()) {
        Ok(_) if kind != RejectionKind::TokenTooLong => None,
        _ => Some(unread(token, Limits::LARGEST, kind)),
    }
}

fn without_an_issuer(failed: Option<Stage>, rejection: Rejection) -> Explanation {
    let steps = Stage::ALL.into_iter().map(|stage| {
        let outcome = match failed {
            Some(failed) if stage == failed => StepOutcome::Failed,
            Some(failed) if stage < failed => StepOutcome::Passed,
            None if stage <= Stage::Header => StepOutcome::Passed,
            _ => StepOutcome::NotReached,
        };
        ExplainedStep::new(stage.name(), outcome, String::new(), None)
    });
    Explanation::new(steps.collect(), Some(rejection))
}
