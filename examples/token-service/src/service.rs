//! The shared state of the parts, and the router.

use std::error::Error;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::{
    Algorithm, ConfigError, JwtAuthLayer, JwtVerifier, ProblemJson, SigningKey, TokenIssuer,
    dangerous_any_bearer,
};
use url::Url;

use crate::login::Login;
use crate::users::Users;
use crate::{api, cors, docs, metadata, token};

/// The realm of every challenge.
pub const REALM: &str = "token-service";

/// The settings of a service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer's URL, also the audience of its tokens.
    pub issuer: String,
    /// The lifetime of an access token.
    pub lifetime: Duration,
    /// The number of passwords that are checked at the same time.
    pub places: usize,
    /// Origins whose pages may call `/token` and the protected routes. The public documents allow any origin.
    pub cors_origins: Vec<String>,
}

impl Settings {
    /// The defaults: tokens live half an hour, and each processor checks one password at a time.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            lifetime: Duration::from_secs(1800),
            places: available_parallelism().map_or(1, usize::from).min(4),
            cors_origins: Vec::new(),
        }
    }
}

/// The state of the endpoints.
#[derive(Debug)]
pub struct Service {
    pub(crate) tokens: TokenIssuer,
    pub(crate) login: Arc<Login>,
    /// For pages of the listed origins. `None` if no origin is listed.
    cors: Option<CorsLayer>,
}

impl Service {
    /// A service with the demo user and a new key. Both are lost when it ends.
    pub fn demo(settings: &Settings) -> Result<Self, Box<dyn Error + Send + Sync>> {
        check_issuer(&settings.issuer)?;
        let tokens = TokenIssuer::new(&settings.issuer, SigningKey::generate(Algorithm::ES256)?)?
            .with_audience(&*settings.issuer)?
            .with_lifetime(settings.lifetime)?;
        let login = Arc::new(Login::new(Users::demo()?, settings.places));
        Ok(Self { tokens, login, cors: cors::named(&settings.cors_origins)? })
    }

    /// The issuer's URL, as given.
    pub(crate) fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    /// The URL of a path of this service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer().trim_end_matches('/'))
    }

    /// The number of password hashes that were verified so far.
    pub fn verifications(&self) -> u64 {
        self.login.verifications()
    }

    /// All routes. If the issuer's URL has a path, they are served below it too, so the URLs in the metadata work
    /// without a proxy and with one that removes the path. The page at `/docs` requests its document and tokens at the
    /// root, so it works where the root is served.
    pub fn router(self: Arc<Self>) -> Result<Router, ConfigError> {
        // CORS is outside of authentication, because a preflight has no token.
        let closed = token::routes().merge(api::routes(&self.jwt_layer()?, &any_bearer_layer()?)?);
        let closed = match self.cors.clone() {
            Some(cors) => closed.layer(cors),
            None => closed,
        };
        let routes = closed.merge(metadata::routes().layer(cors::any())).merge(docs::routes()?);
        let path = Url::parse(self.issuer()).map(|url| url.path().trim_end_matches('/').to_owned());
        let routes = match path.as_deref() {
            Ok("") | Err(_) => routes,
            Ok(path) => {
                let inserted = metadata::routes_with_inserted_path(path).layer(cors::any());
                routes.clone().nest(path, routes).merge(inserted)
            }
        };
        // Only at the root: if the issuer's path is `/docs`, for example, it would conflict with another route.
        Ok(routes.route("/", get(docs::to_page)).with_state(self))
    }

    /// The layer that accepts this service's own tokens. The same clock issues and verifies them, so no leeway is
    /// needed.
    fn jwt_layer(&self) -> Result<JwtAuthLayer<api::Claims, ProblemJson>, ConfigError> {
        let keys = self.tokens.verification_keys();
        let verifier = JwtVerifier::new(self.issuer(), self.issuer(), keys)?
            .with_claims()
            .with_leeway(Duration::ZERO)?;
        JwtAuthLayer::new(verifier).with_rejection_response(ProblemJson::new()).with_realm(REALM)
    }
}

/// The layer that accepts any bearer token. `/secure` shows the token and does not trust it.
fn any_bearer_layer() -> Result<JwtAuthLayer<(), ProblemJson>, ConfigError> {
    JwtAuthLayer::new(dangerous_any_bearer())
        .with_rejection_response(ProblemJson::new())
        .with_realm(REALM)
}

/// An issuer is an absolute HTTP URL without query and fragment (RFC 8414 section 2).
fn check_issuer(issuer: &str) -> Result<(), String> {
    let bad = |why: &str| Err(format!("the issuer {issuer:?} {why}"));
    let Ok(url) = Url::parse(issuer) else { return bad("is not a URL") };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return bad("must begin with http:// or https://");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return bad("must have neither query nor fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("must not name a user");
    }
    // Clients compare the text, so it must be the URL that they request.
    if issuer.trim_end_matches('/') != url.as_str().trim_end_matches('/') {
        return bad(&format!("must be written {:?}", url.as_str()));
    }
    check_path(url.path()).or_else(bad)
}

/// Whether all routes can be served below the path as well.
fn check_path(path: &str) -> Result<(), &'static str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    if segments.contains(&"") {
        return Err("must have no empty segment in its path");
    }
    // The router's syntax for parameters, in this version and in earlier ones.
    if segments.iter().any(|s| s.starts_with([':', '*']) || s.contains(['{', '}'])) {
        return Err("must have no segment that begins with : or *, and no braces");
    }
    if segments.first() == Some(&".well-known") {
        return Err("must not have a path below /.well-known, where its metadata is");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_issuers() {
        for issuer in [
            "http://127.0.0.1:8000",
            "http://127.0.0.1:8000/",
            "https://issuer.example",
            "https://issuer.example/realms/one",
            "http://[::1]:8000",
            "http://e/docs",
            "http://e/token/",
            "http://e/a:b/c*d",
            "http://e/%7Bx%7D",
            "http://e/realms/.well-known",
            "http://e/.well-known-not",
        ] {
            let service = Service::demo(&Settings::new(issuer)).unwrap();
            // It panics if two routes conflict.
            let _ = Arc::new(service).router().unwrap();
        }
    }

    #[test]
    fn bad_issuers() {
        for issuer in [
            "",
            "issuer.example",
            "issuer.example:8000",
            "ftp://issuer.example",
            "https://",
            "https://issuer.example?x",
            "https://issuer.example#x",
            "https://me@issuer.example",
            "https://issuer.example:99999",
            "https://ISSUER.example",
            "https://issuer.example:443",
            "https://issuer.example/a/../b",
            " https://issuer.example",
            "http://e//",
            "http://e/a//b",
            "http://e/a//",
            "http://e/:x",
            "http://e/a/:x",
            "http://e/*x",
            "http://e/{x}",
            "http://e/a/x{y",
            "http://e/.well-known",
            "http://e/.well-known/oauth-authorization-server",
            "http://e/.well-known/openid-configuration/",
        ] {
            let error = check_issuer(issuer).unwrap_err();
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
