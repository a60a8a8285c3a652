//! What no layer can beat.

mod bare;
mod cached;
mod floor;
mod no_layer;

pub use self::bare::Key;
use crate::contender::Contender;
use crate::fixture::Fixture;

/// The first one is what ratios are taken to. Without a token, that is the floor.
pub fn all(fixture: &Fixture) -> Vec<Contender> {
    vec![bare::new(fixture), floor::new(fixture), cached::new(fixture), no_layer::new()]
}
