//! The future of a layer that forwards a request, or answers it at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The future of the inner service, or the response of the layer. If it is polled again after it completed, it
    /// returns `Pending`.
    #[project = StateProj]
    pub(crate) enum ForwardOrAnswer<F, B> {
        Forward { #[pin] future: F },
        Answer { response: Option<Response<B>> },
    }
}

impl<F, B, E> Future for ForwardOrAnswer<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match self.as_mut().project() {
            StateProj::Forward { future } => Some(ready!(future.poll(cx))),
            StateProj::Answer { response } => response.take().map(Ok),
        };
        // Drops the inner future, so that its resources (such as a permit) are released with the
        // response.
        self.set(Self::Answer { response: None });
        response.map_or(Poll::Pending, Poll::Ready)
    }
}
