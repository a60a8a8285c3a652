//! How much a cache holds, and what a stream of other tokens does to it.

use futures_util::FutureExt;
use tower_jwt_auth::{Algorithm, IssuerSet, JwtVerifier, RejectionKind, VerificationKey};

use super::{Counted, kind};
use crate::support::{AUDIENCE, ISSUER, NOW, b64, now};

const CAPACITY: usize = 1_000;
/// What a token of up to 1 KiB takes at most.
const SLOT: usize = 5_120;
const SECRET: [u8; 32] = [7; 32];

fn verifier() -> (JwtVerifier, Counted) {
    let key = VerificationKey::from_secret(&SECRET, Algorithm::HS256).unwrap();
    let keys = Counted::new([key]);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
    (verifier.with_token_cache(CAPACITY).unwrap(), keys)
}

/// Signs tokens that differ in their subject.
struct Signer(aws_lc_rs::hmac::Key);

impl Signer {
    fn new() -> Self {
        Self(aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &SECRET))
    }

    fn token(&self, subject: &str, pad: usize) -> String {
        let claims = format!(
            r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"{subject}","exp":{},"scope":"{}"}}"#,
            NOW + 3600,
            "a".repeat(pad),
        );
        self.sign(&claims)
    }

    fn sign(&self, claims: &str) -> String {
        let message = format!("{}.{}", b64(r#"{"alg":"HS256"}"#), b64(claims));
        let signature = aws_lc_rs::hmac::sign(&self.0, message.as_bytes());
        format!("{message}.{}", b64(signature.as_ref()))
    }
}

/// A token that nobody has signed.
fn forged(message: &str, number: u64) -> String {
    let mut signature = [0; 32];
    signature[..8].copy_from_slice(&number.to_le_bytes());
    format!("{message}.{}", b64(signature))
}

#[test]
fn stream_of_other_tokens_neither_evicts_the_hot_ones_nor_grows_past_the_bound() {
    let (verifier, keys) = verifier();
    check_a_stream(&|token| kind(&verifier, token), &keys);
}

#[test]
fn stream_of_other_tokens_does_the_same_to_the_cache_of_a_set() {
    let keys = Counted::new([VerificationKey::from_secret(&SECRET, Algorithm::HS256).unwrap()]);
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
    let issuers = IssuerSet::new().with_token_cache(CAPACITY).unwrap();
    issuers.add(verifier).unwrap();
    let kind = |token: &str| {
        let result = issuers.verify(token).now_or_never().expect("a result at once");
        result.err().map(|rejection| rejection.kind())
    };
    check_a_stream(&kind, &keys);
}

fn check_a_stream(kind: &dyn Fn(&str) -> Option<RejectionKind>, keys: &Counted) {
    const HOT: u64 = 50;

    let signer = Signer::new();
    let hot: Vec<_> = (0..HOT).map(|n| signer.token(&format!("hot-{n}"), 0)).collect();
    let template = signer.token("forged", 300);
    let (message, _) = template.rsplit_once('.').unwrap();
    let (mut missed, mut asked) = (0, 0);
    let cost = allocation_counter::measure(|| {
        // 100,000 different tokens: a quarter of them valid.
        for number in 0..100_000 {
            if number % 8 == 0 {
                let before = keys.lookups();
                let token = &hot[usize::try_from(number / 8 % HOT).unwrap()];
                assert_eq!(kind(token), None);
                missed += keys.lookups() - before;
                asked += 1;
            }
            if number % 4 == 0 {
                assert_eq!(kind(&signer.token(&number.to_string(), 300)), None);
            } else {
                assert!(kind(&forged(message, number)).is_some());
            }
        }
    });
    println!("{missed} of {asked} missed; {} bytes held", cost.bytes_current);
    // The first time, and once more where the cache has not seen yet that it is hot.
    assert!(missed <= 2 * 50, "{missed} of {asked}");
    assert!(cost.bytes_current > 0);
    assert!(usize::try_from(cost.bytes_current).unwrap() < CAPACITY * SLOT, "{cost:?}");
}

#[test]
fn forged_tokens_keep_nothing_and_evict_nothing() {
    let (verifier, keys) = verifier();
    let signer = Signer::new();
    let good: Vec<_> = (0..CAPACITY / 2).map(|n| signer.token(&n.to_string(), 0)).collect();
    good.iter().for_each(|token| assert_eq!(kind(&verifier, token), None));
    let template = signer.token("forged", 300);
    let (message, _) = template.rsplit_once('.').unwrap();
    let cost = allocation_counter::measure(|| {
        for number in 0..10_000 {
            assert!(kind(&verifier, &forged(message, number)).is_some());
        }
    });
    assert_eq!((cost.count_current, cost.bytes_current), (0, 0));
    let before = keys.lookups();
    good.iter().for_each(|token| assert_eq!(kind(&verifier, token), None));
    assert_eq!(keys.lookups(), before);
}

#[test]
fn long_tokens_count_for_more() {
    for (pad, capacity) in [(0, 200), (600, 200), (2_500, 200), (2_500, 4)] {
        let (verifier, _) = verifier();
        let verifier = verifier.with_token_cache(capacity).unwrap();
        let signer = Signer::new();
        let cost = allocation_counter::measure(|| {
            for number in 0..1_000 {
                assert_eq!(kind(&verifier, &signer.token(&number.to_string(), pad)), None);
            }
        });
        let held = usize::try_from(cost.bytes_current).unwrap();
        println!("{pad}, {capacity}: {held} bytes held");
        // The longest token that is kept always fits in, twice.
        assert!(held < (capacity * SLOT).max(2 * (4 * 4096 + 1024)), "{pad}, {capacity}: {held}");
    }
}

#[test]
fn scopes_that_rules_have_read_are_within_the_bound() {
    use crate::support::requests::{bearer, reached, send};
    use tower_jwt_auth::{JwtAuthLayer, RegisteredClaims, VerifiedToken};

    let (verifier, _) = verifier();
    let signer = Signer::new();
    for pad in [0, 580, 2_500] {
        let layer = JwtAuthLayer::new(verifier.clone().with_token_cache(CAPACITY).unwrap());
        let cost = allocation_counter::measure(|| {
            for number in 0..2_000 {
                let response = send(&layer, bearer(&signer.token(&number.to_string(), pad)));
                let extensions = &reached(&response).unwrap().extensions;
                let token = VerifiedToken::<RegisteredClaims>::from_extensions(extensions).unwrap();
                assert!(VerifiedToken::scope(token).is_some());
            }
        });
        println!("{pad}: {} bytes held", cost.bytes_current);
        assert!(usize::try_from(cost.bytes_current).unwrap() < CAPACITY * SLOT, "{cost:?}");
    }
}

/// A scope takes more than its JSON: each space within an element becomes a character of three bytes.
#[test]
fn scopes_that_grow_when_they_are_read_are_within_the_bound() {
    use crate::support::requests::{bearer, reached, send};
    use tower_jwt_auth::{JwtAuthLayer, VerifiedToken};

    #[derive(serde::Deserialize)]
    struct Nothing {}

    let signer = Signer::new();
    let token = |number: u32, pad: usize| {
        let claims = format!(
            r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"{number}","exp":{},"scope":["{}"]}}"#,
            NOW + 3600,
            " ".repeat(pad),
        );
        signer.sign(&claims)
    };
    for pad in [500, 580, 1_200, 2_000, 2_800] {
        let (verifier, _) = verifier();
        let verifier = verifier.with_claims_by_name().with_claims::<Nothing>();
        let layer = JwtAuthLayer::new(verifier.clone().with_token_cache(CAPACITY).unwrap());
        let in_requests = allocation_counter::measure(|| {
            for number in 0..1_500 {
                let response = send(&layer, bearer(&token(number, pad)));
                let extensions = &reached(&response).unwrap().extensions;
                let token = VerifiedToken::<Nothing>::from_extensions(extensions).unwrap();
                assert!(VerifiedToken::scope(token).is_some());
            }
        });
        let without = allocation_counter::measure(|| {
            for number in 0..1_500 {
                let verified = verifier.verify_now(&token(number, pad)).unwrap();
                assert!(VerifiedToken::scope(&verified).is_some());
            }
        });
        println!("{pad}: {} {}", in_requests.bytes_current, without.bytes_current);
        for cost in [in_requests, without] {
            assert!(
                usize::try_from(cost.bytes_current).unwrap() < CAPACITY * SLOT,
                "{pad} {cost:?}"
            );
        }
    }
}
