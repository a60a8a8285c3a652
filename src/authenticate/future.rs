use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::authenticate::service::Shared;
use crate::authenticate::way_back::WayBack;
use crate::authenticate::{Admitted, ResponseHeaders};
use crate::rejection::ResponseForRejection;
use crate::rejection::response;
use crate::verify::PendingVerdict;

pin_project! {
    /// The response future of [`JwtAuth`](crate::JwtAuth). The future waits until the token is verified, then
    /// it forwards the request or refuses it.
    ///
    /// `M` is the type of the data that the responder remembers of a request (`()` for
    /// [`EmptyBody`](crate::EmptyBody) and [`ProblemJson`](crate::ProblemJson)). The future is `Send` if the
    /// inner service, its future and its bodies are `Send`, and `Unpin` if the inner future is.
    ///
    /// # Example: name the future in a custom service
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::Service;
    /// use tower_jwt_auth::{EmptyBody, JwtAuth, RegisteredClaims, ResponseFuture};
    ///
    /// fn call<S>(
    ///     service: &mut JwtAuth<S>,
    ///     request: Request<String>,
    /// ) -> ResponseFuture<S, RegisteredClaims, EmptyBody, String>
    /// where
    ///     S: Service<Request<String>, Response = Response<String>> + Clone,
    /// {
    ///     service.call(request)
    /// }
    /// ```
    pub struct ResponseFuture<S, C, R, ReqB, M = ()>
    where
        S: Service<Request<ReqB>>,
    {
        #[pin]
        state: State<S, C, R, ReqB, M>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, C, R, ReqB, M>
    where
        S: Service<Request<ReqB>>,
    {
        Forward {
            #[pin]
            future: S::Future,
            headers: Option<ResponseHeaders>,
            way_back: Option<WayBack<C, R, M>>,
        },
        Reject { response: Option<S::Response> },
        Wait { waiting: Option<Box<Waiting<S, C, R, ReqB>>> },
        Done,
    }
}

/// A request that waits for its verification, with the data that is needed afterwards. The box keeps the future
/// of a request that does not wait small.
pub(crate) struct Waiting<S, C, R, ReqB> {
    pub(crate) verdict: PendingVerdict<C>,
    /// The instance that was polled ready.
    pub(crate) inner: S,
    pub(super) shared: Arc<Shared<C, R>>,
    pub(crate) head: Parts,
    pub(crate) body: ReqB,
}

impl<S: Service<Request<ReqB>>, C, R, ReqB, M> ResponseFuture<S, C, R, ReqB, M> {
    /// Forwards the request, adds the headers to the response, and writes a refusal of the inner service.
    #[inline(always)]
    pub(super) fn forward(
        future: S::Future,
        headers: Option<ResponseHeaders>,
        way_back: Option<WayBack<C, R, M>>,
    ) -> Self {
        Self::in_state(State::Forward { future, headers, way_back })
    }

    pub(crate) fn reject(response: S::Response) -> Self {
        Self::in_state(State::Reject { response: Some(response) })
    }

    pub(crate) fn wait(waiting: Waiting<S, C, R, ReqB>) -> Self {
        Self::in_state(State::Wait { waiting: Some(Box::new(waiting)) })
    }

    #[inline(always)]
    fn in_state(state: State<S, C, R, ReqB, M>) -> Self {
        Self { state }
    }
}

impl<S, C, R, ReqB, ResB> Future for ResponseFuture<S, C, R, ReqB, R::Remembered>
where
    S: Service<Request<ReqB>, Response = Response<ResB>>,
    C: Send + Sync + 'static,
    R: ResponseForRejection<ResB>,
{
    type Output = Result<Response<ResB>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Forward { future, headers, way_back } => {
                    let mut response = ready!(future.poll(cx));
                    // Matched by reference, so that `way_back` is not moved for an accepted request.
                    let refusal = match (&response, &*way_back) {
                        (Ok(response), Some(_)) => response::asks_for(response),
                        _ => None,
                    };
                    if let Some(unwritten) = refusal
                        && let Some(way_back) = way_back.take()
                    {
                        response = response.map(|response| way_back.write(unwritten, response));
                    }
                    if let (Some(headers), Ok(response)) = (headers.take(), &mut response) {
                        headers.add_to(response);
                    }
                    // Drops the inner future, so that its resources (such as a permit) are released with the
                    // response.
                    state.set(State::Done);
                    return Poll::Ready(response);
                }
                StateProj::Reject { response } => match response.take() {
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => return Poll::Pending,
                },
                // Polled again after it completed.
                StateProj::Done => return Poll::Pending,
                StateProj::Wait { waiting } => {
                    let Some(pending) = waiting.as_mut() else { return Poll::Pending };
                    let verdict = ready!(pending.verdict.as_mut().poll(cx));
                    let Some(done) = waiting.take() else { return Poll::Pending };
                    let Waiting { mut inner, shared, mut head, body, .. } = *done;
                    let admitted = verdict
                        .and_then(|accepted| shared.policy.admit(&mut head.extensions, accepted));
                    match admitted {
                        Ok(Admitted { headers, writes }) => {
                            let way_back = writes.then(|| WayBack::new(&shared, &head));
                            let future = inner.call(Request::from_parts(head, body));
                            State::Forward { future, headers, way_back }
                        }
                        Err(rejection) => {
                            let response =
                                shared.policy.refuse(rejection, &head, &*shared.responder);
                            State::Reject { response: Some(response) }
                        }
                    }
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<ReqB>>, C, R, ReqB, M> fmt::Debug for ResponseFuture<S, C, R, ReqB, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
