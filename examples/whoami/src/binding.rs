//! `--dpop`, `--require-dpop` and `--dpop-nonce`.

use std::time::Duration;

use tower_jwt_auth::{
    ConfigError, Confirmation, Dpop, ExplainedStep, FixedClock, JwtAuthLayer, NumericDate,
    Rejection, RejectionKind, SenderConstrained, VerifyToken,
};

use crate::flags::Flags;
use crate::verifier::Claims;

/// The layer of a verifier, which checks DPoP proofs if the flags ask for it.
pub(crate) fn layer<V>(verifier: V, flags: &Flags) -> Result<JwtAuthLayer<Claims>, ConfigError>
where
    V: VerifyToken<Claims>,
{
    if !is_accepted(flags) {
        return Ok(JwtAuthLayer::new(verifier));
    }
    let verifier = SenderConstrained::dpop(verifier, dpop(flags)?);
    Ok(match flags.binding.require_dpop {
        true => JwtAuthLayer::new(verifier.required()),
        false => JwtAuthLayer::new(verifier),
    })
}

/// Whether bound tokens are accepted.
pub(crate) fn is_accepted(flags: &Flags) -> bool {
    flags.binding.dpop || flags.binding.require_dpop
}

/// The text of `explain` for a token with this `cnf`, which is good otherwise, and whether a request with it can be
/// accepted.
pub(crate) fn explain(steps: &[ExplainedStep], cnf: Option<&str>, flags: &Flags) -> (String, bool) {
    let (result, is_accepted) = match cnf.map(Confirmation::from_json) {
        None if flags.binding.require_dpop => ("refused: the token is not bound to a key", false),
        None => ("accepted", true),
        Some(Ok(confirmation)) if confirmation.jkt().is_some() => {
            ("accepted: bound to a key: each request needs a DPoP proof", true)
        }
        Some(Ok(_)) => ("refused: the token is bound to something else than a key", false),
        Some(Err(_)) => ("refused: the claim cnf is malformed", false),
    };
    let steps: String = steps.iter().map(|step| format!("{step}\n")).collect();
    (steps + result, is_accepted)
}

/// The text of `explain` for a token that introspection accepts, and that is refused for its binding alone.
pub(crate) fn if_bound(refused: &Rejection, flags: &Flags) -> Option<&'static str> {
    let is_bound = flags.binding.is_explained && refused.kind() == RejectionKind::UnconfirmedSender;
    is_bound.then_some("introspection: passed; if bound to a key, each request needs a DPoP proof")
}

fn dpop(flags: &Flags) -> Result<Dpop, ConfigError> {
    // This server does not know its public URL. It has two ports, and port 0 is any.
    let mut dpop =
        Dpop::dangerous_host_of_request("http")?.with_leeway(Duration::from_secs(flags.leeway))?;
    if flags.binding.dpop_nonce {
        dpop = dpop.require_nonce()?;
    }
    if let Some(epoch) = flags.clock {
        dpop = dpop.with_clock(FixedClock(NumericDate::from_unix_seconds(epoch)));
    }
    Ok(dpop)
}
