use futures_util::FutureExt;
use http::Method;

use super::*;
use crate::replay_store::{
    MemoryReplayStore, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore,
};

#[test]
fn proof_is_used_once_for_a_uri() {
    let (client, other, dpop) = (Client::new(), Client::new(), dpop());
    let used = Err("the DPoP proof was used before");
    assert_eq!(client.check(&dpop, &client.good()), Ok(None));
    assert_eq!(client.check(&dpop, &client.good()), used);
    let later = client.proof(&json!({}), &json!({"iat": NOW + 1}));
    assert_eq!(client.check(&dpop, &later), used, "the ID is the same");
    // At another URI, and by another client, the same ID is another proof.
    let elsewhere = client.proof(&json!({}), &json!({"htu": "https://api.example/b"}));
    assert_eq!(client.check_request(&dpop, &get("/b", [&*elsewhere])), Ok(None));
    assert_eq!(client.check_request(&dpop, &get("/b", [&*elsewhere])), used);
    assert_eq!(other.check(&dpop, &other.good()), Ok(None));
}

#[test]
fn proof_is_remembered_for_as_long_as_it_is_accepted() {
    let (client, clock) = (Client::new(), clock());
    let dpop = Dpop::new("https://api.example").unwrap().with_clock(clock.clone());
    let ahead = client.proof(&json!({}), &json!({"iat": NOW + 30}));
    assert_eq!(client.check(&dpop, &ahead), Ok(None));
    for now in NOW..NOW + 120 {
        clock.set(now);
        assert_eq!(client.check(&dpop, &ahead), Err("the DPoP proof was used before"), "{now}");
    }
    clock.set(NOW + 120);
    assert_eq!(client.check(&dpop, &ahead), Err("the DPoP proof is too old"));
}

#[test]
fn refused_proof_is_not_used_up() {
    let (client, dpop) = (Client::new(), dpop());
    let good = client.good();
    let mut post = get("/a", [&*good]);
    post.method = Method::POST;
    assert!(client.check_request(&dpop, &post).is_err());
    assert!(client.check_request(&dpop, &get("/b", [&*good])).is_err());
    let (message, _) = good.rsplit_once('.').unwrap();
    assert!(client.check(&dpop, &format!("{message}.AAAA")).is_err());
    assert!(matches!(
        dpop.check(&get("/a", [&*good]), b"other", &client.jkt()),
        DpopCheck::Ready(Err(_))
    ));
    assert_eq!(client.check(&dpop, &good), Ok(None));
}

/// A store that answers later.
#[derive(Debug)]
struct Later(Option<ReplayOutcome>);

impl ReplayStore for Later {
    fn record(&self, _: &ReplayEntry) -> ReplayCheck {
        let outcome = self.0.ok_or_else(|| "the connection was lost".into());
        ReplayCheck::pending(async move { outcome })
    }
}

#[test]
fn store_that_is_down_or_full_is_503_and_never_a_pass() {
    let client = Client::new();
    let full = MemoryReplayStore::with_capacity(1).unwrap().with_clock(clock());
    let dpop = dpop().with_replay_store(full);
    assert_eq!(client.check(&dpop, &client.good()), Ok(None));
    let second = client.proof(&json!({}), &json!({"jti": "2"}));
    let rejection = client.result(&dpop, &get("/a", [&*second])).unwrap_err();
    assert_eq!((rejection.kind(), rejection.status().as_u16()), (RejectionKind::Unavailable, 503));

    let down = dpop.with_replay_store(Later(None));
    let rejection = client.result(&down, &get("/a", [&*client.good()])).unwrap_err();
    assert_eq!(rejection.status(), 503);
    let cause = std::error::Error::source(&rejection).unwrap().to_string();
    assert_eq!(cause, "the connection was lost");
}

#[test]
fn store_may_answer_later() {
    let client = Client::new();
    for (outcome, expected) in [
        (ReplayOutcome::FirstUse, Ok(None)),
        (ReplayOutcome::SeenBefore, Err("the DPoP proof was used before")),
    ] {
        let dpop = dpop().with_replay_store(Later(Some(outcome)));
        let head = get("/a", [&*client.good()]);
        let DpopCheck::Pending(result) = dpop.check(&head, TOKEN.as_bytes(), &client.jkt()) else {
            panic!("it is ready")
        };
        let result = result.now_or_never().unwrap().map_err(|rejection| text(&rejection));
        assert_eq!(result.map(|passed| passed.nonce), expected);
    }
}
