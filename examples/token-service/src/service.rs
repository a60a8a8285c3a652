//! The shared state of the parts, and the router.

use std::error::Error;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use ipnet::IpNet;
use tower_http::cors::CorsLayer;
use tower_jwt_auth::{
    Clock, ConfigError, ExpectedAudience, JwtAuthLayer, JwtVerifier, KeyRing, ProblemJson,
    Rejection, RejectionKind, SystemClock, TokenIssuer, VerifiedToken, dangerous_any_bearer,
};
use url::Url;
use zeroize::Zeroizing;

use crate::access_tokens::{self, Issued, Standing};
use crate::client_address::{self, ProxyHeader};
use crate::client_documents::ClientDocuments;
use crate::health::Ping;
use crate::login::Login;
use crate::observe::requests::Observer;
use crate::observe::{facts, request_id, requests};
use crate::pages::form_tokens::FormTokens;
use crate::rates::Rates;
use crate::secret::{self, Successors};
use crate::stopping::Stopping;
use crate::store::{CLOCK_SKEW, Client, Seconds, Store, StoreError};
use crate::upkeep::Followed;
use crate::{
    api, authorize, cors, docs, guard, health, keys, logout, metadata, pages, token, userinfo,
};

/// The realm of every challenge.
pub const REALM: &str = "token-service";

/// The settings of a service.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer's URL, also the default audience of its tokens.
    pub issuer: String,
    /// The lifetime of an access token.
    pub lifetime: Duration,
    /// How long a grant lasts, and its refresh tokens with it.
    pub grant_lifetime: Duration,
    /// How long a refresh token that is not used lasts.
    pub refresh_lifetime: Duration,
    /// How long a used refresh token gives the same successor again. Zero: never.
    pub refresh_grace: Duration,
    /// Resources that tokens may be asked for (RFC 8707), beside the issuer.
    pub audiences: Vec<String>,
    /// The scopes of the service, each with its meaning for the consent page.
    pub scopes: Vec<(String, String)>,
    /// The number of passwords that are checked at the same time.
    pub places: usize,
    /// Whether clients that are not registered may use a Client ID Metadata Document: a URL as their ID, which this service
    /// fetches.
    pub client_documents: bool,
    /// Hosts, each with or without a port, from which such documents are also fetched over plain http and from private
    /// addresses: for tests.
    pub dangerous_client_metadata_hosts: Vec<String>,
    /// Whether there is the page at `/docs`, with its client.
    pub docs: bool,
    /// Origins whose pages may call `/token` and the protected routes. The public documents allow any origin.
    pub cors_origins: Vec<String>,
    /// The proxies in front, whose header names the client.
    pub trusted_proxies: Vec<IpNet>,
    /// The header that they set. The other one is not read, since it may be the client's own.
    pub proxy_header: ProxyHeader,
    /// How many requests an address, or a client, may make in a second; those for documents are not counted. Zero: no
    /// limit.
    pub requests_per_second: u32,
    /// How long the body of a request may take.
    pub body_time: Duration,
    /// How long the document of a client may take, together with the keys at its `jwks_uri`.
    pub document_time: Duration,
    /// Whether each request is a line of the log, with the target [`ACCESS_LOG`](crate::ACCESS_LOG).
    pub access_log: bool,
    /// The age at which a signing key is replaced.
    pub key_age: Duration,
    /// How long a new key is published before it signs.
    pub key_published_before: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Settings {
    /// The defaults: access tokens live half an hour, a grant lasts 30 days and an unused refresh token 14 days, the
    /// grace is 30 seconds, and each processor checks one password at a time. An address may make 50 requests a
    /// second, and ten times as many at once. A key signs for 90 days, and is published for 7 days before.
    pub fn new(issuer: impl Into<String>) -> Self {
        let scopes = [("read", "read data"), ("write", "change data")];
        Self {
            issuer: issuer.into(),
            lifetime: Duration::from_secs(1800),
            grant_lifetime: Duration::from_secs(30 * 86_400),
            refresh_lifetime: Duration::from_secs(14 * 86_400),
            refresh_grace: Duration::from_secs(30),
            audiences: Vec::new(),
            scopes: scopes.map(|(name, meaning)| (name.to_owned(), meaning.to_owned())).into(),
            places: available_parallelism().map_or(1, usize::from).min(4),
            client_documents: true,
            dangerous_client_metadata_hosts: Vec::new(),
            docs: true,
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            requests_per_second: 50,
            body_time: Duration::from_secs(10),
            document_time: Duration::from_secs(5),
            access_log: false,
            key_age: Duration::from_secs(90 * 86_400),
            key_published_before: Duration::from_secs(7 * 86_400),
            clock: Arc::new(SystemClock),
        }
    }
}

/// The state of the endpoints.
#[derive(Debug)]
pub struct Service {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    /// The client of the page at `/docs`.
    docs_client: Option<Client>,
    /// Finds the clients that are not registered.
    pub(crate) documents: ClientDocuments,
    pub(crate) keys: KeyRing,
    pub(crate) followed: Followed,
    /// Issues access tokens.
    pub(crate) tokens: TokenIssuer,
    /// Verifies this service's own access tokens, whichever configured resource they are for.
    pub(crate) access_tokens: JwtVerifier<Issued>,
    /// The same, also of those for a resource that is no longer configured: to revoke them.
    pub(crate) revocable_tokens: JwtVerifier<Issued>,
    pub(crate) login: Arc<Login>,
    pub(crate) successors: Successors,
    pub(crate) rates: Rates,
    pub(crate) ping: Ping,
    pub(crate) stopping: Stopping,
    pub(crate) forms: FormTokens,
    /// For pages of the listed origins. `None` if no origin is listed.
    cors: Option<CorsLayer>,
}

impl Service {
    /// A service on this store.
    ///
    /// # Errors
    ///
    /// If a setting is wrong, or the store fails.
    pub async fn new(
        settings: Settings,
        store: Arc<dyn Store>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        check_issuer(&settings.issuer)?;
        let cors = cors::named(&settings.cors_origins)?;
        let documents = ClientDocuments::new(&settings)?;
        let (keys, held) = keys::load(&*store, &settings).await?;
        let tokens = TokenIssuer::new(&settings.issuer, keys.clone())?
            .with_lifetime(settings.lifetime)?
            .with_clock(Arc::clone(&settings.clock));
        let mut audiences = settings.audiences.clone();
        audiences.push(settings.issuer.clone());
        let access_tokens = own_tokens(&settings, &keys, audiences)?;
        let revocable_tokens = own_tokens(&settings, &keys, ExpectedAudience::dangerous_any())?;
        let secret = async |name| {
            let stored = store.secret(name, &Zeroizing::new(secret::random())).await;
            stored.map(Zeroizing::new)
        };
        let successors = Successors::new(&secret("refresh").await?);
        let forms = FormTokens::new(&secret("forms").await?);
        let docs_client = docs::client::of(&*store, &settings).await?;
        let clock = Arc::clone(&settings.clock);
        let login = Arc::new(Login::new(Arc::clone(&store), clock, settings.places)?);
        let rates = Rates::new(settings.requests_per_second);
        let followed = Followed::new(settings.clock.now().unix_seconds(), held);
        Ok(Self {
            settings,
            store,
            docs_client,
            documents,
            keys,
            followed,
            tokens,
            access_tokens,
            revocable_tokens,
            login,
            successors,
            rates,
            ping: Ping::default(),
            stopping: Stopping::default(),
            forms,
            cors,
        })
    }

    /// The issuer's URL, as given.
    pub(crate) fn issuer(&self) -> &str {
        self.tokens.issuer()
    }

    /// The time.
    pub(crate) fn now(&self) -> Seconds {
        self.settings.clock.now().unix_seconds()
    }

    /// The client with this ID: that of the page at `/docs`, or one of the store.
    pub(crate) async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        match &self.docs_client {
            Some(client) if client.id == id => Ok(Some(client.clone())),
            Some(_) | None => self.store.client(id).await,
        }
    }

    /// Whether tokens may be asked for this resource.
    pub(crate) fn is_audience(&self, resource: &str) -> bool {
        resource == self.issuer() || self.settings.audiences.iter().any(|one| one == resource)
    }

    /// The URL of a path of this service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer().trim_end_matches('/'))
    }

    /// The host of this service, as a person sees it in the address of a page.
    pub(crate) fn site(&self) -> String {
        let url = Url::parse(self.issuer()).ok();
        url.map(|url| url.authority().to_owned()).unwrap_or_default()
    }

    /// Says at `/readyz` that the service is about to stop, and closes connections after their next response. It still
    /// serves.
    pub fn begin_stop(&self) {
        self.stopping.begin();
    }

    /// The number of password hashes that were verified so far.
    pub fn verifications(&self) -> u64 {
        self.login.verifications()
    }

    /// All routes. If the issuer's URL has a path, they are served below it too, so the URLs in the metadata and on the
    /// page at `/docs` work without a proxy and with one that removes the path.
    pub fn router(self: Arc<Self>) -> Result<Router, ConfigError> {
        // CORS is outside of authentication, because a preflight has no token, and outside of the limits, so that a page
        // can read their refusals.
        let jwt = self.jwt_layer()?;
        let closed = token::routes()
            .merge(userinfo::routes(&jwt)?)
            .merge(api::routes(&jwt, &any_bearer_layer()?)?);
        let closed = with_limits(closed, &self);
        let closed = match self.cors.clone() {
            Some(cors) => closed.layer(cors),
            None => closed,
        };
        let routes = closed
            .merge(with_limits(authorize::routes().merge(logout::routes()), &self))
            .merge(pages::routes())
            .merge(metadata::routes().layer(cors::any()))
            .merge(docs::routes(&self.settings)?);
        let path = Url::parse(self.issuer()).map(|url| url.path().trim_end_matches('/').to_owned());
        let routes = match path.as_deref() {
            Ok("") | Err(_) => routes,
            Ok(path) => {
                let inserted = metadata::routes_with_inserted_path(path).layer(cors::any());
                routes.clone().nest(path, routes).merge(inserted)
            }
        };
        // Only at the root: if the issuer's path is `/docs`, for example, it would conflict with another route.
        let routes = routes.merge(health::routes());
        let routes = match self.settings.docs {
            true => routes.route("/", get(docs::to_page)),
            false => routes,
        };
        // The last layer is the outermost.
        let observer = Arc::new(Observer::new(self.settings.access_log));
        let routes = routes.layer(from_fn_with_state(observer, requests::observe));
        let replace = from_fn_with_state(Arc::clone(&self), client_address::replace);
        let routes = request_id::layer(routes.layer(replace), &self)
            .layer(from_fn_with_state(Arc::clone(&self), guard::add_headers));
        Ok(routes.with_state(self))
    }

    /// The layer that accepts this service's own tokens for itself, unless they are revoked.
    fn jwt_layer(&self) -> Result<JwtAuthLayer<Issued, ProblemJson>, ConfigError> {
        let verifier = own_tokens(&self.settings, &self.keys, self.issuer())?;
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.settings.clock));
        let verifier = verifier.with_check(async move |token: VerifiedToken<Issued>, _request| {
            facts::client(&token.client_id);
            let now = clock.now().unix_seconds();
            if token.has_expired(now) {
                return Err(Rejection::from(RejectionKind::ExpiredToken));
            }
            match access_tokens::standing(&*store, &token.jti, now).await {
                Ok(Standing::Active(_)) => Ok(()),
                Ok(Standing::Revoked) => Err(Rejection::from(RejectionKind::RevokedToken)),
                Err(error) => {
                    token::unavailable(&error);
                    Err(Rejection::unavailable(error))
                }
            }
        });
        JwtAuthLayer::new(verifier)
            .with_metrics()
            .with_rejection_response(ProblemJson::new())
            .with_realm(REALM)
    }
}

/// The verifier of this service's own access tokens. Another instance, whose clock is ahead, may have issued them.
///
/// The leeway is for `exp` too. Whoever accepts a token must ask [`Issued::has_expired`].
fn own_tokens(
    settings: &Settings,
    keys: &KeyRing,
    audience: impl Into<ExpectedAudience>,
) -> Result<JwtVerifier<Issued>, ConfigError> {
    let verifier = JwtVerifier::new(&settings.issuer, audience, keys.clone())?
        .require_rfc9068()
        .with_claims()
        .with_clock(Arc::clone(&settings.clock))
        .with_leeway(Duration::from_secs(CLOCK_SKEW.unsigned_abs()))?;
    Ok(verifier)
}

/// Adds the limits to routes that reach the store, or have a body. The others are cheap documents. The last layer is the
/// outermost.
fn with_limits(routes: Router<Arc<Service>>, service: &Arc<Service>) -> Router<Arc<Service>> {
    routes
        .layer(from_fn_with_state(Arc::clone(service), guard::limit_time))
        .layer(from_fn_with_state(Arc::clone(service), guard::limit_rate))
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
    use crate::store::SqlStore;

    #[tokio::test]
    async fn good_issuers() {
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
            let store = Arc::new(SqlStore::in_memory().await.unwrap());
            let service = Service::new(Settings::new(issuer), store).await.unwrap();
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
