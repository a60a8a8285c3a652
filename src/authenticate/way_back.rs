//! The way back of a response: a layer writes the refusals of the services inside of it.

use std::sync::Arc;

use http::Response;
use http::request::Parts;

use crate::authenticate::Remembered;
use crate::authenticate::service::Shared;
use crate::rejection::ResponseForRejection;
use crate::rejection::response::{self, Unwritten};

/// The data to write a refusal from below. It needs an allocation only if the data that the responder remembers
/// needs one.
pub(super) struct WayBack<C, R, M> {
    shared: Arc<Shared<C, R>>,
    remembered: Remembered<M>,
}

impl<C: Send + Sync + 'static, R, M> WayBack<C, R, M> {
    /// Inlined, like what it calls, so that the data is written where it stays: each move of it costs more than a
    /// clone of an `Arc`.
    #[inline(always)]
    pub(super) fn new<B>(shared: &Arc<Shared<C, R>>, head: &Parts) -> Self
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        Self::with(shared, shared.policy.remember(head, &*shared.responder))
    }

    #[inline(always)]
    pub(super) fn with(shared: &Arc<Shared<C, R>>, remembered: Remembered<M>) -> Self {
        Self { shared: Arc::clone(shared), remembered }
    }

    /// Writes the layer's refusal in place of a response that contains an unwritten one.
    #[cold]
    pub(super) fn write<B>(self, unwritten: Unwritten, response: Response<B>) -> Response<B>
    where
        R: ResponseForRejection<B, Remembered = M>,
    {
        let Shared { policy, responder, .. } = &*self.shared;
        let mut written = policy.write(unwritten, self.remembered, &**responder);
        response::keep_what_was_added(&mut written, response);
        response::fit_to_clients(&mut written);
        written
    }
}
