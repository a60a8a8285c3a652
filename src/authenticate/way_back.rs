//! The way back of a response: a layer writes the refusals of the services inside of it.

use std::sync::Arc;

use http::Response;
use http::request::Parts;

use crate::authenticate::{Policy, Remembered};
use crate::rejection::ResponseForRejection;
use crate::rejection::response::{self, Unwritten};

/// The data to write a refusal from below. It needs an allocation only if the data that the responder remembers
/// needs one.
pub(super) struct WayBack<C, R, M> {
    policy: Arc<Policy<C>>,
    responder: Arc<R>,
    remembered: Remembered<M>,
}

impl<C: Send + Sync + 'static, R, M> WayBack<C, R, M> {
    /// Inlined, like what it calls, so that the data is written where it stays: each move of it costs more than a
    /// clone of an `Arc`.
    #[inline(always)]
    pub(super) fn new<B>(policy: &Arc<Policy<C>>, responder: &Arc<R>, head: &Parts) -> Self
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        let remembered = policy.remember(head, &**responder);
        Self { policy: Arc::clone(policy), responder: Arc::clone(responder), remembered }
    }

    /// Writes the layer's refusal in place of a response that contains an unwritten one.
    #[cold]
    pub(super) fn write<B>(self, unwritten: Unwritten, response: Response<B>) -> Response<B>
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        let mut written = self.policy.write(unwritten, self.remembered, &*self.responder);
        response::keep_what_was_added(&mut written, response);
        written
    }
}
