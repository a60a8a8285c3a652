//! `/login`: the form on the login page.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

use super::refusal::Refusal;
use super::request::AuthorizationRequest;
use super::{again, redirect_uri};
use crate::Service;
use crate::form::Form;
use crate::login::LoginError;
use crate::pages::cookies::Cookies;
use crate::pages::parameters::Parameters;
use crate::pages::{self, LoginPage};
use crate::secret;
use crate::store::{Seconds, Session, StoreError, User};

/// The name of the form in its token.
const FORM: &str = "login";
/// Longer names and passwords are wrong without a check.
const MAX_CREDENTIAL: usize = 1024;
/// How long a session lasts.
const SESSION_LIFETIME: Seconds = 8 * 3600;

const WRONG: &str = "The username or the password is wrong.";
const OTHER_USER: &str = "The application asks for another user. Log in as that one.";

/// The login form.
// Only for the OpenAPI document. `Form` reads the request.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct LoginForm {
    /// From the page, for this browser and this request.
    form_token: String,
    username: String,
    #[schema(format = Password)]
    password: String,
}

/// What the page says above its form, with the status.
pub(super) struct Problem {
    status: StatusCode,
    text: String,
    retry_after: Option<Duration>,
    username: String,
}

/// The login page, shown again
///
/// It redirects to the authorization request in its query.
#[utoipa::path(
    get, path = "/login", tag = "pages", security(()),
    responses((status = 303, description = "To the authorization request",
        headers(("Location" = String, description = "The request")))),
)]
pub(crate) async fn login_again(RawQuery(query): RawQuery) -> Response {
    again(query.as_deref())
}

/// Log in, by the form on the login page
///
/// The query is the authorization request.
#[utoipa::path(
    post, path = "/login", tag = "pages", security(()),
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "To the authorization request, with the cookie of a session; or to \
            the client, with an error",
            headers(("Location" = String, description = "The request, or the redirect URI with the response"))),
        (status = 400, description = "The request is malformed, or the form is not the one that this browser \
            was shown", body = String, content_type = "text/html"),
        (status = 403, description = "The username or the password is wrong, or the application asks for another \
            user", body = String, content_type = "text/html"),
        (status = 413, description = "The body is too large", body = String, content_type = "text/html"),
        (status = 429, description = "Too many wrong passwords", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
        (status = 503, description = "Too many logins at once", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(crate) async fn login(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    jar: CookieJar,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return pages::unreadable(&service, &rejection),
    };
    let response = answer(&service, address, query.as_deref(), &headers, jar, &body).await;
    response.unwrap_or_else(|refusal| refusal.respond(&service))
}

async fn answer(
    service: &Service,
    address: SocketAddr,
    query: Option<&str>,
    headers: &HeaderMap,
    jar: CookieJar,
    body: &[u8],
) -> Result<Response, Refusal> {
    let parameters = Parameters::from_query(query).map_err(Refusal::Page)?;
    let request = AuthorizationRequest::read(service, parameters, address.ip()).await?;
    let form = Form::read(headers, body).map_err(|_| Refusal::Page("The form is malformed."))?;
    let username = form.get("username").unwrap_or_default();
    let problem = |status, text: &str| Problem {
        status,
        text: text.to_owned(),
        retry_after: None,
        username: username.to_owned(),
    };
    let show = |jar, problem| Ok(page(service, jar, &request, Some(problem)));

    let cookies = Cookies::of(service);
    let is_of_this_browser = cookies.browser(&jar).is_some_and(|browser| {
        let token = form.get("form_token").unwrap_or_default();
        service.forms.is_right(token, FORM, browser, &request.parameters.to_query())
    });
    if !is_of_this_browser {
        let text = "The page was out of date, or this browser has no cookies. Log in again.";
        return show(jar, problem(StatusCode::BAD_REQUEST, text));
    }

    let password = form.get("password").unwrap_or_default();
    if username.is_empty() || password.is_empty() {
        return show(jar, problem(StatusCode::FORBIDDEN, "Enter a username and a password."));
    }
    // No user has such a name, and not every database can look for one.
    let is_name = !username.contains(char::is_control);
    if !is_name || username.len().max(password.len()) > MAX_CREDENTIAL {
        return show(jar, problem(StatusCode::FORBIDDEN, WRONG));
    }
    let login = Arc::clone(&service.login);
    let user = match login.check(username.to_owned(), password.to_owned(), address.ip()).await {
        Ok(user) => user,
        Err(LoginError::Store(error)) => return Err(Refusal::Store(error)),
        Err(LoginError::Wrong) => return show(jar, problem(StatusCode::FORBIDDEN, WRONG)),
        Err(LoginError::TooMany(wait)) => {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            let unit = if seconds == 1 { "second" } else { "seconds" };
            let text = format!("Too many wrong passwords. Try again in {seconds} {unit}.");
            let problem = problem(StatusCode::TOO_MANY_REQUESTS, &text);
            return show(jar, Problem { retry_after: Some(wait), ..problem });
        }
        Err(LoginError::Busy) => {
            let text = "Too many people log in at the moment. Try again.";
            let problem = problem(StatusCode::SERVICE_UNAVAILABLE, text);
            let wait = Some(Duration::from_secs(5));
            return show(jar, Problem { retry_after: wait, ..problem });
        }
    };
    if request.is_for_another(&user.name) {
        return show(jar, problem(StatusCode::FORBIDDEN, OTHER_USER));
    }
    let Some(cookie) = start_session(service, &jar, &user).await? else {
        return show(jar, problem(StatusCode::FORBIDDEN, WRONG));
    };
    let location = format!("authorize?{}", request.after_login().to_query());
    Ok((cookies.set_session(jar, cookie), pages::see_other(&location)).into_response())
}

/// Starts a session, and returns its new cookie; `None` if the password is no longer that of the user. The earlier cookie of this browser is not valid after that.
///
/// If the same user logs in again, the session stays: the `sid` of ID tokens is the same, and a logout ends what was
/// granted before, too. If another one does, the earlier session is deleted; what its user has granted stays, because
/// nobody asked to log that one out.
async fn start_session(
    service: &Service,
    jar: &CookieJar,
    user: &User,
) -> Result<Option<String>, StoreError> {
    let earlier = Cookies::of(service).session(service, jar).await?;
    let (own, other): (Vec<_>, Vec<_>) =
        earlier.into_iter().partition(|(session, _)| session.user == user.name);
    let id = own.into_iter().next().map_or_else(secret::random_id, |(session, _)| session.id);
    let (cookie, now) = (secret::random(), service.now());
    let session = Session {
        cookie_hash: secret::hash(&cookie),
        id,
        user: user.name.clone(),
        authenticated_at: now,
        expires_at: now.saturating_add(SESSION_LIFETIME),
    };
    let is_added = service.store.add_session(&session, &user.password_hash).await?;
    for (session, _) in other {
        service.store.leave_session(&session.id).await?;
    }
    Ok(is_added.then_some(cookie))
}

/// The login page.
pub(super) fn page(
    service: &Service,
    jar: CookieJar,
    request: &AuthorizationRequest,
    problem: Option<Problem>,
) -> Response {
    let (jar, browser) = Cookies::of(service).ensure_browser(jar);
    let query = request.parameters.to_query();
    let hint = request.login_hint.as_deref().unwrap_or_default();
    let page = LoginPage {
        site: &service.site(),
        client: &request.client.name,
        query: &query,
        form_token: &service.forms.token(FORM, &browser, &query),
        username: problem.as_ref().map_or(hint, |problem| &problem.username),
        max_length: MAX_CREDENTIAL,
        error: problem.as_ref().map(|problem| problem.text.as_str()),
    };
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let form_action = redirect_uri::form_action(&request.return_to.redirect_uri);
    let mut response = pages::page(status, &page, &form_action);
    if let Some(wait) = problem.and_then(|problem| problem.retry_after) {
        pages::retry_after(&mut response, wait);
    }
    (jar, response).into_response()
}
