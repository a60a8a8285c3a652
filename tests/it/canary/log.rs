//! What the log of refused requests shows.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::json;
use tower_jwt_auth::{
    Algorithm, FixedClock, JwtAuthLayer, JwtVerifier, KeyLookup, KeyQuery, KeySource,
    KeySourceError, NumericDate, PresentedToken, Rejection, RejectionKind, verify_async_fn,
};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::{CLAIM, Canaries, Claims, answers, canaries_of, layer, refused};
use crate::support::requests::{bearer, refusal, request, send};
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, key, now};

#[derive(Clone, Debug)]
struct Line {
    level: Level,
    target: String,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| &**value)
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

/// Keeps everything, spans and TRACE too.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Line>>>);

impl Capture {
    fn keep(&self, metadata: &tracing::Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let target = metadata.target().to_owned();
        let mut line = Line { level: *metadata.level(), target, fields: Vec::new() };
        record(&mut line);
        self.0.lock().unwrap().push(line);
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Capture {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        self.keep(event.metadata(), |line| event.record(line));
    }

    fn on_new_span(&self, span: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
        self.keep(span.metadata(), |line| span.record(line));
    }
}

/// What is logged while this runs.
///
/// The line of a layer that becomes a service is left out: `canary::observe` looks at it.
fn logged<T>(run: impl FnOnce() -> T) -> (T, Vec<Line>) {
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let guard = crate::support::log::subscribe(subscriber);
    let result = run();
    drop(guard);
    let mut lines = std::mem::take(&mut *capture.0.lock().unwrap());
    lines.retain(|line| line.field("accepts").is_none());
    (result, lines)
}

/// The one event of a refused request.
fn event_of(layer: &JwtAuthLayer<Claims>, request: Request<()>) -> Line {
    let (response, lines) = logged(|| send(layer, request));
    let kind = refusal(&response).expect("refused");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line.level, Level::DEBUG);
    assert_eq!(line.target, "tower_jwt_auth");
    assert_eq!(line.field("reason"), Some(&*format!("{kind:?}")));
    line.clone()
}

#[test]
fn one_debug_event_for_each_refused_request_and_no_canary_in_it() {
    for algorithm in [Algorithm::HS256, Algorithm::ES256] {
        let key = key(algorithm);
        for (token, request) in refused(key) {
            let canaries = canaries_of(key).token(&token);
            canaries.debug(event_of(&layer(key), request.clone()));
            // One each, in whatever form it is answered.
            let (answers, lines) = logged(|| answers(&layer(key), &request));
            assert_eq!(lines.len(), answers.len());
            canaries.debug(lines);
        }
    }
}

#[test]
fn accepted_requests_and_those_that_pass_are_not_logged() {
    let key = key(Algorithm::ES256);
    let good = bearer(&key.token(&claims()));
    let (response, lines) = logged(|| send(&layer(key), good));
    assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
    let (response, lines) = logged(|| send(&layer(key).optional(), request([""; 0])));
    assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
    let (response, lines) = logged(|| send(&layer(key).exempt(|_| true), bearer("bad")));
    assert_eq!((response.status().as_u16(), lines.len()), (204, 0));
}

#[test]
fn the_event_says_what_was_expected_and_never_what_came() {
    let key = key(Algorithm::ES256);
    let verifier = JwtVerifier::new(
        ["https://a.example", "https://b.example"],
        ["orders", "invoices"],
        key.verification_key(),
    );
    let layer = JwtAuthLayer::new(verifier.unwrap().with_claims().with_clock(now()));
    let mut foreign = claims_with("iss", CLAIM);
    let line = event_of(&layer, bearer(&key.token(&foreign)));
    assert_eq!(line.field("reason"), Some("WrongIssuer"));
    assert_eq!(line.field("expected"), Some("https://a.example or https://b.example"));

    foreign["iss"] = "https://a.example".into();
    foreign["aud"] = json!([CLAIM, AUDIENCE]);
    let line = event_of(&layer, bearer(&key.token(&foreign)));
    assert_eq!(line.field("reason"), Some("WrongAudience"));
    assert_eq!(line.field("expected"), Some("orders or invoices"));
    Canaries::new().debug(&line);
    assert!(!format!("{line:?}").contains(AUDIENCE));

    let late = FixedClock(NumericDate::from_unix_seconds(NOW + 10_000));
    let layer = JwtAuthLayer::new(key.verifier().with_claims::<Claims>().with_clock(late));
    let line = event_of(&layer, bearer(&key.token(&claims())));
    assert_eq!(line.field("reason"), Some("ExpiredToken"));
    assert_eq!(line.field("expected"), None);
}

#[test]
fn an_outage_is_one_event_too_and_names_the_cause_for_the_operator() {
    #[derive(Debug)]
    struct Down;

    impl KeySource for Down {
        fn find_key(&self, _: &KeyQuery<'_>) -> KeyLookup {
            KeyLookup::ready(Err(KeySourceError::new("the vault is sealed")))
        }
    }

    let key = key(Algorithm::ES256);
    let token = key.token(&claims());
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, Down).unwrap().with_claims();
    let layer = JwtAuthLayer::new(verifier.clone());
    let line = event_of(&layer, bearer(&token));
    assert_eq!(line.field("reason"), Some("Unavailable"));
    assert_eq!(line.field("error"), Some("the vault is sealed"));
    canaries_of(key).token(&token).debug(&line);
    // The client is told nothing of it.
    for response in answers(&layer, &bearer(&token)) {
        assert_eq!(refusal(&response), Some(RejectionKind::Unavailable));
        assert!(!format!("{:?}", response.headers()).contains("vault"));
        assert!(!String::from_utf8_lossy(response.body()).contains("vault"));
    }
    // Without a request, the cause is the rejection's source.
    let rejection = verifier.verify_now(&token).map(|_| ()).unwrap_err();
    let cause = std::error::Error::source(&rejection).unwrap();
    assert_eq!(cause.to_string(), "the vault is sealed");
}

#[tokio::test]
async fn a_refusal_after_a_wait_is_one_event() {
    let verify = async |_: PresentedToken| {
        tokio::task::yield_now().await;
        Err::<(), _>(Rejection::invalid_token())
    };
    let layer = JwtAuthLayer::new(verify_async_fn(verify));
    let capture = Capture::default();
    let subscriber = tracing_subscriber::registry().with(capture.clone());
    let guard = crate::support::log::subscribe(subscriber);
    let response = crate::support::requests::send_later(&layer, bearer(CLAIM)).await;
    drop(guard);
    assert_eq!(refusal(&response), Some(RejectionKind::InvalidToken));
    let lines = capture.0.lock().unwrap();
    let is_ours = |line: &&Line| line.target == "tower_jwt_auth" && line.field("accepts").is_none();
    let ours: Vec<_> = lines.iter().filter(is_ours).collect();
    assert_eq!(ours.len(), 1);
    Canaries::new().debug(&ours);
}
