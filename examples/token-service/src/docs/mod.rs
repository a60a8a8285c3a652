//! The OpenAPI document at `/openapi.json`, and Swagger UI at `/docs`. The program contains all files of the page.

pub(crate) mod client;

use std::sync::Arc;

use axum::extract::Path;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::openapi::security::{
    AuthorizationCode, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes,
    SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    self, ContentBuilder, HeaderBuilder, Object, Ref, RefOr, ResponseBuilder, Responses, Server,
    schema::Type,
};
use utoipa::{OpenApi, ToSchema};

use tower_jwt_auth::ConfigError;
use url::Url;

use crate::token::scopes::IDENTITY;
use crate::{
    Service, Settings, api, authorize, cors, health, introspect, logout, metadata, revoke, token,
    userinfo,
};

/// The path of the page.
const PAGE: &str = "/docs/";

pub(crate) fn routes(settings: &Settings) -> Result<Router<Arc<Service>>, ConfigError> {
    let document = Json(document(settings)?);
    let routes = Router::new().route("/openapi.json", get(|| async { document }));
    let page = page(settings);
    let routes = match settings.docs {
        true => routes
            .route("/docs", get(to_page))
            .route(PAGE, get(|| async { Html(page) }))
            .route("/docs/{file}", get(file)),
        false => routes,
    };
    Ok(routes.layer(cors::any()).layer(map_response(guard)))
}

/// Redirects to the page, from beside it. The address is relative, so it is right below a path too.
pub(crate) async fn to_page() -> Redirect {
    Redirect::to("docs/")
}

/// The page, with the redirect URIs of its client.
fn page(settings: &Settings) -> String {
    // A URL has no quotation mark.
    let uris = client::redirect_uris(settings).join(" ").replace('&', "&amp;");
    include_str!("index.html").replace("REDIRECT_URIS", &uris)
}

/// A file of the page, from this folder or from Swagger UI.
async fn file(Path(name): Path<String>) -> Response {
    let own = |media_type, text| ([(CONTENT_TYPE, media_type)], text).into_response();
    match name.as_str() {
        "page.js" => own("text/javascript", include_str!("page.js")),
        "page.css" => own("text/css", include_str!("page.css")),
        _ => match utoipa_swagger_ui::serve(&name, Arc::default()) {
            Ok(Some(file)) => {
                ([(CONTENT_TYPE, file.content_type)], file.bytes.into_owned()).into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

/// People type a password into the page, so no other site may show it in a frame.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nobody = HeaderValue::from_static("frame-ancestors 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, nobody);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// Why the layer refused a request (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub(crate) struct Problem {
    #[schema(example = "Unauthorized")]
    title: String,
    #[schema(example = 401)]
    status: u16,
    #[schema(example = "the token has expired")]
    detail: String,
    /// The error of RFC 6750; absent when no credentials were given.
    #[schema(nullable = false, example = "invalid_token")]
    error: Option<String>,
}

/// The text at the top of the page, in Markdown.
const DESCRIPTION: &str = "\
An OAuth 2.0 token service to try the `tower-jwt-auth` layer with.

1. Press **Authorize** and log in, in one of two ways: on the login page of the service (authorization code \
   with PKCE), or with a password that this page sends. After a start with `--demo`, the username is `alice` \
   and the password `wonderland`.
2. Open `GET /protected`, press **Try it out**, then **Execute**. The status is 200; without a login it \
   is 401, and the body says why.

The password grant is here for comparison with the authorization code grant. [RFC 9700 section 2.4]\
(https://www.rfc-editor.org/rfc/rfc9700#section-2.4) forbids it: do not use it in a new service.";

// The page has the same order.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "token-service",
        description = DESCRIPTION,
        // Without `identifier`, because Swagger UI makes a broken link of it.
        license(name = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "token", description = "The token endpoint (RFC 6749) and its neighbours"),
        (name = "pages", description = "The pages that a person logs in and out with (RFC 6749, OpenID Connect)"),
        (name = "routes", description = "Routes behind the layer, which need a token"),
        (name = "metadata", description = "What other services read to verify the tokens"),
        (name = "health", description = "For what starts the service and sends it requests"),
    ),
    paths(
        token::token,
        revoke::revoke,
        introspect::introspect,
        userinfo::userinfo,
        userinfo::userinfo_by_post,
        authorize::authorize,
        authorize::authorize_form,
        authorize::login_again,
        authorize::login,
        authorize::consent_again,
        authorize::consent,
        logout::logout,
        logout::logout_form,
        api::protected,
        api::user,
        api::items,
        api::secure,
        metadata::oauth_metadata,
        metadata::openid_configuration,
        metadata::jwk_set,
        health::healthz,
        health::readyz,
    ),
)]
struct Document;

/// The document, with the scopes of the rules that the layers enforce.
fn document(settings: &Settings) -> Result<openapi::OpenApi, ConfigError> {
    let mut document = Document::openapi();
    let path = Url::parse(&settings.issuer).map(|url| url.path().trim_end_matches('/').to_owned());
    let path = path.unwrap_or_default();
    if !path.is_empty() {
        document.servers = Some(vec![Server::new(&path)]);
    }
    add_security_schemes(&mut document, settings, &path);
    add_refusals_of_guards(&mut document);
    let scopes = api::items_rule()?.required_scope().unwrap_or_default();
    let items = document.paths.paths.get_mut("/items").and_then(|path| path.get.as_mut());
    if let Some(items) = items {
        let requirements = ["OAuth2AuthorizationCode", "OAuth2PasswordBearer"]
            .map(|scheme| SecurityRequirement::new(scheme, scopes.iter()));
        items.security = Some(requirements.into());
    }
    Ok(document)
}

/// What the limits around the routes answer.
fn add_refusals_of_guards(document: &mut openapi::OpenApi) {
    let refusal = |description: &str| {
        let schema = Ref::from_schema_name("TokenErrorBody");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        ResponseBuilder::new().description(description).content("application/json", content)
    };
    let retry_after = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::Integer)))
        .description(Some("Seconds until the next try"))
        .build();
    let too_many = || refusal("Too many requests").header("Retry-After", retry_after.clone());
    for path in document.paths.paths.values_mut() {
        let is_limited = |tag: &String| !matches!(tag.as_str(), "metadata" | "health");
        if let Some(get) = path.get.as_mut()
            && get.tags.iter().flatten().all(is_limited)
        {
            add(&mut get.responses, "429", too_many().build());
        }
        let Some(post) = path.post.as_mut() else { continue };
        let responses = &mut post.responses;
        for (status, description) in [
            ("400", "The body cannot be read"),
            ("408", "The body took too long"),
            ("413", "The body is too large"),
        ] {
            add(responses, status, refusal(description).build());
        }
        let late = refusal("The request took too long").header("Retry-After", retry_after.clone());
        add(responses, "429", too_many().build());
        add(responses, "503", late.build());
    }
}

/// Adds a response, or only its body if the endpoint answers this status with a page.
fn add(responses: &mut Responses, status: &str, refusal: openapi::Response) {
    match responses.responses.get_mut(status) {
        Some(RefOr::T(response)) => {
            for (media_type, content) in refusal.content {
                response.content.entry(media_type).or_insert(content);
            }
        }
        Some(RefOr::Ref(_)) => {}
        None => {
            responses.responses.insert(status.to_owned(), refusal.into());
        }
    }
}

/// The ways to enter a token on the page: the login page of the service, a form for a password, and a field to paste a
/// token into.
fn add_security_schemes(document: &mut openapi::OpenApi, settings: &Settings, path: &str) {
    let (authorize, token) = (format!("{path}/authorize"), format!("{path}/token"));
    let scopes = || settings.scopes.iter().cloned();
    let identity =
        IDENTITY.iter().map(|(name, meaning)| ((*name).to_owned(), (*meaning).to_owned()));
    let all = Scopes::from_iter(scopes().chain(identity));
    let code = AuthorizationCode::new(authorize, token.clone(), all);
    let mut page = OAuth2::new([Flow::AuthorizationCode(code)]);
    page.description = Some(
        "For the same routes, by the login page of the service. The client is public: it has no secret."
            .to_owned(),
    );
    let password = Password::new(token, Scopes::from_iter(scopes()));
    let mut form = OAuth2::new([Flow::Password(password)]);
    form.description = Some(
        "For `/protected`, `/user` and `/items`, by a password. The client fields stay empty."
            .to_owned(),
    );
    let paste = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("For `/secure`, which accepts any text."))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("OAuth2AuthorizationCode", SecurityScheme::OAuth2(page));
    components.add_security_scheme("OAuth2PasswordBearer", SecurityScheme::OAuth2(form));
    components.add_security_scheme("HTTPBearer", SecurityScheme::Http(paste));
}
