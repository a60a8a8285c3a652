//! Tests of the service through its real router, and of the program.

mod api;
mod cors;
mod docs;
mod metadata;
mod program;
mod protection;
mod store;
mod support;
mod token;
