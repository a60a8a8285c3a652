use std::time::Duration;

use super::*;
use crate::config_error::ConfigErrorKind;

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
