//! What the endpoints note about the request that they handle: who sent it, what for, and why it is refused.
//!
//! The facts belong to the task of the request. What is noted outside of a request is dropped.

use std::cell::RefCell;

use super::client_name;

/// The facts of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The name of a client that was found in the store, or by its document.
    pub(crate) client: Option<String>,
    /// The value of `grant_type`, if it is a known one.
    pub(crate) grant: Option<&'static str>,
    /// The `error` of the response.
    pub(crate) error: Option<&'static str>,
}

tokio::task_local! {
    static FACTS: RefCell<Facts>;
}

/// Runs the future with facts of its own. Returns them, too.
pub(crate) async fn collect<T>(future: impl Future<Output = T>) -> (T, Facts) {
    let noted = async {
        let output = future.await;
        (output, FACTS.with(RefCell::take))
    };
    FACTS.scope(RefCell::default(), noted).await
}

fn note(change: impl FnOnce(&mut Facts)) {
    // The closures below do not come back here, so the borrow succeeds.
    let _ = FACTS.try_with(|facts| facts.try_borrow_mut().map(|mut facts| change(&mut facts)));
}

/// Notes the client of the request, by the ID that it has in the store: the text of the request proves nothing.
pub(crate) fn client(id: &str) {
    note(|facts| facts.client = Some(client_name::of(id).into_owned()));
}

/// Notes the grant that is asked for.
pub(crate) fn grant(name: &'static str) {
    note(|facts| facts.grant = Some(name));
}

/// Notes the `error` of the response. The type keeps text of the request out.
pub(crate) fn refused(error: &'static str) {
    note(|facts| facts.error = Some(error));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_request_has_its_own_facts() {
        let one = collect(async {
            client("app");
            tokio::task::yield_now().await;
            grant("password");
        });
        let other = collect(async {
            refused("invalid_client");
            tokio::task::yield_now().await;
        });
        let (((), one), ((), other)) = tokio::join!(one, other);
        assert_eq!(
            (one.client.as_deref(), one.grant, one.error),
            (Some("app"), Some("password"), None)
        );
        assert_eq!((other.client, other.grant, other.error), (None, None, Some("invalid_client")));
    }

    #[tokio::test]
    async fn a_fact_outside_of_a_request_is_dropped() {
        client("app");
        let ((), facts) = collect(async {}).await;
        assert_eq!(facts.client, None);
    }
}
