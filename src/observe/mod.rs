//! Observers of a layer, which are called with its decisions about requests.

#[cfg(feature = "metrics")]
pub(crate) mod meters;
mod observation;
mod outcome;

use std::sync::Arc;

pub(crate) use self::observation::{Begun, Observation};
pub use self::outcome::Outcome;
use crate::observe::outcome::Decided;
use crate::rejection::Rejection;

type Observer = dyn Fn(&Outcome) + Send + Sync;

/// The observers of a layer, called in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Observers {
    all: Vec<Arc<Observer>>,
    #[cfg(feature = "metrics")]
    is_counted: bool,
}

impl Observers {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn add(&mut self, observer: impl Fn(&Outcome) + Send + Sync + 'static) {
        self.all.push(Arc::new(observer));
    }

    /// Adds the observer that counts requests, once.
    #[cfg(feature = "metrics")]
    pub(crate) fn add_metrics(&mut self) {
        if !self.is_counted {
            self.is_counted = true;
            meters::describe();
            self.add(meters::count);
        }
    }

    /// Begins to observe a request; `None` if there is no observer.
    pub(crate) fn begin(&self) -> Option<Begun> {
        (!self.is_empty()).then(Begun::now)
    }

    /// Reports that the layer accepted a token.
    #[cold]
    pub(crate) fn accepted(&self, observation: Option<&Observation>) {
        self.tell(Decided::Accepted, observation);
    }

    /// Reports that the layer forwards a request without a token.
    #[cold]
    pub(crate) fn passed(&self, is_exempt: bool, begun: Begun) {
        let decided = if is_exempt { Decided::Exempt } else { Decided::Anonymous };
        self.tell(decided, Some(&begun.observation(None)));
    }

    /// Reports that the layer writes a refusal: its own, or that of a service inside of it.
    #[inline]
    pub(crate) fn refused(&self, rejection: &Rejection, observation: Option<&Observation>) {
        if !self.is_empty() {
            self.tell(Decided::Refused(rejection.kind()), observation);
        }
    }

    #[cold]
    fn tell(&self, decided: Decided, observation: Option<&Observation>) {
        let outcome = Outcome::new(decided, observation);
        for observer in &self.all {
            observer(&outcome);
        }
    }
}
