//! A token service for a small team: an OAuth 2.0 authorization server with its users and clients in a database, some
//! protected routes, and a page to try all of it in a browser.
//!
//! The modules, in the order of a login:
//!
//! - [`store`]: users, clients, grants and keys, in SQLite or PostgreSQL;
//! - [`token`]: the endpoint `POST /token` and its grants;
//! - [`form`] and `client`: strict readers of the request's parameters, and client authentication;
//! - `client_documents`: clients that are not registered, by the document at the URL that is their ID;
//! - `authorize`, `logout` and `pages`: the authorization code grant, and the pages that people see;
//! - [`login`]: one password check, with [`limits`] on guessing and Argon2id hashes ([`passwords`]);
//! - [`access_tokens`], `id_tokens` and [`secret`]: what is issued;
//! - `revoke`, `introspect` and `userinfo`: the endpoints for a token that was issued;
//! - [`api`]: the routes behind the layer;
//! - [`keys`]: the keys that sign the tokens;
//! - [`metadata`]: the documents that other processes need to verify the tokens;
//! - [`cors`]: which routes pages of other origins may call;
//! - [`docs`]: the OpenAPI document and the page;
//! - [`client_address`], [`guard`], [`rates`] and [`connections`]: the limits around all routes;
//! - `observe`, [`exposition`], [`health`], `failure_log`, `stopping` and [`upkeep`]: for the operator, and what runs
//!   beside the requests;
//! - [`demo`]: what `--demo` starts with.
//!
//! **The password grant is here for comparison with FastAPI's tutorial.** RFC 9700 section 2.4 forbids it, because it
//! gives a person's password to the client. Use the authorization code grant with PKCE for people, and client
//! credentials between machines.

pub mod access_tokens;
pub mod api;
mod authorize;
mod client;
pub mod client_address;
mod client_documents;
pub mod connections;
pub mod cors;
pub mod demo;
pub mod docs;
pub mod exposition;
mod failure_log;
pub mod form;
pub mod guard;
mod header_time;
pub mod health;
mod id_token_hint;
mod id_tokens;
mod introspect;
pub mod keys;
pub mod limits;
pub mod login;
mod logout;
pub mod metadata;
mod observe;
mod pages;
pub mod passwords;
pub mod rates;
mod revoke;
pub mod secret;
pub mod store;
pub mod token;
pub mod upkeep;
mod userinfo;

mod service;
mod stopping;

pub use authorize::redirect_uri::check as check_redirect_uri;
pub use client_address::ProxyHeader;
pub use connections::ConnectionLimits;
pub use observe::requests::ACCESS_LOG;
pub use service::{Service, Settings};
