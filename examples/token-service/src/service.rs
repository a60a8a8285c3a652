//! What the parts share, and the router that puts them together.

use std::error::Error;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::{
    ConfigError, JwtAuthLayer, JwtVerifier, ProblemJson, SigningKey, TokenIssuer,
    dangerous_any_bearer,
};
use url::Url;

use crate::login::Login;
use crate::users::Users;
use crate::{api, cors, docs, metadata, token};

/// Named in every challenge.
pub const REALM: &str = "token-service";

/// What the flags say.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer's URL, also the audience of its tokens.
    pub issuer: String,
    /// Of an access token.
    pub lifetime: Duration,
    /// How many passwords are checked at the same time.
    pub places: usize,
    /// Origins whose pages may call `/token` and the protected routes. The public documents allow
    /// any.
    pub cors_origins: Vec<String>,
}

impl Settings {
    /// An issuer with the defaults: tokens for half an hour, a password check per processor.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            lifetime: Duration::from_secs(1800),
            places: available_parallelism().map_or(1, usize::from).min(4),
            cors_origins: Vec::new(),
        }
    }
}

/// What the endpoints work with.
#[derive(Debug)]
pub struct Service {
    pub(crate) tokens: TokenIssuer,
    pub(crate) login: Arc<Login>,
    /// For pages of the origins that are named; `None` when none is.
    cors: Option<CorsLayer>,
}

impl Service {
    /// A service with the demo user and a key of its own, both gone when it ends.
    pub fn demo(settings: &Settings) -> Result<Self, Box<dyn Error + Send + Sync>> {
        check_issuer(&settings.issuer)?;
        let tokens = TokenIssuer::new(&settings.issuer, SigningKey::generate_es256()?)?
            .with_audience(&*settings.issuer)?
            .with_lifetime(settings.lifetime)?;
        let login = Arc::new(Login::new(Users::demo()?, settings.places));
        Ok(Self { tokens, login, cors: cors::named(&settings.cors_origins)? })
    }

    /// The issuer's URL, as it was given.
    pub(crate) fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    /// The URL of a path of this service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer().trim_end_matches('/'))
    }

    /// How many password hashes were verified so far.
    pub fn verifications(&self) -> u64 {
        self.login.verifications()
    }

    /// All routes. An issuer whose URL has a path is served below it too, so that the URLs in its
    /// metadata work with a proxy that cuts the path off and with none. The page at `/docs` asks for its
    /// document and for tokens at the root, so it works where the root is served.
    pub fn router(self: Arc<Self>) -> Result<Router, ConfigError> {
        // CORS goes around authentication: a preflight has no token.
        let closed = token::routes().merge(api::routes(&self.jwt_layer()?, &any_bearer_layer()?));
        let closed = match self.cors.clone() {
            Some(cors) => closed.layer(cors),
            None => closed,
        };
        let routes = closed.merge(metadata::routes().layer(cors::any())).merge(docs::routes());
        let path = Url::parse(self.issuer()).map(|url| url.path().trim_end_matches('/').to_owned());
        let routes = match path.as_deref() {
            Ok("") | Err(_) => routes,
            Ok(path) => {
                let inserted = metadata::routes_with_inserted_path(path).layer(cors::any());
                routes.clone().nest(path, routes).merge(inserted)
            }
        };
        // At the root alone: below an issuer's path, such as `/docs`, another route may have its place.
        Ok(routes.route("/", get(docs::to_page)).with_state(self))
    }

    /// The layer that lets this service's own tokens pass. They are judged by the clock that issued
    /// them, so nothing has to be forgiven.
    fn jwt_layer(&self) -> Result<JwtAuthLayer<api::Claims, ProblemJson>, ConfigError> {
        let keys = self.tokens.verification_keys();
        let verifier = JwtVerifier::new(self.issuer(), self.issuer(), keys)?
            .with_claims()
            .with_leeway(Duration::ZERO)?;
        JwtAuthLayer::new(verifier).with_rejection_response(ProblemJson::new()).with_realm(REALM)
    }
}

/// The layer that lets any bearer token pass, whatever it is: `/secure` shows it and trusts it with nothing.
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
    // What clients compare is the text: it has to be the one that they are going to ask.
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
    // The router's signs of a parameter, in this version and in earlier ones.
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
            // It panics when two routes are in each other's way.
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
