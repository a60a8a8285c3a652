//! The ID token that a client shows to `/authorize` or `/logout`, to say which login it means.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use tower_jwt_auth::{Clock, ExpectedAudience, JwtVerifier, NumericDate};

use crate::Service;

/// What an ID token of this service says.
#[derive(Debug)]
pub(crate) struct IdTokenHint {
    pub(crate) user: String,
    /// The ID of the session.
    pub(crate) session: Option<String>,
    /// The client that it was issued to.
    pub(crate) client: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Claims {
    iat: i64,
    sub: String,
    aud: String,
    sid: Option<String>,
}

/// Reads an ID token, also an expired one (OpenID Connect Core 1.0 section 3.1.2.1). `None`: it is not an ID
/// token that this service signed with a key that it still has.
pub(crate) fn read(service: &Service, token: &str) -> Option<IdTokenHint> {
    let claims = token.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    // The token was good when it was issued, if its signature is right. Until then nothing in it is believed.
    let keys = service.tokens.verification_keys();
    let verifier = JwtVerifier::new(service.issuer(), ExpectedAudience::dangerous_any(), keys);
    let verifier = verifier
        .ok()?
        .with_claims::<Claims>()
        .with_clock(At(claims.iat))
        .dangerous_accept_id_tokens();
    let token = verifier.verify_now(token).ok()?;
    // An access token has another type.
    let typ = token.header()?.typ()?;
    if !typ.eq_ignore_ascii_case("JWT") {
        return None;
    }
    Some(IdTokenHint {
        user: token.sub.clone(),
        session: token.sid.clone(),
        client: token.aud.clone(),
    })
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
struct At(i64);

impl Clock for At {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use tower_jwt_auth::test_util::ManualClock;
    use tower_jwt_auth::{NewAccessToken, TokenIssuer};

    use super::*;
    use crate::Settings;
    use crate::store::SqlStore;

    async fn service() -> (Service, TokenIssuer, ManualClock) {
        let clock = ManualClock::new(NumericDate::from_unix_seconds(1_800_000_000));
        let mut settings = Settings::new("http://127.0.0.1:8000");
        settings.clock = Arc::new(clock.clone());
        let store = Arc::new(SqlStore::in_memory().await.unwrap());
        let service = Service::new(settings, store).await.unwrap();
        let issuer = service.tokens.clone().with_type("JWT").unwrap();
        (service, issuer, clock)
    }

    #[tokio::test]
    async fn an_id_token_says_whose_login_it_is_also_when_it_has_expired() {
        let (service, issuer, clock) = service().await;
        let claims =
            json!({"sub": "alice", "aud": "app", "sid": "s", "at_hash": "x", "nonce": "n"});
        let token = issuer.issue(&claims).unwrap();
        clock.advance(Duration::from_secs(1_000_000));
        let hint = read(&service, &token).unwrap();
        assert_eq!((&*hint.user, &*hint.client), ("alice", "app"));
        assert_eq!(hint.session.as_deref(), Some("s"));
    }

    #[tokio::test]
    async fn any_other_token_says_nothing() {
        let (service, issuer, _) = service().await;
        let claims = json!({"sub": "alice", "aud": "app", "sid": "s"});
        let token = issuer.issue(&claims).unwrap();
        assert!(read(&service, &token).is_some());
        let contents = NewAccessToken::new("alice", "app").with_audience("app");
        let access_token = service.tokens.issue_access_token(&contents).unwrap();
        let (signed, _) = token.rsplit_once('.').unwrap();
        for other in ["", "a.b.c", &access_token, &format!("{signed}.AAAA"), signed] {
            assert!(read(&service, other).is_none(), "{other}");
        }
    }
}
