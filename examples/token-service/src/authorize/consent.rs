//! `/consent`: the question whether a client may have what it asks for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

use super::refusal::{Code, Refusal};
use super::request::AuthorizationRequest;
use super::{again, issue_code, redirect_uri, scopes as meanings};
use crate::Service;
use crate::form::Form;
use crate::pages::cookies::Cookies;
use crate::pages::parameters::Parameters;
use crate::pages::{self, ConsentPage};
use crate::store::{Session, StoreError};

/// The name of the form in its token.
const FORM: &str = "consent";

/// The form that asks.
// Only for the OpenAPI document. `Form` reads the request.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct ConsentForm {
    /// From the page, for this session, this request and what the page shows.
    form_token: String,
    #[schema(pattern = "^(allow|deny)$")]
    decision: String,
}

/// The question, shown again
///
/// It redirects to the authorization request in its query.
#[utoipa::path(
    get, path = "/consent", tag = "pages", security(()),
    responses((status = 303, description = "To the authorization request",
        headers(("Location" = String, description = "The request")))),
)]
pub(crate) async fn consent_again(RawQuery(query): RawQuery) -> Response {
    again(query.as_deref())
}

/// Allow or deny what a client asks for, by the form on the page
///
/// The query is the authorization request.
#[utoipa::path(
    post, path = "/consent", tag = "pages", security(()),
    request_body(content = ConsentForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "To the client, with a code or an error; or to the login, if the session \
            has ended",
            headers(("Location" = String, description = "The redirect URI with the response"))),
        (status = 400, description = "The request is malformed, or the form is not the one that this browser \
            was shown", body = String, content_type = "text/html"),
        (status = 413, description = "The body is too large", body = String, content_type = "text/html"),
        (status = 503, description = "The store does not answer", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(crate) async fn consent(
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
    let response = answer(&service, address.ip(), query.as_deref(), &headers, &jar, &body).await;
    response.unwrap_or_else(|refusal| refusal.respond(&service))
}

async fn answer(
    service: &Service,
    address: IpAddr,
    query: Option<&str>,
    headers: &HeaderMap,
    jar: &CookieJar,
    body: &[u8],
) -> Result<Response, Refusal> {
    let parameters = Parameters::from_query(query).map_err(Refusal::Page)?;
    let request = AuthorizationRequest::read(service, parameters, address).await?;
    let form = Form::read(headers, body).map_err(|_| Refusal::Page("The form is malformed."))?;
    let query = request.parameters.to_query();
    // The login may have become too old while the page was open.
    let session = Cookies::of(service).session(service, jar).await?;
    let session =
        session.filter(|(session, _)| !request.needs_login_after_consent(session, service.now()));
    let Some((session, cookie)) = session else {
        return Ok(again(Some(&query)));
    };
    let scopes = scopes(service, &request, &session).await?;
    let token = form.get("form_token").unwrap_or_default();
    if !service.forms.is_right(token, FORM, &cookie, &shown(&request, &scopes)) {
        return Err(Refusal::Page("The page was out of date."));
    }
    match form.get("decision") {
        Some("allow") => issue_code(service, &request, &session, scopes).await,
        Some("deny") => Err(request.refuse(Code::AccessDenied, "the user has denied it")),
        _ => Err(Refusal::Page("The form is malformed.")),
    }
}

/// What the page shows: the request, and what is granted by it. That may change while the page is open, with the rights
/// of the user or the settings; then the form is out of date.
fn shown(request: &AuthorizationRequest, scopes: &[String]) -> String {
    let query = request.parameters.to_query();
    // The document of an application that is not registered may change too.
    let document = request.document_hash().unwrap_or_default().to_owned();
    // None has a space in it, and the query has no line break.
    [query, scopes.join(" "), request.resources.join(" "), document].join("\n")
}

/// The scopes that the user of the session can grant.
pub(super) async fn scopes(
    service: &Service,
    request: &AuthorizationRequest,
    session: &Session,
) -> Result<Vec<String>, Refusal> {
    let user = service.store.user(&session.user).await?;
    let scopes = user.map_or_else(Vec::new, |user| {
        meanings::grantable(&service.settings, &request.client, &user, request.scopes.as_deref())
    });
    if scopes.is_empty() {
        let why = "the user may have none of the scopes that are asked for";
        return Err(request.refuse(Code::InvalidScope, why));
    }
    Ok(scopes)
}

/// Whether the user must be asked: unless a grant in force, made at this page, covers the request.
///
/// A public client on the user's device is asked for each time, because another application could pretend to be it (RFC
/// 8252 section 8.6).
pub(super) async fn is_needed(
    service: &Service,
    request: &AuthorizationRequest,
    session: &Session,
    scopes: &[String],
) -> Result<bool, StoreError> {
    let redirect_uri = &request.return_to.redirect_uri;
    let can_be_taken = request.client.is_public() && redirect_uri::can_be_taken(redirect_uri);
    if request.prompt.consent || can_be_taken {
        return Ok(true);
    }
    let now = service.now();
    let grants = service.store.grants_to(&session.user, &request.client.id, now).await?;
    let asked = or_issuer(service, &request.resources);
    let covers =
        |granted: &[String], asked: &[String]| asked.iter().all(|one| granted.contains(one));
    Ok(!grants.iter().any(|grant| {
        // A grant without a session came of a password that the client knew: nobody was asked.
        grant.session_id.is_some()
            // What was allowed to an earlier document is not allowed to this one.
            && grant.client_document.as_deref() == request.document_hash()
            && covers(&grant.scopes, scopes)
            && covers(&or_issuer(service, &grant.resources), &asked)
    }))
}

/// The resources, or the issuer if none was asked for.
fn or_issuer(service: &Service, resources: &[String]) -> Vec<String> {
    match resources {
        [] => vec![service.issuer().to_owned()],
        resources => resources.to_vec(),
    }
}

/// The page that asks.
pub(super) fn page(
    service: &Service,
    request: &AuthorizationRequest,
    session: &Session,
    cookie: &str,
    scopes: &[String],
) -> Response {
    let query = request.parameters.to_query();
    let redirect_uri = &request.return_to.redirect_uri;
    let page = ConsentPage {
        site: &service.site(),
        client: &request.client.name,
        user: &session.user,
        scopes: &meanings::with_meanings(&service.settings, scopes),
        resources: &or_issuer(service, &request.resources),
        unregistered: request.unregistered(),
        destination: &redirect_uri::describe(redirect_uri),
        query: &query,
        other_account: &request.with_login().to_query(),
        form_token: &service.forms.token(FORM, cookie, &shown(request, scopes)),
    };
    pages::page(StatusCode::OK, &page, &redirect_uri::form_action(redirect_uri))
}
