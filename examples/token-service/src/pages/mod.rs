//! The pages that people see: the login, the question whether to allow an application, the logout, and what went wrong.
//!
//! Templates escape what they show. No page has a script, none may be shown in a frame, and none is cached.

pub(crate) mod cookies;
pub(crate) mod form_tokens;
pub(crate) mod parameters;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use crate::Service;
use crate::failure_log::store_failed;
use crate::observe::facts;
use crate::store::StoreError;

/// A request with a larger body is refused unread.
pub(crate) const MAX_BODY: usize = 16 * 1024;

/// The style sheet. Its address is relative to the pages, so it works below a path too.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new().route("/pages/style.css", get(style))
}

async fn style() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=300"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, include_str!("style.css"))
}

/// The login page.
#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage<'a> {
    pub(crate) site: &'a str,
    pub(crate) client: &'a str,
    pub(crate) query: &'a str,
    pub(crate) form_token: &'a str,
    pub(crate) username: &'a str,
    pub(crate) max_length: usize,
    pub(crate) error: Option<&'a str>,
}

/// The page that asks whether a client may have what it asks for.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct ConsentPage<'a> {
    pub(crate) site: &'a str,
    pub(crate) client: &'a str,
    pub(crate) user: &'a str,
    /// Each with its meaning.
    pub(crate) scopes: &'a [(String, String)],
    pub(crate) resources: &'a [String],
    /// What is known of an application that is not registered here.
    pub(crate) unregistered: Option<Unregistered<'a>>,
    /// Where the browser goes next.
    pub(crate) destination: &'a str,
    pub(crate) query: &'a str,
    pub(crate) other_account: &'a str,
    pub(crate) form_token: &'a str,
}

/// An application that is not registered here.
pub(crate) struct Unregistered<'a> {
    /// Its ID.
    pub(crate) url: &'a str,
    pub(crate) claimed_name: Option<&'a str>,
    /// Whether it returns to the device, where any program could pretend to be it.
    pub(crate) can_be_taken: bool,
    /// Whether it returns to another site than its own.
    pub(crate) is_elsewhere: bool,
}

/// The page that asks whether to log out.
#[derive(Template)]
#[template(path = "logout.html")]
pub(crate) struct LogoutPage<'a> {
    pub(crate) site: &'a str,
    pub(crate) user: &'a str,
    pub(crate) fields: &'a [(&'a str, &'a str)],
    pub(crate) form_token: &'a str,
}

/// The page before a browser leaves for an address that nobody here has vouched for.
#[derive(Template)]
#[template(path = "leaving.html")]
struct LeavingPage<'a> {
    site: &'a str,
    why: &'a str,
    destination: &'a str,
    location: &'a str,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    site: &'a str,
    title: &'a str,
    text: &'a str,
    hint: Option<&'a str>,
    is_error: bool,
}

/// A page, whose forms may lead to `form_action` beside this service.
pub(crate) fn page(status: StatusCode, template: &impl Template, form_action: &str) -> Response {
    let Ok(html) = template.render() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let mut response = (status, Html(html)).into_response();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'self'{form_action}; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    private(&mut response);
    response
}

/// A page without a form.
pub(crate) fn message(service: &Service, title: &str, text: &str) -> Response {
    let site = service.site();
    let page_of = MessagePage { site: &site, title, text, hint: None, is_error: false };
    page(StatusCode::OK, &page_of, "")
}

/// The page for a request of an application that cannot be answered by a redirect.
pub(crate) fn bad_request(service: &Service, status: StatusCode, text: &str) -> Response {
    facts::refused("invalid_request");
    let page_of = MessagePage {
        site: &service.site(),
        title: "This request cannot be answered",
        text,
        hint: Some("Go back to the application and try again, or tell its developers."),
        is_error: true,
    };
    page(status, &page_of, "")
}

/// The page for a failure of the store.
pub(crate) fn unavailable(service: &Service, error: &StoreError) -> Response {
    store_failed(error);
    let page_of = MessagePage {
        site: &service.site(),
        title: "Try again later",
        text: "The service has a problem at the moment.",
        hint: None,
        is_error: true,
    };
    let mut response = page(StatusCode::SERVICE_UNAVAILABLE, &page_of, "");
    retry_after(&mut response, Duration::from_secs(5));
    response
}

/// The page that says why a request is refused, with a link by which the application learns of it.
pub(crate) fn leaving(service: &Service, why: &str, destination: &str, location: &str) -> Response {
    let page_of = LeavingPage { site: &service.site(), why, destination, location };
    page(StatusCode::BAD_REQUEST, &page_of, "")
}

/// The page for too many requests: of this address, which may come again after this time, or of all.
pub(crate) fn busy(service: &Service, wait: Option<Duration>) -> Response {
    let status = match wait {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::SERVICE_UNAVAILABLE,
    };
    let page_of = MessagePage {
        site: &service.site(),
        title: "Try again later",
        text: "There are too many requests at the moment.",
        hint: None,
        is_error: true,
    };
    let mut response = page(status, &page_of, "");
    retry_after(&mut response, wait.unwrap_or(Duration::from_secs(5)));
    response
}

/// The page for a body that was not read.
pub(crate) fn unreadable(service: &Service, rejection: &BytesRejection) -> Response {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            bad_request(service, StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")
        }
        _ => bad_request(service, StatusCode::BAD_REQUEST, "The form could not be read."),
    }
}

/// Adds `Retry-After`, in whole seconds, rounded up.
pub(crate) fn retry_after(response: &mut Response, wait: Duration) {
    let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}

/// A redirect that turns every method into GET (RFC 9700 section 4.12).
pub(crate) fn see_other(location: &str) -> Response {
    let Ok(location) = HeaderValue::try_from(location) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    private(&mut response);
    response
}

/// The address of a page may have a code or an ID token in it, and the page a name.
fn private(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
