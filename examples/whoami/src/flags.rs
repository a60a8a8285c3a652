//! The flags, as their users write them.

use std::path::PathBuf;

use clap::{Args, Parser, ValueEnum};
use tower_jwt_auth::Algorithm;

/// Answers with the claims of the bearer token it is shown.
#[derive(Parser)]
pub(crate) struct Flags {
    /// Where to serve HTTP/1.1 and h2c; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub(crate) listen: String,
    /// Where to serve the gRPC health service and reflection too
    #[arg(long, value_name = "ADDR")]
    pub(crate) grpc_listen: Option<String>,
    #[command(flatten)]
    pub(crate) issuer: Issuer,
    #[command(flatten)]
    pub(crate) audience: Audience,
    #[command(flatten)]
    pub(crate) keys: Keys,
    /// An algorithm that is allowed; it narrows what the keys allow. Repeatable; required with a
    /// secret or a PEM file
    #[arg(
        long = "algorithm",
        value_name = "NAME",
        required_unless_present_any = ["jwks", "jwks_url", "discover"]
    )]
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far clocks may be apart, at most 300
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) leeway: u64,
    /// Ask for access tokens by RFC 9068
    #[arg(long, value_name = "TYPE")]
    pub(crate) typ: Option<Typ>,
    /// Let access tokens carry at_hash or c_hash, as Dex makes them
    #[arg(long)]
    pub(crate) allow_at_hash: bool,
    /// The longest token that is read, 128 to 65536; over HTTP/2 the server's own limit of 16 KiB for
    /// all header fields comes first
    #[arg(long, value_name = "BYTES", default_value_t = 16384)]
    pub(crate) max_token_length: usize,
    /// Judge tokens as of this second
    #[arg(long, value_name = "EPOCH", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) clock: Option<i64>,
    /// Let requests without a token pass
    #[arg(long)]
    pub(crate) optional: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Issuer {
    /// Whom tokens must be from; repeatable with --discover, any of them will do
    #[arg(long = "issuer", value_name = "URL")]
    pub(crate) issuers: Vec<String>,
    /// Accept tokens from anybody whom the keys belong to
    #[arg(long, conflicts_with = "discover")]
    pub(crate) dangerous_any_issuer: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Audience {
    /// Whom tokens must be for; repeatable, any of them will do
    #[arg(long = "audience", value_name = "ID")]
    pub(crate) audiences: Vec<String>,
    /// Accept tokens that are for somebody else
    #[arg(long)]
    pub(crate) dangerous_any_audience: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Keys {
    /// An HMAC key: the raw octets of the file
    #[arg(long, value_name = "PATH")]
    pub(crate) secret_file: Option<PathBuf>,
    /// A public key in PEM
    #[arg(long, value_name = "PATH")]
    pub(crate) public_key: Option<PathBuf>,
    /// A JWK set
    #[arg(long, value_name = "PATH")]
    pub(crate) jwks: Option<PathBuf>,
    /// Where a JWK set is fetched, and fetched anew as it changes
    #[arg(long, value_name = "URL")]
    pub(crate) jwks_url: Option<String>,
    /// Find each issuer's JWK set by its metadata
    #[arg(long)]
    pub(crate) discover: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Typ {
    #[value(name = "at+jwt")]
    AccessToken,
}

/// What clap has to say, without its advice.
pub(crate) fn one_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let complaint = text.split("\n\n").next().unwrap_or_default();
    let complaint = complaint.strip_prefix("error: ").unwrap_or(complaint);
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}
