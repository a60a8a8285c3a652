//! Claims: the types that tokens are read into by default, and the parts they are made of.

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
