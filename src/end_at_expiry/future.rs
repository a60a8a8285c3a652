use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use pin_project_lite::pin_project;

use crate::end_at_expiry::body::ExpiringBody;
use crate::end_at_expiry::deadline::Deadline;
use crate::end_at_expiry::ending::{Ending, Understood};
use crate::rejection::response::unwritten;

pin_project! {
    /// The response future of [`EndAtExpiry`](crate::EndAtExpiry). If it is polled again after it completed, it
    /// returns `Pending`.
    pub struct EndAtExpiryFuture<F, B> {
        #[pin]
        state: State<F, B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, B> {
        Forward { #[pin] future: F, limit: Option<Limit> },
        Refuse { response: Option<Response<ExpiringBody<B>>> },
    }
}

/// When and how a response ends.
pub(super) struct Limit {
    pub(super) deadline: Deadline,
    pub(super) understood: Understood,
}

impl<F, B> EndAtExpiryFuture<F, B> {
    pub(super) fn forward(future: F, limit: Option<Limit>) -> Self {
        Self { state: State::Forward { future, limit } }
    }

    pub(super) fn refuse(response: Response<ExpiringBody<B>>) -> Self {
        Self { state: State::Refuse { response: Some(response) } }
    }
}

impl<F, B, E> Future for EndAtExpiryFuture<F, B>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ExpiringBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        let response = match state.as_mut().project() {
            StateProj::Forward { future, limit } => {
                let response = ready!(future.poll(cx));
                Some(limited(response, limit.take()))
            }
            StateProj::Refuse { response } => response.take().map(Ok),
        };
        // Drops the inner future, so that its resources (such as a permit) are released with the response.
        state.set(State::Refuse { response: None });
        response.map_or(Poll::Pending, Poll::Ready)
    }
}

/// The response with a body that ends at the deadline.
fn limited<B, E>(
    response: Result<Response<B>, E>,
    limit: Option<Limit>,
) -> Result<Response<ExpiringBody<B>>, E> {
    let Some(Limit { deadline, understood }) = limit else {
        return response.map(|response| response.map(ExpiringBody::unlimited));
    };
    if deadline.is_request_cut() {
        // The service got only a part of the request, so its response or error is not one to the whole request.
        return Ok(unwritten(deadline.rejection(), ExpiringBody::default()));
    }
    let response = response?;
    let ending = Ending::of_response(understood, response.headers());
    Ok(response.map(|body| ExpiringBody::of_response(body, deadline, ending)))
}

impl<F, B> fmt::Debug for EndAtExpiryFuture<F, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndAtExpiryFuture").finish_non_exhaustive()
    }
}
