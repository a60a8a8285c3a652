use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a request that [`check_protection`](super::check_protection) sends.
///
/// [`ProtectedRequests::with_body`](super::ProtectedRequests::with_body) converts it for a service
/// that takes another type.
#[derive(Clone, Debug, Default)]
pub struct SentBody(Bytes);

impl From<Bytes> for SentBody {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<SentBody> for Bytes {
    fn from(body: SentBody) -> Self {
        body.0
    }
}

impl Body for SentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = std::mem::take(&mut self.0);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}
