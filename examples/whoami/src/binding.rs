//! `--dpop`, `--require-dpop` and `--dpop-nonce`.

use tower_jwt_auth::{
    ConfigError, Dpop, FixedClock, JwtAuthLayer, NumericDate, SenderConstrained, VerifyToken,
};

use crate::flags::Flags;
use crate::verifier::Claims;

/// The layer of a verifier, which checks DPoP proofs if the flags ask for it.
pub(crate) fn layer<V>(verifier: V, flags: &Flags) -> Result<JwtAuthLayer<Claims>, ConfigError>
where
    V: VerifyToken<Claims>,
{
    let binding = &flags.binding;
    if !binding.dpop && !binding.require_dpop {
        return Ok(JwtAuthLayer::new(verifier));
    }
    let verifier = SenderConstrained::dpop(verifier, dpop(flags)?);
    Ok(match binding.require_dpop {
        true => JwtAuthLayer::new(verifier.required()),
        false => JwtAuthLayer::new(verifier),
    })
}

fn dpop(flags: &Flags) -> Result<Dpop, ConfigError> {
    // This server does not know its public URL. It has two ports, and port 0 is any.
    let mut dpop = Dpop::dangerous_host_of_request("http")?;
    if flags.binding.dpop_nonce {
        dpop = dpop.require_nonce()?;
    }
    if let Some(epoch) = flags.clock {
        dpop = dpop.with_clock(FixedClock(NumericDate::from_unix_seconds(epoch)));
    }
    Ok(dpop)
}
