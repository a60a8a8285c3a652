//! The time for a header of HTTP/1 on a kept connection.
//!
//! hyper has one timer for the wait for a request and for its header. A connection may be idle for longer than a header
//! may take, so this timer is shortened when the first byte comes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// Times the headers of one connection.
#[derive(Debug)]
pub(crate) struct HeaderTimer {
    /// Whether bytes came since the wait for the header began.
    has_bytes: Arc<AtomicBool>,
    /// How long the header may take from its first byte.
    header: Duration,
}

impl HeaderTimer {
    /// `has_bytes` is set by whoever reads from the connection.
    pub(crate) fn new(has_bytes: Arc<AtomicBool>, header: Duration) -> Self {
        Self { has_bytes, header }
    }
}

impl Timer for HeaderTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until((tokio::time::Instant::now() + duration).into_std())
    }

    /// hyper calls it when it begins to wait for a header. What came before belongs to the last request.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.has_bytes.store(false, Ordering::Relaxed);
        Box::pin(HeaderSleep {
            sleep: Box::pin(tokio::time::sleep_until(deadline.into())),
            has_bytes: Arc::clone(&self.has_bytes),
            header: self.header,
            has_begun: false,
        })
    }
}

/// Ends at its deadline, or when the header takes too long.
struct HeaderSleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    has_bytes: Arc<AtomicBool>,
    header: Duration,
    has_begun: bool,
}

impl Future for HeaderSleep {
    type Output = ();

    /// hyper polls it each time that it has read a part of the header.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.has_begun && self.has_bytes.load(Ordering::Relaxed) {
            self.has_begun = true;
            let end = tokio::time::Instant::now() + self.header;
            if end < self.sleep.deadline() {
                self.sleep.as_mut().reset(end);
            }
        }
        ready!(self.sleep.as_mut().poll(context));
        Poll::Ready(())
    }
}

impl Sleep for HeaderSleep {}
