//! `token-service user …`.

use clap::Subcommand;
use token_service::access_tokens;
use token_service::passwords;
use token_service::store::{Store, User};

use super::{check_subject, line, now, print};
use crate::program::failure::Failure;
use crate::program::{options, password};

const ADD: &str = "\
Example:
  printf '%s' \"$PASSWORD\" | token-service user add alice --scope read --scope write

Without a pipe it asks for the password, and does not show it.";

const PASSWD: &str = "\
Example:
  token-service user passwd alice

Every session of the user ends, and every refresh token is revoked.";

const DISABLE: &str = "\
Example:
  token-service user disable alice

The user can no longer log in. Every session ends, and every refresh token is revoked. Access tokens that
other services verify by themselves end when they expire.";

const LIST: &str = "\
Each line has the name, `enabled` or `disabled`, and the scopes, separated by tabs.

Example, the enabled users:
  token-service user list | awk -F '\\t' '$2 == \"enabled\" { print $1 }'";

#[derive(Subcommand)]
pub(in crate::program) enum UserCommand {
    /// Add a user, with a password from standard input or a prompt
    #[command(after_help = ADD)]
    Add {
        name: String,
        /// A scope that the user may grant, the least powerful first; repeatable [default: read]
        #[arg(long = "scope", value_name = "NAME")]
        scopes: Vec<String>,
    },
    /// Replace a password, and end every session of the user
    #[command(after_help = PASSWD)]
    Passwd { name: String },
    /// Disable a user, and end every session of the user
    #[command(after_help = DISABLE)]
    Disable { name: String },
    /// List the users
    #[command(after_help = LIST)]
    List,
}

pub(super) async fn run(store: &dyn Store, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, scopes } => add(store, name, scopes).await,
        UserCommand::Passwd { name } => change_password(store, &name).await,
        UserCommand::Disable { name } => {
            if !store.disable_user(&name, now()).await? {
                return Err(unknown(&name));
            }
            print(&format!("disabled {name}\n"))
        }
        UserCommand::List => list(store).await,
    }
}

async fn add(store: &dyn Store, name: String, mut scopes: Vec<String>) -> Result<(), Failure> {
    check_subject("the name", &name)?;
    scopes.iter().try_for_each(|scope| options::check_scope(scope))?;
    if scopes.is_empty() {
        scopes.push("read".to_owned());
    }
    // Before the password is asked for.
    if access_tokens::is_reserved(&name) {
        return Err(Failure::refused(format!("the name {name:?} is reserved")));
    }
    if store.user(&name).await?.is_some() {
        return Err(Failure::refused(format!("there is a user {name:?} already")));
    }
    let password_hash = hash(&password::read()?)?;
    let user = User { name, password_hash, scopes, created_at: now(), disabled_at: None };
    if !store.add_user(&user).await? {
        return Err(Failure::refused(format!("there is a user {:?} already", user.name)));
    }
    print(&format!("added {}\n", user.name))
}

async fn change_password(store: &dyn Store, name: &str) -> Result<(), Failure> {
    if store.user(name).await?.is_none() {
        return Err(unknown(name));
    }
    let hash = hash(&password::read()?)?;
    if !store.set_password(name, &hash, now()).await? {
        return Err(unknown(name));
    }
    print(&format!("changed {name}\n"))
}

async fn list(store: &dyn Store) -> Result<(), Failure> {
    let users = store.users().await?;
    let lines = users.iter().map(|user| {
        let state = if user.disabled_at.is_some() { "disabled" } else { "enabled" };
        line([&user.name, state, &user.scopes.join(" ")])
    });
    print(&lines.collect::<String>())
}

fn hash(password: &str) -> Result<String, Failure> {
    passwords::hash(password)
        .map_err(|error| Failure::bad(format!("the password cannot be hashed: {error}")))
}

fn unknown(name: &str) -> Failure {
    Failure::refused(format!("there is no user {name:?}"))
}
