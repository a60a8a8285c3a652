//! Why the program ends with another status than 0.

use std::error::Error;
use std::process::ExitCode;

/// One sentence, and the exit status.
#[derive(Debug)]
pub(super) struct Failure {
    sentence: String,
    status: u8,
}

impl Failure {
    /// A flag, a file or the database is bad: status 2.
    pub(super) fn bad(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), status: 2 }
    }

    /// The same, with an error and its causes as the sentence.
    pub(super) fn bad_because(error: &(dyn Error + 'static)) -> Self {
        Self::bad(with_causes(error))
    }

    /// A command cannot do what it is asked for: status 1.
    pub(super) fn refused(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), status: 1 }
    }

    /// The error of clap in one sentence, without its hints.
    pub(super) fn flags(error: &clap::Error) -> Self {
        let text = error.to_string();
        let complaint = text.split("\n\n").next().unwrap_or_default();
        Self::bad(complaint.strip_prefix("error: ").unwrap_or(complaint))
    }

    /// Writes the sentence to standard error.
    pub(super) fn report(&self) -> ExitCode {
        let words: Vec<&str> = self.sentence.split_whitespace().collect();
        eprintln!("error: {}", words.join(" "));
        ExitCode::from(self.status)
    }
}

impl From<token_service::store::StoreError> for Failure {
    fn from(error: token_service::store::StoreError) -> Self {
        Self::bad_because(&error)
    }
}

/// An error with its causes, each once.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
