//! What a client says about itself (section 4 of the draft, RFC 7591 section 2).

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tower_jwt_auth::JwkSet;

use super::client_id::ClientId;
use super::{Published, name};
use crate::authorize::redirect_uri;
use crate::secret;
use crate::store::{Client, ClientAuthentication, ClientDocument, GrantType};

/// The members that only a private or a symmetric key has (RFC 7518 section 6).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A document that can be used.
#[derive(Debug)]
pub(super) struct Document {
    name: Option<String>,
    redirect_uris: Vec<String>,
    grant_types: Vec<GrantType>,
    /// `None`: all that there are here.
    scopes: Option<Vec<String>>,
    keys: Keys,
}

/// How the client proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// Not at all.
    None,
    /// By `private_key_jwt`, with the keys in the document.
    Here(String),
    /// The same, with the keys at this URL.
    At(String),
}

/// The members that are read. The others are ignored (RFC 7591 section 2): `client_uri`, `logo_uri` and the like are neither
/// fetched nor shown.
#[derive(Deserialize)]
struct Members<'a> {
    client_id: String,
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    scope: Option<String>,
    #[serde(borrow)]
    jwks: Option<&'a RawValue>,
    jwks_uri: Option<String>,
    #[serde(default, deserialize_with = "present")]
    client_secret: bool,
    #[serde(default, deserialize_with = "present")]
    client_secret_expires_at: bool,
}

/// That a member is there, with whatever value.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// Reads a document.
///
/// # Errors
///
/// If it is not one of this client, or asks for what is not possible here. The text is for the log.
pub(super) fn read(id: &ClientId, text: &str) -> Result<Document, &'static str> {
    let members: Members<'_> = serde_json::from_str(text)
        .map_err(|_| "it is not an object with a client_id and redirect_uris of the right types")?;
    // The comparison of RFC 3986 section 6.2.1.
    if members.client_id != id.as_str() {
        return Err("its client_id is not its URL");
    }
    if members.client_secret || members.client_secret_expires_at {
        return Err("it has a client_secret, which nobody may know");
    }
    let redirect_uris: Vec<String> =
        members.redirect_uris.into_iter().filter(|uri| redirect_uri::check(uri).is_ok()).collect();
    if redirect_uris.is_empty() {
        return Err("it has no redirect URI that can be used");
    }
    let named = |list: &[String], name: &str| list.iter().any(|one| one == name);
    if members.response_types.is_some_and(|types| !named(&types, "code")) {
        return Err("its response_types lack code");
    }
    // The default of RFC 7591. The other grants need a registration.
    let grant_types = members.grant_types.unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    let grant_types = [GrantType::AuthorizationCode, GrantType::RefreshToken]
        .into_iter()
        .filter(|grant| named(&grant_types, grant.as_str()))
        .collect();
    Ok(Document {
        name: members.client_name.as_deref().and_then(name::harmless),
        redirect_uris,
        grant_types,
        scopes: members.scope.map(|scope| scope.split(' ').map(str::to_owned).collect()),
        keys: keys(
            id,
            members.token_endpoint_auth_method.as_deref(),
            members.jwks,
            members.jwks_uri,
        )?,
    })
}

/// The method is `none` by default: that of RFC 7591 needs a secret. Then keys are not looked at.
fn keys(
    id: &ClientId,
    method: Option<&str>,
    jwks: Option<&RawValue>,
    jwks_uri: Option<String>,
) -> Result<Keys, &'static str> {
    match (method.unwrap_or("none"), jwks, jwks_uri) {
        ("none", ..) => Ok(Keys::None),
        ("private_key_jwt", Some(jwks), None) => {
            check_keys(jwks.get())?;
            Ok(Keys::Here(jwks.get().to_owned()))
        }
        ("private_key_jwt", None, Some(uri)) if id.is_at_host_of(&uri) => Ok(Keys::At(uri)),
        ("private_key_jwt", None, Some(_)) => Err("its jwks_uri is at another host"),
        ("private_key_jwt", ..) => Err("it needs either jwks or jwks_uri"),
        _ => Err("its token_endpoint_auth_method is neither none nor private_key_jwt"),
    }
}

/// Checks a JWK set of a client: public keys only, one of which can be used.
pub(super) fn check_keys(json: &str) -> Result<(), &'static str> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Map<String, Value>>,
    }
    let set: Set = serde_json::from_str(json).map_err(|_| "its keys are not a JWK set")?;
    if set.keys.iter().any(|key| SECRET_MEMBERS.iter().any(|name| key.contains_key(*name))) {
        return Err("its keys are not public ones");
    }
    JwkSet::from_json(json).map(drop).map_err(|_| "none of its keys can be used")
}

impl Document {
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The client. Its scopes are those of this service that it asks for.
    pub(super) fn into_client(
        self,
        id: &ClientId,
        stored: &ClientDocument,
        scopes: &[(String, String)],
    ) -> Result<Published, &'static str> {
        let authentication = match self.keys {
            Keys::None => ClientAuthentication::None,
            Keys::Here(jwk_set) => ClientAuthentication::PrivateKeyJwt { jwk_set },
            Keys::At(_) => {
                let jwk_set = stored.jwk_set.clone().ok_or("its keys were not fetched")?;
                ClientAuthentication::PrivateKeyJwt { jwk_set }
            }
        };
        let is_wanted =
            |scope: &String| self.scopes.as_ref().is_none_or(|wanted| wanted.contains(scope));
        let scopes = scopes.iter().map(|(scope, _)| scope).filter(|scope| is_wanted(scope));
        let client = Client {
            id: id.as_str().to_owned(),
            name: id.host().to_owned(),
            authentication,
            grant_types: self.grant_types,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: Vec::new(),
            scopes: scopes.cloned().collect(),
            created_at: stored.fetched_at,
        };
        let document_hash = secret::hash(&stored.document);
        Ok(Published { client, claimed_name: self.name, document_hash })
    }
}
