//! The body of the target `dpop`: a proof of any content, which the client has signed, or any bytes.

use std::convert::Infallible;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_jwt_auth::{
    Accepted, Confirmation, Dpop, FixedClock, JwtAuthLayer, NumericDate, PresentedToken,
    ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore, SenderConstrained, TokenScheme,
    Verification, VerifyToken,
};

const NOW: i64 = 1_700_000_000;
const TOKEN: &str = "token";

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static LAYER: LazyLock<JwtAuthLayer<()>> = LazyLock::new(|| {
    let dpop = Dpop::new("https://api.example").unwrap();
    let clock = FixedClock(NumericDate::from_unix_seconds(NOW));
    let dpop = dpop.with_clock(clock).with_replay_store(Forgetful);
    JwtAuthLayer::new(SenderConstrained::dpop(Bound, dpop))
});

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn x() -> String {
    b64(KEY.public_key())
}

/// Takes any token for one that is bound to the key.
struct Bound;

impl VerifyToken<()> for Bound {
    fn verify_token(&self, _: &PresentedToken, _: &Parts) -> Verification<()> {
        let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, x());
        let cnf = json!({"jkt": b64(digest(&SHA256, jwk.as_bytes()))}).to_string();
        let confirmation = Confirmation::from_json(&cnf).unwrap();
        Verification::ready(Ok(Accepted::new(()).with_confirmation(confirmation)))
    }

    fn schemes(&self) -> &[TokenScheme] {
        &[TokenScheme::Bearer, TokenScheme::DPoP]
    }
}

/// Only the other checks refuse.
#[derive(Debug)]
struct Forgetful;

impl ReplayStore for Forgetful {
    fn record(&self, _: &ReplayEntry) -> ReplayCheck {
        ReplayCheck::ready(Ok(ReplayOutcome::FirstUse))
    }
}

/// The input is a header and the claims with a NUL between them, or the bytes of a proof.
pub(super) fn dpop(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == 0) else {
        // Nobody but the client can sign.
        assert_ne!(status(data), Some(204));
        return;
    };
    let (header, claims) = (&data[..at], &data[at + 1..]);
    let message = format!("{}.{}", b64(header), b64(claims));
    let proof = format!("{message}.{}", b64(KEY.sign(message.as_bytes())));
    if status(proof.as_bytes()) != Some(204) {
        return;
    }
    let header: Value = serde_json::from_slice(header).unwrap();
    let claims: Value = serde_json::from_slice(claims).unwrap();
    assert_eq!(header["typ"], "dpop+jwt");
    assert!(header["alg"] == "EdDSA" || header["alg"] == "Ed25519");
    assert_eq!(header["jwk"]["x"], x());
    assert!(header.get("crit").is_none() && header["jwk"].get("d").is_none_or(Value::is_null));
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["ath"], b64(digest(&SHA256, TOKEN.as_bytes())));
    let host = claims["htu"].as_str().unwrap().to_ascii_lowercase();
    assert!(host.starts_with("https://") && (host.contains('%') || host.contains("api.example")));
    assert!((1..=256).contains(&claims["jti"].as_str().unwrap().len()));
    let age = NOW as f64 - claims["iat"].as_f64().unwrap();
    assert!((-30.0..90.0).contains(&age), "{age}");
}

/// The status of a request with this proof; `None` if no header can contain it.
fn status(proof: &[u8]) -> Option<u16> {
    let proof = HeaderValue::from_bytes(proof).ok()?;
    let request = Request::get("/a").header("dpop", proof);
    let request = request.header(AUTHORIZATION, format!("DPoP {TOKEN}")).body(()).unwrap();
    let inner = service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::builder().status(204).body(String::new()).unwrap())
    });
    let response = LAYER.layer(inner).oneshot(request).now_or_never().unwrap();
    let status = response.unwrap_or_else(|never| match never {}).status().as_u16();
    assert!([204, 401].contains(&status), "{status}");
    Some(status)
}
