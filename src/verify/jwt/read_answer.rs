//! Reads an answer about a token like the claims of a JWT.

use serde::Deserialize;

use crate::rejection::Rejection;
use crate::verify::jwt::read_claims;
pub(in crate::verify) use crate::verify::jwt::registered::{Registered as AnswerClaims, Wanted};

/// The claims of an answer of an introspection endpoint: as `C`, and those that the rules check.
pub(in crate::verify) type Answer<'de, C> = (Result<C, Rejection>, AnswerClaims<'de>);

/// Reads the claims of an answer. It is an error if it is malformed, and none yet if it does not fit `C`.
pub(in crate::verify) fn read_answer<'de, C: Deserialize<'de>>(
    json: &'de str,
    wanted: Wanted,
) -> Result<Answer<'de, C>, Rejection> {
    let mut registered = AnswerClaims::default();
    let claims = read_claims::read_text(json, wanted, &mut registered)?;
    Ok((claims.map_err(Rejection::from), registered))
}
