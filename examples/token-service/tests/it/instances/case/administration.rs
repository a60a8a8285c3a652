//! What operators do, and time.

use std::time::Duration;

use token_service::store::Store;
use token_service::{keys, secret};

use super::super::world::cheap_hash;
use super::{Case, check, password, secret_text};

impl Case<'_> {
    pub(super) async fn change_password(&mut self, at: usize, user: usize) -> Result<(), String> {
        let number = self.model.users[user].password + 1;
        let hash = cheap_hash(&password(number));
        let (name, now) = (self.user(user), self.world.now());
        let is_changed = self.world.store(at).set_password(&name, &hash, now).await;
        check(is_changed.map_err(|error| error.to_string())?, "the user")?;
        self.model.users[user].password = number;
        self.model.end_all_of(user);
        Ok(())
    }

    pub(super) async fn disable_user(&mut self, at: usize, user: usize) -> Result<(), String> {
        let (name, now) = (self.user(user), self.world.now());
        let is_disabled = self.world.store(at).disable_user(&name, now).await;
        check(is_disabled.map_err(|error| error.to_string())?, "the user")?;
        self.model.users[user].is_disabled = true;
        self.model.end_all_of(user);
        Ok(())
    }

    pub(super) async fn change_secret(&mut self, at: usize, client: usize) -> Result<(), String> {
        let number = self.model.secrets[client] + 1;
        let (id, hash) = (self.client_id(client), secret::hash(&secret_text(number)));
        let is_changed = self.world.store(at).set_client_secret(&id, &hash).await;
        check(is_changed.map_err(|error| error.to_string())?, "the client")?;
        self.model.secrets[client] = number;
        Ok(())
    }

    /// `keys rotate`.
    pub(super) async fn add_key(&mut self, at: usize) -> Result<(), String> {
        let kids = self.world.kids().await;
        if kids.len() + 5 < keys::MAX_KEYS {
            let now = self.world.now();
            let key = keys::generate(now, now + 3600).map_err(|error| error.to_string())?;
            let added = self.world.store(at).add_signing_key(&key, &kids).await;
            check(added.map_err(|error| error.to_string())?, "the key is added")?;
            self.world.follow_keys(|at| !self.asleep[at]).await;
        }
        Ok(())
    }

    /// `keys rotate --revoke-others`, and two seconds later.
    pub(super) async fn replace_keys(&mut self, at: usize) -> Result<(), String> {
        let kids = self.world.kids().await;
        let now = self.world.now();
        let key = keys::generate(now, now).map_err(|error| error.to_string())?;
        let added = self.world.store(at).replace_signing_keys(&key, &kids).await;
        check(added.map_err(|error| error.to_string())?, "the key is added")?;
        self.model.replace_all_keys();
        self.asleep = [false; 3];
        self.world.follow_keys(|_| true).await;
        Ok(())
    }

    pub(super) async fn wait(&mut self, time: Duration) -> Result<(), String> {
        self.world.pass(time);
        self.model.now = self.world.now();
        let before = self.world.kids().await;
        self.world.follow_keys(|at| !self.asleep[at]).await;
        // Two seconds later.
        self.world.follow_keys(|at| !self.asleep[at]).await;
        let after = self.world.kids().await;
        let added = after.iter().filter(|kid| !before.contains(kid)).count();
        check(added <= 1, "one rotation")?;
        check(!after.is_empty(), "a key")
    }
}
