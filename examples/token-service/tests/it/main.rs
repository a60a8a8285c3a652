//! The service, asked through its real router, and the program itself.

mod api;
mod cors;
mod docs;
mod metadata;
mod program;
mod support;
mod token;
