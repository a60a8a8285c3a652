use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The response future of [`ResourceMetadataService`](crate::ResourceMetadataService): the future of the
    /// inner service, or the metadata. If it is polled again after it completed, it returns `Pending`.
    pub struct ResourceMetadataFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Forward { #[pin] future: F },
        Answer { response: Option<Response<B>> },
    }
}

impl<F, B> ResourceMetadataFuture<F, B> {
    pub(super) fn forward(future: F) -> Self {
        Self { state: State::Forward { future } }
    }

    pub(super) fn answer(response: Response<B>) -> Self {
        Self { state: State::Answer { response: Some(response) } }
    }
}

impl<F, B, E> Future for ResourceMetadataFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let response = match state.as_mut().project() {
            StateProj::Forward { future } => Some(ready!(future.poll(cx))),
            StateProj::Answer { response } => response.take().map(Ok),
        };
        // Drops the inner future, so that its resources (such as a permit) are released with the
        // response.
        state.set(State::Answer { response: None });
        response.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<F, B> fmt::Debug for ResourceMetadataFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceMetadataFuture").finish_non_exhaustive()
    }
}
