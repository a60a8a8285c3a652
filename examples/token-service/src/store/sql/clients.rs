use sqlx::any::AnyRow;

use super::pool::Pool;
use super::rows::{get, list, text};
use crate::access_tokens;
use crate::store::{Client, ClientAuthentication, GrantType, StoreError};

const NONE: &str = "none";
const SECRET: &str = "client_secret";
const PRIVATE_KEY_JWT: &str = "private_key_jwt";

pub(super) async fn add(pool: &Pool, client: &Client) -> Result<bool, StoreError> {
    if access_tokens::is_reserved(&client.id) {
        return Ok(false);
    }
    let (authentication, secret_hash, jwk_set) = match &client.authentication {
        ClientAuthentication::None => (NONE, None, None),
        ClientAuthentication::Secret { hash } => (SECRET, Some(hash.as_str()), None),
        ClientAuthentication::PrivateKeyJwt { jwk_set } => {
            (PRIVATE_KEY_JWT, None, Some(jwk_set.as_str()))
        }
    };
    let grant_types: Vec<String> =
        client.grant_types.iter().map(|one| one.as_str().to_owned()).collect();
    let result = sqlx::query(
        "INSERT INTO clients (id, name, authentication, secret_hash, jwk_set, grant_types, \
         redirect_uris, post_logout_redirect_uris, scope, created_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
         WHERE NOT EXISTS (SELECT 1 FROM users WHERE name = $1) ON CONFLICT (id) DO NOTHING",
    )
    .bind(&client.id)
    .bind(&client.name)
    .bind(authentication)
    .bind(secret_hash)
    .bind(jwk_set)
    .bind(text(&grant_types))
    .bind(text(&client.redirect_uris))
    .bind(text(&client.post_logout_redirect_uris))
    .bind(text(&client.scopes))
    .bind(client.created_at)
    .execute(pool)
    .await?;
    Ok(result.rows_affected() == 1)
}

pub(super) async fn find(pool: &Pool, id: &str) -> Result<Option<Client>, StoreError> {
    let row = sqlx::query(
        "SELECT id, name, authentication, secret_hash, jwk_set, grant_types, redirect_uris, \
         post_logout_redirect_uris, scope, created_at \
         FROM clients WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.as_ref().map(read).transpose()
}

pub(super) async fn all(pool: &Pool) -> Result<Vec<Client>, StoreError> {
    let rows = sqlx::query(
        "SELECT id, name, authentication, secret_hash, jwk_set, grant_types, redirect_uris, \
         post_logout_redirect_uris, scope, created_at \
         FROM clients ORDER BY id",
    )
    .fetch_all(pool)
    .await?;
    rows.iter().map(read).collect()
}

pub(super) async fn set_secret(pool: &Pool, id: &str, hash: &str) -> Result<bool, StoreError> {
    let result =
        sqlx::query("UPDATE clients SET secret_hash = $2 WHERE id = $1 AND authentication = $3")
            .bind(id)
            .bind(hash)
            .bind(SECRET)
            .execute(pool)
            .await?;
    Ok(result.rows_affected() == 1)
}

fn read(row: &AnyRow) -> Result<Client, StoreError> {
    let authentication: String = get(row, "authentication")?;
    let (secret_hash, jwk_set) = (get(row, "secret_hash")?, get(row, "jwk_set")?);
    let authentication = match (authentication.as_str(), secret_hash, jwk_set) {
        (NONE, _, _) => ClientAuthentication::None,
        (SECRET, Some(hash), _) => ClientAuthentication::Secret { hash },
        (PRIVATE_KEY_JWT, _, Some(jwk_set)) => ClientAuthentication::PrivateKeyJwt { jwk_set },
        _ => return Err(StoreError::new("a client in the database has an unknown authentication")),
    };
    let grant_types =
        list(row, "grant_types")?.iter().map(|one| one.parse::<GrantType>()).collect();
    let grant_types: Result<Vec<GrantType>, _> = grant_types;
    Ok(Client {
        id: get(row, "id")?,
        name: get(row, "name")?,
        authentication,
        grant_types: grant_types.map_err(|error| {
            StoreError::new("a client in the database has an unknown grant").with_source(error)
        })?,
        redirect_uris: list(row, "redirect_uris")?,
        post_logout_redirect_uris: list(row, "post_logout_redirect_uris")?,
        scopes: list(row, "scope")?,
        created_at: get(row, "created_at")?,
    })
}
