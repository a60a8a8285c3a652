use std::sync::Arc;
use std::task::{Context, Poll};
use std::{fmt, mem};

use http::request::Parts;
use http::{Request, Response};
use tower_service::Service;

use crate::authenticate::future::{ResponseFuture, Waiting};
use crate::authenticate::way_back::WayBack;
use crate::authenticate::{Admitted, Decision, Policy};
use crate::claims::RegisteredClaims;
use crate::rejection::{EmptyBody, Rejection, ResponseForRejection};

/// The service of a [`JwtAuthLayer`](crate::JwtAuthLayer).
///
/// If a token is accepted without waiting, the service neither clones the inner service nor boxes a future.
/// If verification takes time, the instance that was polled ready waits with the request, and a clone
/// replaces it. After a refusal a clone replaces it too, so that a resource that the instance reserved (such
/// as a permit of tower's `ConcurrencyLimit`) is released at once.
///
/// So the inner service must be `Clone`, and its clones must share their limits. All services of tower do,
/// except `RateLimit`: put a `Buffer` around it. `R` must be able to make the response body: [`EmptyBody`]
/// needs a body that is `Default`. `hyper::body::Incoming` and the bodies of some layers are not `Default`: map
/// them to another type (see [the page on layer order](crate::docs::layer_order)).
pub struct JwtAuth<S, C = RegisteredClaims, R = EmptyBody> {
    inner: S,
    shared: Arc<Shared<C, R>>,
}

/// What all clones of a service share. One `Arc` for both: each accepted request clones it.
pub(super) struct Shared<C, R> {
    pub(super) policy: Arc<Policy<C>>,
    pub(super) responder: Arc<R>,
    /// Whether the cache of the verifier is asked first.
    #[cfg(feature = "token-cache")]
    recalls_first: bool,
}

impl<S, C, R> JwtAuth<S, C, R> {
    pub(crate) fn new(inner: S, policy: Arc<Policy<C>>, responder: Arc<R>) -> Self {
        let shared = Shared {
            #[cfg(feature = "token-cache")]
            recalls_first: policy.recalls_first(),
            policy,
            responder,
        };
        Self { inner, shared: Arc::new(shared) }
    }
}

impl<S, C, R, ReqB, ResB> Service<Request<ReqB>> for JwtAuth<S, C, R>
where
    S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
    C: Send + Sync + 'static,
    R: ResponseForRejection<ResB>,
{
    type Response = Response<ResB>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, R, ReqB, R::Remembered>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, #[allow(unused_mut)] mut request: Request<ReqB>) -> Self::Future {
        #[cfg(feature = "token-cache")]
        let kept = match self.shared.recalls_first {
            true => self.shared.responder.remembered_of_all(),
            false => None,
        };
        #[cfg(feature = "token-cache")]
        let asks_cache = kept.is_none();
        #[cfg(not(feature = "token-cache"))]
        let asks_cache = false;
        // The head of a request whose token is in the cache stays where it is.
        #[cfg(feature = "token-cache")]
        if let Some(kept) = kept
            && let Some(accepted) = self.shared.policy.recall(request.headers_mut())
        {
            let policy = &self.shared.policy;
            return match policy.admit(request.extensions_mut(), accepted) {
                Ok(Admitted { headers, writes }) => {
                    let way_back = writes.then(|| {
                        WayBack::with(&self.shared, policy.remember_recalled(&request, kept))
                    });
                    ResponseFuture::forward(self.inner.call(request), headers, way_back)
                }
                Err(rejection) => self.refuse_recalled(rejection, request),
            };
        }
        let (mut head, body) = request.into_parts();
        let admitted = match self.shared.policy.authenticate(&mut head, asks_cache) {
            Decision::Pass(admitted) => Ok(admitted),
            Decision::Verified(accepted) => {
                self.shared.policy.admit(&mut head.extensions, accepted)
            }
            Decision::Refused(rejection) => Err(rejection),
            Decision::Pending(verdict) => {
                return ResponseFuture::wait(Waiting {
                    verdict,
                    inner: self.take_ready(),
                    shared: Arc::clone(&self.shared),
                    head,
                    body,
                });
            }
        };
        match admitted {
            Ok(Admitted { headers, writes }) => {
                let way_back = self.way_back(writes, &head);
                let future = self.inner.call(Request::from_parts(head, body));
                ResponseFuture::forward(future, headers, way_back)
            }
            Err(rejection) => self.refuse(rejection, &head),
        }
    }
}

impl<S, C: Send + Sync + 'static, R> JwtAuth<S, C, R> {
    /// The data to write a refusal from below; `None` if another layer writes it.
    #[inline(always)]
    fn way_back<B>(&self, writes: bool, head: &Parts) -> Option<WayBack<C, R, R::Remembered>>
    where
        R: ResponseForRejection<B>,
    {
        writes.then(|| WayBack::new(&self.shared, head))
    }
}

impl<S, C: Send + Sync + 'static, R> JwtAuth<S, C, R> {
    /// Refuses a request whose token was in the cache.
    #[cfg(feature = "token-cache")]
    #[cold]
    #[inline(never)]
    fn refuse_recalled<ReqB, ResB>(
        &mut self,
        rejection: Rejection,
        request: Request<ReqB>,
    ) -> ResponseFuture<S, C, R, ReqB, R::Remembered>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
        R: ResponseForRejection<ResB>,
    {
        let (head, _) = request.into_parts();
        self.refuse(rejection, &head)
    }

    #[inline]
    fn refuse<ReqB, ResB>(
        &mut self,
        rejection: Rejection,
        head: &Parts,
    ) -> ResponseFuture<S, C, R, ReqB, R::Remembered>
    where
        S: Service<Request<ReqB>, Response = Response<ResB>> + Clone,
        R: ResponseForRejection<ResB>,
    {
        drop(self.take_ready());
        let Shared { policy, responder, .. } = &*self.shared;
        ResponseFuture::reject(policy.refuse(rejection, head, &**responder))
    }
}

impl<S: Clone, C, R> JwtAuth<S, C, R> {
    /// Takes the instance that was polled ready, and leaves a clone that was not.
    fn take_ready(&mut self) -> S {
        let clone = self.inner.clone();
        mem::replace(&mut self.inner, clone)
    }
}

impl<S: Clone, C, R> Clone for JwtAuth<S, C, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, C, R> fmt::Debug for JwtAuth<S, C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuth")
            .field("inner", &self.inner)
            .field("policy", &self.shared.policy)
            .finish_non_exhaustive()
    }
}
