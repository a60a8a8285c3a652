//! ID tokens (OpenID Connect Core 1.0 section 2).

use serde_json::json;
use tower_jwt_auth::{IssueError, NewIdToken, NumericDate, TokenIssuer};

use crate::store::Grant;

/// Issues the ID token that comes with an access token of this grant. Its audience is the client.
pub(crate) fn issue(
    issuer: &TokenIssuer,
    grant: &Grant,
    access_token: &str,
    nonce: Option<&str>,
) -> Result<String, IssueError> {
    let mut token = NewIdToken::new(&*grant.user, &*grant.client_id)
        .with_auth_time(NumericDate::from_unix_seconds(grant.authenticated_at));
    if let Some(nonce) = nonce {
        token = token.with_nonce(nonce);
    }
    if let Some(session) = &grant.session_id {
        token = token.with_claims(&json!({"sid": session}))?;
    }
    issuer.issue_id_token(&token, access_token)
}
