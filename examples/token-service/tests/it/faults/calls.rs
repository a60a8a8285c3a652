//! A request to each endpoint that uses the store. All are good: each succeeds when the database works.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use token_service::demo;
use tokio::time::Instant;
use url::form_urlencoded::Serializer;

use crate::browser::{Browser, form_of, request};
use crate::grants::{code, exchange, refresh, refresh_token};
use crate::support::{Answer, Client, GOOD, basic};

/// How long an answer may take.
const BOUND: Duration = Duration::from_secs(5);
/// What a busy machine may add, for one request and for hundreds at once.
const BUSY: Duration = Duration::from_secs(2);
const VERY_BUSY: Duration = Duration::from_secs(10);

pub struct Call {
    pub name: &'static str,
    /// Whether it needs a database that can be written.
    pub writes: bool,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Call {
    async fn send(&self, client: &Client, busy: Duration) -> Answer {
        let request = Request::builder().method(self.method).uri(&self.path);
        let request = self.headers.iter().fold(request, |r, (name, value)| r.header(*name, value));
        let began = Instant::now();
        let answer = client.send(request.body(Body::from(self.body.clone())).unwrap()).await;
        let elapsed = began.elapsed();
        assert!(elapsed < BOUND + busy, "{}: {elapsed:?}", self.name);
        answer
    }

    pub async fn is_served(&self, client: &Client) -> bool {
        self.is_served_within(client, BUSY).await
    }

    /// Whether it is served. Otherwise it is 503, in time.
    async fn is_served_within(&self, client: &Client, busy: Duration) -> bool {
        let answer = self.send(client, busy).await;
        match answer.status.as_u16() {
            200 | 303 => true,
            503 => {
                assert_unavailable(self.name, &answer);
                false
            }
            other => panic!("{}: {other} {}", self.name, answer.body),
        }
    }

    pub async fn assert_served(&self, client: &Client) {
        let answer = self.send(client, BUSY).await;
        let served = [200, 303].contains(&answer.status.as_u16());
        assert!(served, "{}: {} {}", self.name, answer.status, answer.body);
    }

    pub async fn assert_unavailable(&self, client: &Client) {
        assert_unavailable(self.name, &self.send(client, BUSY).await);
    }
}

#[track_caller]
fn assert_unavailable(name: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{name}: {}", answer.body);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1, "{name}");
    if answer.header("content-type") == "application/json" && name.starts_with("POST") {
        answer.assert_error(503, "temporarily_unavailable");
    }
}

/// The requests. Those that write are good once.
pub async fn all(client: &Client) -> Vec<Call> {
    let form = || ("content-type", "application/x-www-form-urlencoded".to_owned());
    let demo = || ("authorization", basic(demo::CLIENT, &client.secret));
    let post = |name, path: &str, body: String| Call {
        name,
        writes: true,
        method: "POST",
        path: path.to_owned(),
        headers: vec![form(), demo()],
        body,
    };
    let login = async || {
        let answer = client.post_as_demo("/token", &format!("{GOOD}&scope=openid+read")).await;
        (answer.text("access_token"), refresh_token(&answer))
    };
    let (access, kept) = login().await;
    let get = |name, path: &str, headers| Call {
        name,
        writes: false,
        method: "GET",
        path: path.to_owned(),
        headers,
        body: String::new(),
    };
    let bearer = || vec![("authorization", format!("Bearer {access}"))];
    let read = |name, token: &str| Call {
        writes: false,
        ..post(name, "/introspect", format!("token={token}"))
    };
    let code = code(client, |code| code.expires_at = i64::MAX).await;
    let mut calls = vec![
        post("POST /token password", "/token", GOOD.to_owned()),
        post("POST /token refresh_token", "/token", refresh(&login().await.1)),
        post("POST /token authorization_code", "/token", exchange(&code)),
        Call {
            writes: false,
            ..post(
                "POST /token client_credentials",
                "/token",
                "grant_type=client_credentials".to_owned(),
            )
        },
        read("POST /introspect access", &access),
        read("POST /introspect refresh", &kept),
        post("POST /revoke access", "/revoke", format!("token={}", login().await.0)),
        post("POST /revoke refresh", "/revoke", format!("token={}", login().await.1)),
        get("GET /userinfo", "/userinfo", bearer()),
        get("GET /protected", "/protected", bearer()),
        get("GET /readyz", "/readyz", Vec::new()),
    ];
    calls.extend(pages(client).await);
    calls
}

async fn pages(client: &Client) -> Vec<Call> {
    // Also after an earlier consent.
    let query = request(&[("prompt", "consent")]);
    let path = format!("/authorize?{query}");
    let cookies = |browser: &Browser<'_>| {
        let cookies = browser.cookies.borrow();
        let cookies: Vec<_> =
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        ("cookie", cookies.join("; "))
    };
    let form = |name, browser: &Browser<'_>, page: &Answer, fields: &[(&str, &str)]| {
        let (path, hidden) = form_of(page);
        let body =
            Serializer::new(String::new()).extend_pairs(hidden).extend_pairs(fields).finish();
        let media_type = "application/x-www-form-urlencoded".to_owned();
        let headers = vec![("content-type", media_type), cookies(browser)];
        Call { name, writes: true, method: "POST", path, headers, body }
    };
    let newcomer = Browser::new(client);
    let login = newcomer.get(&path).await;
    let user = Browser::new(client);
    let consent = user.log_in(&query).await;
    let leaver = Browser::new(client);
    leaver.log_in(&query).await;
    let logout = leaver.get("/logout").await;
    let get = |name, path: &str| Call {
        name,
        writes: false,
        method: "GET",
        path: path.to_owned(),
        headers: vec![cookies(&user)],
        body: String::new(),
    };
    vec![
        get("GET /authorize", &path),
        form(
            "POST /login",
            &newcomer,
            &login,
            &[("username", demo::USER), ("password", demo::PASSWORD)],
        ),
        form("POST /consent", &user, &consent, &[("decision", "allow")]),
        get("GET /logout", "/logout"),
        form("POST /logout", &leaver, &logout, &[]),
    ]
}

/// Sends each request so many times, all at once. Returns how many were served; the others are 503 in time.
pub async fn at_once(client: &Client, calls: &[Call], number: usize) -> usize {
    let sent =
        (0..number).map(|index| calls[index % calls.len()].is_served_within(client, VERY_BUSY));
    join_all(sent).await.into_iter().filter(|served| *served).count()
}
