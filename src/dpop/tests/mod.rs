//! The check of one proof, without a layer.

mod nonces;
mod proofs;
mod settings;
mod stores;
mod targets;
mod uris;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::FutureExt;
use http::request::Parts;
use http::{HeaderValue, Request};
use serde_json::{Value, json};

use crate::claims::NumericDate;
use crate::clock::Clock;
use crate::crypto::Algorithm;
use crate::dpop::check::DpopCheck;
use crate::dpop::{Dpop, ProxyHeaders};
use crate::key::ProofJwk;
use crate::key::test_keys::{SigningKey, base64url};
use crate::rejection::{Rejection, RejectionKind};

const NOW: i64 = 1_700_000_000;
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
/// From RFC 9449 section 4.3: the digest of that token.
const ATH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";

#[derive(Clone, Debug)]
struct Hand(Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> NumericDate {
        NumericDate::from_unix_seconds(self.0.load(Ordering::Relaxed))
    }
}

fn clock() -> Hand {
    Hand(Arc::new(AtomicI64::new(NOW)))
}

impl Hand {
    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

fn dpop() -> Dpop {
    Dpop::new("https://api.example").unwrap().with_clock(clock())
}

/// A client with its key.
struct Client {
    algorithm: Algorithm,
    key: SigningKey,
}

impl Client {
    fn new() -> Self {
        Self::with(Algorithm::ES256)
    }

    fn with(algorithm: Algorithm) -> Self {
        Self { algorithm, key: SigningKey::new(algorithm) }
    }

    fn jkt(&self) -> String {
        ProofJwk::parse(&self.key.jwk().to_string()).unwrap().thumbprint().unwrap()
    }

    fn header(&self) -> Value {
        json!({"typ": "dpop+jwt", "alg": self.algorithm.name(), "jwk": self.key.jwk()})
    }

    /// A good proof, with these changes; a member that is `"absent"` is left out.
    fn proof(&self, header: &Value, claims: &Value) -> String {
        let header = changed(self.header(), header).to_string();
        let claims = changed(good_claims(), claims).to_string();
        self.sign(header.as_bytes(), claims.as_bytes())
    }

    fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", base64url(header), base64url(claims));
        let signature = base64url(&self.key.sign(self.algorithm, message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn good(&self) -> String {
        self.proof(&json!({}), &json!({}))
    }

    fn check(&self, dpop: &Dpop, proof: &str) -> Result<Option<HeaderValue>, &'static str> {
        self.check_request(dpop, &get("https://api.example/a", [proof]))
    }

    fn check_request(
        &self,
        dpop: &Dpop,
        head: &Parts,
    ) -> Result<Option<HeaderValue>, &'static str> {
        self.result(dpop, head).map_err(|rejection| {
            assert_eq!(rejection.kind(), RejectionKind::InvalidDpopProof, "{rejection}");
            text(&rejection)
        })
    }

    fn result(&self, dpop: &Dpop, head: &Parts) -> Result<Option<HeaderValue>, Rejection> {
        let result = match dpop.check(head, TOKEN.as_bytes(), &self.jkt()) {
            DpopCheck::Ready(result) => result,
            DpopCheck::Pending(result) => result.now_or_never().unwrap(),
        };
        result.map(|passed| passed.nonce)
    }
}

/// The description, which is one of a fixed list.
fn text(rejection: &Rejection) -> &'static str {
    use crate::dpop::fault::Fault::*;

    let all = [
        Missing,
        Several,
        TooLong,
        Malformed,
        WrongType,
        UnsupportedAlgorithm,
        CriticalHeader,
        InvalidKey,
        WrongKey,
        MissingClaim,
        MalformedClaim,
        WrongMethod,
        UnusableRequestUri,
        WrongUri,
        WrongToken,
        TooOld,
        CreatedInFuture,
        InvalidSignature,
        UsedBefore,
    ];
    let texts = all.map(|fault| fault.description());
    texts.into_iter().find(|text| *text == rejection.description()).unwrap()
}

fn good_claims() -> Value {
    json!({"jti": "1", "htm": "GET", "htu": "https://api.example/a", "iat": NOW, "ath": ATH})
}

fn changed(mut object: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        match value.as_str() {
            Some("absent") => drop(object.as_object_mut().unwrap().remove(name)),
            _ => object[name] = value.clone(),
        }
    }
    object
}

fn get<'a>(uri: &str, proofs: impl IntoIterator<Item = &'a str>) -> Parts {
    let (mut head, ()) = Request::get(uri).body(()).unwrap().into_parts();
    for proof in proofs {
        head.headers.append("dpop", HeaderValue::from_str(proof).unwrap());
    }
    head
}
