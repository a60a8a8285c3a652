//! `token-service token`.

use std::time::Duration;

use clap::Args;
use token_service::access_tokens::{self, BUILT_IN_CLIENT, Claims};
use token_service::keys;
use token_service::store::Store;
use tower_jwt_auth::TokenIssuer;

use super::print;
use crate::program::failure::Failure;
use crate::program::flags::Serve;
use crate::program::options;

const HELP: &str = "\
The token is signed with the key of the database, so services that know the issuer accept it. It came of no
login, so no logout ends it: keep its lifetime short. `/revoke` revokes it like any token of its client.

Example:
  curl -H \"Authorization: Bearer $(token-service --issuer http://127.0.0.1:8000 token --subject alice)\" \\
    http://127.0.0.1:8000/protected";

/// The claims of the token.
#[derive(Args)]
#[command(after_help = HELP)]
pub(in crate::program) struct TokenCommand {
    /// `sub`: whose token it is
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// `client_id`
    #[arg(long, value_name = "ID", default_value = BUILT_IN_CLIENT)]
    client: String,
    /// What the token allows; repeatable
    #[arg(long = "scope", value_name = "NAME")]
    scopes: Vec<String>,
    /// `aud`; repeatable [default: the issuer]
    #[arg(long = "audience", id = "token_audience", value_name = "URL")]
    audiences: Vec<String>,
    /// The lifetime of the token
    #[arg(
        long, id = "token_lifetime", value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    lifetime: u32,
}

pub(super) async fn run(
    store: &dyn Store,
    flags: &Serve,
    command: TokenCommand,
) -> Result<(), Failure> {
    let settings = options::settings(flags, format!("http://{}", flags.listen))?;
    command.scopes.iter().try_for_each(|scope| options::check_scope(scope))?;
    command.audiences.iter().try_for_each(|one| options::check_audience(one))?;
    if command.subject.is_empty() || command.client.is_empty() {
        return Err(Failure::bad("--subject and --client must not be empty"));
    }
    let (ring, _) =
        keys::load(store, &settings).await.map_err(|error| Failure::bad_because(&*error))?;
    let issuer =
        TokenIssuer::new(&settings.issuer, ring).map_err(|error| Failure::bad_because(&error))?;
    let claims = Claims {
        sub: command.subject,
        client_id: command.client,
        scope: command.scopes.join(" "),
        auth_time: None,
    };
    let audiences = match command.audiences {
        none if none.is_empty() => vec![settings.issuer],
        audiences => audiences,
    };
    let lifetime = Duration::from_secs(command.lifetime.into());
    let token = access_tokens::issue(&issuer, &claims, None, &audiences, lifetime)
        .map_err(|error| Failure::bad_because(&error))?;
    print(&format!("{token}\n"))
}
