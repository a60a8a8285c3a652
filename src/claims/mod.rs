//! Claims: the default types of a token's claims, and their parts.

mod access_token;
mod audience;
mod numeric_date;
mod registered;
mod scope;

pub use self::access_token::AccessTokenClaims;
pub use self::audience::Audience;
pub use self::numeric_date::NumericDate;
pub use self::registered::RegisteredClaims;
pub use self::scope::Scope;
