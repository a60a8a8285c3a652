//! `private_key_jwt`: a client proves who it is by a JWT that it signs (RFC 7523 section 3).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tower_jwt_auth::{ConfigError, JwkSet, JwtVerifier};

use super::{Found, MAX_CREDENTIAL, Request, assertion_algorithms, count, find, wrong};
use crate::Service;
use crate::observe::client_name;
use crate::store::{Client, ClientAuthentication, Seconds};
use crate::token::{TokenError, unavailable};

/// How far ahead the expiry may be, in seconds. Authlib's default is an hour.
const MAX_AHEAD: Seconds = 3600;
/// For clocks that differ, in seconds: the default of [`JwtVerifier`].
const LEEWAY: Seconds = 30;

/// An assertion that was verified.
struct Assertion {
    jti: String,
    expires_at: Seconds,
}

/// The client that signed the assertion. Each assertion is accepted once.
pub(super) async fn client(
    service: &Service,
    id: Option<&str>,
    assertion: &str,
    request: Request<'_>,
) -> Result<Found, TokenError> {
    let subject = unverified_subject(assertion).ok_or(TokenError::InvalidClient)?;
    if subject.len() > MAX_CREDENTIAL || id.is_some_and(|id| id != subject) {
        return Err(TokenError::InvalidClient);
    }
    let found = find(service, &subject, request).await?;
    let verified = found.and_then(|found| {
        let assertion = verify(service, &found.client, assertion)?;
        Some((found, assertion))
    });
    let Some((found, assertion)) = verified else {
        return Err(wrong(service, &subject, request.address).await);
    };
    let client = &found.client;
    // Before the assertion is used up, so that the client can send it again later.
    count(service, client)?;

    // The length of the ID keeps pairs apart that would otherwise be one text.
    let use_id = format!("assertion {} {} {}", client.id.len(), client.id, assertion.jti);
    let until = assertion.expires_at.saturating_add(LEEWAY);
    let is_first = service.store.use_once(&use_id, until).await;
    match is_first.map_err(|error| unavailable(&error))? {
        true => Ok(found),
        false => Err(TokenError::InvalidClient),
    }
}

/// The `sub`, to find the client whose keys verify the assertion.
fn unverified_subject(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Subject {
        sub: String,
    }
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    Some(serde_json::from_slice::<Subject>(&payload).ok()?.sub)
}

fn verify(service: &Service, client: &Client, assertion: &str) -> Option<Assertion> {
    let ClientAuthentication::PrivateKeyJwt { jwk_set } = &client.authentication else {
        return None;
    };
    let verifier = match verifier(service, &client.id, jwk_set) {
        Ok(verifier) => verifier,
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                client = &*client_name::of(&client.id),
                "the keys of a client cannot be used"
            );
            return None;
        }
    };
    let token = match verifier.verify_now(assertion) {
        Ok(token) => token,
        Err(rejection) => {
            tracing::debug!(%rejection, client = &*client_name::of(&client.id), "a client's assertion is refused");
            return None;
        }
    };
    let jti = token.jti.clone().filter(|jti| !jti.is_empty())?;
    let expires_at = token.exp?.unix_seconds_rounded_up();
    let latest = service.now().saturating_add(MAX_AHEAD).saturating_add(LEEWAY);
    let is_good = token.sub.as_deref() == Some(client.id.as_str()) && expires_at <= latest;
    is_good.then_some(Assertion { jti, expires_at })
}

/// The issuer of an assertion is the client. Its audience is this issuer or the token endpoint, and no other one: else a
/// service that gets the assertion could use it here.
fn verifier(service: &Service, id: &str, jwk_set: &str) -> Result<JwtVerifier, ConfigError> {
    let audience = vec![service.issuer().to_owned(), service.url("/token")];
    let verifier = JwtVerifier::new(id, audience, JwkSet::from_json(jwk_set)?)?
        .with_algorithms(assertion_algorithms())?
        .exclusive_audience()
        .add_required_claim("jti")
        .with_clock(Arc::clone(&service.settings.clock));
    Ok(verifier)
}
