//! Claims: the default types of a token's claims, and their parts.

mod access_token;
mod actor;
mod audience;
mod numeric_date;
mod registered;
mod scope;
mod scope_hierarchy;

pub use self::access_token::AccessTokenClaims;
pub use self::actor::Actor;
pub use self::audience::Audience;
pub use self::numeric_date::NumericDate;
pub use self::registered::RegisteredClaims;
pub use self::scope::Scope;
pub use self::scope_hierarchy::ScopeHierarchy;
