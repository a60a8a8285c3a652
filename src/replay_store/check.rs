use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

type BoxError = Box<dyn Error + Send + Sync>;

/// Whether a use is the first one.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplayOutcome {
    /// The store did not know the use, and has recorded it now.
    FirstUse,
    /// The store has recorded the same use before.
    SeenBefore,
}

/// The result of [`ReplayStore::record`](crate::ReplayStore::record), now or later.
///
/// An error means that the store cannot tell: the client gets 503. The error is the cause of the rejection, for the
/// operator's log, and is never sent to the client.
pub struct ReplayCheck(CheckState);

pub(crate) enum CheckState {
    Ready(Result<ReplayOutcome, BoxError>),
    Pending(Pin<Box<dyn Future<Output = Result<ReplayOutcome, BoxError>> + Send>>),
}

impl ReplayCheck {
    /// Creates a check whose result is known now.
    pub fn ready(outcome: Result<ReplayOutcome, BoxError>) -> Self {
        Self(CheckState::Ready(outcome))
    }

    /// Creates a check whose result comes later, from a future.
    ///
    /// The request waits for the future, so limit its time. If the client disconnects, the future is dropped.
    pub fn pending(
        outcome: impl Future<Output = Result<ReplayOutcome, BoxError>> + Send + 'static,
    ) -> Self {
        Self(CheckState::Pending(Box::pin(outcome)))
    }

    /// Waits for the result if it is not known yet, and returns it. A store that wraps another one, and changes its
    /// results, waits for them with this method.
    ///
    /// # Errors
    ///
    /// When the store is full, or cannot be reached.
    pub async fn wait(self) -> Result<ReplayOutcome, BoxError> {
        match self.0 {
            CheckState::Ready(outcome) => outcome,
            CheckState::Pending(outcome) => outcome.await,
        }
    }

    /// Whether the result is known now.
    pub fn is_ready(&self) -> bool {
        matches!(self.0, CheckState::Ready(_))
    }

    pub(crate) fn into_state(self) -> CheckState {
        self.0
    }
}

impl fmt::Debug for ReplayCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            CheckState::Ready(outcome) => f.debug_tuple("Ready").field(outcome).finish(),
            CheckState::Pending(_) => f.debug_tuple("Pending").finish_non_exhaustive(),
        }
    }
}
