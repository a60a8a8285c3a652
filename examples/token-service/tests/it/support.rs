//! A new service for each test, and requests to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::MockConnectInfo;
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use token_service::store::SqlStore;
use token_service::{Service, Settings, demo};
use tower::ServiceExt;

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
        let now = settings.clock.now().unix_seconds();
        let (store, secret) = demo::store(&settings.issuer, now).await.unwrap();
        let store = Arc::new(store);
        let service = Arc::new(Service::new(settings, store.clone()).await.unwrap());
        let router = Arc::clone(&service).router().unwrap();
        Self { service, store, secret, router, address: SocketAddr::from(([127, 0, 0, 1], 1)) }
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

    pub async fn post(&self, form: &str) -> Answer {
        self.send(token_request().body(Body::from(form.to_owned())).unwrap()).await
    }

    pub async fn post_with(&self, form: &str, headers: &[(&str, &str)]) -> Answer {
        let request =
            headers.iter().fold(token_request(), |r, (name, value)| r.header(*name, *value));
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
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

pub fn token_request() -> Builder {
    Request::post("/token").header("content-type", "application/x-www-form-urlencoded")
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
