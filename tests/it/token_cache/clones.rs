//! A clone with other rules never finds what the first one accepted.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, FixedClock, JwtVerifier, NumericDate, RejectionKind, ScopeHierarchy, VerifiedToken,
};

use super::{Counted, hs256, kind};
use crate::support::{AUDIENCE, ISSUER, NOW, claims, claims_with, now};

type Setter = fn(JwtVerifier) -> JwtVerifier;

/// Each setter, and a token that tells the rules before it from those after it.
fn setters() -> Vec<(&'static str, Setter, String)> {
    let usual = || hs256().token(&claims());
    let with = |name: &str, value: Value| hs256().token(&claims_with(name, value));
    let long_header = json!({"alg": "HS256", "x": "a".repeat(200)}).to_string();
    let scoped = with("scope", "write".into());
    vec![
        ("with_claims", |v| v.with_claims(), usual()),
        ("with_algorithms", |v| v.with_algorithms([Algorithm::RS256]).unwrap(), usual()),
        ("with_leeway", |v| v.with_leeway(Duration::ZERO).unwrap(), with("exp", (NOW - 9).into())),
        ("with_max_age", |v| v.with_max_age(Duration::from_secs(1)).unwrap(), usual()),
        (
            "with_clock",
            |v| v.with_clock(FixedClock(NumericDate::from_unix_seconds(NOW + 9999))),
            usual(),
        ),
        ("require_rfc9068", |v| v.require_rfc9068(), usual()),
        ("with_token_type", |v| v.with_token_type("x+jwt").unwrap(), usual()),
        ("exclusive_audience", |v| v.exclusive_audience(), with("aud", json!([AUDIENCE, "b"]))),
        ("add_required_claim", |v| v.add_required_claim("tenant"), usual()),
        (
            "dangerous_ignore_confirmation",
            |v| v.dangerous_ignore_confirmation(),
            with("cnf", json!({"jkt": "x"})),
        ),
        ("allow_at_hash", |v| v.allow_at_hash(), with("at_hash", "x".into())),
        (
            "dangerous_accept_id_tokens",
            |v| v.dangerous_accept_id_tokens(),
            with("typ", "ID".into()),
        ),
        ("with_max_token_length", |v| v.with_max_token_length(128).unwrap(), usual()),
        (
            "with_max_header_length",
            |v| v.with_max_header_length(128).unwrap(),
            hs256().token_of(long_header, claims().to_string()),
        ),
        ("with_claims_by_name", |v| v.with_claims_by_name(), scoped.clone()),
        (
            "with_scope_hierarchy",
            |v| v.with_scope_hierarchy(ScopeHierarchy::new([("write", "read")]).unwrap()),
            scoped,
        ),
        ("with_token_cache", |v| v.with_token_cache(7).unwrap(), usual()),
        ("with_max_cached_token_length", |v| v.with_max_cached_token_length(999).unwrap(), usual()),
    ]
}

/// These change nothing of what is accepted.
const OF_THE_CACHE: [&str; 3] = ["with_claims", "with_token_cache", "with_max_cached_token_length"];

fn plain() -> JwtVerifier {
    let verifier = JwtVerifier::new(ISSUER, AUDIENCE, hs256().verification_key()).unwrap();
    verifier.with_clock(now())
}

/// The result: the scopes, or the reason of the refusal.
fn result(verifier: &JwtVerifier, token: &str) -> Result<Option<String>, RejectionKind> {
    let verified = verifier.verify_now(token).map_err(|rejection| rejection.kind())?;
    Ok(VerifiedToken::scope(&verified).map(ToString::to_string))
}

#[test]
fn clone_with_another_rule_decides_for_itself_whichever_was_asked_first() {
    for (name, set, token) in setters() {
        // Without the text there are no scopes to compare.
        let by_name = |verifier: JwtVerifier| match name {
            "with_scope_hierarchy" => verifier.with_claims_by_name(),
            _ => verifier,
        };
        let before = result(&by_name(plain()), &token);
        let after = result(&set(by_name(plain())), &token);
        assert_eq!(before != after, !OF_THE_CACHE.contains(&name), "{name}: {before:?}");

        for first_asked in [true, false] {
            let verifier = by_name(plain()).with_token_cache(100).unwrap();
            if first_asked {
                assert_eq!(result(&verifier, &token), before, "{name}");
                assert_eq!(result(&verifier, &token), before, "{name}");
            }
            let changed = set(verifier.clone());
            for _ in 0..2 {
                assert_eq!(result(&changed, &token), after, "{name}");
                assert_eq!(result(&verifier, &token), before, "{name}");
            }
            // Without a clone: the rules are not shared.
            drop(changed);
            let moved = set(verifier);
            assert_eq!(result(&moved, &token), after, "{name}");
        }
    }
}

#[test]
fn every_setter_makes_an_empty_cache_of_the_same_size() {
    for (name, set, _) in setters() {
        let keys = Counted::of(hs256());
        let verifier = JwtVerifier::new(ISSUER, AUDIENCE, keys.clone()).unwrap().with_clock(now());
        let verifier = verifier.with_token_cache(100).unwrap();
        // One that all accept.
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "a", "client_id": "c", "jti": "1", "tenant": 1,
            "iat": NOW, "exp": NOW + 99_999,
        });
        let header = json!({"alg": "HS256", "typ": "at+jwt"}).to_string();
        let token = hs256().token_of(header, claims.to_string());
        assert_eq!(kind(&verifier, &token), None);
        let changed = set(verifier.clone());
        let before = keys.lookups();
        let is_accepted = kind(&changed, &token).is_none();
        assert_eq!(kind(&changed, &token).is_none(), is_accepted, "{name}");
        match name {
            "with_algorithms"
            | "with_max_token_length"
            | "with_clock"
            | "with_max_age"
            | "with_token_type" => {}
            _ => assert!(is_accepted, "{name}"),
        }
        if is_accepted {
            assert_eq!(keys.lookups(), before + 1, "{name}");
        }
        assert_eq!(kind(&verifier, &token), None);
    }
}

/// The methods of `JwtVerifier` that take it and return it.
fn declared(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut is_verifier = false;
        let mut rest = text.as_str();
        while let Some((line, tail)) = rest.split_once('\n') {
            if line.starts_with("impl") {
                is_verifier = line.contains("JwtVerifier") && !line.contains(" for ");
            }
            if let Some(signature) = line.strip_prefix("    pub fn ").filter(|_| is_verifier) {
                let whole: String =
                    format!("{signature}\n{tail}").chars().take_while(|c| *c != '{').collect();
                let (head, arguments) = whole.split_once('(').unwrap();
                let name = head.split('<').next().unwrap();
                let receiver = arguments.split([',', ')']).next().unwrap().trim();
                let takes_it = matches!(receiver, "self" | "mut self");
                if takes_it && (whole.contains("Self") || whole.contains("JwtVerifier<D>")) {
                    found.insert(name.to_owned());
                }
            }
            rest = tail;
        }
    }
}

#[test]
fn no_setter_is_missing_above() {
    let mut found = BTreeSet::new();
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verify"), &mut found);
    let tested: BTreeSet<String> = setters().iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(found, tested);
}
