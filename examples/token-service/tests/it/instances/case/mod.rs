//! A sequence of operations, each at one instance and compared with the model.

mod administration;
mod grants;
mod op;
mod tokens;

use std::time::Duration;

use token_service::upkeep;

pub use self::op::{Op, op};
use super::model::{Model, User};
use super::world::World;
use crate::support::{Answer, basic};

/// The users of a case.
const USERS: usize = 2;
/// Clients with a secret. After them come a public one, and those that name none.
const CONFIDENTIAL: usize = 2;
const PUBLIC: usize = CONFIDENTIAL;
const CLIENTS: usize = PUBLIC + 2;
/// Wrong passwords and secrets of a case: fewer than lock anyone out.
const MOST_WRONG: usize = 8;
/// A sequence of operations on users and clients of its own.
pub struct Case<'a> {
    world: &'a World,
    model: Model,
    /// In the names, so that cases do not meet.
    number: usize,
    sessions: usize,
    wrong: usize,
    asleep: [bool; 3],
}

impl<'a> Case<'a> {
    pub async fn new(world: &'a World, number: usize) -> Self {
        // Long after the one before: its limits are gone.
        world.pass(Duration::from_secs(7200));
        world.follow_keys(|_| true).await;
        let mut case = Self {
            world,
            model: Model::at(world.now()),
            number,
            sessions: 0,
            wrong: 0,
            asleep: [false; 3],
        };
        for user in 0..USERS {
            world.add_user(&case.user(user), &password(0)).await;
            case.model.users.push(User::default());
            case.log_in(0, user).await.unwrap();
        }
        for client in 0..CONFIDENTIAL {
            world.add_client(&case.client_id(client), Some(&secret_text(0))).await;
            case.model.secrets.push(0);
        }
        world.add_client(&case.client_id(PUBLIC), None).await;
        case
    }

    fn user(&self, user: usize) -> String {
        format!("user-{}-{user}", self.number)
    }

    fn client_id(&self, client: usize) -> String {
        format!("client-{}-{client}", self.number)
    }

    /// The endpoint's response to this client, with an older secret if there is one and that is asked for.
    async fn post(&self, at: usize, path: &str, client: usize, form: &str, old: bool) -> Answer {
        let to = self.world.client(at);
        if client < CONFIDENTIAL {
            let number = self.model.secrets[client];
            let number = if old { number.saturating_sub(1) } else { number };
            let header = basic(&self.client_id(client), &secret_text(number));
            return to.post_to(path, form, &[("authorization", &header)]).await;
        }
        let form = match client {
            PUBLIC => format!("{form}&client_id={}", self.client_id(client)),
            _ => form.to_owned(),
        };
        to.post_to(path, &form, &[]).await
    }

    /// Whether one more wrong password or secret would lock nobody out.
    fn may_be_wrong(&mut self) -> bool {
        self.wrong += 1;
        self.wrong <= MOST_WRONG
    }

    /// Does it, and compares the result.
    pub async fn run(&mut self, op: &Op) -> Result<(), String> {
        match *op {
            Op::Password { at, user, client, old } => {
                self.log_in_by_password(at, user, client, old).await
            }
            Op::ClientCredentials { at, client, old } => {
                self.get_token_of_client(at, client, old).await
            }
            Op::Refresh { at, token } => self.refresh(at, token).await,
            Op::RefreshTwice { at, also_at, token } => {
                self.refresh(at, token).await?;
                self.refresh(also_at, token).await
            }
            Op::LogIn { at, user } => self.log_in(at, user).await,
            Op::LogOut { at, user } => self.log_out(at, user).await,
            Op::Authorize { at, user, client } => self.authorize(at, user, client).await,
            Op::Exchange { at, code, wrong } => self.exchange(at, code, wrong).await,
            Op::RevokeRefreshToken { at, token, as_other } => {
                self.revoke_refresh_token(at, token, as_other).await
            }
            Op::RevokeAccessToken { at, token } => self.revoke_access_token(at, token).await,
            Op::UseAccessToken { at, keys_of, token } => {
                self.use_access_token(at, keys_of, token).await
            }
            Op::IntrospectRefreshToken { at, token, as_other } => {
                self.introspect_refresh_token(at, token, as_other).await
            }
            Op::ChangePassword { at, user } => self.change_password(at, user).await,
            Op::DisableUser { at, user } => self.disable_user(at, user).await,
            Op::ChangeSecret { at, client } => self.change_secret(at, client).await,
            Op::AddKey { at } => self.add_key(at).await,
            Op::ReplaceKeys { at } => self.replace_keys(at).await,
            Op::Sleep { at } => {
                self.asleep[at] = true;
                Ok(())
            }
            Op::Purge { at } => upkeep::purge_expired(&self.world.client(at).service)
                .await
                .map_err(|e| e.to_string()),
            Op::Wait(time) => self.wait(time).await,
        }
    }
}

fn password(number: usize) -> String {
    format!("password-{number}")
}

fn secret_text(number: usize) -> String {
    format!("secret-{number}")
}

/// One of so many, counted from the newest one: that is where most happens.
fn chosen(number: usize, of: usize) -> Option<usize> {
    (of > 0).then(|| of - 1 - number % of)
}

fn granted(answer: &Answer) -> Result<(), String> {
    check(answer.status == 200, &format!("{}: {}", answer.status, answer.body))
}

fn refused(answer: &Answer, status: u16, error: &str) -> Result<(), String> {
    let is_so = answer.status == status && answer.json()["error"] == error;
    check(is_so, &format!("expected {status} {error}, and not {}: {}", answer.status, answer.body))
}

fn check(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(what.to_owned()) }
}
