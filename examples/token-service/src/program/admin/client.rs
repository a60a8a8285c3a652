//! `token-service client …`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use token_service::access_tokens;
use token_service::secret;
use token_service::store::{Client, ClientAuthentication, GrantType, Store};
use tower_jwt_auth::JwkSet;

use super::{check_name, line, now, print};
use crate::program::failure::Failure;
use crate::program::options;

const ADD: &str = "\
Examples:
  A page in a browser, or an app (no secret; the authorization code grant with PKCE):
    token-service client add --name 'My app' --redirect-uri https://app.example/callback --public

  A machine (prints a secret, once):
    token-service client add --id nightly-job --name 'Nightly job' --grant client_credentials --scope read

It prints `client_id: ID` and, unless --public or --jwks is there, `client_secret: SECRET`.";

const ROTATE: &str = "\
Example:
  token-service client rotate-secret nightly-job

The old secret is refused at once. The new one is printed, once.";

const LIST: &str = "\
Each line has the ID, the name, how it authenticates (`none`, `client_secret`, `private_key_jwt`), the grants, the
scopes and the redirect URIs, separated by tabs.

Example, the IDs:
  token-service client list | cut -f 1";

#[derive(Subcommand)]
pub(in crate::program) enum ClientCommand {
    /// Add a client
    #[command(after_help = ADD)]
    Add(Add),
    /// Replace the secret of a client
    #[command(after_help = ROTATE)]
    RotateSecret {
        // One that was made at random may begin with a hyphen.
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
    /// List the clients
    #[command(after_help = LIST)]
    List,
}

#[derive(Args)]
pub(in crate::program) struct Add {
    /// The client_id [default: a random one]
    #[arg(long)]
    id: Option<String>,
    /// What the consent page shows
    #[arg(long)]
    name: String,
    /// Where the authorization endpoint may send users back to; repeatable
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where /logout may send users to; repeatable
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// authorization_code, refresh_token, client_credentials or password; repeatable
    /// [default: authorization_code and refresh_token]
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<GrantType>,
    /// A scope that the client may ask for; repeatable [default: read]
    #[arg(long = "scope", value_name = "NAME")]
    scopes: Vec<String>,
    /// The client cannot keep a secret
    #[arg(long, conflicts_with = "jwks")]
    public: bool,
    /// A file with its public keys: it authenticates by private_key_jwt
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

pub(super) async fn run(store: &dyn Store, command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Add(flags) => add(store, flags).await,
        ClientCommand::RotateSecret { id } => rotate_secret(store, &id).await,
        ClientCommand::List => list(store).await,
    }
}

async fn add(store: &dyn Store, flags: Add) -> Result<(), Failure> {
    let (client, secret) = client(flags)?;
    if access_tokens::is_reserved(&client.id) {
        return Err(Failure::refused(format!("the ID {:?} is reserved", client.id)));
    }
    if !store.add_client(&client).await? {
        return Err(Failure::refused(format!("there is a client {:?} already", client.id)));
    }
    let secret = secret.map_or_else(String::new, |secret| format!("client_secret: {secret}\n"));
    print(&format!("client_id: {}\n{secret}", client.id))
}

/// The client of the flags, and its secret.
fn client(flags: Add) -> Result<(Client, Option<String>), Failure> {
    let id = flags.id.unwrap_or_else(secret::random_id);
    if id.is_empty() || id.len() > 255 || !id.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Failure::bad(format!(
            "the ID {id:?} must have 1 to 255 printable ASCII characters without spaces"
        )));
    }
    check_name("the name", &flags.name)?;
    for uri in flags.redirect_uris.iter().chain(&flags.post_logout_redirect_uris) {
        check_redirect_uri(uri)?;
    }
    let mut scopes = flags.scopes;
    scopes.iter().try_for_each(|scope| options::check_scope(scope))?;
    if scopes.is_empty() {
        scopes.push("read".to_owned());
    }
    let grant_types = match flags.grants {
        none if none.is_empty() => vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        grants => grants,
    };
    if grant_types.contains(&GrantType::AuthorizationCode) && flags.redirect_uris.is_empty() {
        return Err(Failure::bad("the grant authorization_code needs a --redirect-uri"));
    }
    if flags.public && grant_types.contains(&GrantType::ClientCredentials) {
        return Err(Failure::bad("a public client cannot use the grant client_credentials"));
    }
    let (authentication, secret) = match flags.jwks {
        Some(path) => (ClientAuthentication::PrivateKeyJwt { jwk_set: jwk_set(&path)? }, None),
        None if flags.public => (ClientAuthentication::None, None),
        None => {
            let secret = secret::random();
            (ClientAuthentication::Secret { hash: secret::hash(&secret) }, Some(secret))
        }
    };
    let client = Client {
        id,
        name: flags.name,
        authentication,
        grant_types,
        redirect_uris: flags.redirect_uris,
        post_logout_redirect_uris: flags.post_logout_redirect_uris,
        scopes,
        created_at: now(),
    };
    Ok((client, secret))
}

fn check_redirect_uri(uri: &str) -> Result<(), Failure> {
    token_service::check_redirect_uri(uri)
        .map_err(|why| Failure::bad(format!("the redirect URI {uri:?} {why}")))
}

/// The text of a file with public keys, at least one of which this program can use.
fn jwk_set(path: &Path) -> Result<String, Failure> {
    let file = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::bad(format!("{file} cannot be read: {error}")))?;
    let set = JwkSet::from_json(&text)
        .map_err(|error| Failure::bad(format!("{file} is not a usable JWK set: {error}")))?;
    drop(set);
    let has_private_key = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|set| {
        let keys = set["keys"].as_array().cloned().unwrap_or_default();
        keys.iter().any(|key| ["d", "k", "priv"].iter().any(|member| key.get(member).is_some()))
    });
    if has_private_key {
        return Err(Failure::bad(format!(
            "{file} has a private key or a secret: give the public keys alone"
        )));
    }
    Ok(text)
}

async fn rotate_secret(store: &dyn Store, id: &str) -> Result<(), Failure> {
    let secret = secret::random();
    if !store.set_client_secret(id, &secret::hash(&secret)).await? {
        return Err(Failure::refused(match store.client(id).await? {
            Some(_) => format!("the client {id:?} has no secret"),
            None => format!("there is no client {id:?}"),
        }));
    }
    print(&format!("client_id: {id}\nclient_secret: {secret}\n"))
}

async fn list(store: &dyn Store) -> Result<(), Failure> {
    let clients = store.clients().await?;
    let lines = clients.iter().map(|client| {
        let authentication = match client.authentication {
            ClientAuthentication::None => "none",
            ClientAuthentication::Secret { .. } => "client_secret",
            ClientAuthentication::PrivateKeyJwt { .. } => "private_key_jwt",
        };
        let grants: Vec<&str> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
        line([
            &client.id,
            &client.name,
            authentication,
            &grants.join(" "),
            &client.scopes.join(" "),
            &client.redirect_uris.join(" "),
        ])
    });
    print(&lines.collect::<String>())
}
