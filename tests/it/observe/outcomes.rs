//! What observers are told of requests.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use http::Request;
use tower::{Layer, ServiceExt};
use tower_jwt_auth::{
    Accepted, Algorithm, IssuerSet, IssuerTemplate, JwtAuthLayer, JwtVerifier, Outcome,
    PresentedToken, Rejection, RejectionKind, TokenScheme, Verification, VerifyToken,
    verify_async_fn, verify_fn,
};

use crate::support::requests::{bearer, refusal, request, send, send_later};
use crate::support::{AUDIENCE, ISSUER, claims, claims_with, key, now};

/// The outcomes of a layer, in their order.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Outcome>>>);

impl Seen {
    pub(crate) fn by<C, R>(layer: JwtAuthLayer<C, R>) -> (Self, JwtAuthLayer<C, R>)
    where
        C: Send + Sync + 'static,
    {
        let seen = Self::default();
        let outcomes = Arc::clone(&seen.0);
        let layer = layer.on_outcome(move |outcome| outcomes.lock().unwrap().push(outcome.clone()));
        (seen, layer)
    }

    pub(crate) fn take(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    #[track_caller]
    pub(crate) fn one(&self) -> Outcome {
        let outcomes = self.take();
        let [outcome] = &outcomes[..] else { panic!("{outcomes:?}") };
        outcome.clone()
    }
}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(key(Algorithm::ES256).verifier())
}

fn good() -> Request<()> {
    bearer(&key(Algorithm::ES256).token(&claims()))
}

fn wrong_audience() -> Request<()> {
    bearer(&key(Algorithm::ES256).token(&claims_with("aud", "https://other.example")))
}

#[test]
fn observer_is_told_of_each_accepted_request_once() {
    let (seen, layer) = Seen::by(layer());
    assert_eq!(send(&layer, good()).status(), 204);
    let outcome = seen.one();
    assert!(outcome.is_accepted() && !outcome.is_refused());
    assert_eq!((outcome.as_str(), outcome.kind()), ("accepted", None));
    assert_eq!(outcome.issuer(), Some(ISSUER));
    assert_eq!(outcome.scheme(), Some(TokenScheme::Bearer));
    assert!(outcome.duration().is_some());
}

#[test]
fn observer_is_told_of_each_refused_request_once_with_its_kind() {
    let (seen, layer) = Seen::by(layer());
    let response = send(&layer, wrong_audience());
    assert_eq!(refusal(&response), Some(RejectionKind::WrongAudience));
    let outcome = seen.one();
    assert!(outcome.is_refused() && !outcome.is_accepted());
    assert_eq!((outcome.as_str(), outcome.kind()), ("refused", Some(RejectionKind::WrongAudience)));
    assert_eq!(outcome.issuer(), Some(ISSUER));
    assert_eq!(outcome.scheme(), Some(TokenScheme::Bearer));
    assert!(outcome.duration().is_some());
}

#[test]
fn refusal_without_a_token_has_neither_scheme_nor_issuer() {
    let (seen, layer) = Seen::by(layer());
    for (request, kind) in [
        (request([""; 0]), RejectionKind::MissingCredentials),
        (request(["Basic YTpi"]), RejectionKind::UnsupportedScheme),
        (request(["Bearer a", "Bearer b"]), RejectionKind::MultipleCredentials),
        (request(["Bearer a\""]), RejectionKind::MalformedCredentials),
    ] {
        send(&layer, request);
        let outcome = seen.one();
        assert_eq!(outcome.kind(), Some(kind));
        assert_eq!((outcome.issuer(), outcome.scheme()), (None, None));
        assert!(outcome.duration().is_some());
    }
}

#[test]
fn requests_that_pass_without_a_token_are_told_apart_from_accepted_ones() {
    let (seen, optional) = Seen::by(layer().optional());
    assert_eq!(send(&optional, request([""; 0])).status(), 204);
    let outcome = seen.one();
    assert!(outcome.is_anonymous() && !outcome.is_accepted() && !outcome.is_refused());
    assert_eq!((outcome.as_str(), outcome.issuer()), ("anonymous", None));

    let (seen, exempt) = Seen::by(layer().exempt(|_| true));
    assert_eq!(send(&exempt, good()).status(), 204);
    let outcome = seen.one();
    assert!(outcome.is_exempt() && !outcome.is_accepted() && !outcome.is_refused());
    assert_eq!((outcome.as_str(), outcome.scheme()), ("exempt", None));
}

#[test]
fn several_observers_are_called_in_the_order_in_which_they_were_added() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let observer = |name: &'static str| {
        let calls = Arc::clone(&calls);
        move |outcome: &Outcome| calls.lock().unwrap().push((name, outcome.as_str()))
    };
    let layer = layer().on_outcome(observer("first")).on_outcome(observer("second"));
    send(&layer, good());
    assert_eq!(*calls.lock().unwrap(), [("first", "accepted"), ("second", "accepted")]);
}

#[test]
fn observer_of_a_clone_is_not_that_of_the_original() {
    let original = layer();
    let (seen, observed) = Seen::by(original.clone());
    send(&original, good());
    assert!(seen.take().is_empty());
    send(&observed, good());
    assert!(seen.one().is_accepted());
}

#[tokio::test]
async fn duration_has_the_time_that_the_verifier_waited_for() {
    const WAIT: Duration = Duration::from_millis(30);

    for is_good in [true, false] {
        let verifier = verify_async_fn(move |_: PresentedToken| async move {
            tokio::time::sleep(WAIT).await;
            if is_good { Ok(()) } else { Err(Rejection::invalid_token()) }
        });
        let (seen, layer) = Seen::by(JwtAuthLayer::new(verifier));
        send_later(&layer, bearer("abc")).await;
        let outcome = seen.one();
        assert_eq!(outcome.is_accepted(), is_good);
        let duration = outcome.duration().unwrap();
        assert!(duration >= WAIT && duration < Duration::from_secs(10), "{duration:?}");
        assert_eq!(outcome.issuer(), None, "the rule knows none");
    }
}

#[tokio::test]
async fn duration_has_no_time_of_the_inner_service() {
    const WORK: Duration = Duration::from_millis(300);

    let (seen, layer) = Seen::by(layer());
    let inner = tower::service_fn(async |_: Request<()>| {
        tokio::time::sleep(WORK).await;
        Ok::<_, std::convert::Infallible>(http::Response::new(()))
    });
    layer.layer(inner).oneshot(good()).await.unwrap();
    assert!(seen.one().duration().unwrap() < WORK);
}

#[test]
fn request_whose_future_is_dropped_has_no_outcome() {
    let verifier = verify_async_fn(async |_: PresentedToken| {
        std::future::pending::<()>().await;
        Ok(())
    });
    let (seen, layer) = Seen::by(JwtAuthLayer::new(verifier));
    assert!(send_later(&layer, bearer("abc")).now_or_never().is_none());
    assert!(seen.take().is_empty());
}

#[test]
fn issuer_is_the_one_of_the_configuration_and_never_of_the_token() {
    let key = key(Algorithm::ES256);
    let verifier = |issuer: &str| {
        JwtVerifier::new(issuer, AUDIENCE, key.verification_key()).unwrap().with_clock(now())
    };
    let issuers = IssuerSet::new();
    issuers.add(verifier("https://a.example")).unwrap();
    issuers.add(verifier("https://b.example")).unwrap();
    let template = IssuerTemplate::new("https://login.example/{tenant}/v2", move |found| {
        JwtVerifier::new(found.issuer(), AUDIENCE, key.verification_key())
            .map(|verifier| verifier.with_clock(now()))
    });
    issuers.add_template(template.unwrap().allow_if(|found| found.tenant() != "forbidden"));
    let (seen, layer) = Seen::by(JwtAuthLayer::new(issuers));

    let template = "https://login.example/{tenant}/v2";
    for (issuer, expected) in [
        ("https://a.example", Some("https://a.example")),
        ("https://b.example", Some("https://b.example")),
        ("https://login.example/one/v2", Some(template)),
        ("https://login.example/canary/v2", Some(template)),
        ("https://login.example/forbidden/v2", None),
        ("https://canary.example", None),
    ] {
        send(&layer, bearer(&key.token(&claims_with("iss", issuer))));
        let outcome = seen.one();
        assert_eq!(outcome.issuer(), expected, "{issuer}");
        assert_eq!(outcome.is_accepted(), expected.is_some(), "{issuer}");
    }
    // Refused by the verifier of an issuer of the set.
    let mut claims = claims_with("iss", "https://a.example");
    claims["aud"] = "https://other.example".into();
    send(&layer, bearer(&key.token(&claims)));
    let outcome = seen.one();
    assert_eq!(outcome.kind(), Some(RejectionKind::WrongAudience));
    assert_eq!(outcome.issuer(), Some("https://a.example"));
}

#[test]
fn verifier_of_several_names_is_one_issuer_and_one_of_any_issuer_is_none() {
    let key = key(Algorithm::ES256);
    let names = ["https://a.example", ISSUER];
    let verifier = JwtVerifier::new(names, AUDIENCE, key.verification_key()).unwrap();
    let (seen, layer) = Seen::by(JwtAuthLayer::<_>::new(verifier.with_clock(now())));
    send(&layer, good());
    assert_eq!(seen.one().issuer(), Some("https://a.example or https://issuer.example"));

    let any = tower_jwt_auth::ExpectedIssuer::dangerous_any();
    let verifier = JwtVerifier::new(any, AUDIENCE, key.verification_key()).unwrap();
    let (seen, layer) = Seen::by(JwtAuthLayer::<_>::new(verifier.with_clock(now())));
    send(&layer, good());
    assert_eq!(seen.one().issuer(), None);
}

#[test]
fn issuer_is_known_behind_a_custom_verifier_too() {
    /// API keys beside JWTs.
    struct Either(JwtVerifier);

    impl VerifyToken<tower_jwt_auth::RegisteredClaims> for Either {
        fn verify_token(
            &self,
            token: &PresentedToken,
            head: &http::request::Parts,
        ) -> Verification<tower_jwt_auth::RegisteredClaims> {
            match token.matches("an-api-key") {
                true => Verification::ready(Ok(Accepted::new(Default::default()))),
                false => self.0.verify_token(token, head),
            }
        }
    }

    let (seen, layer) = Seen::by(JwtAuthLayer::new(Either(key(Algorithm::ES256).verifier())));
    send(&layer, good());
    assert_eq!(seen.one().issuer(), Some(ISSUER));
    send(&layer, bearer("an-api-key"));
    let outcome = seen.one();
    assert!(outcome.is_accepted());
    assert_eq!(outcome.issuer(), None);
}

#[test]
fn each_of_two_nested_layers_has_its_own_outcome() {
    let (outer_seen, outer) = Seen::by(layer());
    let (inner_seen, inner) =
        Seen::by(JwtAuthLayer::new(verify_fn(|_: &PresentedToken| Ok(7_u32))).exempt(|_| true));
    let service = outer.layer(inner.layer(tower::service_fn(async |_: Request<()>| {
        Ok::<_, std::convert::Infallible>(http::Response::new(()))
    })));
    service.oneshot(good()).now_or_never().unwrap().unwrap();
    assert!(outer_seen.one().is_accepted());
    let outcome = inner_seen.one();
    assert!(outcome.is_exempt());
    assert_eq!((outcome.issuer(), outcome.scheme()), (None, None));
}

#[test]
fn panic_of_an_observer_lets_no_request_through() {
    let layer = layer().on_outcome(|_| panic!("a mistake of the observer"));
    let reached = Arc::new(Mutex::new(false));
    let inner = {
        let reached = Arc::clone(&reached);
        tower::service_fn(move |_: Request<()>| {
            *reached.lock().unwrap() = true;
            std::future::ready(Ok::<_, std::convert::Infallible>(http::Response::new(())))
        })
    };
    let service = layer.layer(inner);
    let call = move || service.oneshot(good()).now_or_never();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err());
    assert!(!*reached.lock().unwrap());
}

#[test]
fn layer_without_an_observer_leaves_nothing_in_a_request() {
    let extensions = |layer: &JwtAuthLayer| {
        let response = send(layer, good());
        crate::support::requests::reached(&response).unwrap().extensions.len()
    };
    let (_, observed) = Seen::by(layer());
    assert_eq!(extensions(&layer()) + 1, extensions(&observed));
}
