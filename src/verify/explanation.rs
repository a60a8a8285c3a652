use std::fmt;

use crate::rejection::Rejection;

/// The verification of one token, step by step. [`JwtVerifier::explain`](crate::JwtVerifier::explain) and
/// [`IssuerSet::explain`](crate::IssuerSet::explain) return it.
///
/// `Display` writes one line for each step, and the result at the end. These lines show claims and settings: they
/// are for a developer at a terminal. `Debug` shows only the names and outcomes of the steps, and the rejection.
/// Unless the step `signature` passed, what was [found](ExplainedStep::found) in the token is unverified.
#[derive(Clone)]
pub struct Explanation {
    steps: Vec<ExplainedStep>,
    rejection: Option<Rejection>,
}

impl Explanation {
    pub(super) fn new(steps: Vec<ExplainedStep>, rejection: Option<Rejection>) -> Self {
        Self { steps, rejection }
    }

    /// Adds a step after the step with this name.
    pub(super) fn with_step_after(mut self, name: &str, step: ExplainedStep) -> Self {
        let position = self.steps.iter().position(|step| step.name == name);
        let at = position.map_or(self.steps.len(), |position| position.saturating_add(1));
        self.steps.insert(at.min(self.steps.len()), step);
        self
    }

    /// Whether the token is accepted: whether all steps passed.
    pub fn is_accepted(&self) -> bool {
        self.rejection.is_none()
    }

    /// Why the token is refused: the error that [`verify`](crate::JwtVerifier::verify) returns. `None` if the
    /// token is accepted.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// The steps, in the order of the verification.
    pub fn steps(&self) -> &[ExplainedStep] {
        &self.steps
    }

    /// The step that failed; `None` if the token is accepted.
    pub fn failed(&self) -> Option<&ExplainedStep> {
        self.steps.iter().find(|step| step.outcome == StepOutcome::Failed)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        match &self.rejection {
            None => f.write_str("accepted"),
            Some(rejection) => write!(f, "refused: {rejection} ({:?})", rejection.kind()),
        }
    }
}

impl fmt::Debug for Explanation {
    /// Omits the values, which may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Explanation")
            .field("steps", &self.steps)
            .field("rejection", &self.rejection)
            .finish()
    }
}

/// One step of a verification, in an [`Explanation`].
#[derive(Clone)]
pub struct ExplainedStep {
    name: &'static str,
    outcome: StepOutcome,
    expected: String,
    found: Option<String>,
}

impl ExplainedStep {
    pub(super) fn new(
        name: &'static str,
        outcome: StepOutcome,
        expected: String,
        found: Option<String>,
    ) -> Self {
        Self { name, outcome, expected, found }
    }

    /// The name of the step, such as `signature`, `audience` or `exp`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// Whether the step passed, failed or was not reached.
    pub fn outcome(&self) -> StepOutcome {
        self.outcome
    }

    /// What the verifier expects, in words; `None` if the expectation is not known, because no issuer was
    /// chosen from an [`IssuerSet`](crate::IssuerSet).
    pub fn expected(&self) -> Option<&str> {
        Some(&*self.expected).filter(|expected| !expected.is_empty())
    }

    /// What the token contains, in words; `None` if this cannot be read or shown. Texts of the token are
    /// quoted, and cut off after 300 characters.
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }
}

impl fmt::Display for ExplainedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed => "FAILED",
            StepOutcome::NotReached => "not reached",
        };
        write!(f, "{outcome:<11}  {:<15}", self.name)?;
        match (self.expected(), self.found()) {
            (Some(expected), Some(found)) => write!(f, "  expected: {expected}; found: {found}"),
            (Some(expected), None) => write!(f, "  expected: {expected}"),
            (None, Some(found)) => write!(f, "  found: {found}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for ExplainedStep {
    /// Omits the values, which may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExplainedStep")
            .field("name", &self.name)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// The outcome of one step of a verification.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// The token meets the expectation of this step.
    Passed,
    /// The token is refused because of this step.
    Failed,
    /// The step was not checked, since an earlier step failed.
    NotReached,
}

/// The maximum number of characters of a text of the token that are shown.
const LONGEST: usize = 300;

/// A text of the token in quotation marks, with control characters escaped, and cut off if it is too long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
    }
}

/// JSON of the token, with control characters escaped and cut off like in [`quoted`], but without further
/// quotation marks.
pub(super) fn json(text: &str) -> String {
    let mut shown = String::new();
    for char in text.chars().take(LONGEST) {
        match char {
            '"' | '\\' | '\'' => shown.push(char),
            char => shown.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}
