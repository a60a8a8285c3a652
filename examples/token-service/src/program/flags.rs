//! The flags of the service. Each is also an environment variable: `--listen` is `TOKEN_SERVICE_LISTEN`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, Parser, ValueEnum};
use token_service::ProxyHeader;

use super::admin::Command;

const EXAMPLES: &str = "\
Examples:
  Try it, with everything in memory:
    token-service --demo

  Make a user and a client, then serve:
    printf '%s' \"$PASSWORD\" | token-service user add alice --scope read --scope write
    token-service client add --name 'My app' --redirect-uri https://app.example/callback --public
    token-service --issuer https://login.example --audience https://api.example

Every flag of the service can be an environment variable, such as TOKEN_SERVICE_ISSUER; values of a flag
that may be repeated are separated by spaces there, and scopes by semicolons. The keys of
--key-encryption-key-file themselves can be in TOKEN_SERVICE_KEY_ENCRYPTION_KEYS.";

/// Issues tokens, and serves some routes that need one.
///
/// Without a command it serves until SIGTERM or Ctrl-C. The commands work on the same database, also while it serves.
#[derive(Parser)]
#[command(name = "token-service", after_help = EXAMPLES)]
pub(super) struct Flags {
    #[command(flatten)]
    pub(super) database: Database,
    #[command(flatten)]
    pub(super) serve: Serve,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// The format of the log.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// One object of JSON for each line.
    Json,
}

/// Where users, clients, grants and keys are.
#[derive(Args)]
pub(super) struct Database {
    /// sqlite:FILE, which is made when missing [default: sqlite:token-service.db]
    #[arg(
        long = "database",
        value_name = "URL",
        global = true,
        env = "TOKEN_SERVICE_DATABASE",
        hide_env_values = true,
        conflicts_with = "database_file"
    )]
    pub(super) url: Option<String>,
    /// A file with the URL of the database, if it contains a password
    #[arg(
        long = "database-file",
        id = "database_file",
        value_name = "PATH",
        global = true,
        env = "TOKEN_SERVICE_DATABASE_FILE"
    )]
    pub(super) file: Option<PathBuf>,
    /// A file with a key that encrypts the keys in the database; repeatable: the first encrypts, all decrypt
    #[arg(
        long = "key-encryption-key-file",
        id = "key_encryption_key_file",
        value_name = "PATH",
        global = true,
        env = "TOKEN_SERVICE_KEY_ENCRYPTION_KEY_FILE",
        value_delimiter = ' '
    )]
    pub(super) key_encryption_key_files: Vec<PathBuf>,
}

/// The flags of the service itself.
#[derive(Args)]
pub(super) struct Serve {
    /// The address to serve on; port 0 picks a free port
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8000",
        env = "TOKEN_SERVICE_LISTEN"
    )]
    pub(super) listen: String,
    /// Serve metrics at /metrics on this address, in the format of Prometheus, to anyone who can reach it
    #[arg(long, value_name = "ADDR", env = "TOKEN_SERVICE_METRICS_LISTEN")]
    pub(super) metrics_listen: Option<String>,
    /// Write a line to the log for each request, without secrets
    #[arg(long, env = "TOKEN_SERVICE_ACCESS_LOG", value_parser = BoolishValueParser::new())]
    pub(super) access_log: bool,
    /// The format of the log
    #[arg(
        long,
        value_name = "NAME",
        default_value = "text",
        env = "TOKEN_SERVICE_LOG_FORMAT",
        global = true
    )]
    pub(super) log_format: LogFormat,
    /// Keep everything in memory, with one user and one client
    #[arg(
        long, env = "TOKEN_SERVICE_DEMO", value_parser = BoolishValueParser::new(),
        conflicts_with_all = ["url", "database_file", "key_encryption_key_file"]
    )]
    pub(super) demo: bool,
    /// The issuer's URL, as clients reach it [default: http://ADDR]
    #[arg(long, value_name = "URL", global = true, env = "TOKEN_SERVICE_ISSUER")]
    pub(super) issuer: Option<String>,
    /// The lifetime of an access token
    #[arg(
        long, value_name = "SECONDS", default_value_t = 1800, env = "TOKEN_SERVICE_LIFETIME",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub(super) lifetime: u32,
    /// How long a used refresh token gives the same successor again; 0: never
    #[arg(
        long, value_name = "SECONDS", default_value_t = 30, env = "TOKEN_SERVICE_REFRESH_GRACE",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=600)
    )]
    pub(super) refresh_grace: u32,
    /// A resource that tokens may be asked for (RFC 8707), beside the issuer; repeatable
    #[arg(long, value_name = "URL", env = "TOKEN_SERVICE_AUDIENCE", value_delimiter = ' ')]
    pub(super) audience: Vec<String>,
    /// A scope and its meaning for the consent page; repeatable [default: read and write]
    #[arg(long, value_name = "NAME=MEANING", env = "TOKEN_SERVICE_SCOPE", value_delimiter = ';')]
    pub(super) scope: Vec<String>,
    /// Pages of this origin may call /token and the protected routes; repeatable
    #[arg(long, value_name = "ORIGIN", env = "TOKEN_SERVICE_CORS_ORIGIN", value_delimiter = ' ')]
    pub(super) cors_origin: Vec<String>,
    /// Know registered clients only: none by a URL as its ID (Client ID Metadata Documents)
    #[arg(
        long,
        env = "TOKEN_SERVICE_NO_CLIENT_METADATA_DOCUMENTS",
        value_parser = BoolishValueParser::new()
    )]
    pub(super) no_client_metadata_documents: bool,
    /// For tests: fetch the documents of clients at this host also over http and from a private address; repeatable
    #[arg(
        long,
        value_name = "HOST[:PORT]",
        env = "TOKEN_SERVICE_DANGEROUS_CLIENT_METADATA_HOST",
        value_delimiter = ' '
    )]
    pub(super) dangerous_client_metadata_host: Vec<String>,
    /// Serve no page at /docs, and have no client for it
    #[arg(long, env = "TOKEN_SERVICE_NO_DOCS", value_parser = BoolishValueParser::new())]
    pub(super) no_docs: bool,
    /// A proxy in front: its header names the address of the client; repeatable
    #[arg(
        long,
        value_name = "IP or CIDR",
        env = "TOKEN_SERVICE_TRUSTED_PROXY",
        value_delimiter = ' '
    )]
    pub(super) trusted_proxy: Vec<String>,
    /// The header that every trusted proxy sets; the other one is not read
    #[arg(
        long,
        value_name = "NAME",
        default_value = "x-forwarded-for",
        env = "TOKEN_SERVICE_PROXY_HEADER",
        ignore_case = true
    )]
    pub(super) proxy_header: ProxyHeader,
    /// How many requests an address, or a client, may make in a second; 0: no limit
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 50,
        env = "TOKEN_SERVICE_REQUESTS_PER_SECOND"
    )]
    pub(super) requests_per_second: u32,
    /// How long it serves after SIGTERM, with 503 at /readyz, so that proxies notice; a second signal ends that
    #[arg(
        long, value_name = "SECONDS", default_value_t = 0, env = "TOKEN_SERVICE_DRAIN",
        value_parser = clap::value_parser!(u32).range(..=600)
    )]
    pub(super) drain: u32,
    /// The age at which a signing key is replaced
    #[arg(
        long, value_name = "DAYS", default_value_t = 90, env = "TOKEN_SERVICE_KEY_AGE",
        value_parser = clap::value_parser!(u32).range(8..=3650)
    )]
    pub(super) key_age: u32,
}
