//! The administration: commands on the database, also while the service runs on it.

mod client;
mod encryption;
mod keys;
mod token;
mod user;

use std::io::{self, Write};

use clap::Subcommand;
use token_service::store::{Seconds, SqlStore};
use tower_jwt_auth::{Clock, SystemClock};

use super::failure::Failure;
use super::flags::{Database, Serve};
use super::options;

/// The commands of the administration.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Add, change and list users
    #[command(subcommand)]
    User(user::UserCommand),
    /// Add, change and list clients: the applications that get tokens
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// List and replace the keys that sign tokens
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Issue an access token for a test, without a server
    Token(token::TokenCommand),
}

/// Runs one command.
pub(super) async fn run(
    database: &Database,
    flags: &Serve,
    command: Command,
) -> Result<(), Failure> {
    if matches!(command, Command::Token(_)) {
        options::check_issuer_is_given(database, flags)?;
    }
    if let Command::Keys(keys::KeysCommand::GenerateEncryptionKey) = command {
        return encryption::generate();
    }
    let store = options::open(database).await?;
    let result = match command {
        Command::User(command) => user::run(&store, command).await,
        Command::Client(command) => client::run(&store, command).await,
        Command::Keys(command) => keys::run(&store, flags, command).await,
        Command::Token(command) => token::run(&store, flags, command).await,
    };
    close(&store).await;
    result
}

async fn close(store: &SqlStore) {
    use token_service::store::Store;

    store.close().await;
}

fn now() -> Seconds {
    SystemClock.now().unix_seconds()
}

/// Writes the result of a command to standard output. A reader that has closed it, such as `head`, is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::bad(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// One line of a list for scripts: fields separated by tabs; `-` is an empty field.
fn line<const N: usize>(fields: [&str; N]) -> String {
    let fields = fields.map(|field| if field.is_empty() { "-" } else { field });
    format!("{}\n", fields.join("\t"))
}

/// The name of a user or the ID of a client, which is the subject of tokens. That of an ID token has at most 255 characters,
/// all of ASCII (OpenID Connect Core 1.0 section 2).
fn check_subject(what: &str, name: &str) -> Result<(), Failure> {
    if !name.is_ascii() || name.len() > 255 {
        return Err(Failure::bad(format!("{what} must have at most 255 characters, all of ASCII")));
    }
    check_name(what, name)
}

/// A name that people and lists can show: 1 to 256 bytes, without control characters, and without space at its ends.
fn check_name(what: &str, name: &str) -> Result<(), Failure> {
    if name.is_empty() || name.len() > 256 {
        return Err(Failure::bad(format!("{what} must have 1 to 256 bytes")));
    }
    if name.contains(char::is_control) || name.trim() != name {
        return Err(Failure::bad(format!(
            "{what} {name:?} must have no control characters, and no space at its ends"
        )));
    }
    Ok(())
}
