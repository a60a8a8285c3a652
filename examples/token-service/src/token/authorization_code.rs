//! The authorization code grant (RFC 6749 section 4.1.3) with PKCE (RFC 7636).

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::issue::{self, Granted};
use super::{TokenError, TokenResponse, check_may_use, scopes, unavailable};
use crate::form::Form;
use crate::observe::client_name;
use crate::observe::meters::{self, Reuse};
use crate::store::{Client, Exchange, GrantType};
use crate::{Service, secret};

const INVALID: TokenError = TokenError::InvalidGrant(
    "the code is unknown, expired or used, or the redirect_uri or the code_verifier is not that of the code",
);

/// Exchanges a code for tokens. The wrong client, redirect URI or verifier does not use the code up. A second exchange
/// revokes the tokens of the first one.
pub(super) async fn exchange(
    service: &Service,
    form: &Form,
    client: &Client,
) -> Result<TokenResponse, TokenError> {
    check_may_use(client, GrantType::AuthorizationCode)?;
    let code = form.get("code").ok_or(TokenError::InvalidRequest("code is missing"))?;
    let redirect_uri = form.get("redirect_uri");
    let redirect_uri = redirect_uri.ok_or(TokenError::InvalidRequest("redirect_uri is missing"))?;
    let verifier = form.get("code_verifier");
    let verifier = verifier.ok_or(TokenError::InvalidRequest("code_verifier is missing"))?;
    if !is_verifier(verifier) {
        return Err(TokenError::InvalidRequest("the code_verifier is not one of RFC 7636"));
    }

    let hash = secret::hash(code);
    let code = service.store.code(&hash).await.map_err(|error| unavailable(&error))?;
    let code = code.ok_or(INVALID)?;
    let challenge = secret::hash(verifier);
    let is_verified =
        verify_slices_are_equal(challenge.as_bytes(), code.code_challenge.as_bytes()).is_ok();
    if code.client_id != client.id || code.redirect_uri != redirect_uri || !is_verified {
        return Err(INVALID);
    }
    let audience = scopes::audience(service, &code.resources, form.resources())?;

    let granted = Granted {
        user: code.user,
        session_id: code.session_id,
        scopes: code.scopes,
        resources: code.resources,
        authenticated_at: code.authenticated_at,
        client_document: code.client_document,
    };
    let grant = issue::new_grant(service, client, granted);
    let refresh = issue::first_refresh_token(service, client, &grant);
    let stored = refresh.as_ref().map(|(_, stored)| stored);
    let exchange = service.store.exchange_code(&hash, &grant, stored, service.now()).await;
    match exchange.map_err(|error| unavailable(&error))? {
        Exchange::Granted => {}
        Exchange::Reused => {
            meters::reused(Reuse::Code);
            tracing::warn!(
                client = &*client_name::of(&client.id),
                "a code was used twice: its tokens are revoked"
            );
            return Err(INVALID);
        }
        Exchange::Invalid => return Err(INVALID),
    }
    let (nonce, refresh) = (code.nonce.as_deref(), refresh.map(|(token, _)| token));
    issue::of_grant(service, &grant, &grant.scopes, &audience, nonce, refresh)
}

/// 43 to 128 unreserved characters (section 4.1).
fn is_verifier(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}
