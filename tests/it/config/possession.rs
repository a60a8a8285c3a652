//! Proofs of possession and one-time tokens, as a configuration asks for them.

use http::{Request, Response};
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, Clock, DenyList, JwtAuthLayer, JwtVerifier, MemoryRevocationStore, RegisteredClaims,
    Rejection, RejectionKind, SenderConstrained, SystemClock, VerifyToken,
};

use crate::config::errors::assert_errors;
use crate::config::{config, file, layer, toml_with};
use crate::sender_constrained::proofs::{client, jkt, proof_with, with_proof};
use crate::support::requests::{Body, bearer, refusal, send, send_later};
use crate::support::{AUDIENCE, ISSUER, key};

use RejectionKind::*;

pub(super) const DPOP: &str = "dpop.public_urls = 'https://api.example'\n";

fn seconds() -> i64 {
    SystemClock.now().unix_seconds()
}

pub(super) fn token(claims: &Value) -> String {
    let mut all = json!({ "iss": ISSUER, "aud": AUDIENCE, "exp": 4_102_444_800_u64, "sub": "a" });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    key(Algorithm::HS256).token(&all)
}

pub(super) fn bound() -> String {
    token(&json!({ "cnf": jkt(), "scope": "read" }))
}

/// A request with a proof that has these claims beside the others.
pub(super) fn proven(token: &str, claims: &Value) -> Request<()> {
    let mut all = json!({ "iat": seconds() });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    with_proof(&format!("DPoP {token}"), &proof_with(client(), token, &all))
}

pub(super) fn refused<C: Send + Sync + 'static>(
    layer: &JwtAuthLayer<C>,
    request: Request<()>,
) -> Option<RejectionKind> {
    refusal(&send(layer, request))
}

#[test]
fn bound_token_needs_a_proof_for_a_public_url_and_others_are_accepted_unless_required() {
    let both = layer(&toml_with(DPOP, ""));
    assert_eq!(refused(&both, proven(&bound(), &json!({}))), None);
    assert_eq!(refused(&both, bearer(&bound())), Some(UnconfirmedSender));
    assert_eq!(refused(&both, bearer(&token(&json!({})))), None);
    let required = layer(&toml_with(&format!("{DPOP}dpop.required = true"), ""));
    assert_eq!(refused(&required, proven(&bound(), &json!({}))), None);
    assert_eq!(refused(&required, bearer(&token(&json!({})))), Some(UnsupportedScheme));
    let none = layer(&toml_with("", ""));
    assert_eq!(refused(&none, proven(&bound(), &json!({}))), Some(UnsupportedScheme));

    let foreign = json!({ "htu": "https://b.example/orders" });
    let urls = "dpop.public_urls = ['https://api.example', 'https://b.example']";
    assert_eq!(refused(&both, proven(&bound(), &foreign)), Some(InvalidDpopProof));
    assert_eq!(refused(&layer(&toml_with(urls, "")), proven(&bound(), &foreign)), None);
    let of_request = layer(&toml_with("dpop.dangerous_host_of_request = 'https'", ""));
    assert_eq!(refused(&of_request, proven(&bound(), &json!({}))), None);
    let dangers = of_request.describe().dangers().to_vec();
    assert_eq!(dangers, ["Dpop::dangerous_host_of_request"]);
}

#[test]
fn proof_is_held_to_the_times_and_algorithms_of_the_configuration() {
    for (member, age, expected) in [
        ("", 80, None),
        ("max_age_seconds = 30", 80, Some(InvalidDpopProof)),
        ("leeway_seconds = 0", 80, Some(InvalidDpopProof)),
        ("max_age_seconds = 300", 200, None),
        ("algorithms = ['ES384', 'ES256']", 0, None),
        ("algorithms = 'ES384'", 0, Some(InvalidDpopProof)),
    ] {
        let toml = toml_with(&format!("[dpop]\npublic_urls = 'https://api.example'\n{member}"), "");
        let request = proven(&bound(), &json!({ "iat": seconds() - age }));
        assert_eq!(refused(&layer(&toml), request), expected, "{member}");
    }
}

#[test]
fn proof_is_accepted_once_as_long_as_the_store_has_room() {
    let full = format!("{DPOP}dpop.replay_capacity = 2\ndpop.replay_share = 1");
    for (top, second) in [(DPOP, 204), (&full, 503)] {
        let layer = layer(&toml_with(top, ""));
        let once = json!({ "jti": "once" });
        assert_eq!(refused(&layer, proven(&bound(), &once)), None);
        let again = send(&layer, proven(&bound(), &once));
        assert_ne!(again.status(), 204, "{top}");
        assert_eq!(send(&layer, proven(&bound(), &json!({}))).status(), second, "{top}");
    }
}

#[test]
fn nonce_is_of_this_process_or_of_the_key_in_a_file() {
    let nonce =
        |response: &Response<Body>| response.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let (one, other) = (file("nonce-1", [1; 32]), file("nonce-2", [2; 32]));
    let with = |members: String| {
        let required = format!("{DPOP}dpop.require_nonce = true\n{members}");
        layer(&toml_with(&required, ""))
    };
    let own = with(String::new());
    let first = send(&own, proven(&bound(), &json!({})));
    assert_eq!(refusal(&first), Some(UseDpopNonce));
    let of_own = json!({ "nonce": nonce(&first) });
    assert_eq!(refused(&own, proven(&bound(), &of_own)), None);

    let keyed = with(format!("dpop.nonce_key_file = '{}'", one.display()));
    assert_eq!(refused(&keyed, proven(&bound(), &of_own)), Some(UseDpopNonce));
    let of_key = json!({ "nonce": nonce(&send(&keyed, proven(&bound(), &json!({})))) });
    let same = with(format!(
        "dpop.nonce_key_file = '{}'\ndpop.nonce_lifetime_seconds = 60",
        one.display()
    ));
    assert_eq!(refused(&same, proven(&bound(), &of_key)), None);
    let next = format!("dpop.nonce_key_file = '{}'", other.display());
    assert_eq!(refused(&with(next.clone()), proven(&bound(), &of_key)), Some(UseDpopNonce));
    let both = with(format!("{next}\ndpop.previous_nonce_key_file = ['{}']", one.display()));
    assert_eq!(refused(&both, proven(&bound(), &of_key)), None);
}

#[test]
fn one_time_token_is_accepted_once_by_all_layers_of_the_configuration() {
    let toml = toml_with("one_time_tokens = { capacity = 100, share = 10 }", "");
    let config = config(&toml);
    let verifier = || config.verifier::<RegisteredClaims>().unwrap();
    let own: JwtVerifier =
        JwtVerifier::new(ISSUER, AUDIENCE, key(Algorithm::HS256).verification_key()).unwrap();
    let revoked = MemoryRevocationStore::new(10).unwrap();
    let layers = [
        JwtAuthLayer::from_config(&config).unwrap(),
        config.layer_with_verifier(verifier()).unwrap(),
        config.layer_with_verifier(own).unwrap(),
        config.layer_with_verifier(DenyList::new(verifier(), revoked)).unwrap(),
        JwtAuthLayer::new(verifier()),
    ];
    for (id, layer) in layers.into_iter().enumerate() {
        let once = token(&json!({ "jti": format!("{id}") }));
        for expected in [None, Some(UsedToken), Some(UsedToken)] {
            assert_eq!(refused(&layer, bearer(&once)), expected);
        }
        assert_eq!(refused(&layer, bearer(&token(&json!({})))), Some(MissingClaim));
    }
}

#[test]
fn one_subject_has_its_share_of_the_one_time_tokens() {
    let layer = layer(&toml_with("one_time_tokens = { capacity = 4, share = 1 }", ""));
    for (id, sub, status) in [("1", "a", 204), ("2", "a", 503), ("3", "b", 204)] {
        let token = token(&json!({ "jti": id, "sub": sub }));
        assert_eq!(send(&layer, bearer(&token)).status(), status, "{id}");
    }
}

#[tokio::test]
async fn request_that_is_refused_uses_up_neither_the_token_nor_the_proof() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let top = format!("{DPOP}one_time_tokens.capacity = 100\nrequired_scopes = 'read'");
    let config = config(&toml_with(&top, ""));
    let is_open = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_open);
    let verifier = config.verifier::<RegisteredClaims>().unwrap().with_check(async move |_, _| {
        match flag.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Rejection::unavailable("closed")),
        }
    });
    let layer = config.layer_with_verifier(verifier).unwrap();
    let once = token(&json!({ "jti": "1", "cnf": jkt(), "scope": "read" }));
    let other = proven(&once, &json!({ "htu": "https://b.example/orders" }));
    let ask = async |request| refusal(&send_later(&layer, request).await);
    let same = json!({ "jti": "one-proof" });
    assert_eq!(ask(proven(&once, &same)).await, Some(Unavailable));
    is_open.store(true, Ordering::Relaxed);
    assert_eq!(ask(bearer(&once)).await, Some(UnconfirmedSender));
    assert_eq!(ask(other).await, Some(InvalidDpopProof));
    assert_eq!(ask(proven(&once, &same)).await, None);
    assert_eq!(ask(proven(&once, &json!({}))).await, Some(UsedToken));
}

#[test]
fn verifier_of_the_configuration_checks_proofs_without_its_layer_too() {
    let top = format!("{DPOP}dpop.required = true\none_time_tokens.capacity = 100");
    let config = config(&toml_with(&top, ""));
    let verifier = config.verifier::<RegisteredClaims>().unwrap();
    let alone = JwtAuthLayer::new(verifier.clone());
    let (first, second) = (token(&json!({"jti": "1"})), json!({"jti": "2", "cnf": jkt()}));
    assert_eq!(refused(&alone, bearer(&first)), Some(UnsupportedScheme));
    assert_eq!(refused(&alone, proven(&token(&second), &json!({}))), None);
    assert_eq!(refused(&alone, proven(&token(&second), &json!({}))), Some(UsedToken));
    // Around it, no one is accepted whom it would not accept alone.
    let certificates = tower_jwt_auth::ClientCertificates::from_extensions();
    let around = SenderConstrained::client_certificates(verifier, certificates);
    let around = JwtAuthLayer::new(around);
    assert_eq!(refused(&around, bearer(&first)), Some(UnsupportedScheme));
}

#[test]
fn setting_of_proofs_and_one_time_tokens_that_cannot_be_used_is_an_error_at_its_place() {
    let dpop = |members: &str| {
        toml_with(&format!("[dpop]\npublic_urls = 'https://api.example'\n{members}"), "")
    };
    let short = file("short-nonce", "hunter2");
    let good = file("nonce-1", [1; 32]);
    let nonce = |member: &str, paths: &[&std::path::Path]| {
        let paths: Vec<String> = paths.iter().map(|path| format!("'{}'", path.display())).collect();
        dpop(&format!("require_nonce = true\n{member} = [{}]", paths.join(", ")))
    };
    let key_file = |path: &std::path::Path| {
        dpop(&format!("require_nonce = true\nnonce_key_file = '{}'", path.display()))
    };
    assert_errors(&[
        (
            toml_with("dpop = {}", ""),
            "dpop: the URL of this server is missing: give one of `public_urls`, `dangerous_host_of_request`",
        ),
        (toml_with("dpop.public_urls = []", ""), "dpop.public_urls: no URL is given"),
        (toml_with("dpop.public_urls = ['https://a.example', 'a']", ""), "dpop.public_urls[1]: "),
        (dpop("dangerous_host_of_request = 'https'"), "dpop: `public_urls` and `dangerous_host"),
        (
            toml_with("dpop.dangerous_host_of_request = 'ftp'", ""),
            "dpop.dangerous_host_of_request: ",
        ),
        (dpop("algorithms = ['ES256', 'none']"), "dpop.algorithms[1]: unknown algorithm"),
        (dpop("algorithms = 'HS256'"), "dpop.algorithms: "),
        (dpop("max_age_seconds = 0"), "dpop.max_age_seconds: "),
        (dpop("leeway_seconds = 301"), "dpop.leeway_seconds: "),
        (dpop("replay_capacity = 0"), "dpop.replay_capacity: "),
        (dpop("replay_share = 0"), "dpop.replay_share: "),
        (
            dpop("nonce_key = 'hunter2'"),
            "dpop.nonce_key: a secret is not read from the configuration: write it to a file, and name that in \
             `nonce_key_file`",
        ),
        (
            dpop("nonce_lifetime_seconds = 60"),
            "dpop.nonce_lifetime_seconds: this has no effect unless `require_nonce` is true",
        ),
        (
            dpop("require_nonce = false\nnonce_key_file = '/nowhere/secret'"),
            "dpop.nonce_key_file: this has no effect unless `require_nonce` is true",
        ),
        (
            dpop("previous_nonce_key_file = '/nowhere/secret'"),
            "dpop.previous_nonce_key_file: this has no effect",
        ),
        (dpop("require_nonce = true\nnonce_lifetime_seconds = 1"), "dpop.nonce_lifetime_seconds: "),
        (key_file(&short), "dpop.nonce_key_file: "),
        (
            key_file(std::path::Path::new("/nowhere/secret")),
            "dpop.nonce_key_file: the file cannot be read",
        ),
        (
            nonce("previous_nonce_key_file", &[&good, &short]).replace(
                "require_nonce",
                &format!("nonce_key_file = '{}'\nrequire_nonce", good.display()),
            ),
            "dpop.previous_nonce_key_file[1]: ",
        ),
        (
            nonce("previous_nonce_key_file", &[&good]),
            "dpop.previous_nonce_key_file: this needs `nonce_key_file`",
        ),
        (
            toml_with(DPOP, "dangerous_ignore_confirmation = true"),
            "issuers.main.dangerous_ignore_confirmation: this has no effect beside `dpop`",
        ),
        (toml_with("one_time_tokens = { capacity = 0 }", ""), "one_time_tokens.capacity: "),
        (toml_with("one_time_tokens = { capacity = 1, share = 2 }", ""), "one_time_tokens.share: "),
    ]);
}
