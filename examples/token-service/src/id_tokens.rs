//! ID tokens (OpenID Connect Core 1.0 section 2).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use tower_jwt_auth::{IssueError, TokenIssuer};

use crate::store::{Grant, Seconds};

/// Issues the ID token that comes with an access token of this grant. Its audience is the client.
pub(crate) fn issue(
    issuer: &TokenIssuer,
    grant: &Grant,
    access_token: &str,
    nonce: Option<&str>,
) -> Result<String, IssueError> {
    #[derive(Serialize)]
    struct IdToken<'a> {
        sub: &'a str,
        aud: &'a str,
        auth_time: Seconds,
        at_hash: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        nonce: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sid: Option<&'a str>,
    }
    issuer.issue(&IdToken {
        sub: &grant.user,
        aud: &grant.client_id,
        auth_time: grant.authenticated_at,
        at_hash: at_hash(access_token),
        nonce,
        sid: grant.session_id.as_deref(),
    })
}

/// The left half of the hash of ES256, SHA-256 (section 3.1.3.6).
fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    let half = hash.as_ref().get(..16).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_specification() {
        // OpenID Connect Core 1.0, appendix A.3.
        assert_eq!(
            at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
