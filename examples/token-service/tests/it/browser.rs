//! A browser without a screen: it keeps cookies, and fills in the forms of pages.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use token_service::secret;
use token_service::store::{Store, User};
use url::form_urlencoded::{self, Serializer};

use crate::support::{Answer, Client, ISSUER};

/// The verifier of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// A redirect URI of the client of `--demo`.
pub const CALLBACK: &str = "http://127.0.0.1:5000/callback";

/// The name of the cookie of a session.
pub static SESSION: LazyLock<String> =
    LazyLock::new(|| format!("token-service-session-{}", &secret::hash(ISSUER)[..8]));

pub struct Browser<'a> {
    pub client: &'a Client,
    pub cookies: RefCell<BTreeMap<String, String>>,
    /// The names of those that are `SameSite=Lax`.
    lax: RefCell<BTreeSet<String>>,
}

impl<'a> Browser<'a> {
    pub fn new(client: &'a Client) -> Self {
        Self { client, cookies: RefCell::default(), lax: RefCell::default() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path), None, false).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Request::post(path), Some(form), false).await
    }

    /// Sends a form that a page of another site has: without the cookies that are `Lax`.
    pub async fn post_cross_site(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Request::post(path), Some(form), true).await
    }

    async fn send(
        &self,
        mut request: axum::http::request::Builder,
        form: Option<&[(&str, &str)]>,
        is_cross_site: bool,
    ) -> Answer {
        let mut body = String::new();
        if let Some(form) = form {
            request = request.header("content-type", "application/x-www-form-urlencoded");
            body = Serializer::new(String::new()).extend_pairs(form).finish();
        }
        let is_left_out = |name: &String| is_cross_site && self.lax.borrow().contains(name);
        let cookies: Vec<_> = self
            .cookies
            .borrow()
            .iter()
            .filter(|(name, _)| !is_left_out(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = match cookies.is_empty() {
            true => request,
            false => request.header("cookie", cookies.join("; ")),
        };
        let answer = self.client.send(request.body(Body::from(body)).unwrap()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, rest) = cookie.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("SameSite=Lax") {
                self.lax.borrow_mut().insert(name.to_owned());
            }
            match cookie.contains("Max-Age=0") {
                true => self.cookies.borrow_mut().remove(name),
                false => self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Sends the form of a page with these fields beside its hidden ones.
    pub async fn submit(&self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let (action, hidden) = form_of(page);
        let hidden: Vec<_> = hidden.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        self.post(&action, &[&hidden, fields].concat()).await
    }

    /// The page after a redirect within the service.
    pub async fn follow(&self, answer: &Answer) -> Answer {
        assert_eq!(answer.status, 303, "{}", answer.body);
        let location = answer.header("location");
        assert!(!location.contains(':'), "{location}");
        self.get(&format!("/{location}")).await
    }

    /// Logs in for this request, as alice, and returns the next page or the redirect to the client.
    pub async fn log_in(&self, query: &str) -> Answer {
        let page = self.get(&format!("/authorize?{query}")).await;
        let answer = self.submit(&page, &[("username", "alice"), ("password", "wonderland")]).await;
        self.follow(&answer).await
    }

    /// Logs in and allows what this request asks for. Returns the parameters of the response.
    pub async fn allow(&self, query: &str) -> BTreeMap<String, String> {
        let page = self.log_in(query).await;
        let answer = self.submit(&page, &[("decision", "allow")]).await;
        response(&answer)
    }
}

/// The address of the form of a page, and its hidden fields.
pub fn form_of(page: &Answer) -> (String, Vec<(String, String)>) {
    let (_, action) = page.body.split_once("action=\"").unwrap_or_else(|| panic!("{}", page.body));
    let action = format!("/{}", unescape(action.split('"').next().unwrap()));
    let inputs = page.body.split("<input type=\"hidden\" name=\"").skip(1);
    let hidden = inputs.map(|input| {
        let mut parts = input.split('"');
        (parts.next().unwrap().to_owned(), unescape(parts.nth(1).unwrap()))
    });
    (action, hidden.collect())
}

pub fn unescape(text: &str) -> String {
    text.replace("&#38;", "&").replace("&#34;", "\"").replace("&#60;", "<").replace("&#39;", "'")
}

/// The parameters of a redirect to the client of `--demo`. Each has the issuer.
#[track_caller]
pub fn response(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 303, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    let location = answer.header("location");
    let query = location.strip_prefix(CALLBACK).unwrap_or_else(|| panic!("{location}"));
    let query = query.strip_prefix('?').unwrap();
    let parameters: BTreeMap<_, _> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(parameters["iss"], ISSUER);
    parameters
}

/// An authorization request of the client of `--demo`, changed by these parameters: an empty value removes one.
pub fn request(changes: &[(&str, &str)]) -> String {
    let mut parameters: Vec<(&str, &str)> = vec![
        ("client_id", "demo"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "s t&a"),
        ("scope", "read"),
    ];
    for (name, value) in changes {
        parameters.retain(|(one, _)| one != name);
        if !value.is_empty() {
            parameters.push((name, value));
        }
    }
    Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// Adds bob, with the same password as alice.
pub async fn add_bob(client: &Client) {
    let alice = client.store.user("alice").await.unwrap().unwrap();
    assert!(client.store.add_user(&User { name: "bob".to_owned(), ..alice }).await.unwrap());
}
