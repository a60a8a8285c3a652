//! `/authorize`: the authorization code grant with PKCE (RFC 6749 section 4.1, OpenID Connect Core 1.0 section 3.1).
//!
//! The request is in the address of each page: [`login`] and [`consent`] check it again and come back here. So nothing of
//! it is stored until there is a code, and each step has one way in.

mod consent;
mod login;
pub(crate) mod redirect_uri;
mod refusal;
mod request;
mod scopes;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::CookieJar;
use serde::Deserialize;
use utoipa::ToSchema;

pub(crate) use self::consent::{__path_consent, __path_consent_again};
pub(crate) use self::login::{__path_login, __path_login_again};
use self::refusal::{Code, Refusal};
use self::request::AuthorizationRequest;
use crate::Service;
use crate::pages;
use crate::pages::cookies::Cookies;
use crate::pages::parameters::Parameters;
use crate::secret;
use crate::store;
use crate::store::{Seconds, Session};

/// How long a code can be exchanged.
const CODE_LIFETIME: Seconds = 60;

pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/authorize", get(authorize).post(authorize_form))
        .route("/login", get(login::login_again).post(login::login))
        .route("/consent", get(consent::consent_again).post(consent::consent))
        .layer(DefaultBodyLimit::max(pages::MAX_BODY))
}

/// An authorization request.
// Only for the OpenAPI document. `AuthorizationRequest` reads the parameters.
#[derive(Debug, Deserialize, utoipa::IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "only its schema is used")]
pub(crate) struct AuthorizeParameters {
    /// As registered, or the URL of a Client ID Metadata Document.
    #[param(example = "token-service-docs")]
    #[schema(example = "token-service-docs")]
    client_id: String,
    /// As registered, or as in the document at the `client_id`. The port of a loopback address may differ.
    #[param(example = "http://127.0.0.1:8000/docs/oauth2-redirect.html")]
    #[schema(example = "http://127.0.0.1:8000/docs/oauth2-redirect.html")]
    redirect_uri: String,
    #[param(pattern = "^code$", example = "code")]
    #[schema(pattern = "^code$", example = "code")]
    response_type: String,
    /// The SHA-256 hash of the code verifier (RFC 7636).
    #[param(
        pattern = "^[A-Za-z0-9_-]{43}$",
        example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )]
    #[schema(
        pattern = "^[A-Za-z0-9_-]{43}$",
        example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )]
    code_challenge: String,
    #[param(pattern = "^S256$", example = "S256")]
    #[schema(pattern = "^S256$", example = "S256")]
    code_challenge_method: String,
    /// The scopes, separated by spaces. Default: the least powerful one.
    #[param(nullable = false, example = "openid read")]
    #[schema(nullable = false, example = "openid read")]
    scope: Option<String>,
    /// Returned as it is. At most 4096 bytes.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    state: Option<String>,
    /// What the tokens are for (RFC 8707); may be repeated. Default: this service.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    resource: Option<Vec<String>>,
    /// Returned in the ID token. At most 512 bytes.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    nonce: Option<String>,
    /// `none`, or some of `login`, `consent` and `select_account`.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    prompt: Option<String>,
    /// The greatest age of the login, in seconds.
    #[param(nullable = false, minimum = 0)]
    #[schema(nullable = false, minimum = 0)]
    max_age: Option<i64>,
    /// A username for the login page.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    login_hint: Option<String>,
    /// An ID token of the user who must be logged in.
    #[param(nullable = false)]
    #[schema(nullable = false)]
    id_token_hint: Option<String>,
    /// `query`.
    #[param(nullable = false, pattern = "^query$")]
    #[schema(nullable = false, pattern = "^query$")]
    response_mode: Option<String>,
}

/// Ask the user for an authorization code
///
/// An application sends the browser here. Each response to the application has `iss` (RFC 9207), and the
/// `state` of the request.
#[utoipa::path(
    get, path = "/authorize", tag = "pages", security(()), params(AuthorizeParameters),
    responses(
        (status = 200, description = "The login page, or the one that asks whether to allow the client",
            body = String, content_type = "text/html"),
        (status = 303, description = "To the client, with a code or an error",
            headers(("Location" = String, description = "The redirect URI with the response"))),
        (status = 400, description = "The client or the redirect URI is unknown", body = String,
            content_type = "text/html"),
        (status = 503, description = "The store does not answer", body = String, content_type = "text/html",
            headers(("Retry-After" = u64, description = "Seconds until the next try"))),
    ),
)]
pub(crate) async fn authorize(
    State(service): State<Arc<Service>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    RawQuery(query): RawQuery,
    jar: CookieJar,
) -> Response {
    let parameters = Parameters::from_query(query.as_deref()).map_err(Refusal::Page);
    let response = match parameters {
        Ok(parameters) => next(&service, jar, parameters, address.ip()).await,
        Err(refusal) => Err(refusal),
    };
    response.unwrap_or_else(|refusal| refusal.respond(&service))
}

/// Ask the user for an authorization code, by a form
///
/// It redirects to the same request by GET, with which the browser sends its cookies.
#[utoipa::path(
    post, path = "/authorize", tag = "pages", security(()),
    request_body(content = AuthorizeParameters, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "To the same request by GET",
            headers(("Location" = String, description = "The request"))),
        (status = 400, description = "The body is not a form", body = String, content_type = "text/html"),
        (status = 413, description = "The body is too large", body = String, content_type = "text/html"),
    ),
)]
pub(crate) async fn authorize_form(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return pages::unreadable(&service, &rejection),
    };
    match Parameters::from_form(&headers, &body) {
        Ok(parameters) => pages::see_other(&format!("authorize?{}", parameters.to_query())),
        Err(why) => pages::bad_request(&service, StatusCode::BAD_REQUEST, why),
    }
}

/// The next step of a request: the login, the question, or the code.
async fn next(
    service: &Service,
    jar: CookieJar,
    parameters: Parameters,
    address: IpAddr,
) -> Result<Response, Refusal> {
    let request = AuthorizationRequest::read(service, parameters, address).await?;
    let session = Cookies::of(service).session(service, &jar).await?;
    let session = session.filter(|(session, _)| !request.needs_login(session, service.now()));
    let Some((session, cookie)) = session else {
        if request.prompt.none {
            return Err(request.refuse(Code::LoginRequired, "the user is not logged in"));
        }
        return Ok(login::page(service, jar, &request, None));
    };
    let scopes = consent::scopes(service, &request, &session).await?;
    if !consent::is_needed(service, &request, &session, &scopes).await? {
        return issue_code(service, &request, &session, scopes).await;
    }
    if request.prompt.none {
        return Err(request.refuse(Code::ConsentRequired, "the user has not allowed this"));
    }
    Ok(consent::page(service, &request, &session, &cookie, &scopes))
}

/// Stores a code and sends it to the client.
async fn issue_code(
    service: &Service,
    request: &AuthorizationRequest,
    session: &Session,
    scopes: Vec<String>,
) -> Result<Response, Refusal> {
    let code = secret::random();
    let record = store::Code {
        code_hash: secret::hash(&code),
        client_id: request.client.id.clone(),
        user: session.user.clone(),
        session_id: Some(session.id.clone()),
        redirect_uri: request.return_to.redirect_uri.clone(),
        code_challenge: request.code_challenge.clone(),
        scopes,
        resources: request.resources.clone(),
        nonce: request.nonce.clone(),
        authenticated_at: session.authenticated_at,
        expires_at: service.now().saturating_add(CODE_LIFETIME),
        grant_id: None,
        client_document: request.document_hash().map(str::to_owned),
    };
    if !service.store.add_code(&record).await? {
        return Err(request.refuse(Code::AccessDenied, "the user has logged out"));
    }
    Ok(request.return_to.response(&[("code", &code)]))
}

/// Back to the first step, for a page that a browser asks for again.
fn again(query: Option<&str>) -> Response {
    pages::see_other(&format!("authorize?{}", query.unwrap_or_default())).into_response()
}
