//! The mock issuer without a network, for tests with paused time.

use std::time::Duration;

use crate::key_source::{Fetch, FetchFuture, FetchRequest, KeySourceError};
use crate::test_util::mock_issuer::{MockAnswer, MockIssuer, Reply, path_of};

impl Fetch for MockIssuer {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        let issuer = self.clone();
        Box::pin(async move {
            let _counted = Counted::new(&issuer);
            let path = path_of(request.url());
            let Reply { answer, response } = issuer.0.reply(path);
            // Lets other tasks run while a fetch is running.
            tokio::time::sleep(Duration::from_millis(1)).await;
            match answer {
                MockAnswer::Refuse => Err(KeySourceError::new("connection refused")),
                MockAnswer::Hang => std::future::pending().await,
                MockAnswer::HalfBody => Err(KeySourceError::new("the body ended too early")),
                MockAnswer::Drip(pause) => {
                    let bytes = u32::try_from(response.body().len()).unwrap_or(u32::MAX);
                    tokio::time::sleep(pause.saturating_mul(bytes)).await;
                    Ok(response)
                }
                _ => Ok(response),
            }
        })
    }
}

/// Counts a request for as long as it runs.
struct Counted<'a>(&'a MockIssuer);

impl<'a> Counted<'a> {
    fn new(issuer: &'a MockIssuer) -> Self {
        let mut state = issuer.state();
        state.at_once = state.at_once.saturating_add(1);
        state.most_at_once = state.most_at_once.max(state.at_once);
        drop(state);
        Self(issuer)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.at_once = state.at_once.saturating_sub(1);
    }
}
