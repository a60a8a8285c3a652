//! A host that publishes documents.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::document;

/// A response to each request for a path.
#[derive(Clone)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub delay: Duration,
}

impl Page {
    pub fn json(body: impl Into<String>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status: 200, headers, body: body.into(), delay: Duration::ZERO }
    }

    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(one, _)| *one != name);
        self.headers.push((name, value.into()));
        self
    }

    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

#[derive(Clone, Default)]
struct Pages {
    pages: Arc<Mutex<HashMap<String, Page>>>,
    asked: Arc<Mutex<Vec<Request<()>>>>,
}

pub struct Host {
    address: SocketAddr,
    pages: Pages,
    server: AbortHandle,
}

impl Host {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1").await
    }

    pub async fn start_at(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = Pages::default();
        let router = Router::new().fallback(answer).with_state(pages.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, pages, server: server.abort_handle() }
    }

    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn serve(&self, path: &str, page: Page) {
        self.pages.pages.lock().unwrap().insert(path.to_owned(), page);
    }

    /// Publishes a document, and returns the ID of its client.
    pub fn publish(&self, path: &str, changes: Value) -> String {
        let id = self.url(path);
        self.serve(path, Page::json(document(&id, changes)));
        id
    }

    /// Publishes a good document.
    pub fn publish_app(&self) -> String {
        self.publish("/app", json!({}))
    }

    /// How often something was asked for.
    pub fn asked(&self) -> usize {
        self.pages.asked.lock().unwrap().len()
    }

    /// The last request.
    pub fn last(&self) -> Request<()> {
        self.pages.asked.lock().unwrap().last().unwrap().clone()
    }

    /// Ends the server: its port refuses connections.
    pub fn stop(&self) {
        self.server.abort();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(pages): State<Pages>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    let page = pages.pages.lock().unwrap().get(head.uri.path()).cloned();
    pages.asked.lock().unwrap().push(Request::from_parts(head, ()));
    let page = page.unwrap_or_else(|| Page::json("{}").status(404));
    tokio::time::sleep(page.delay).await;
    let response = Response::builder().status(page.status);
    let response =
        page.headers.iter().fold(response, |all, (name, value)| all.header(*name, value));
    response.body(Body::from(page.body)).unwrap()
}
