//! Conversions from the types of `jsonwebtoken` 12.

crate::jsonwebtoken_keys::conversions!(jsonwebtoken);
