use std::fmt;

use crate::rejection::Rejection;

/// How the verification of one token went, step by step: made by
/// [`JwtVerifier::explain`](crate::JwtVerifier::explain) and [`IssuerSet::explain`](crate::IssuerSet::explain).
///
/// `Display` writes one line for each step, and the result at the end. It shows claims and settings, for a
/// developer at a terminal; `Debug` shows names and outcomes alone. Values of a step that was not reached are
/// what the token says, and nobody has verified it.
#[derive(Clone)]
pub struct Explanation {
    steps: Vec<ExplainedStep>,
    rejection: Option<Rejection>,
}

impl Explanation {
    pub(super) fn new(steps: Vec<ExplainedStep>, rejection: Option<Rejection>) -> Self {
        Self { steps, rejection }
    }

    /// Adds a step after the one of this name.
    pub(super) fn with_step_after(mut self, name: &str, step: ExplainedStep) -> Self {
        let position = self.steps.iter().position(|step| step.name == name);
        let at = position.map_or(self.steps.len(), |position| position.saturating_add(1));
        self.steps.insert(at.min(self.steps.len()), step);
        self
    }

    /// Whether the token is accepted: whether all steps were passed.
    pub fn is_accepted(&self) -> bool {
        self.rejection.is_none()
    }

    /// Why the token is refused: what [`verify`](crate::JwtVerifier::verify) returns. `None` for a token that is
    /// accepted.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_ref()
    }

    /// The steps, in their order.
    pub fn steps(&self) -> &[ExplainedStep] {
        &self.steps
    }

    /// The step that failed; `None` for a token that is accepted.
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
    /// Without the values, which may be personal data.
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

    /// What is checked: `signature`, `audience`, `exp`.
    pub fn name(&self) -> &str {
        self.name
    }

    /// How it went.
    pub fn outcome(&self) -> StepOutcome {
        self.outcome
    }

    /// What the verifier asks for, where it can be said in words.
    pub fn expected(&self) -> Option<&str> {
        Some(&*self.expected).filter(|expected| !expected.is_empty())
    }

    /// What the token has, where that can be shown; texts of the token are quoted and cut off.
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
    /// Without the values, which may be personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExplainedStep")
            .field("name", &self.name)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// How a step of a verification went.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// The token has what was expected.
    Passed,
    /// The token is refused for it.
    Failed,
    /// Another step failed before it.
    NotReached,
}

/// The most characters of a text of the token that are shown.
const LONGEST: usize = 300;

/// A text of the token in quotation marks, with escapes for what a terminal would obey, and cut off when it is
/// long.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((at, _)) => format!("{:?}…", text.get(..at).unwrap_or_default()),
    }
}

/// The same for JSON: without quotation marks of its own, and with those in it as they are.
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
