//! Sends the requests, one after the other.

use std::borrow::Cow;
use std::error::Error;
use std::future::poll_fn;

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use crate::test_util::protection::attack::Attack;
use crate::test_util::protection::credential::Credential;
use crate::test_util::protection::report::{ProtectionFault, ProtectionFinding, ProtectionReport};
use crate::test_util::protection::requests::ProtectedRequests;
use crate::test_util::protection::response::Answer;
use crate::test_util::protection::sent_body::SentBody;

const GOOD: &str = "the good token";
const GOOD_AFTER: &str = "the good token, after the attacks";
const OPEN: &str = "an open request without a token";

pub(super) async fn run<S, B, R>(mut app: S, requests: &ProtectedRequests<B>) -> ProtectionReport
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut report = ProtectionReport::new(requests.protected.len(), requests.allowed.clone());
    for request in &requests.open {
        let answer = send(&mut app, requests, request.clone()).await;
        let refused = ProtectionFault::OpenRequestRefused;
        report.extend(succeeded(answer, OPEN, refused, request));
    }
    for request in &requests.protected {
        let place = requests.place.as_ref();
        let good = || Credential::Bearer(requests.good.good()).into_request(request, place);
        let Some(sent) = good() else { continue };
        let answer = send(&mut app, requests, sent).await;
        let refused = ProtectionFault::GoodTokenRefused;
        if let Some(finding) = succeeded(answer, GOOD, refused, request) {
            // A service that refuses everything is not protected, but out of order.
            report.extend(Some(finding));
            continue;
        }
        for attack in Attack::all() {
            let credential = attack.make(&requests.good);
            match credential.and_then(|credential| credential.into_request(request, place)) {
                Some(sent) => {
                    let answer = send(&mut app, requests, sent).await;
                    report.add(attack, fault_of(answer, attack, request));
                }
                None => report.leave_out(attack),
            }
        }
        if let Some(sent) = good() {
            let answer = send(&mut app, requests, sent).await;
            report.extend(succeeded(answer, GOOD_AFTER, refused, request));
        }
    }
    report.finish();
    report
}

async fn send<S, B, R>(
    app: &mut S,
    requests: &ProtectedRequests<B>,
    request: Request<Bytes>,
) -> Result<Answer, String>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let failed = |error: S::Error| without_tokens(&error.into().to_string());
    poll_fn(|context| app.poll_ready(context)).await.map_err(failed)?;
    let request = request.map(|body| (requests.make_body)(SentBody::from(body)));
    let response = app.call(request).await.map_err(failed)?;
    Ok(Answer::of(&response))
}

/// The finding, if a request that must succeed did not.
fn succeeded(
    answer: Result<Answer, String>,
    name: &'static str,
    fault: ProtectionFault,
    request: &Request<Bytes>,
) -> Option<ProtectionFinding> {
    let response = match answer {
        Ok(answer) if answer.is_success() => return None,
        Ok(answer) => answer.to_string(),
        Err(error) => format!("no response: {error}"),
    };
    Some(ProtectionFinding::new(name, Cow::Borrowed(""), fault, line_of(request), response))
}

/// The finding, if an attack was not refused as it should be.
fn fault_of(
    answer: Result<Answer, String>,
    attack: &'static Attack,
    request: &Request<Bytes>,
) -> Option<ProtectionFinding> {
    let (fault, response) = match answer {
        Ok(answer) => (answer.fault(attack.is_long())?, answer.to_string()),
        // The connection may be closed while the request is sent.
        Err(_) if attack.is_long() => return None,
        Err(error) => (ProtectionFault::NoResponse, format!("no response: {error}")),
    };
    let (name, reason) = (attack.name(), Cow::Borrowed(attack.reason()));
    Some(ProtectionFinding::new(name, reason, fault, line_of(request), response))
}

fn line_of(request: &Request<Bytes>) -> String {
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
        assert_eq!(shown, "no connection for http:…?…, sorry");
        assert_eq!(without_tokens("the port is closed"), "the port is closed");
    }
}
