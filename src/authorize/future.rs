use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use pin_project_lite::pin_project;

use crate::forward_or_answer::ForwardOrAnswer;

pin_project! {
    /// The response future of [`AuthorizeService`](crate::AuthorizeService): the future of the
    /// inner service, or a refusal. If it is polled again after it completed, it returns `Pending`.
    pub struct AuthorizeFuture<F, B> {
        #[pin]
        state: ForwardOrAnswer<F, B>,
    }
}

impl<F, B> AuthorizeFuture<F, B> {
    pub(super) fn forward(future: F) -> Self {
        Self { state: ForwardOrAnswer::Forward { future } }
    }

    pub(super) fn refuse(response: Response<B>) -> Self {
        Self { state: ForwardOrAnswer::Answer { response: Some(response) } }
    }
}

impl<F, B, E> Future for AuthorizeFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().state.poll(cx)
    }
}

impl<F, B> fmt::Debug for AuthorizeFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeFuture").finish_non_exhaustive()
    }
}
