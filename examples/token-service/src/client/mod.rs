//! Client authentication (RFC 6749 section 2.3, RFC 7523): who sends a request to `/token`, `/revoke` or `/introspect`.

mod assertion;
mod shown;

use std::net::IpAddr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use tower_jwt_auth::Algorithm;

use self::shown::{Proof, Shown, ShownError};
use crate::Service;
use crate::access_tokens::BUILT_IN_CLIENT;
use crate::client_documents::{self, Fault};
use crate::form::Form;
use crate::limits::LimitError;
use crate::observe::facts;
use crate::secret;
use crate::store::{Client, ClientAuthentication, GrantType};
use crate::token::{TokenError, unavailable};

/// The methods of client authentication, as the metadata names them.
pub(crate) const METHODS: [&str; 4] =
    ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

/// A longer ID or secret is wrong without a check.
const MAX_CREDENTIAL: usize = 1024;

/// What the hash of a secret is compared with if there is no client with a secret. It is the hash of no secret.
const NOBODY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The algorithms of `private_key_jwt`.
pub(crate) fn assertion_algorithms() -> impl Iterator<Item = Algorithm> {
    let is_secret =
        |one: &Algorithm| matches!(one, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
    Algorithm::ALL.iter().copied().filter(move |one| !is_secret(one))
}

/// Who sent a request.
#[derive(Debug)]
pub(crate) struct Caller {
    /// A registered client: a public one that gave its ID, or a confidential one that proved who it is.
    client: Option<Client>,
    /// Whether that client is not registered, and known by its document.
    is_published: bool,
    /// Whether the request names a client that is not registered.
    is_unknown: bool,
    /// Whether the request has Basic credentials, maybe empty ones.
    pub(crate) sent_basic: bool,
}

impl Caller {
    /// The registered client.
    pub(crate) fn registered(self) -> Result<Client, TokenError> {
        self.client.ok_or(TokenError::InvalidClient)
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.client.is_some()
    }

    /// The registered client that proved who it is. Anyone can publish a document with keys, so such a client is not one.
    pub(crate) fn confidential(self) -> Result<Client, TokenError> {
        let is_confidential = |client: &Client| !client.is_public() && !self.is_published;
        self.client.filter(is_confidential).ok_or(TokenError::InvalidClient)
    }

    /// Whether the request names a client that is not registered.
    pub(crate) fn is_unknown(&self) -> bool {
        self.is_unknown
    }

    /// The registered client, or else the built-in one.
    pub(crate) fn or_built_in(self, service: &Service) -> Client {
        self.client.unwrap_or_else(|| built_in(service))
    }
}

/// The public client of those that are not registered. It has the password grant, and may use, refresh and revoke what
/// came of it.
fn built_in(service: &Service) -> Client {
    Client {
        id: BUILT_IN_CLIENT.to_owned(),
        name: BUILT_IN_CLIENT.to_owned(),
        authentication: ClientAuthentication::None,
        grant_types: vec![GrantType::Password, GrantType::RefreshToken],
        redirect_uris: Vec::new(),
        post_logout_redirect_uris: Vec::new(),
        scopes: service.settings.scopes.iter().map(|(scope, _)| scope.clone()).collect(),
        created_at: 0,
    }
}

/// What a client that is not registered may do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Its document is fetched.
    Token,
    /// Its token is a proof. So nothing is fetched, and it can revoke also while its host is down, unless it has keys.
    Revocation,
    /// Nothing.
    Introspection,
}

/// A request, and where it came from.
#[derive(Clone, Copy)]
struct Request<'a> {
    form: &'a Form,
    endpoint: Endpoint,
    address: IpAddr,
}

/// Finds out who sent the request.
///
/// A request without credentials is nobody's, also if `client_id` names no registered client: it proves nothing, and many
/// clients of a password grant send any name. Every other unknown client gets the same response as a wrong secret.
pub(crate) async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
    form: &Form,
    endpoint: Endpoint,
    address: IpAddr,
) -> Result<Caller, TokenError> {
    let request = Request { form, endpoint, address };
    let shown = shown::read(headers, form).map_err(|error| match error {
        ShownError::Wrong => TokenError::InvalidClient,
        ShownError::Malformed(why) => TokenError::InvalidRequest(why),
    })?;
    let Shown { id, proof, sent_basic } = shown;
    if id.as_ref().is_some_and(|id| id.len() > MAX_CREDENTIAL) {
        return Err(TokenError::InvalidClient);
    }
    let is_other = id.as_ref().is_some_and(|id| id != BUILT_IN_CLIENT);
    let found = match (id, proof) {
        (None, Proof::None) => None,
        (Some(id), Proof::None) => match find_public(service, &id, request).await? {
            Some(found) if found.client.is_public() => {
                let counted = service.rates.public_client(&found.client.id, address);
                counted.map_err(TokenError::TooManyRequests)?;
                Some(found)
            }
            None if !sent_basic => None,
            _ => return Err(TokenError::InvalidClient),
        },
        (Some(id), Proof::Secret(secret)) => {
            Some(Found::registered(by_secret(service, &id, &secret, address).await?))
        }
        (None, Proof::Secret(_)) => return Err(TokenError::InvalidClient),
        (id, Proof::Assertion(assertion)) => {
            Some(assertion::client(service, id.as_deref(), &assertion, request).await?)
        }
    };
    if let Some(found) = &found {
        facts::client(&found.client.id);
    }
    let is_unknown = is_other && found.is_none();
    let is_published = found.as_ref().is_some_and(|found| found.is_published);
    Ok(Caller { is_unknown, client: found.map(|found| found.client), is_published, sent_basic })
}

/// A client, and whether it is known by its document.
struct Found {
    client: Client,
    is_published: bool,
}

impl Found {
    fn registered(client: Client) -> Self {
        Self { client, is_published: false }
    }
}

/// The registered client with this ID, or the one that has published a document there.
///
/// A request that such a client may not send in any case is refused before anything is fetched.
async fn find(
    service: &Service,
    id: &str,
    Request { form, endpoint, address }: Request<'_>,
) -> Result<Option<Found>, TokenError> {
    if let Some(client) = registered(service, id).await? {
        return Ok(Some(Found::registered(client)));
    }
    if !service.documents.is_client_id(id) {
        return Ok(None);
    }
    if endpoint == Endpoint::Introspection {
        return Err(TokenError::InvalidClient);
    }
    let is_for_registered = match form.get("grant_type") {
        Some(grant_type) => !matches!(grant_type, "authorization_code" | "refresh_token"),
        None => form.get("username").is_some(),
    };
    if is_for_registered {
        return Err(TokenError::UnauthorizedClient);
    }
    let published = client_documents::find(service, id, address).await.map_err(refusal)?;
    Ok(Some(Found { client: published.client, is_published: true }))
}

/// The same for a client that proves nothing.
async fn find_public(
    service: &Service,
    id: &str,
    request: Request<'_>,
) -> Result<Option<Found>, TokenError> {
    if request.endpoint != Endpoint::Revocation || !service.documents.is_client_id(id) {
        return find(service, id, request).await;
    }
    if let Some(client) = registered(service, id).await? {
        return Ok(Some(Found::registered(client)));
    }
    let client = client_documents::unproven(service, id).await.map_err(refusal)?;
    let client = client.ok_or(TokenError::InvalidClient)?;
    Ok(Some(Found { client, is_published: true }))
}

fn refusal(fault: Fault) -> TokenError {
    match fault {
        // The client has to begin anew, maybe with another ID.
        Fault::Id(_) | Fault::Document => TokenError::InvalidClient,
        Fault::TooMany(wait) => TokenError::TooManyRequests(wait),
        // It may try again: its tokens are still good.
        Fault::Unreachable | Fault::Busy => TokenError::Unavailable,
        Fault::Store(error) => unavailable(&error),
    }
}

async fn registered(service: &Service, id: &str) -> Result<Option<Client>, TokenError> {
    service.client(id).await.map_err(|error| unavailable(&error))
}

async fn by_secret(
    service: &Service,
    id: &str,
    secret: &str,
    address: IpAddr,
) -> Result<Client, TokenError> {
    let client = registered(service, id).await?;
    let hash = match client.as_ref().map(|client| &client.authentication) {
        Some(ClientAuthentication::Secret { hash }) => hash.as_str(),
        _ => NOBODY,
    };
    let is_right = secret.len() <= MAX_CREDENTIAL
        && verify_slices_are_equal(secret::hash(secret).as_bytes(), hash.as_bytes()).is_ok();
    match client.filter(|_| is_right) {
        Some(client) => {
            count(service, &client)?;
            Ok(client)
        }
        None => Err(wrong(service, id, address).await),
    }
}

/// Counts a request of a client that proved who it is.
fn count(service: &Service, client: &Client) -> Result<(), TokenError> {
    service.rates.client(&client.id).map_err(TokenError::TooManyRequests)
}

/// Counts wrong credentials. Returns the refusal.
///
/// Right ones are accepted before any limit: a secret of 256 bits is not guessed, and comparing it is cheap. So wrong ones
/// lock no client out, also not one at the same address.
async fn wrong(service: &Service, id: &str, address: IpAddr) -> TokenError {
    match service.login.limits.wrong_secret(id, address).await {
        Ok(()) => TokenError::InvalidClient,
        Err(LimitError::Exhausted(wait)) => TokenError::TooManyGuesses(wait),
        Err(LimitError::Busy) => TokenError::Unavailable,
        Err(LimitError::Store(error)) => unavailable(&error),
    }
}
