//! Tests of the service through its real router, and of the program.

mod api;
mod clients;
mod cors;
mod docs;
mod failing_store;
mod grants;
mod introspect;
mod metadata;
mod program;
mod protection;
mod revoke;
mod store;
mod support;
mod token;
mod userinfo;
