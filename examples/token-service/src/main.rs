//! A token service to try out. Users and keys are in memory, and are lost when it ends.
//!
//! ```sh
//! cargo run -p token-service -- --demo
//! cargo run -p token-service -- --help
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use token_service::{Service, Settings, demo};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;
use url::{Host, Url};

/// How long open connections may take to end after SIGTERM or Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Issues tokens for a name and a password, and serves some routes that need a token.
#[derive(Parser)]
struct Flags {
    /// The address to serve on; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
    /// Keep everything in memory, with one user
    #[arg(long)]
    demo: bool,
    /// The issuer's URL, as clients reach it [default: http://ADDR]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The lifetime of an access token
    #[arg(
        long, value_name = "SECONDS", default_value_t = 1800,
        allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..)
    )]
    lifetime: u32,
    /// Pages of this origin may call /token and the protected routes; repeatable
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => return refuse(&one_sentence(&error)),
    };
    let result = match log_to_standard_error() {
        Ok(()) => serve(flags).await,
        Err(error) => Err(error),
    };
    result.map_or_else(|error| refuse(&error), |()| ExitCode::SUCCESS)
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// The error of clap in one sentence, without its hints.
fn one_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text.split("\n\n").next().unwrap_or_default();
    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The log filter: `warn` by default. `RUST_LOG` adds to it, for example `tower_jwt_auth=debug` to see why tokens are
/// refused. Targets that `RUST_LOG` does not name keep `warn`.
fn log_to_standard_error() -> Result<(), String> {
    let targets = std::env::var_os("RUST_LOG").unwrap_or_default();
    let targets: Targets = match targets.to_str() {
        Some("") => Ok(Targets::new()),
        Some(targets) => targets.parse().map_err(|error| with_causes(&error)),
        None => Err("it is not UTF-8".to_owned()),
    }
    .map_err(|error: String| format!("RUST_LOG cannot be read: {error}"))?;
    let targets = match targets.default_level() {
        None => targets.with_default(LevelFilter::WARN),
        Some(_) => targets,
    };
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr))
        .with(targets)
        .init();
    Ok(())
}

/// Serves until SIGTERM or Ctrl-C.
async fn serve(flags: Flags) -> Result<(), String> {
    if !flags.demo {
        return Err("only --demo is there yet: users and keys are kept in memory".into());
    }
    let listener = TcpListener::bind(&flags.listen)
        .await
        .map_err(|error| format!("cannot listen on {:?}: {}", flags.listen, with_causes(&error)))?;
    let address = listener.local_addr().map_err(|error| with_causes(&error))?;

    let mut settings = Settings::new(flags.issuer.unwrap_or_else(|| format!("http://{address}")));
    settings.cors_origins = flags.cors_origin;
    settings.lifetime = Duration::from_secs(flags.lifetime.into());
    let now = settings.clock.now().unix_seconds();
    let (store, secret) =
        demo::store(&settings.issuer, now).await.map_err(|error| with_causes(&error))?;
    let issuer = settings.issuer.clone();
    let service = Service::new(settings, Arc::new(store)).await;
    let service = service.map_err(|error| with_causes(&*error))?;
    let router = Arc::new(service).router().map_err(|error| with_causes(&error))?;

    tracing::warn!(
        "the password grant is on: RFC 9700 section 2.4 forbids it, as it hands passwords to \
         clients; use the authorization code grant with PKCE, or client credentials"
    );
    if names_no_host(&issuer) {
        tracing::warn!(
            "the issuer {} cannot be reached by that URL: other services will not find its metadata \
             and keys; give the URL that they use, such as --issuer http://HOST:{}",
            issuer,
            address.port()
        );
    }
    let termination = termination().map_err(|error| with_causes(&error))?;
    announce(address, &secret).map_err(|error| with_causes(&error))?;

    let (stop, stopped) = oneshot::channel::<()>();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());
    termination.await;
    drop(stop);
    // Connections that take longer are closed.
    let _ = tokio::time::timeout(GRACE, server).await;
    Ok(())
}

/// Whether the host of the URL is the unspecified address, "every interface".
fn names_no_host(issuer: &str) -> bool {
    match Url::parse(issuer).ok().as_ref().and_then(Url::host) {
        Some(Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

fn announce(address: SocketAddr, secret: &str) -> io::Result<()> {
    let lines = format!(
        "demo user: {}, password: {}\n\
         demo client: {}, secret: {secret}\n\
         listening on http://{address}\n\
         docs page: http://{}/docs\n",
        demo::USER,
        demo::PASSWORD,
        demo::CLIENT,
        reachable(address)
    );
    // One write, because a reader may close the pipe once it has the address.
    let mut out = io::stdout().lock();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

/// The address that a browser on this machine can open: loopback instead of "every interface".
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
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
