//! An MCP server whose tools need scopes. A client needs no configuration to log in: it finds the issuer in the
//! metadata of this server, and requests a token for it.
//!
//! | operation | scope |
//! |---|---|
//! | list the tools, call `list_notes` | `notes:read` |
//! | call `add_note` | `notes:read notes:write` |
//!
//! ```sh
//! cargo run -p mcp_server -- --issuer https://issuer.example --resource https://notes.example/mcp
//! ```
//!
//! The issuer must issue tokens whose audience is the resource. Clients of revisions before 2026-07-28 do not name the
//! operation in headers that the server checks, so they need both scopes for everything. Some of them cannot get more
//! scopes than they began with: with `--older-clients`, all clients begin with both. The server keeps no sessions by
//! default. With `--sessions` it keeps sessions for clients of older revisions, each for the user who started it.

mod notes;
mod sessions;

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use clap::Parser;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tower_jwt_auth::{
    AuthorizeLayer, ConfigError, JwtAuthLayer, JwtVerifier, McpRules, RegisteredClaims,
    ResourceMetadata, Rule, Scope,
};

use self::notes::Notes;
use self::sessions::{Sessions, only_own_sessions};

/// Serves the notes of each user as MCP tools.
#[derive(Parser)]
struct Flags {
    /// The address; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: String,
    /// The issuer of the tokens
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// The URL by which clients know this server, and the audience of its tokens [default: http://ADDR/mcp]
    #[arg(long, value_name = "URL")]
    resource: Option<String>,
    /// Have clients ask for both scopes at once, as those of revisions before 2026-07-28 need them for everything
    #[arg(long)]
    older_clients: bool,
    /// Keep sessions for clients of revisions before 2026-07-28
    #[arg(long)]
    sessions: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let flags = Flags::parse();
    let listener = TcpListener::bind(&flags.listen).await?;
    let address = listener.local_addr()?;
    let app = app(&flags, &format!("http://{address}/mcp"))?;

    println!("listening on http://{address}");
    axum::serve(listener, app).await?;
    Ok(())
}

fn app(flags: &Flags, own_url: &str) -> Result<Router, Box<dyn Error>> {
    let resource = flags.resource.as_deref().unwrap_or(own_url);
    // What a client without a token asks for.
    let first = if flags.older_clients { "notes:read notes:write" } else { "notes:read" };
    let rules = rules()?;
    let metadata =
        ResourceMetadata::new(resource)?.with_name("Notes")?.add_scopes(rules.scopes())?;
    let auth = JwtAuthLayer::new(JwtVerifier::discover(&flags.issuer, resource)?)
        .with_scope_in_challenge(Scope::from(first))?
        .with_resource_metadata(metadata)?;

    let host = resource.parse::<Uri>()?.host().map(String::from);
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(host)
        .with_legacy_session_mode(flags.sessions)
        .with_json_response(true);
    let notes = Notes::default();
    let server = StreamableHttpService::new(
        move || Ok(notes.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    Ok(Router::new()
        .route_service("/mcp", server)
        .route_layer(from_fn_with_state(Sessions::default(), only_own_sessions))
        .route_layer(AuthorizeLayer::new(rules))
        .route_layer(auth.clone())
        .layer(auth.resource_metadata_layer()?))
}

fn rules() -> Result<McpRules<RegisteredClaims>, ConfigError> {
    let read = Rule::scope("notes:read")?;
    McpRules::new()
        .add_discovery(read.clone())?
        .add_tool("list_notes", read.clone())?
        .add_tool("add_note", read.and(Rule::scope("notes:write")?))
}
