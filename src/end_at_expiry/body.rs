use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::{fmt, mem};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::end_at_expiry::deadline::{Deadline, Timer};
use crate::end_at_expiry::ending::{BodyError, Ending, Next};

pin_project! {
    /// A body that ends when the token of its request expires: see [`EndAtExpiryLayer`](crate::EndAtExpiryLayer).
    ///
    /// Its error is the error of the inner body, or the [`Rejection`](crate::Rejection) of an expired token. The
    /// default body is empty.
    pub struct ExpiringBody<B> {
        #[pin]
        inner: Option<B>,
        // Without an inner body, its end is still to be sent.
        expiry: Option<Expiry>,
    }
}

struct Expiry {
    deadline: Deadline,
    timer: Timer,
    side: Side,
}

enum Side {
    Request {
        /// Whether a frame of data was passed on.
        has_begun: bool,
    },
    Response(Ending),
}

impl<B> ExpiringBody<B> {
    /// The body of a request or response that does not end before the inner one.
    pub(super) fn unlimited(inner: B) -> Self {
        Self { inner: Some(inner), expiry: None }
    }

    pub(super) fn of_request(inner: B, deadline: Deadline) -> Self {
        Self::limited(inner, deadline, Side::Request { has_begun: false })
    }

    pub(super) fn of_response(inner: B, deadline: Deadline, ending: Ending) -> Self {
        Self::limited(inner, deadline, Side::Response(ending))
    }

    fn limited(inner: B, deadline: Deadline, side: Side) -> Self {
        let expiry = Expiry { deadline, timer: None, side };
        Self { inner: Some(inner), expiry: Some(expiry) }
    }
}

impl Expiry {
    /// Decides about a frame of the inner body, or about its end.
    fn next<E>(&mut self, frame: Option<&Result<Frame<Bytes>, E>>) -> Next {
        // The service got only a part of the request, so its response is not one to the whole request.
        if matches!(self.side, Side::Response(_)) && self.deadline.is_request_cut() {
            return Next::End;
        }
        let Some(Ok(frame)) = frame else { return Next::Pass };
        let Some(data) = frame.data_ref() else {
            if let Side::Response(ending) = &mut self.side {
                ending.pass_trailers();
            }
            return Next::Pass;
        };
        let is_late = || self.deadline.has_passed();
        match &mut self.side {
            Side::Request { has_begun } => {
                let passes = !mem::replace(has_begun, true) || !is_late();
                if passes { Next::Pass } else { Next::End }
            }
            Side::Response(ending) => ending.admit(data, is_late),
        }
    }

    /// The last frame, in place of all that the inner body would send.
    fn end(&self) -> Option<Result<Frame<Bytes>, BodyError>> {
        let rejection = self.deadline.rejection();
        match &self.side {
            Side::Request { .. } => {
                self.deadline.cut_request();
                Some(Err(rejection.into()))
            }
            Side::Response(ending) => {
                let reason = rejection.kind();
                let end = ending.frame(rejection)?;
                crate::trace::ended_at_expiry(reason);
                Some(end)
            }
        }
    }
}

impl<B> Body for ExpiringBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(this.expiry.take().and_then(|expiry| expiry.end()));
        };
        let polled = inner.poll_frame(cx);
        let Some(expiry) = this.expiry else { return polled.map_err(Into::into) };
        if let Poll::Ready(frame) = polled {
            match expiry.next(frame.as_ref()) {
                Next::Pass => return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))),
                Next::Cut(data) => {
                    this.inner.set(None);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Next::End => {}
            }
        } else if !expiry.deadline.is_request_cut() {
            ready!(expiry.deadline.poll_passed(&mut expiry.timer, cx));
        }
        let end = expiry.end();
        // Drop the stream of the service at once.
        this.inner.set(None);
        *this.expiry = None;
        Poll::Ready(end)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().map_or(self.expiry.is_none(), Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.inner, &self.expiry) {
            (None, None) => SizeHint::with_exact(0),
            (None, Some(_)) => SizeHint::default(),
            (Some(_), Some(Expiry { side: Side::Response(ending), .. }))
                if ending.adds_to_the_body() =>
            {
                SizeHint::default()
            }
            (Some(inner), _) => inner.size_hint(),
        }
    }
}

impl<B> Default for ExpiringBody<B> {
    fn default() -> Self {
        Self { inner: None, expiry: None }
    }
}

impl<B: From<Bytes>> From<Bytes> for ExpiringBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::unlimited(bytes.into())
    }
}

impl<B: fmt::Debug> fmt::Debug for ExpiringBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpiringBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
