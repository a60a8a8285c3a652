//! A store that fails: each request is 503 then, wherever in the request it fails.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use token_service::Settings;
use token_service::store::{ClientAuthentication, GrantType, SqlStore, Store, StoreError};
use tokio::sync::Notify;
use tower_jwt_auth::{Algorithm, SigningKey, TokenIssuer};

use crate::grants::{code, exchange, refresh, refresh_token, register};
use crate::support::{Answer, Client, GOOD, ISSUER, basic};

/// A store whose operations fail after some that succeed.
#[derive(Debug)]
pub struct Failing {
    store: Arc<SqlStore>,
    /// The operations that succeed.
    left: AtomicI64,
    /// Whether it only reads: a wrong guess cannot be counted, and nothing is granted.
    only_reads: AtomicBool,
    /// How often the signing keys were read.
    pub key_reads: AtomicI64,
    /// Stops the next read of the signing keys when it has the rows.
    pub gate: Mutex<Option<Arc<Gate>>>,
}

/// Where an operation waits.
#[derive(Debug, Default)]
pub struct Gate {
    pub is_reached: Notify,
    pub is_open: Notify,
}

impl Failing {
    fn new(store: Arc<SqlStore>) -> Self {
        let left = AtomicI64::new(ENOUGH);
        let only_reads = AtomicBool::new(false);
        Self { store, left, only_reads, key_reads: AtomicI64::new(0), gate: Mutex::default() }
    }

    async fn stop_after(&self, operation: &str) {
        if operation != "signing_keys" {
            return;
        }
        self.key_reads.fetch_add(1, Ordering::Relaxed);
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            gate.is_reached.notify_one();
            gate.is_open.notified().await;
        }
    }

    fn count(&self, operation: &str) -> Result<(), StoreError> {
        if self.only_reads.load(Ordering::Relaxed) && ["take", "add_grant"].contains(&operation) {
            return Err(StoreError::from(sqlx::Error::PoolClosed));
        }
        match self.left.fetch_sub(1, Ordering::Relaxed) {
            1.. => Ok(()),
            _ => Err(StoreError::from(sqlx::Error::PoolClosed)),
        }
    }
}

macro_rules! counted {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        #[async_trait]
        impl Store for Failing {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.count(stringify!($name))?;
                let result = self.store.$name($($argument),*).await;
                self.stop_after(stringify!($name)).await;
                result
            })*

            async fn close(&self) {
                self.store.close().await;
            }
        }
    };
}

token_service::store_operations!(counted);

const ENOUGH: i64 = 1_000_000;

pub async fn service() -> (Client, Arc<Failing>) {
    let mut failing = None;
    let client = Client::with_store(Settings::new(ISSUER), |store| {
        let store = Arc::new(Failing::new(store));
        failing = Some(Arc::clone(&store));
        store
    });
    let client = client.await;
    (client, failing.unwrap())
}

/// Sends the request with a store that fails at its first operation, then at the second one, and so on, until it succeeds.
/// Returns the number of operations.
async fn assert_unavailable(failing: &Failing, send: impl AsyncFn() -> Answer) -> i64 {
    for left in 0..20 {
        failing.left.store(left, Ordering::Relaxed);
        let answer = send().await;
        failing.left.store(ENOUGH, Ordering::Relaxed);
        if answer.status == 200 {
            return left;
        }
        assert_eq!(answer.status, 503, "after {left} operations: {}", answer.body);
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!(seconds >= 1);
        assert_eq!(answer.header("cache-control"), "no-store");
        if answer.header("content-type") == "application/json" {
            answer.assert_error(503, "temporarily_unavailable");
        }
    }
    panic!("it never succeeds");
}

#[tokio::test]
async fn every_grant_is_503() {
    let (client, failing) = service().await;
    let password = async || client.post_as_demo("/token", GOOD).await;
    assert_eq!(assert_unavailable(&failing, password).await, 5);

    let itself = async || client.post_as_demo("/token", "grant_type=client_credentials").await;
    assert_eq!(assert_unavailable(&failing, itself).await, 1);

    let token = refresh_token(&client.post_as_demo("/token", GOOD).await);
    let refreshing = async || client.post_as_demo("/token", &refresh(&token)).await;
    assert_eq!(assert_unavailable(&failing, refreshing).await, 4);

    let year = 365 * 86_400;
    let code = code(&client, |code| code.expires_at += year).await;
    let exchanging = async || client.post_as_demo("/token", &exchange(&code)).await;
    assert_eq!(assert_unavailable(&failing, exchanging).await, 3);
}

#[tokio::test]
async fn revocation_introspection_and_the_routes_are_503() {
    let (client, failing) = service().await;
    let answer = client.post_as_demo("/token", &format!("{GOOD}&scope=openid+read")).await;
    let (access, refresh) = (answer.text("access_token"), refresh_token(&answer));
    for token in [&access, &refresh] {
        let form = format!("token={token}");
        let introspecting = async || client.post_as_demo("/introspect", &form).await;
        assert!(assert_unavailable(&failing, introspecting).await >= 2);
    }
    let bearer = format!("Bearer {access}");
    for route in ["/userinfo", "/protected", "/user", "/items"] {
        let getting = async || client.get_with(route, &bearer).await;
        assert_eq!(assert_unavailable(&failing, getting).await, 1, "{route}");
    }
    for token in [&access, &refresh] {
        let form = format!("token={token}");
        let revoking = async || client.post_as_demo("/revoke", &form).await;
        assert!(assert_unavailable(&failing, revoking).await >= 2);
    }
}

#[tokio::test]
async fn client_authentication_is_503() {
    let (client, failing) = service().await;
    let key = SigningKey::generate(Algorithm::ES256).unwrap();
    let issuer = TokenIssuer::new("signer", key).unwrap();
    let authentication = ClientAuthentication::PrivateKeyJwt { jwk_set: issuer.jwk_set() };
    register(&client, "signer", authentication, &[GrantType::ClientCredentials]).await;
    let claims = serde_json::json!({"sub": "signer", "aud": ISSUER});
    // An assertion of its own each time: it is used up before the store fails.
    let send = async || {
        let assertion = issuer.issue(&claims).unwrap();
        let form = format!(
            "grant_type=client_credentials&client_assertion={assertion}\
             &client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        client.post(&form).await
    };
    assert_eq!(assert_unavailable(&failing, send).await, 2);

    // A wrong secret too: the service does not know that it is wrong.
    failing.left.store(0, Ordering::Relaxed);
    let wrong = basic("demo", "wrong");
    let headers = [("authorization", wrong.as_str())];
    let answer = client.post_with("grant_type=client_credentials", &headers).await;
    answer.assert_error(503, "temporarily_unavailable");
}

#[tokio::test]
async fn passwords_cannot_be_guessed_without_limit_while_the_store_only_reads() {
    let (client, failing) = service().await;
    failing.only_reads.store(true, Ordering::Relaxed);
    // The response to a right password differs, since its scope is looked at.
    let guess = |password: &str| {
        let form = format!("grant_type=password&username=alice&password={password}&scope=nonsense");
        async { client.post_as_demo("/token", &{ form }).await }
    };
    for _ in 0..9 {
        guess("wrong").await.assert_error(503, "temporarily_unavailable");
    }
    guess("wonderland").await.assert_error(400, "invalid_scope");
    guess("wrong").await.assert_error(503, "temporarily_unavailable");
    let before = client.service.verifications();
    for password in ["wrong", "wonderland"] {
        let answer = guess(password).await;
        assert_eq!(answer.status, 429, "{}", answer.body);
        assert_eq!(answer.header("retry-after"), "60");
    }
    assert_eq!(client.service.verifications(), before);
}

#[tokio::test]
async fn the_store_is_asked_once_whether_it_answers() {
    let (client, failing) = service().await;
    failing.left.store(ENOUGH, Ordering::Relaxed);
    let answers = futures_util::future::join_all((0..50).map(|_| client.get("/readyz"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    let asked = ENOUGH - failing.left.load(Ordering::Relaxed);
    assert_eq!(asked, 1);
}
