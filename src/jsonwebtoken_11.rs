//! Conversions from the types of `jsonwebtoken` 11.

crate::jsonwebtoken_keys::conversions!(jsonwebtoken_11);
