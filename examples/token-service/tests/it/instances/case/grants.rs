//! Grants, and the tokens that come of them.

use token_service::secret;
use token_service::store::{Code as StoredCode, Store};

use super::super::model::{Truth, Use};
use super::{CLIENTS, Case, check, chosen, granted, password, refused};
use crate::grants::{BACK, VERIFIER, exchange, refresh};
use crate::support::Answer;

impl Case<'_> {
    pub(super) async fn log_in_by_password(
        &mut self,
        at: usize,
        user: usize,
        client: usize,
        old: bool,
    ) -> Result<(), String> {
        let number = self.model.users[user].password;
        let number = if old { number.saturating_sub(1) } else { number };
        let is_right = self.model.password_is_right(user, number);
        if !is_right && !self.may_be_wrong() {
            return Ok(());
        }
        let form = format!(
            "grant_type=password&username={}&password={}",
            self.user(user),
            password(number)
        );
        let answer = self.post(at, "/token", client, &form, false).await;
        if !is_right {
            let status = if client < CLIENTS - 1 { 400 } else { 401 };
            return refused(&answer, status, "invalid_grant");
        }
        granted(&answer)?;
        let grant = self.model.grant(user, client, None);
        self.keep(&answer, client, grant);
        Ok(())
    }

    /// Adds the tokens of a new grant to the model.
    pub(super) fn keep(&mut self, answer: &Answer, client: usize, grant: usize) {
        self.model.add_refresh_token(grant, answer.text("refresh_token"));
        self.model.add_access_token(client, Some(grant), answer.text("access_token"));
    }

    pub(super) async fn get_token_of_client(
        &mut self,
        at: usize,
        client: usize,
        old: bool,
    ) -> Result<(), String> {
        let is_wrong = old && self.model.secrets[client] > 0;
        if is_wrong && !self.may_be_wrong() {
            return Ok(());
        }
        let answer = self.post(at, "/token", client, "grant_type=client_credentials", old).await;
        if is_wrong {
            return refused(&answer, 401, "invalid_client");
        }
        granted(&answer)?;
        self.model.add_access_token(client, None, answer.text("access_token"));
        Ok(())
    }

    pub(super) async fn refresh(&mut self, at: usize, token: usize) -> Result<(), String> {
        let Some((token, text, grant)) = self.refresh_token(token) else { return Ok(()) };
        let expected = self.model.use_of(token);
        let client = self.model.grants[grant].client;
        let answer = self.post(at, "/token", client, &refresh(&text), false).await;
        let is_granted = answer.status == 200;
        let truth = match expected {
            Use::New(truth) | Use::Same(_, truth) => truth,
            Use::Reuse => Truth::No,
        };
        if !truth.allows(is_granted) {
            return Err(format!("{expected:?}, and not {}: {}", answer.status, answer.body));
        }
        if !is_granted {
            refused(&answer, 400, "invalid_grant")?;
            if expected == Use::Reuse {
                self.model.revoke_grant(grant);
            }
            return Ok(());
        }
        let next = answer.text("refresh_token");
        match expected {
            Use::Same(same, _) => {
                check(next == self.model.refresh_tokens[same].text, "another successor")?;
            }
            _ => {
                let is_new = self.model.refresh_tokens.iter().all(|one| one.text != next);
                check(is_new, "a refresh token that was there before")?;
                self.model.rotate(token, next);
            }
        }
        self.model.add_access_token(client, Some(grant), answer.text("access_token"));
        Ok(())
    }

    pub(super) async fn log_in(&mut self, at: usize, user: usize) -> Result<(), String> {
        self.sessions += 1;
        let session = self.sessions;
        let id = self.session(session);
        let is_added = self.world.add_session(at, &id, &self.user(user)).await;
        check(is_added != self.model.users[user].is_disabled, "a session")?;
        if is_added {
            // The user's earlier session stays; the case forgets it.
            self.model.users[user].session = Some(session);
        }
        Ok(())
    }

    pub(super) fn session(&self, session: usize) -> String {
        format!("session-{}-{session}", self.number)
    }

    pub(super) async fn log_out(&mut self, at: usize, user: usize) -> Result<(), String> {
        if let Some(session) = self.model.users[user].session {
            let now = self.world.now();
            let ended = self.world.store(at).end_session(&self.session(session), now).await;
            ended.map_err(|error| error.to_string())?;
            self.model.end_session(user);
        }
        Ok(())
    }

    /// What the authorization endpoint does, by the clock of the instance.
    pub(super) async fn authorize(
        &mut self,
        at: usize,
        user: usize,
        client: usize,
    ) -> Result<(), String> {
        let Some(session) = self.model.users[user].session else { return Ok(()) };
        let instance = self.world.instance(at);
        let now = tower_jwt_auth::Clock::now(&instance.clock).unix_seconds();
        let text = secret::random();
        let code = StoredCode {
            code_hash: secret::hash(&text),
            client_id: self.client_id(client),
            user: self.user(user),
            session_id: Some(self.session(session)),
            redirect_uri: BACK.to_owned(),
            code_challenge: secret::hash(VERIFIER),
            scopes: vec!["read".to_owned()],
            resources: Vec::new(),
            nonce: None,
            authenticated_at: now,
            expires_at: now + 60,
            grant_id: None,
            client_document: None,
        };
        let is_added = instance.client.store.add_code(&code).await;
        check(is_added.map_err(|error| error.to_string())?, "a code in a session")?;
        self.model.add_code(user, client, session, text);
        Ok(())
    }

    pub(super) async fn exchange(
        &mut self,
        at: usize,
        code: usize,
        wrong: bool,
    ) -> Result<(), String> {
        let Some(code) = chosen(code, self.model.codes.len()) else { return Ok(()) };
        let (text, client) = {
            let code = &self.model.codes[code];
            (code.text.clone(), code.client)
        };
        let mut form = exchange(&text);
        if wrong {
            form = form.replace(VERIFIER, &"w".repeat(43));
        }
        let answer = self.post(at, "/token", client, &form, false).await;
        if wrong {
            return refused(&answer, 400, "invalid_grant");
        }
        if !self.model.code_is_good(code) {
            refused(&answer, 400, "invalid_grant")?;
            self.model.exchange_again(code);
            return Ok(());
        }
        granted(&answer)?;
        let grant = self.model.exchange(code);
        self.keep(&answer, client, grant);
        Ok(())
    }
}
