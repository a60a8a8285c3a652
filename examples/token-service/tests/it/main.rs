//! Tests of the service through its real router, and of the program.

mod administration;
mod api;
mod authorize;
mod browser;
mod client_documents;
mod clients;
mod connections;
mod consent;
mod cors;
mod database;
mod docs;
mod failing_store;
#[cfg(unix)]
mod faults;
mod following;
mod grants;
mod guard;
mod instances;
mod introspect;
mod key_encryption;
mod keys;
mod login;
mod logout;
mod metadata;
mod observe;
mod process;
mod program;
mod protection;
mod revoke;
mod skew;
#[cfg(unix)]
mod stopping;
mod store;
mod support;
mod token;
mod userinfo;
