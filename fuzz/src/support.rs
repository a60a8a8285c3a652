//! What the tests share.

#[path = "../../tests/it/support/challenge.rs"]
pub(crate) mod challenge;
#[path = "../../tests/it/support/near_signatures.rs"]
pub(crate) mod near_signatures;
#[path = "../../tests/it/support/reference/mod.rs"]
pub(crate) mod reference;
