//! Try any issuer's tokens: a server that returns the claims of the request's token, over HTTP/1.1, h2c and gRPC. A
//! refused gRPC or gRPC-Web request gets a gRPC status.
//!
//! ```sh
//! cargo run -p whoami -- --issuer https://issuer.example \
//!     --audience https://api.example --discover
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/
//! curl -i http://127.0.0.1:8000/readyz
//! cargo run -p whoami -- --help
//! ```
//!
//! `whoami explain`, with the same flags, serves nothing: it reads one token from standard input and prints
//! each check with its outcome.
//!
//! ```sh
//! echo "$TOKEN" | cargo run -p whoami -- explain --issuer https://issuer.example \
//!     --audience https://api.example --discover
//! ```
//!
//! With `--config FILE`, the settings of the layer come from a TOML file, as `LayerConfig` reads it. A flag that the file
//! could contain is then an error. The other flags stay: `--listen`, `--grpc-listen`, `--clock`, `--end-at-expiry` and,
//! for a file with `resource_metadata`, `--mcp-scope`. The MCP server and WebSockets follow the file. It also decides
//! about the form of refusals: `grpc_web = true` is as without a file. Of a file with `dpop` or `one_time_tokens`,
//! `explain` and `--clock` are an error: what these members check is a request, by the time of this machine.
//!
//! It serves at once, whether the issuer can be reached or not. Until the keys are loaded, a token gets 503, unless
//! `--key-file` or `--initial-jwks` gives keys to begin with. `/readyz` needs no token. It returns 200 when the keys of
//! every issuer are loaded and 503 before, with the age of the keys, how often they have changed, and why the last
//! fetch failed.

mod binding;
mod config;
mod flags;
mod mcp;
mod readiness;
mod resource;
mod scopes;
mod sources;
mod start;
mod verifier;
mod websocket;

use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use clap::Parser;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tower_jwt_auth::{
    AuthorizeLayer, EndAtExpiryLayer, JwtAuthLayer, LayerConfig, TokenHeader, VerifiedToken,
};

use self::flags::{Command, Flags, one_sentence};
use self::mcp::Mcp;
use self::readiness::readyz;
use self::resource::Resource;
use self::scopes::Scopes;
use self::verifier::{Claims, Verifier, cannot_use_config};
use self::websocket::Sessions;

/// More of standard input is not read: twice the longest token that a verifier can be told to read.
const LONGEST_INPUT: u64 = 128 * 1024;

/// How long open connections may take to end after SIGTERM or Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => return refuse(&one_sentence(&error)),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&with_causes(&error)),
    };
    let done = match flags.command {
        Some(Command::Explain) => runtime.block_on(explain(&mut flags)),
        None => runtime.block_on(serve(&flags)).map(|()| ExitCode::SUCCESS),
    };
    // Does not wait for running tasks, such as a DNS look-up.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| refuse(&error))
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Explains the token on standard input: 0 when it is accepted, 1 when it is refused.
async fn explain(flags: &mut Flags) -> Result<ExitCode, String> {
    let config = config::of(flags)?;
    // For its errors: what the server would refuse is refused here too.
    authentication(&Verifier::new(flags, config.as_ref())?, flags, config.as_ref())?;
    let token = io::read_to_string(io::stdin().take(LONGEST_INPUT))
        .map_err(|error| format!("cannot read the token: {}", with_causes(&error)))?;
    // There is no request with a proof: the last line tells whether one is needed.
    flags.binding.is_explained = binding::is_accepted(flags);
    let verifier = Verifier::new(flags, config.as_ref())?;
    let token = token.trim();
    let (explanation, mut is_accepted) = verifier.explain(token, flags).await;
    writeln!(io::stdout(), "{explanation}").map_err(|error| with_causes(&error))?;
    if let (true, Some(config)) = (is_accepted, &config)
        && let Some((scopes, is_met)) = verifier.explain_scopes(token, config, flags).await?
    {
        writeln!(io::stdout(), "{scopes}").map_err(|error| with_causes(&error))?;
        is_accepted = is_met;
    }
    Ok(if is_accepted { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Serves until SIGTERM or Ctrl-C.
async fn serve(flags: &Flags) -> Result<(), String> {
    let config = config::of(flags)?;
    let verifier = Verifier::new(flags, config.as_ref())?;
    let mut auth = authentication(&verifier, flags, config.as_ref())?;
    let scopes = Scopes::new(flags)?.map(AuthorizeLayer::new);
    if let Some(scopes) = &scopes {
        auth = auth
            .with_scope_in_challenge(scopes.required_scope())
            .map_err(|error| format!("cannot use --scope: {}", with_causes(&error)))?;
    }

    let mcp = Mcp::new(flags, config.as_ref())?;
    // Last, so that the metadata describe all of the layer.
    let (resource, auth) = match &config {
        Some(config) => (Resource::configured(config, &auth)?, auth),
        None => Resource::new(flags, auth, mcp.scopes.clone())?,
    };

    let summary = auth.describe();
    let limited = |router: Router| match flags.end_at_expiry {
        true => router.layer(EndAtExpiryLayer::new().with_claims::<Claims>()),
        false => router,
    };
    let router =
        limited(authorized(whoami(&verifier, flags, &mcp), scopes.as_ref())).layer(auth.clone());
    let router = resource.around(router);
    let mut servers = vec![("listening on", bind(&flags.listen).await?, router)];
    if let Some(address) = &flags.grpc_listen {
        let router = with_grpc(whoami(&verifier, flags, &mcp))?;
        let router = limited(authorized(router, scopes.as_ref())).layer(auth);
        let router = resource.around(router);
        servers.push(("grpc listening on", bind(address).await?, router));
    }
    eprintln!("accepts: {summary}");
    // Starts the first fetch of the keys, before the first token arrives.
    let _ = verifier.key_status();
    run(servers).await.map_err(|error| with_causes(&error))
}

/// The layer of the verifier, with the sources and the form of refusals of the flags, or of the file.
fn authentication(
    verifier: &Verifier,
    flags: &Flags,
    config: Option<&LayerConfig>,
) -> Result<JwtAuthLayer<Claims>, String> {
    if let Some(config) = config {
        let auth = verifier.configured_layer(config);
        let auth = auth.map_err(|error| cannot_use_config(flags, &error))?;
        return Ok(auth.exempt(is_readiness_probe));
    }
    let auth = verifier.layer(flags)?.exempt(is_readiness_probe).with_grpc_web();
    let mut auth =
        auth.with_sources(sources::of(&flags.sources)?).map_err(|error| with_causes(&error))?;
    if flags.optional {
        auth = auth.optional();
    }
    match &flags.grpc_error_info {
        None => Ok(auth),
        Some(domain) => auth
            .with_grpc_error_info(domain)
            .map_err(|error| format!("cannot use --grpc-error-info: {}", with_causes(&error))),
    }
}

/// The same router; with `--scope`, for tokens that have all of the scopes.
fn authorized(router: Router, scopes: Option<&AuthorizeLayer<Claims>>) -> Router {
    match scopes {
        Some(scopes) => router.layer(scopes.clone()),
        None => router,
    }
}

async fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {}", with_causes(&error)))
}

/// Every path and method gives the same response, except the readiness probe and the MCP server.
fn whoami(verifier: &Verifier, flags: &Flags, mcp: &Mcp) -> Router {
    let verifier = verifier.clone();
    let sessions = Sessions::new(flags);
    let answer = match flags.sources.websocket || flags.config.is_some() {
        true => any(async move |token, upgrade| sessions.claims(token, upgrade).await),
        false => any(claims),
    };
    let probe = answer.clone().get(async move || readyz(&verifier));
    let router = Router::new().route("/readyz", probe).fallback_service(answer);
    match &mcp.routes {
        Some(routes) => router.route("/mcp", routes.clone().fallback(claims)),
        None => router,
    }
}

/// Only this request needs no token.
fn is_readiness_probe(head: &Parts) -> bool {
    head.uri.path() == "/readyz" && matches!(head.method, Method::GET | Method::HEAD)
}

#[derive(Serialize)]
struct Answer<'a> {
    claims: Option<&'a Claims>,
    header: Option<&'a TokenHeader>,
}

impl<'a> Answer<'a> {
    fn new(token: Option<&'a VerifiedToken<Claims>>) -> Self {
        Self {
            claims: token.map(VerifiedToken::claims),
            header: token.and_then(VerifiedToken::header),
        }
    }
}

async fn claims(token: Option<VerifiedToken<Claims>>) -> Response {
    Json(Answer::new(token.as_ref())).into_response()
}

/// Adds `grpc.health.v1.Health` and reflection.
fn with_grpc(router: Router) -> Result<Router, String> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (_reporter, health) = tonic_health::server::health_reporter();
    Ok(Routes::from(router)
        .add_service(health)
        .add_service(reflection().build_v1().map_err(|error| with_causes(&error))?)
        .add_service(reflection().build_v1alpha().map_err(|error| with_causes(&error))?)
        .into_axum_router())
}

async fn run(servers: Vec<(&str, TcpListener, Router)>) -> io::Result<()> {
    let termination = termination()?;
    let (stop, stopped) = watch::channel(());
    let mut running = JoinSet::new();
    for (what, listener, router) in servers {
        writeln!(io::stdout(), "{what} http://{}", listener.local_addr()?)?;
        let mut stopped = stopped.clone();
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.changed().await;
        });
        running.spawn(async move { server.await });
    }
    io::stdout().flush()?;

    termination.await;
    drop(stop);
    // Connections that take longer are closed.
    let _ = tokio::time::timeout(GRACE, running.join_all()).await;
    Ok(())
}

/// Completes on SIGTERM or Ctrl-C. Both are caught from the call on.
#[cfg(unix)]
fn termination() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Ctrl-C.
#[cfg(not(unix))]
fn termination() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
