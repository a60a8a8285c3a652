//! `/logout`: the end of a session (OpenID Connect RP-Initiated Logout 1.0). What was granted in the session ends too.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::Service;
use crate::authorize::redirect_uri;
use crate::id_token_hint::{self, IdTokenHint};
use crate::observe::meters::{self, Revoked};
use crate::pages::cookies::Cookies;
use crate::pages::parameters::{Parameters, Repeated};
use crate::pages::{self, LogoutPage};
use crate::store::{Session, StoreError};

/// The name of the form in its token.
const FORM: &str = "logout";

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/logout", get(logout).post(logout_form))
        .layer(DefaultBodyLimit::max(pages::MAX_BODY))
}

/// A logout request.
// Only for the OpenAPI document. `LogoutRequest` reads the parameters.
#[derive(Debug, Deserialize, utoipa::IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct LogoutParameters {
    /// An ID token of this browser's session, also an expired one. Without it the user is asked.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    id_token_hint: Option<String>,
    #[param(nullable = false)]
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// As registered, of the client of the ID token or of `client_id`.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    post_logout_redirect_uri: Option<String>,
    /// Returned as it is.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    state: Option<String>,
    /// From the page that asks, for this session.
    #[param(ignore)]
    #[schema(nullable = false)]
    form_token: Option<String>,
}

/// Why there is no logout.
enum Refusal {
    Page(&'static str),
    Store(StoreError),
}

impl Refusal {
    fn respond(self, service: &Service) -> Response {
        match self {
            Self::Page(why) => pages::bad_request(service, StatusCode::BAD_REQUEST, why),
            Self::Store(error) => pages::unavailable(service, &error),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Repeated> for Refusal {
    fn from(_: Repeated) -> Self {
        Self::Page("A parameter is given twice.")
    }
}

/// Log out
///
/// With an ID token of this browser's session, it ends at once, and what was granted in it. Otherwise a page asks. A
/// browser without a session ends none.
#[utoipa::path(
    get, path = "/logout", tag = "pages", security(()), params(LogoutParameters),
    responses(
        (status = 200, description = "A page that asks, or says that the user is logged out", body = String,
            content_type = "text/html"),
        (status = 303, description = "To the client",
            headers(("Location" = String, description = "The URI, with the state"))),
        (status = 400, description = "The client or the URI is unknown", body = String, content_type = "text/html"),
        (status = 503, description = "The store does not answer", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(crate) async fn logout(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let response = match Parameters::from_query(query.as_deref()) {
        Ok(parameters) => answer(&service, jar, &parameters).await,
        Err(why) => Err(Refusal::Page(why)),
    };
    response.unwrap_or_else(|refusal| refusal.respond(&service))
}

/// Log out, by a form
///
/// The form of the page that asks. A client's form becomes the same request by GET, with which the browser sends its
/// cookies.
#[utoipa::path(
    post, path = "/logout", tag = "pages", security(()),
    request_body(content = LogoutParameters, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page that says that the user is logged out", body = String,
            content_type = "text/html"),
        (status = 303, description = "To the client, or to the same request by GET",
            headers(("Location" = String, description = "The URI, with the state; or the request"))),
        (status = 400, description = "The client or the URI is unknown", body = String, content_type = "text/html"),
        (status = 413, description = "The body is too large", body = String, content_type = "text/html"),
        (status = 503, description = "The store does not answer", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(crate) async fn logout_form(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    jar: CookieJar,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let response = match body {
        Ok(body) => match Parameters::from_form(&headers, &body) {
            Ok(parameters) => answer_form(&service, jar, parameters).await,
            Err(why) => Err(Refusal::Page(why)),
        },
        Err(rejection) => return pages::unreadable(&service, &rejection),
    };
    response.unwrap_or_else(|refusal| refusal.respond(&service))
}

/// The form of the page that asks ends the session. Any other form may come from another site, and then the browser has
/// left out its cookies: it becomes the same request by GET, with which they are sent.
async fn answer_form(
    service: &Service,
    jar: CookieJar,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    let cookies = Cookies::of(service);
    if let Some(token) = parameters.one("form_token")?
        && let Some((session, cookie)) = cookies.session(service, &jar).await?
        && service.forms.is_right(token, FORM, &cookie, &session.id)
    {
        let hint = parameters.one("id_token_hint")?;
        let hint = hint.and_then(|token| id_token_hint::read(service, token));
        let return_to = return_to(service, &parameters, hint.as_ref()).await?;
        service.store.end_session(&session.id, service.now()).await?;
        meters::revoked(Revoked::Session);
        return Ok(logged_out(service, jar, return_to.as_deref()));
    }
    let query = parameters.without("form_token").to_query();
    Ok(pages::see_other(&format!("logout?{query}")))
}

async fn answer(
    service: &Service,
    jar: CookieJar,
    parameters: &Parameters,
) -> Result<Response, Refusal> {
    let hint = parameters.one("id_token_hint")?;
    // A hint that cannot be verified, such as one from a key that is gone, is as good as none: the user is asked.
    let hint = hint.and_then(|token| id_token_hint::read(service, token));
    let return_to = return_to(service, parameters, hint.as_ref()).await?;

    let cookies = Cookies::of(service);
    let current = cookies.session(service, &jar).await?;
    if let Some((session, cookie)) = current {
        // Many may have seen an ID token, also long ago: alone it ends no session. It must be of this browser's.
        if hint.and_then(|hint| hint.session).as_ref() != Some(&session.id) {
            return ask(service, parameters, &session, &cookie, return_to.as_deref());
        }
        service.store.end_session(&session.id, service.now()).await?;
        meters::revoked(Revoked::Session);
    } else if let Some(IdTokenHint { client, session: Some(session), .. }) = hint {
        // The session has ended before. What its client was granted in it lasts longer, and ends now.
        service.store.revoke_grants_in(&session, &client, service.now()).await?;
    }
    Ok(logged_out(service, jar, return_to.as_deref()))
}

/// After the logout: back to the client, or a page that says so.
fn logged_out(service: &Service, jar: CookieJar, return_to: Option<&str>) -> Response {
    let response = match return_to {
        Some(uri) => pages::see_other(uri),
        None => pages::message(service, "You are logged out", "You can close this page."),
    };
    (Cookies::of(service).clear_session(jar), response).into_response()
}

/// The URI that the client is told by, with the `state`; `None` if it asks for none, or nobody knows who asks.
async fn return_to(
    service: &Service,
    parameters: &Parameters,
    hint: Option<&IdTokenHint>,
) -> Result<Option<String>, Refusal> {
    let id = parameters.one("client_id")?;
    let of_hint = hint.map(|hint| hint.client.as_str());
    if id.is_some() && of_hint.is_some() && id != of_hint {
        return Err(Refusal::Page("The ID token is that of another application."));
    }
    let client = match id.or(of_hint) {
        Some(id) => service.client(id).await?,
        None => None,
    };
    // Nothing is fetched for a logout, and a client that is not registered has no such URI.
    let is_unknown = |id: &str| client.is_none() && !service.documents.is_client_id(id);
    if id.is_some_and(is_unknown) {
        return Err(Refusal::Page("The application is not registered here."));
    }
    let state = parameters.one("state")?.map(|state| ("state", state));
    let Some(uri) = parameters.one("post_logout_redirect_uri")? else { return Ok(None) };
    let Some(client) = client else {
        // The hint may be older than the keys of this service. That is no reason to keep the user logged in, but nothing
        // vouches for the URI.
        if parameters.one("id_token_hint")?.is_some() {
            return Ok(None);
        }
        return Err(Refusal::Page("It is not known which application this is."));
    };
    if !client.post_logout_redirect_uris.iter().any(|one| one == uri) {
        return Err(Refusal::Page(
            "The post_logout_redirect_uri is not registered for this application.",
        ));
    }
    Ok(Some(redirect_uri::with_query(uri, state.into_iter())))
}

/// The page that asks. Its form has what the client asked for.
fn ask(
    service: &Service,
    parameters: &Parameters,
    session: &Session,
    cookie: &str,
    return_to: Option<&str>,
) -> Result<Response, Refusal> {
    let mut fields = Vec::new();
    for name in ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"] {
        if let Some(value) = parameters.one(name)? {
            fields.push((name, value));
        }
    }
    let page = LogoutPage {
        site: &service.site(),
        user: &session.user,
        fields: &fields,
        form_token: &service.forms.token(FORM, cookie, &session.id),
    };
    let form_action = return_to.map(redirect_uri::form_action).unwrap_or_default();
    Ok(pages::page(StatusCode::OK, &page, &form_action))
}
