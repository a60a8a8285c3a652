//! A new service for each test, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use serde_json::Value;
use token_service::store::{SqlStore, Store};
use token_service::{Service, Settings, demo};
use tower::ServiceExt;
use tower_jwt_auth::NumericDate;
use tower_jwt_auth::test_util::ManualClock;

pub const ISSUER: &str = "http://127.0.0.1:8000";

pub struct Client {
    pub service: Arc<Service>,
    pub store: Arc<SqlStore>,
    /// The secret of the demo client.
    pub secret: String,
    router: Router,
    address: SocketAddr,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Client {
    pub async fn new() -> Self {
        Self::with(Settings::new(ISSUER)).await
    }

    /// With the user and the client of `--demo`.
    pub async fn with(settings: Settings) -> Self {
        Self::with_store(settings, |store| store).await
    }

    /// With a clock that stands still until the test turns it.
    pub async fn with_clock(mut settings: Settings) -> (Self, ManualClock) {
        let clock = ManualClock::new(NumericDate::from_unix_seconds(NOW));
        settings.clock = Arc::new(clock.clone());
        (Self::with(settings).await, clock)
    }

    /// With another store around that of `--demo`.
    pub async fn with_store<S: Store + 'static>(
        settings: Settings,
        around: impl FnOnce(Arc<SqlStore>) -> Arc<S>,
    ) -> Self {
        let (store, secret) = demo::store(&settings).await.unwrap();
        let store = Arc::new(store);
        let around = around(Arc::clone(&store));
        Self::over(settings, around, store, secret).await
    }

    /// Over a store, which the tests look into by `inner`.
    pub async fn over<S: Store + 'static>(
        settings: Settings,
        store: Arc<S>,
        inner: Arc<SqlStore>,
        secret: String,
    ) -> Self {
        let service = Arc::new(Service::new(settings, store).await.unwrap());
        let router = Arc::clone(&service).router().unwrap();
        Self {
            service,
            store: inner,
            secret,
            router,
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
        }
    }

    /// The service with other settings, on the same store.
    pub async fn restarted(&self, settings: Settings) -> Self {
        let store: Arc<SqlStore> = Arc::clone(&self.store);
        let service = Arc::new(Service::new(settings, store).await.unwrap());
        let router = Arc::clone(&service).router().unwrap();
        let (store, secret) = (Arc::clone(&self.store), self.secret.clone());
        Self { service, store, secret, router, address: self.address }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let router = self.router.clone().layer(MockConnectInfo(self.address));
        let response = router.oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn get_with(&self, path: &str, authorization: &str) -> Answer {
        let request = Request::get(path).header("authorization", authorization);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form to the token endpoint.
    pub async fn post(&self, form: &str) -> Answer {
        self.post_with(form, &[]).await
    }

    pub async fn post_with(&self, form: &str, headers: &[(&str, &str)]) -> Answer {
        self.post_to("/token", form, headers).await
    }

    pub async fn post_to(&self, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(form_request(path), |r, (name, value)| r.header(*name, *value));
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// A form from the demo client.
    pub async fn post_as_demo(&self, path: &str, form: &str) -> Answer {
        self.post_to(path, form, &[("authorization", &basic(demo::CLIENT, &self.secret))]).await
    }

    /// A good token.
    pub async fn token(&self) -> String {
        let answer = self.post(GOOD).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Credentials with this scope.
    pub async fn bearer(&self, scope: &str) -> String {
        let answer = self.post(&format!("{GOOD}&scope={scope}")).await;
        format!("Bearer {}", answer.json()["access_token"].as_str().unwrap())
    }
}

/// A form that gets a token.
pub const GOOD: &str = "grant_type=password&username=alice&password=wonderland";

/// The time with which a manual clock begins.
pub const NOW: i64 = 1_800_000_000;

pub fn token_request() -> Builder {
    form_request("/token")
}

fn form_request(path: &str) -> Builder {
    Request::post(path).header("content-type", "application/x-www-form-urlencoded")
}

/// Basic credentials. Neither part may need an encoding.
pub fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// The claims of a JWT, unverified.
pub fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name}: {:?}", self.headers));
        assert!(values.next().is_none(), "{name} twice: {:?}", self.headers);
        value.to_str().unwrap()
    }

    /// A member that is a string.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.body)).to_owned()
    }

    /// Asserts that the response is a complete refusal of the token endpoint.
    #[track_caller]
    pub fn assert_error(&self, status: u16, error: &str) {
        assert_eq!(
            (self.status.as_u16(), &self.json()["error"]),
            (status, &error.into()),
            "{}",
            self.body
        );
        assert!(self.json()["error_description"].is_string());
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("pragma"), "no-cache");
        assert_eq!(self.headers.contains_key("www-authenticate"), status == 401);
        assert_eq!(self.headers.contains_key("retry-after"), matches!(status, 429 | 503));
    }
}
