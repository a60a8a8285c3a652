//! The same over a real port, by the client that comes with the crate.

use bytes::Bytes;
use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{JwksUrl, JwtVerifier, RejectionKind};

use super::{bad_answers, kind, secs};

fn verifier(issuer: &MockIssuer) -> JwtVerifier {
    let keys = JwksUrl::new(&issuer.jwks_url()).unwrap();
    JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap()
}

#[tokio::test]
async fn faults_on_the_wire_leave_the_old_set() {
    let issuer = MockIssuer::listen("").await;
    let verifier = verifier(&issuer);
    assert_eq!(kind(&verifier, &issuer.token().build()).await, None);
    let quick = bad_answers(&issuer)
        .into_iter()
        .filter(|(_, answer)| !matches!(answer, MockAnswer::Hang | MockAnswer::Drip(_)));
    for (name, answer) in quick {
        issuer.set_answer(answer);
        assert!(verifier.refresh().await.is_err(), "{name}");
        assert!(verifier.verify_now(&issuer.token().build()).is_ok(), "{name}");
    }
    issuer.set_answer(MockAnswer::Good);
    verifier.refresh().await.unwrap();
    assert!(issuer.requests().iter().all(|path| path == "/jwks"));
}

#[tokio::test]
async fn hangs_and_drips_on_the_wire_end_after_five_seconds() {
    let issuer = MockIssuer::listen("").await;
    let hanging = [MockAnswer::Hang, MockAnswer::Drip(secs(1) / 10)].map(|answer| {
        let verifier = verifier(&issuer);
        let (issuer, token) = (issuer.clone(), issuer.token().build());
        async move {
            issuer.set_answer(answer);
            let start = tokio::time::Instant::now();
            let kind = kind(&verifier, &token).await;
            assert_eq!(kind, Some(RejectionKind::Unavailable));
            assert!((secs(4)..secs(7)).contains(&start.elapsed()));
        }
    });
    let [first, second] = hanging.map(tokio::spawn);
    first.await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn a_redirect_is_not_followed_to_another_port() {
    let (issuer, attacker) = (MockIssuer::listen("").await, MockIssuer::listen("").await);
    issuer.set_answer(MockAnswer::Redirect(attacker.jwks_url()));
    let stranger = attacker.token().issuer(issuer.issuer()).build();
    assert_eq!(kind(&verifier(&issuer), &stranger).await, Some(RejectionKind::Unavailable));
    assert!(attacker.requests().is_empty());

    // A client that follows them is of no use.
    let client = reqwest::Client::new();
    let keys = JwksUrl::new(&issuer.jwks_url()).unwrap().with_client(client);
    let verifier = JwtVerifier::new(issuer.issuer(), "https://api.test", keys).unwrap();
    assert_eq!(kind(&verifier, &stranger).await, Some(RejectionKind::Unavailable));
    let error = verifier.key_status().last_error().unwrap().to_owned();
    assert!(error.contains("redirect"), "{error}");
}

#[tokio::test]
async fn the_cap_holds_while_the_body_streams() {
    let issuer = MockIssuer::listen("").await;
    let spaces = Bytes::from(vec![b' '; 200 * 1024 * 1024]);
    issuer.set_answer(MockAnswer::Body("application/json", spaces));
    let verifier = verifier(&issuer);
    let start = tokio::time::Instant::now();
    let error = verifier.refresh().await.unwrap_err().to_string();
    assert!(error.contains("256 KiB"), "{error}");
    assert!(start.elapsed() < secs(4));
}

#[tokio::test]
async fn private_addresses_are_refused_where_asked_for() {
    let issuer = MockIssuer::listen("").await;
    let keys = JwksUrl::new(&issuer.jwks_url()).unwrap();
    assert!(keys.refuse_private_addresses().is_err());
    assert!(issuer.requests().is_empty());
}

#[tokio::test]
async fn a_set_that_did_not_change_keeps_its_generation_on_the_wire() {
    let issuer = MockIssuer::listen("/realms/a").await;
    let verifier = verifier(&issuer);
    verifier.refresh().await.unwrap();
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.key_status().changes(), 1);
    issuer.rotate_and_drop();
    verifier.refresh().await.unwrap();
    assert_eq!(verifier.key_status().changes(), 2);
    assert_eq!(issuer.requests(), ["/realms/a/jwks"; 3]);
}
