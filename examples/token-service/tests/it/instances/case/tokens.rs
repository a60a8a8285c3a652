//! What becomes of tokens.

use tower_jwt_auth::{JwkSet, JwtVerifier};

use super::super::model::Truth;
use super::{CONFIDENTIAL, Case, check, chosen};
use crate::support::ISSUER;

impl Case<'_> {
    /// The refresh token that is meant, if there is one: its number, its text, and the number of its grant.
    pub(super) fn refresh_token(&self, token: usize) -> Option<(usize, String, usize)> {
        let token = chosen(token, self.model.refresh_tokens.len())?;
        let found = &self.model.refresh_tokens[token];
        Some((token, found.text.clone(), found.grant))
    }

    pub(super) async fn revoke_refresh_token(
        &mut self,
        at: usize,
        token: usize,
        as_other: bool,
    ) -> Result<(), String> {
        let Some((token, text, grant)) = self.refresh_token(token) else { return Ok(()) };
        let client = self.model.grants[grant].client;
        let other = if client == 0 { 1 } else { 0 };
        let form = format!("token={text}");
        if as_other {
            let answer = self.post(at, "/revoke", other, &form, false).await;
            let is_good = match answer.status.as_u16() {
                200 => {
                    self.model.grant_is_in_force(grant) != Truth::Yes
                        || self.model.is_known(token) != Truth::Yes
                }
                400 => self.model.grant_is_in_force(grant) != Truth::No,
                _ => false,
            };
            return check(is_good, &format!("{}: {}", answer.status, answer.body));
        }
        let answer = self.post(at, "/revoke", client, &form, false).await;
        check(answer.status == 200, &answer.body)?;
        // Of one that has expired, nothing of its grant is left to be seen.
        self.model.revoke_grant(grant);
        Ok(())
    }

    pub(super) async fn revoke_access_token(
        &mut self,
        at: usize,
        token: usize,
    ) -> Result<(), String> {
        let Some(token) = chosen(token, self.model.access_tokens.len()) else { return Ok(()) };
        let (text, client) = {
            let token = &self.model.access_tokens[token];
            (token.text.clone(), token.client)
        };
        let answer = self.post(at, "/revoke", client, &format!("token={text}"), false).await;
        check(answer.status == 200, &answer.body)?;
        self.model.revoke_access_token(token);
        Ok(())
    }

    pub(super) async fn use_access_token(
        &mut self,
        at: usize,
        keys_of: usize,
        token: usize,
    ) -> Result<(), String> {
        let Some(token) = chosen(token, self.model.access_tokens.len()) else { return Ok(()) };
        let text = self.model.access_tokens[token].text.clone();
        let expected = self.model.access_token_is_active(token);
        let answer = self.world.instance(at).get_protected(&text).await;
        let is_good = answer.status == 200 || answer.status == 401;
        check(
            is_good && expected.allows(answer.status == 200),
            &format!("/protected is {}, expected {expected:?}: {}", answer.status, answer.body),
        )?;
        let answer = self.post(at, "/introspect", 0, &format!("token={text}"), false).await;
        check(
            answer.status == 200 && expected.allows(answer.json()["active"] == true),
            &format!("/introspect, expected {expected:?}: {}", answer.body),
        )?;

        let keys = self.world.client(keys_of).get("/jwks.json").await.body;
        let keys = JwkSet::from_json(&keys).map_err(|error| error.to_string())?;
        let verifier = JwtVerifier::new(ISSUER, ISSUER, keys).map_err(|error| error.to_string())?;
        let verified = verifier.with_clock(self.world.clock.clone()).verify_now(&text);
        let expected = self.model.access_token_is_signed(token);
        check(
            expected.allows(verified.is_ok()),
            &format!("with the keys, expected {expected:?}: {:?}", verified.map(drop)),
        )
    }

    pub(super) async fn introspect_refresh_token(
        &mut self,
        at: usize,
        token: usize,
        as_other: bool,
    ) -> Result<(), String> {
        let Some((token, text, grant)) = self.refresh_token(token) else { return Ok(()) };
        let owner = self.model.grants[grant].client;
        let client = if as_other || owner >= CONFIDENTIAL { 0 } else { owner };
        let expected = match client == owner {
            true => self.model.refresh_token_is_active(token),
            false => Truth::No,
        };
        let answer = self.post(at, "/introspect", client, &format!("token={text}"), false).await;
        check(
            answer.status == 200 && expected.allows(answer.json()["active"] == true),
            &format!("expected {expected:?}: {}", answer.body),
        )
    }
}
