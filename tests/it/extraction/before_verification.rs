//! A token is checked to be a `token68` before other verifiers see it, and after the verifiers of JWTs refused it: the
//! answers are the same.

use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Request};
use proptest::prelude::*;
use tower_jwt_auth::{
    Algorithm, IssuerSet, JwtAuthLayer, JwtVerifier, PresentedToken, RegisteredClaims,
    RejectionKind, Verification, VerifyToken, verify_fn,
};

use crate::support::requests::{reached, refusal, request, send};
use crate::support::{claims, key};

/// A verifier of the application around one of JWTs.
struct Custom<V>(V);

impl<V: VerifyToken<RegisteredClaims>> VerifyToken<RegisteredClaims> for Custom<V> {
    fn verify_token(&self, token: &PresentedToken, head: &Parts) -> Verification<RegisteredClaims> {
        self.0.verify_token(token, head)
    }
}

fn verifier() -> JwtVerifier {
    key(Algorithm::HS256).verifier()
}

fn issuers() -> IssuerSet {
    let issuers = IssuerSet::new();
    issuers.add(verifier()).unwrap();
    issuers
}

/// What is visible of an answer.
fn answer(layer: &JwtAuthLayer, request: Request<()>) -> String {
    let response = send(layer, request);
    let value = |head: &Parts| format!("{:?}", head.headers.get(AUTHORIZATION));
    format!(
        "{:?} {} {:?} {:?}",
        refusal(&response),
        response.status(),
        response.headers(),
        reached(&response).map(value),
    )
}

fn assert_same_answers(value: &[u8]) {
    let first = JwtAuthLayer::new(Custom(verifier()));
    let after = JwtAuthLayer::new(verifier());
    let first_of_a_set = JwtAuthLayer::new(Custom(issuers()));
    let after_of_a_set = JwtAuthLayer::new(issuers());
    let request = || request([value]);
    assert_eq!(answer(&first, request()), answer(&after, request()), "{value:?}");
    assert_eq!(answer(&first_of_a_set, request()), answer(&after_of_a_set, request()), "{value:?}");
    let is_optional = (first.optional(), after.optional());
    assert_eq!(answer(&is_optional.0, request()), answer(&is_optional.1, request()), "{value:?}");
    let observed = JwtAuthLayer::new(verifier()).on_outcome(|_| ());
    assert_eq!(answer(&observed, request()), answer(&JwtAuthLayer::new(verifier()), request()));
}

#[test]
fn answers_do_not_depend_on_when_the_characters_are_checked() {
    let good = key(Algorithm::HS256).token(&claims());
    let long = format!("{good}{}", "a".repeat(5_000));
    for value in [
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer   =".to_owned(),
        format!("Bearer {good}"),
        format!("bearer   {good}"),
        format!("Bearer {good}="),
        format!("Bearer {good} "),
        format!("Bearer {good},"),
        format!("Bearer {good}, a=b"),
        format!("Bearer {good}, Bearer {good}"),
        format!("Bearer {good}\"{}", ", a".repeat(300)),
        format!("Bearer\t{good}"),
        format!("Bearer {good}é"),
        "Bearer a.b.c, Basic YTpi".to_owned(),
        format!("Bearer {long}"),
        format!("Bearer {long}, Basic YTpi"),
        format!("Bearer {}", good.replace('.', "!")),
        format!("Bearer {}", good.replacen('e', "~", 1)),
        format!("Bearer {}", good.replacen('e', "%", 1)),
    ] {
        assert_same_answers(value.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 500,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_change_of_a_good_token_has_the_same_answer_either_way(
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(b'\t'), 0x20..=0x7e_u8, 0x80..=0xff_u8],
        tail in "[ -~]{0,12}",
        replaces in any::<bool>(),
    ) {
        let mut value = format!("Bearer {}", key(Algorithm::HS256).token(&claims())).into_bytes();
        let at = at.index(value.len());
        match replaces {
            true => value[at] = byte,
            false => value.insert(at, byte),
        }
        value.extend(tail.into_bytes());
        // A header value neither begins nor ends with white space.
        prop_assume!(HeaderValue::from_bytes(&value).is_ok());
        assert_same_answers(&value);
    }

    #[test]
    fn verifiers_of_opaque_tokens_see_only_a_token68(value in "Bearer [!-~ ]{0,20}") {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sees = Arc::clone(&seen);
        let layer = JwtAuthLayer::new(verify_fn(move |token: &PresentedToken| {
            sees.lock().unwrap().push(token.as_str().to_owned());
            Ok(RegisteredClaims::default())
        }));
        let response = send(&layer, request([value.as_bytes()]));
        let seen = seen.lock().unwrap().clone();
        prop_assert_eq!(seen.is_empty(), refusal(&response).is_some());
        for token in seen {
            prop_assert!(PresentedToken::bearer(&token).is_ok(), "{}", token);
        }
        if let Some(kind) = refusal(&response) {
            prop_assert!(matches!(
                kind,
                RejectionKind::MalformedCredentials | RejectionKind::MultipleCredentials
            ));
        }
    }
}
