//! Sends the requests, one after the other.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::test_util::protection::attack::Attack;
use crate::test_util::protection::credential::Credential;
use crate::test_util::protection::good_token::GoodToken;
use crate::test_util::protection::report::{
    LeftOut, ProtectionFault, ProtectionFinding, ProtectionReport,
};
use crate::test_util::protection::requests::ProtectedRequests;
use crate::test_util::protection::response::{Answer, Expected};
use crate::test_util::protection::sent_body::SentBody;

const GOOD: &str = "the good token";
const BEFORE: &str = "the good token, which an attack of the group `cache` changes";
const GOOD_AFTER: &str = "the good token, after the attacks";
const OPEN: &str = "an open request without a token";

/// From this length, a request may be refused for its length.
const LONG: usize = 4 * 1024;

/// Why there is no response.
enum Failure {
    Error(String),
    Panic(String),
}

pub(super) async fn run<S, B, R>(mut app: S, requests: &ProtectedRequests<B>) -> ProtectionReport
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut report = ProtectionReport::new(requests);
    for request in &requests.open {
        let answer = send(&mut app, requests, request.clone()).await;
        let is_success = answer.as_ref().is_ok_and(Answer::is_success);
        report.extend(succeeded(answer, is_success, OPEN, request));
    }
    for request in &requests.protected {
        let first = good(&mut app, requests, request, GOOD).await;
        if let Some(finding) = first {
            // A service that refuses everything is not protected, but out of order.
            report.extend(Some(finding));
            continue;
        }
        for attack in Attack::all() {
            if attack.is_strict() && requests.without_strict.is_some() {
                report.skip_strict();
                continue;
            }
            let token = requests.good.good();
            let made = attack.make(&requests.good, &token);
            let is_cookie = made.as_ref().is_some_and(Credential::is_cookie);
            let sent = made.and_then(|made| made.into_request(request, &requests.place));
            let Some(sent) = sent else {
                report.leave_out(attack, why_left_out(attack, &requests.good));
                continue;
            };
            if attack.needs_accepted() {
                let refused = accepted(&mut app, requests, request, token, BEFORE).await;
                report.extend(refused);
            }
            let is_long = attack.is_long() || length_of(&sent) > LONG;
            let answer = send(&mut app, requests, sent).await;
            let finding = fault_of(answer, attack, &Expected { is_long, is_cookie }, request);
            report.add(attack, &line_of(request), finding);
        }
        report.extend(good(&mut app, requests, request, GOOD_AFTER).await);
    }
    report.finish();
    report
}

/// Sends a good token.
async fn good<S, B, R>(
    app: &mut S,
    requests: &ProtectedRequests<B>,
    request: &Request<Bytes>,
    name: &'static str,
) -> Option<ProtectionFinding>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    accepted(app, requests, request, requests.good.good(), name).await
}

/// Sends this good token.
async fn accepted<S, B, R>(
    app: &mut S,
    requests: &ProtectedRequests<B>,
    request: &Request<Bytes>,
    token: String,
    name: &'static str,
) -> Option<ProtectionFinding>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let answer = match Credential::Bearer(token).into_request(request, &requests.place) {
        Some(sent) => send(app, requests, sent).await,
        None => Err(Failure::Error("no request can have the good token in this place".to_owned())),
    };
    let is_success = answer.as_ref().is_ok_and(Answer::is_success_with_token);
    succeeded(answer, is_success, name, request)
}

/// Sends a request. A panic of the service is caught, so that the report can name the attack.
async fn send<S, B, R>(
    app: &mut S,
    requests: &ProtectedRequests<B>,
    request: Request<Bytes>,
) -> Result<Answer, Failure>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let response = async {
        poll_fn(|context| app.poll_ready(context)).await?;
        let request = request.map(|body| (requests.make_body)(SentBody::from(body)));
        app.call(request).await
    };
    let mut response = pin!(response);
    let result = poll_fn(|context| {
        let poll = AssertUnwindSafe(|| response.as_mut().poll(context));
        match catch_unwind(poll) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(Failure::Panic(panic_text(&*panic)))),
        }
    });
    match result.await? {
        Ok(response) => Ok(Answer::of(response, requests.refused_by.as_ref())),
        Err(error) => Err(Failure::Error(without_tokens(&error.into().to_string()))),
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    without_tokens(text.unwrap_or_default())
}

/// The finding, if a request that must succeed did not.
fn succeeded(
    answer: Result<Answer, Failure>,
    is_success: bool,
    name: &'static str,
    request: &Request<Bytes>,
) -> Option<ProtectionFinding> {
    if is_success {
        return None;
    }
    let fault = match name {
        OPEN => ProtectionFault::OpenRequestRefused,
        _ => ProtectionFault::GoodTokenRefused,
    };
    let response = match answer {
        Ok(answer) => answer.to_string(),
        Err(failure) => failure.to_string(),
    };
    Some(ProtectionFinding::new(name, Cow::Borrowed(""), fault, line_of(request), response))
}

/// The finding, if an attack was not refused as it should be.
fn fault_of(
    answer: Result<Answer, Failure>,
    attack: &'static Attack,
    expected: &Expected,
    request: &Request<Bytes>,
) -> Option<ProtectionFinding> {
    let (fault, response) = match answer {
        Ok(answer) => (answer.fault(expected)?, answer.to_string()),
        // The connection may be closed while the request is sent.
        Err(Failure::Error(_)) if attack.is_long() => return None,
        Err(failure) => (ProtectionFault::NoResponse, failure.to_string()),
    };
    let (name, reason) = (attack.name(), Cow::Borrowed(attack.reason()));
    Some(ProtectionFinding::new(name, reason, fault, line_of(request), response))
}

fn why_left_out(attack: &Attack, good: &GoodToken) -> LeftOut {
    let is_made = |good: &GoodToken| attack.make(good, &good.good()).is_some();
    if is_made(good) {
        LeftOut::NotApplicable
    } else if !good.can_sign() && is_made(&good.with_any_signer()) {
        LeftOut::NoSigner
    } else if attack.group() == "public key" && !good.is_symmetric() && good.public_key().is_none()
    {
        LeftOut::NoPublicKey
    } else {
        LeftOut::NotApplicable
    }
}

/// The length of the line and the headers of a request, about.
fn length_of(request: &Request<Bytes>) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let lengths =
        request.headers().iter().flat_map(|(name, value)| [name.as_str().len(), value.len()]);
    lengths.fold(path, usize::saturating_add)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(text) => write!(f, "no response: {text}"),
            Self::Panic(text) => write!(f, "no response, the service panicked: {text}"),
        }
    }
}

pub(super) fn line_of(request: &Request<Bytes>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

/// The text of an error, in which each run of characters that could be a token is cut out.
fn without_tokens(text: &str) -> String {
    const LONGEST: usize = 40;

    let is_token_char = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let mut shown = String::new();
    let mut run = String::new();
    for c in text.chars().chain([' ']) {
        if is_token_char(c) {
            run.push(c);
            continue;
        }
        shown.push_str(if run.len() > LONGEST { "…" } else { &run });
        shown.push(c);
        run.clear();
    }
    shown.truncate(shown.trim_end().len());
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_an_error_shows_no_token() {
        let token = format!("eyJh.{}.c2ln", "a".repeat(60));
        let text = format!("no connection for http://127.0.0.1/a?access_token={token}, sorry");
        let shown = without_tokens(&text);
        assert_eq!(shown, "no connection for http://127.0.0.1/a?…, sorry");
        assert_eq!(without_tokens("the port is closed"), "the port is closed");
    }
}
