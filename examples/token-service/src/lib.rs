//! A token service: the OAuth2 password grant, some routes that its tokens open, and a page on which
//! a person tries both. In the order of a login:
//!
//! - [`token`]: `POST /token`, the endpoint: what is asked, what is answered, each error in its form;
//! - [`form`] and [`client`]: the two places where a request says something, read strictly;
//! - [`login`]: one password check, between [`limits`] (on guessing) and [`users`] (Argon2id);
//! - [`api`]: the routes behind the layer;
//! - [`metadata`]: what another process needs to verify the tokens;
//! - [`cors`]: which pages of other origins may call what;
//! - [`docs`]: the OpenAPI document and the page.
//!
//! **The password grant is here to be compared with what FastAPI's users know.** RFC 9700 section 2.4
//! forbids it: it hands a person's password to the client. For a client of your own choosing use the
//! authorization code grant with PKCE, and between machines client credentials.

pub mod api;
pub mod client;
pub mod cors;
pub mod docs;
pub mod form;
pub mod limits;
pub mod login;
pub mod metadata;
pub mod token;
pub mod users;

mod service;

pub use service::{Service, Settings};
