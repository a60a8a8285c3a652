//! The instances, and what an operator does to all of them.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use token_service::store::{
    Client as Registered, ClientAuthentication, GrantType, Session, SqlStore, Store, User,
};
use token_service::{Settings, secret, upkeep};
use tower_jwt_auth::test_util::ManualClock;
use tower_jwt_auth::{Clock, NumericDate};

use super::{Database, OFFSETS, stores};
use crate::support::{Answer, Client, ISSUER, NOW};

pub struct World {
    pub instances: Vec<Instance>,
    /// The right time, which is that of the database.
    pub clock: ManualClock,
    database: Database,
}

pub struct Instance {
    pub client: Client,
    pub clock: ManualClock,
}

impl World {
    /// On a new database.
    pub async fn new() -> Self {
        let database = Database::new().await;
        let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW));
        let mut instances = Vec::new();
        for (store, offset) in stores(&database.url).await.into_iter().zip(OFFSETS) {
            instances.push(Instance::new(store, &clock, offset, |_| ()).await);
        }
        Self { instances, clock, database }
    }

    /// One more instance, with other settings.
    pub async fn start(&self, change: impl Fn(&mut Settings)) -> Instance {
        let store = SqlStore::open(&self.database.url).await.unwrap();
        Instance::new(store, &self.clock, 0, change).await
    }

    pub fn now(&self) -> i64 {
        self.clock.now().unix_seconds()
    }

    /// A store, for what the administration does.
    pub fn store(&self, at: usize) -> &SqlStore {
        &self.instance(at).client.store
    }

    pub fn instance(&self, at: usize) -> &Instance {
        &self.instances[at % self.instances.len()]
    }

    pub fn client(&self, at: usize) -> &Client {
        &self.instance(at).client
    }

    /// Lets time pass, for every clock.
    pub fn pass(&self, time: Duration) {
        self.clock.advance(time);
        for instance in &self.instances {
            instance.clock.advance(time);
        }
    }

    /// What every instance does every two seconds.
    pub async fn follow_keys(&self, is_awake: impl Fn(usize) -> bool) {
        let awake = self.instances.iter().enumerate().filter(|(at, _)| is_awake(*at));
        let all = awake.map(|(_, one)| upkeep::follow_keys(&one.client.service));
        for result in futures_util::future::join_all(all).await {
            result.unwrap();
        }
    }

    pub async fn kids(&self) -> Vec<String> {
        let keys = self.store(0).signing_keys().await.unwrap();
        keys.into_iter().map(|key| key.kid).collect()
    }

    pub async fn add_user(&self, name: &str, password: &str) {
        let user = User {
            name: name.to_owned(),
            password_hash: cheap_hash(password),
            scopes: vec!["read".to_owned(), "write".to_owned()],
            created_at: self.now(),
            disabled_at: None,
        };
        assert!(self.store(0).add_user(&user).await.unwrap());
    }

    /// Registers a client with every grant: a confidential one if it has a secret.
    pub async fn add_client(&self, id: &str, client_secret: Option<&str>) {
        let authentication = match client_secret {
            Some(text) => ClientAuthentication::Secret { hash: secret::hash(text) },
            None => ClientAuthentication::None,
        };
        let client = Registered {
            id: id.to_owned(),
            name: id.to_owned(),
            authentication,
            grant_types: GrantType::ALL.into(),
            redirect_uris: vec![crate::grants::BACK.to_owned()],
            post_logout_redirect_uris: Vec::new(),
            scopes: vec!["read".to_owned()],
            created_at: self.now(),
        };
        assert!(self.store(0).add_client(&client).await.unwrap());
    }

    /// Logs a user in at the pages. `false` if the store refuses the session.
    pub async fn add_session(&self, at: usize, id: &str, user: &str) -> bool {
        let store = self.store(at);
        let user = store.user(user).await.unwrap().unwrap();
        let now = self.now();
        let session = Session {
            cookie_hash: secret::random(),
            id: id.to_owned(),
            user: user.name,
            authenticated_at: now,
            expires_at: now + 3650 * 86_400,
        };
        store.add_session(&session, &user.password_hash).await.unwrap()
    }
}

impl Instance {
    /// A new one, whose clock is so many seconds ahead of the right one.
    async fn new(
        store: SqlStore,
        right: &ManualClock,
        ahead: i64,
        change: impl Fn(&mut Settings),
    ) -> Self {
        let now = right.now().unix_seconds();
        let clock = ManualClock::new(NumericDate::from_unix_seconds(now + ahead));
        let mut settings = Settings::new(ISSUER);
        settings.clock = Arc::new(clock.clone());
        // The limit on requests is that of each instance, by the system's clock.
        settings.requests_per_second = 0;
        change(&mut settings);
        let store = store.with_process_clock(clock.clone()).with_database_clock(right.clone());
        let store = Arc::new(store);
        let inner = Arc::clone(&store);
        Self { client: Client::over(settings, store, inner, String::new()).await, clock }
    }

    /// A request with an access token.
    pub async fn get_protected(&self, token: &str) -> Answer {
        self.client.get_with("/protected", &format!("Bearer {token}")).await
    }
}

/// A hash that is checked quickly.
pub fn cheap_hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password(password.as_bytes()).unwrap().to_string()
}
