use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// The response future of [`AuthorizeService`](crate::AuthorizeService): the future of the
    /// inner service, or a refusal. If it is polled again after it completed, it returns `Pending`.
    pub struct AuthorizeFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Forward { #[pin] future: F },
        Refuse { response: Option<Response<B>> },
    }
}

impl<F, B> AuthorizeFuture<F, B> {
    pub(super) fn forward(future: F) -> Self {
        Self { state: State::Forward { future } }
    }

    pub(super) fn refuse(response: Response<B>) -> Self {
        Self { state: State::Refuse { response: Some(response) } }
    }
}

impl<F, B, E> Future for AuthorizeFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let response = match state.as_mut().project() {
            StateProj::Forward { future } => Some(ready!(future.poll(cx))),
            StateProj::Refuse { response } => response.take().map(Ok),
        };
        // Drops the inner future, so that its resources (such as a permit) are released with the
        // response.
        state.set(State::Refuse { response: None });
        response.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<F, B> fmt::Debug for AuthorizeFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizeFuture").finish_non_exhaustive()
    }
}
