//! The service, asked through its real router, and the program itself.

mod api;
mod docs;
mod metadata;
mod program;
mod support;
mod token;
