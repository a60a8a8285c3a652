//! Try any issuer's token: a server that answers with the claims of the token it is shown, over
//! HTTP/1.1, h2c and gRPC.
//!
//!     cargo run --example whoami --all-features -- --issuer https://issuer.example \
//!         --audience https://api.example --jwks keys.json
//!     curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/
//!     cargo run --example whoami --all-features -- --help

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use clap::{Args, Parser, ValueEnum};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tower_jwt_auth::{
    Algorithm, ConfigError, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtAuthLayer,
    JwtVerifier, NumericDate, TokenHeader, VerificationKey, VerifiedToken,
};

/// The claims as they are, whatever they are: not even a number is written anew.
type Claims = BTreeMap<String, Box<RawValue>>;

/// How long open connections may take to end after SIGTERM or Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Answers with the claims of the bearer token it is shown.
#[derive(Parser)]
struct Flags {
    /// Where to serve HTTP/1.1 and h2c; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
    /// Where to serve the gRPC health service and reflection too
    #[arg(long, value_name = "ADDR")]
    grpc_listen: Option<String>,
    #[command(flatten)]
    issuer: Issuer,
    #[command(flatten)]
    audience: Audience,
    #[command(flatten)]
    keys: Keys,
    /// An algorithm that is allowed; it narrows what the keys allow. Repeatable; required with a
    /// secret or a PEM file
    #[arg(long = "algorithm", value_name = "NAME", required_unless_present = "jwks")]
    algorithms: Vec<Algorithm>,
    /// How far clocks may be apart, at most 300
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    leeway: u64,
    /// Ask for access tokens by RFC 9068
    #[arg(long, value_name = "TYPE")]
    typ: Option<Typ>,
    /// Judge tokens as of this second
    #[arg(long, value_name = "EPOCH", value_parser = clap::value_parser!(i64).range(0..))]
    clock: Option<i64>,
    /// Let requests without a token pass
    #[arg(long)]
    optional: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Issuer {
    /// Whom tokens must be from
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Accept tokens from anybody whom the keys belong to
    #[arg(long)]
    dangerous_any_issuer: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Audience {
    /// Whom tokens must be for; repeatable, any of them will do
    #[arg(long = "audience", value_name = "ID")]
    audiences: Vec<String>,
    /// Accept tokens that are for somebody else
    #[arg(long)]
    dangerous_any_audience: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Keys {
    /// An HMAC key: the raw octets of the file
    #[arg(long, value_name = "PATH")]
    secret_file: Option<PathBuf>,
    /// A public key in PEM
    #[arg(long, value_name = "PATH")]
    public_key: Option<PathBuf>,
    /// A JWK set
    #[arg(long, value_name = "PATH")]
    jwks: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Typ {
    #[value(name = "at+jwt")]
    AccessToken,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => return refuse(&one_sentence(&error)),
    };
    match serve(&flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// What clap has to say, without its advice.
fn one_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text.split("\n\n").next().unwrap_or_default();
    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything that can be wrong with the flags shows here, before anything is served.
fn verifier(flags: &Flags) -> Result<JwtVerifier<Claims>, String> {
    let issuer = match &flags.issuer.issuer {
        Some(issuer) => ExpectedIssuer::from(issuer),
        None => ExpectedIssuer::dangerous_any(),
    };
    let audience = match flags.audience.dangerous_any_audience {
        true => ExpectedAudience::dangerous_any(),
        false => ExpectedAudience::from(flags.audience.audiences.clone()),
    };
    // Each one once.
    let algorithms: BTreeSet<Algorithm> = flags.algorithms.iter().copied().collect();
    let keys = keys(&flags.keys, &algorithms)?;

    let configure = || {
        let mut verifier = JwtVerifier::new(issuer, audience, keys)?
            .with_claims()
            .with_leeway(Duration::from_secs(flags.leeway))?;
        if !algorithms.is_empty() {
            verifier = verifier.with_algorithms(algorithms)?;
        }
        if let Some(Typ::AccessToken) = flags.typ {
            verifier = verifier.require_rfc9068();
        }
        if let Some(epoch) = flags.clock {
            verifier = verifier.with_clock(FixedClock(NumericDate::from_unix_seconds(epoch)));
        }
        Ok(verifier)
    };
    configure().map_err(|error: ConfigError| with_causes(&error))
}

/// The keys of the one source that is given. A secret and a PEM file make a key for each algorithm.
fn keys(source: &Keys, algorithms: &BTreeSet<Algorithm>) -> Result<JwkSet, String> {
    type Load = fn(&[u8], Algorithm) -> Result<VerificationKey, ConfigError>;

    let (path, load): (&Path, Load) = match (&source.secret_file, &source.public_key, &source.jwks)
    {
        (Some(path), _, _) => (path, VerificationKey::from_secret),
        (_, Some(path), _) => (path, VerificationKey::from_pem),
        (_, _, Some(path)) => return jwk_set(path),
        _ => return Err("no source of keys is given".into()),
    };
    let octets = fs::read(path).map_err(|error| cannot_use(path, &error))?;
    algorithms
        .iter()
        .map(|algorithm| load(&octets, *algorithm))
        .collect::<Result<Vec<_>, _>>()
        .and_then(JwkSet::from_keys)
        .map_err(|error| cannot_use(path, &error))
}

fn jwk_set(path: &Path) -> Result<JwkSet, String> {
    let json = fs::read_to_string(path).map_err(|error| cannot_use(path, &error))?;
    let set = JwkSet::from_json(&json).map_err(|error| cannot_use(path, &error))?;
    for skipped in set.skipped() {
        eprintln!("{}: skipped {skipped}", path.display());
    }
    Ok(set)
}

fn cannot_use(path: &Path, error: &dyn Error) -> String {
    format!("cannot use {}: {}", path.display(), with_causes(error))
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Serves until SIGTERM or Ctrl-C.
async fn serve(flags: &Flags) -> Result<(), String> {
    let mut auth = JwtAuthLayer::new(verifier(flags)?).exempt(is_readiness_probe);
    if flags.optional {
        auth = auth.optional();
    }

    let router = whoami().layer(auth.clone());
    let mut servers = vec![("listening on", bind(&flags.listen).await?, router)];
    if let Some(address) = &flags.grpc_listen {
        let router = with_grpc(whoami())?.layer(auth);
        servers.push(("grpc listening on", bind(address).await?, router));
    }
    run(servers).await.map_err(|error| with_causes(&error))
}

async fn bind(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {}", with_causes(&error)))
}

/// Every path and method but the readiness probe's answers alike.
fn whoami() -> Router {
    Router::new().route("/readyz", get(async || "ready\n").fallback(claims)).fallback(claims)
}

/// The keys are local, so they are there. Only this exact request goes without a token.
fn is_readiness_probe(head: &Parts) -> bool {
    head.uri.path() == "/readyz" && matches!(head.method, Method::GET | Method::HEAD)
}

#[derive(Serialize)]
struct Answer<'a> {
    claims: Option<&'a Claims>,
    header: Option<&'a TokenHeader>,
}

async fn claims(token: Option<VerifiedToken<Claims>>) -> Response {
    let token = token.as_ref();
    Json(Answer {
        claims: token.map(VerifiedToken::claims),
        header: token.and_then(VerifiedToken::header),
    })
    .into_response()
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
    // Whoever takes longer is cut off.
    let _ = tokio::time::timeout(GRACE, running.join_all()).await;
    Ok(())
}

/// SIGTERM or Ctrl-C, caught from now on.
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
