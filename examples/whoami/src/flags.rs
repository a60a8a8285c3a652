//! The command-line flags.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, ValueEnum};
use tower_jwt_auth::Algorithm;

use crate::mcp::name_and_scope;

/// Returns the claims of the request's bearer token.
#[derive(Parser)]
pub(crate) struct Flags {
    #[arg(value_enum)]
    pub(crate) command: Option<Command>,
    /// The address for HTTP/1.1 and h2c; port 0 picks a free port
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,
    /// The address for the gRPC health service and reflection
    #[arg(long, value_name = "ADDR")]
    pub(crate) grpc_listen: Option<String>,
    /// A TOML file with the settings of the layer, in place of all flags about tokens and refusals. See the guide to
    /// configuration of tower-jwt-auth
    #[arg(
        long,
        value_name = "PATH",
        groups = ["Issuer", "Audience", "Keys", "Described"],
        conflicts_with_all = [
            "algorithms", "leeway", "typ", "allow_at_hash", "max_token_length", "token_cache", "cookie", "cookie_origins",
            "header", "websocket", "optional", "grpc_error_info", "scopes", "dpop", "require_dpop", "dpop_nonce",
            "token_types", "key_file", "initial_jwks", "client_id", "client_secret_file", "introspection_cache_age",
        ]
    )]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) issuer: Issuer,
    #[command(flatten)]
    pub(crate) audience: Audience,
    #[command(flatten)]
    pub(crate) keys: Keys,
    #[command(flatten)]
    pub(crate) start: Start,
    #[command(flatten)]
    pub(crate) client: Client,
    /// An allowed algorithm; narrows those of the keys. Repeatable; required with a secret or a PEM file
    #[arg(
        long = "algorithm",
        value_name = "NAME",
        required_unless_present_any = ["config", "jwks", "jwks_url", "discover", "introspect"],
        conflicts_with = "introspect"
    )]
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far clocks may differ, in seconds, at most 300
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) leeway: u64,
    /// Require access tokens of the RFC 9068 profile
    #[arg(long, value_name = "TYPE", conflicts_with = "introspect")]
    pub(crate) typ: Option<Typ>,
    /// Accept tokens of this kind, such as txntoken+jwt, and no access tokens. Repeatable: any of the kinds
    #[arg(long = "token-type", value_name = "TYP", conflicts_with = "introspect")]
    pub(crate) token_types: Vec<String>,
    /// Accept access tokens with at_hash or c_hash, as Dex issues them
    #[arg(long, conflicts_with = "introspect")]
    pub(crate) allow_at_hash: bool,
    /// The longest accepted token in bytes, 128 to 65536; over HTTP/2 the server first limits all
    /// header fields to 16 KiB together
    #[arg(long, value_name = "BYTES", default_value_t = 16384)]
    pub(crate) max_token_length: usize,
    /// Verify tokens as of this time, in Unix seconds
    #[arg(long, value_name = "EPOCH", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) clock: Option<i64>,
    /// Keep this many verified tokens in a cache
    #[arg(long, value_name = "N")]
    pub(crate) token_cache: Option<usize>,
    #[command(flatten)]
    pub(crate) binding: Binding,
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// Accept requests without a token
    #[arg(long)]
    pub(crate) optional: bool,
    /// End streams and the connections of --websocket when their token expires
    #[arg(long)]
    pub(crate) end_at_expiry: bool,
    /// Add a google.rpc.ErrorInfo with this domain to refusals over gRPC
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) grpc_error_info: Option<String>,
    /// A scope that the token must have. Repeatable: it must have all of them
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Serve the metadata of this protected resource (RFC 9728) and name them in challenges: its public URL, https or
    /// http on loopback. A minimal MCP server is at /mcp
    #[arg(long, value_name = "URL", group = "Described")]
    pub(crate) resource: Option<String>,
    /// The scope that a tool of the MCP server needs. Repeatable
    #[arg(long = "mcp-scope", value_name = "NAME=SCOPE", requires = "Described", value_parser = name_and_scope)]
    pub(crate) mcp_scopes: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Command {
    /// Read one token from standard input, print each check with its outcome, and exit with 0 (accepted; with --dpop, a
    /// bound token also needs a proof) or 1 (refused)
    Explain,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Issuer {
    /// The issuer of the tokens; repeatable with --discover
    #[arg(long = "issuer", value_name = "URL")]
    pub(crate) issuers: Vec<String>,
    /// Accept tokens of any issuer that the keys verify
    #[arg(long, conflicts_with = "discover")]
    pub(crate) dangerous_any_issuer: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Audience {
    /// The audience of the tokens; repeatable, one of them must match
    #[arg(long = "audience", value_name = "ID")]
    pub(crate) audiences: Vec<String>,
    /// Accept tokens for any audience
    #[arg(long)]
    pub(crate) dangerous_any_audience: bool,
}

/// Where the keys come from, or who is asked in their place.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Keys {
    /// An HMAC key: the raw bytes of the file
    #[arg(long, value_name = "PATH")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A public key in PEM
    #[arg(long, value_name = "PATH")]
    pub(crate) public_key: Option<PathBuf>,
    /// A JWK set
    #[arg(long, value_name = "PATH")]
    pub(crate) jwks: Option<PathBuf>,
    /// The URL of a JWK set, which is refreshed in the background
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_url: Option<String>,
    /// Find each issuer's JWK set through its metadata
    #[arg(long)]
    pub(crate) discover: bool,
    /// Ask the introspection endpoint of the issuer at this URL about each token, as the client of --client. An answer
    /// without an audience is accepted if it has a token type
    #[arg(long, value_name = "URL", requires = "client_id")]
    pub(crate) introspect: Option<String>,
}

/// Keys before the first fetch has succeeded, for one issuer with --jwks-url or --discover.
#[derive(Args)]
pub(crate) struct Start {
    /// Remember the last good set in this file across restarts
    #[arg(long, value_name = "PATH", conflicts_with = "introspect")]
    pub(crate) key_file: Option<PathBuf>,
    /// Begin with the keys of this JWK set, until a fetch succeeds
    #[arg(long, value_name = "PATH", conflicts_with = "introspect")]
    pub(crate) initial_jwks: Option<PathBuf>,
}

/// How to authenticate to the introspection endpoint.
#[derive(Args)]
pub(crate) struct Client {
    /// The ID of the client
    #[arg(long = "client", value_name = "ID", requires = "client_secret_file")]
    pub(crate) client_id: Option<String>,
    /// The secret of the client: the file without a line break at its end
    #[arg(long, value_name = "PATH", requires = "client_id")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// How long an answer of the introspection endpoint is used again, in seconds, at most 3600; 30 by default
    #[arg(long, value_name = "SECONDS", requires = "client_id")]
    pub(crate) introspection_cache_age: Option<u64>,
}

/// Tokens that are bound to a key of their client.
#[derive(Args)]
#[command(group = ArgGroup::new("accepts_dpop").multiple(true))]
pub(crate) struct Binding {
    /// Accept DPoP-bound tokens too, with a proof for the host that the client asks (RFC 9449)
    #[arg(long, group = "accepts_dpop")]
    pub(crate) dpop: bool,
    /// Accept DPoP-bound tokens alone
    #[arg(long, group = "accepts_dpop")]
    pub(crate) require_dpop: bool,
    /// Demand a nonce in each DPoP proof
    #[arg(long, requires = "accepts_dpop")]
    pub(crate) dpop_nonce: bool,
    /// Whether the verifier explains one token, and leaves its binding to the caller. No flag: a server never does.
    #[arg(skip)]
    pub(crate) is_explained: bool,
}

/// Places beside the header Authorization.
#[derive(Args)]
pub(crate) struct Sources {
    /// Take the token also from this cookie, of requests that pages of --cookie-origin make
    #[arg(long, value_name = "NAME", requires = "cookie_origins")]
    pub(crate) cookie: Option<String>,
    /// The origin of pages that may use the cookie: the scheme, the host and the port. Repeatable
    #[arg(long = "cookie-origin", value_name = "ORIGIN", requires = "cookie")]
    pub(crate) cookie_origins: Vec<String>,
    /// Take the token also from this header
    #[arg(long, value_name = "NAME")]
    pub(crate) header: Option<String>,
    /// Take the token also from the sub-protocol base64url.bearer.authorization.k8s.io.TOKEN of a
    /// WebSocket handshake, accept the handshake, and answer each message with the claims
    #[arg(long)]
    pub(crate) websocket: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Typ {
    #[value(name = "at+jwt")]
    AccessToken,
}

/// The error of clap in one sentence, without its hints.
pub(crate) fn one_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text.split("\n\n").next().unwrap_or_default();
    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}
