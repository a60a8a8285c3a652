use std::time::Duration;

use super::*;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::replay_store::{
    MemoryReplayStore, ReplayCheck, ReplayEntry, ReplayOutcome, ReplayStore,
};

#[test]
fn public_url_is_an_http_url_without_query() {
    for url in [
        "",
        "api.example",
        "ftp://api.example",
        "https://",
        "https://u@api.example",
        "https://api.example?q",
        "https://api.example/#f",
        "https://api.example/a b",
    ] {
        assert_eq!(Dpop::new(url).unwrap_err().kind(), ConfigErrorKind::Url, "{url}");
        assert!(dpop().add_public_url(url).is_err(), "{url}");
    }
    for scheme in ["", "HTTPS", "ftp", "https://api.example"] {
        let error = Dpop::dangerous_host_of_request(scheme).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Url, "{scheme}");
    }
    let any = Dpop::dangerous_host_of_request("https").unwrap();
    assert_eq!(any.danger(), Some("Dpop::dangerous_host_of_request"));
    assert!(any.add_public_url("https://api.example").is_err());
    assert_eq!(dpop().danger(), None);
}

#[test]
fn algorithms_are_those_with_a_public_key() {
    let error = |algorithms: &[Algorithm]| {
        dpop().with_algorithms(algorithms.iter().copied()).unwrap_err().kind()
    };
    assert_eq!(error(&[]), ConfigErrorKind::Algorithm);
    assert_eq!(error(&[Algorithm::ES256, Algorithm::HS256]), ConfigErrorKind::Algorithm);
    assert_eq!(error(&[Algorithm::ES256, Algorithm::MlDsa44]), ConfigErrorKind::Algorithm);
    let list = [Algorithm::PS256, Algorithm::ES256, Algorithm::PS256];
    let dpop = dpop().with_algorithms(list).unwrap();
    assert_eq!(dpop.algorithms(), [Algorithm::PS256, Algorithm::ES256]);
    let es512 = super::dpop().with_algorithms([Algorithm::ES512]);
    assert_eq!(es512.is_ok(), cfg!(feature = "aws-lc-rs"));
}

#[test]
fn durations_have_bounds() {
    let seconds = Duration::from_secs;
    for bad in [0, 3601] {
        let error = dpop().with_max_age(seconds(bad)).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Duration);
    }
    assert!(dpop().with_max_age(seconds(3600)).is_ok());
    assert!(dpop().with_leeway(seconds(301)).is_err());
    assert!(dpop().with_leeway(seconds(300)).is_ok());
    for bad in [0, 1, 3601] {
        assert!(dpop().with_nonce_lifetime(seconds(bad)).is_err());
    }
    assert!(dpop().with_nonce_key(&[7; 31]).is_err());
    assert!(dpop().add_previous_nonce_key(&[7; 32]).is_err(), "no nonce is required");
}

#[test]
fn setting_of_nonces_requires_them() {
    let lifetime = dpop().with_nonce_lifetime(Duration::from_secs(10)).unwrap();
    for dpop in [lifetime, dpop().with_nonce_key(&[7; 32]).unwrap()] {
        let client = Client::new();
        let rejection = client.result(&dpop, &get("/a", [&*client.good()])).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::UseDpopNonce);
    }
}

#[test]
fn order_of_the_settings_does_not_matter() {
    type Setting = fn(Dpop) -> Result<Dpop, ConfigError>;

    let settings: [Setting; 7] = [
        |dpop| Ok(dpop.with_clock(clock())),
        |dpop| dpop.require_nonce(),
        |dpop| dpop.with_nonce_key(&[7; 32]),
        |dpop| dpop.with_nonce_lifetime(Duration::from_secs(10)),
        |dpop| dpop.with_max_age(Duration::from_secs(5)),
        |dpop| dpop.with_leeway(Duration::from_secs(2)),
        |dpop| dpop.add_public_url("https://other.example"),
    ];
    let known = clock();
    let issuer = dpop().with_clock(known.clone()).with_nonce_key(&[7; 32]).unwrap();
    for first in 0..settings.len() {
        for reverse in [false, true] {
            let mut order: Vec<usize> = (0..settings.len()).collect();
            order.rotate_left(first);
            if reverse {
                order.reverse();
            }
            let dpop = Dpop::new("https://api.example").unwrap();
            let dpop = order.iter().try_fold(dpop, |dpop, n| settings[*n](dpop)).unwrap();
            let client = Client::new();
            let proof = |nonce_at: i64, iat: i64, jti: &str| {
                known.set(nonce_at);
                let nonce = issuer.fresh_nonce().unwrap().to_str().unwrap().to_owned();
                let claims = json!({"nonce": nonce, "iat": iat, "jti": jti});
                get("/a", [&*client.proof(&json!({}), &claims)])
            };
            let kind = |head| client.result(&dpop, &head).map_err(|rejection| rejection.kind());
            assert!(kind(proof(NOW, NOW - 6, "1")).is_ok(), "{order:?}");
            assert_eq!(
                kind(proof(NOW, NOW - 7, "2")),
                Err(RejectionKind::InvalidDpopProof),
                "{order:?}"
            );
            assert!(kind(proof(NOW - 9, NOW, "3")).is_ok(), "{order:?}");
            let old = kind(proof(NOW - 10, NOW, "4"));
            assert_eq!(old, Err(RejectionKind::UseDpopNonce), "{order:?}");
        }
    }
}

#[test]
fn new_nonce_key_keeps_the_previous_ones() {
    let client = Client::new();
    let nonce = dpop().with_nonce_key(&[7; 32]).unwrap().fresh_nonce().unwrap();
    let proof = client.proof(&json!({}), &json!({"nonce": nonce.to_str().unwrap()}));
    let dpop = dpop().require_nonce().unwrap().add_previous_nonce_key(&[7; 32]).unwrap();
    let dpop = dpop.with_nonce_key(&[8; 32]).unwrap();
    // A new one comes with the response, sealed with the new key.
    let new = client.check(&dpop, &proof).unwrap().unwrap();
    let other = super::dpop().with_nonce_key(&[8; 32]).unwrap();
    let claims = json!({"nonce": new.to_str().unwrap()});
    assert_eq!(client.check(&other, &client.proof(&json!({}), &claims)), Ok(None));
}

#[test]
fn own_store_keeps_its_clock() {
    let (client, late) = (Client::new(), clock());
    late.set(NOW + 1000);
    let store = MemoryReplayStore::new().with_clock(late);
    for dpop in [
        Dpop::new("https://api.example")
            .unwrap()
            .with_replay_store(store.clone())
            .with_clock(clock()),
        dpop().with_replay_store(store),
    ] {
        let rejection = client.result(&dpop, &get("/a", [&*client.good()])).unwrap_err();
        assert_eq!(rejection.kind(), RejectionKind::Unavailable);
    }
}

#[test]
fn window_is_the_configured_one() {
    let client = Client::new();
    let dpop = dpop().with_max_age(Duration::from_secs(5)).unwrap();
    let dpop = dpop.with_leeway(Duration::ZERO).unwrap();
    for (iat, accepted) in [(NOW - 5, false), (NOW - 4, true), (NOW, true), (NOW + 1, false)] {
        let claims = json!({"iat": iat, "jti": iat.to_string()});
        let result = client.check(&dpop, &client.proof(&json!({}), &claims));
        assert_eq!(result.is_ok(), accepted, "{iat}");
    }
}

/// Keeps the end of the entry.
#[derive(Debug, Default)]
struct End(std::sync::Mutex<Option<NumericDate>>);

impl ReplayStore for End {
    fn record(&self, entry: &ReplayEntry) -> ReplayCheck {
        *self.0.lock().unwrap() = Some(entry.expires_at());
        ReplayCheck::ready(Ok(ReplayOutcome::FirstUse))
    }
}

#[test]
fn entry_lasts_until_no_instance_accepts_the_proof() {
    let (client, end) = (Client::new(), Arc::new(End::default()));
    let dpop = dpop().with_replay_store(Arc::clone(&end));
    assert_eq!(client.check(&dpop, &client.good()), Ok(None));
    // The age, the leeway, and the leeway once more for an instance whose clock is behind.
    let least = NumericDate::from_unix_seconds(NOW + 60 + 30 + 30);
    assert!(end.0.lock().unwrap().unwrap() > least);
}

#[test]
fn clones_share_the_used_proofs() {
    let (client, dpop) = (Client::new(), dpop());
    assert_eq!(client.check(&dpop.clone(), &client.good()), Ok(None));
    assert_eq!(client.check(&dpop, &client.good()), Err("the DPoP proof was used before"));
}

#[test]
fn debug_shows_the_settings_and_no_key() {
    let dpop = dpop().with_algorithms([Algorithm::ES256]).unwrap().require_nonce().unwrap();
    assert_eq!(
        format!("{dpop:?}"),
        "Dpop { target: Public([\"https://api.example\"]), algorithms: [ES256], \
         requires_nonce: true, .. }",
    );
}
