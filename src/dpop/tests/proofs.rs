use http::Method;

use super::*;
use crate::key::test_keys::supported;

#[test]
fn good_proof_of_every_public_algorithm_is_accepted() {
    let mut count = 0;
    for algorithm in supported().filter(|algorithm| crate::dpop::is_usable(*algorithm)) {
        // The RSA keys are one key, so each has its own store.
        let (client, dpop) = (Client::with(algorithm), dpop());
        assert_eq!(client.check(&dpop, &client.good()), Ok(None), "{algorithm}");
        assert!(dpop.algorithms().contains(&algorithm));
        count += 1;
    }
    assert_eq!(count, dpop().algorithms().len());
}

/// The proof of RFC 9449 section 7.1, with its token and key.
#[test]
fn proof_of_the_rfc_is_accepted_at_its_time() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let dpop = Dpop::new("https://resource.example.org").unwrap();
    let clock = clock();
    clock.set(1_562_262_620);
    let dpop = dpop.with_clock(clock);
    let head = get("/protectedresource", [proof]);
    let jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    let DpopCheck::Ready(result) = dpop.check(&head, TOKEN.as_bytes(), jkt) else { panic!() };
    assert_eq!(result.unwrap().nonce, None);
}

#[test]
fn request_without_a_proof_or_with_two_is_refused() {
    let (client, dpop) = (Client::new(), dpop());
    let none = client.check_request(&dpop, &get("/a", []));
    assert_eq!(none, Err("the request has no DPoP proof"));
    let (one, other) = (client.good(), client.proof(&json!({}), &json!({"jti": "2"})));
    for two in [[&*one, &*one], [&*one, &*other], [&*one, ""]] {
        let several = client.check_request(&dpop, &get("/a", two));
        assert_eq!(several, Err("the request has more than one DPoP proof"));
    }
    let joined = client.check_request(&dpop, &get("/a", [&*format!("{one}, {other}")]));
    assert_eq!(joined, Err("the DPoP proof is not a well-formed JWT"));
}

#[test]
fn what_is_not_one_compact_jws_is_refused() {
    let (client, dpop) = (Client::new(), dpop());
    let good = client.good();
    let parts: Vec<&str> = good.split('.').collect();
    let header = client.header().to_string();
    let claims = good_claims().to_string();
    let twice = claims.replacen('{', r#"{"\u006ati":"0","#, 1);
    for proof in [
        String::new(),
        "..".to_owned(),
        parts[..2].join("."),
        format!("{good}.{}", parts[2]),
        format!("{good}="),
        format!("{} {}", &good[..10], &good[10..]),
        client.sign(b"[]", claims.as_bytes()),
        client.sign(header.as_bytes(), b"[]"),
        client.sign(header.as_bytes(), b"\xff"),
        client.sign(header.as_bytes(), twice.as_bytes()),
        client.sign(format!("{header}x").as_bytes(), claims.as_bytes()),
        client.sign(header.replacen('{', r#"{"alg":"ES256","#, 1).as_bytes(), claims.as_bytes()),
        client.sign(b"{\"typ\":\"dpop+jwt\",\"jwk\":{}}", claims.as_bytes()),
        client.proof(&json!({"alg": 1}), &json!({})),
        client.proof(&json!({"typ": 1}), &json!({})),
        client.proof(&json!({"b64": false}), &json!({})),
        client.proof(&json!({"enc": "A128GCM"}), &json!({})),
        client.proof(&json!({"zip": "DEF"}), &json!({})),
    ] {
        let result = client.check(&dpop, &proof);
        assert_eq!(result, Err("the DPoP proof is not a well-formed JWT"), "{proof}");
    }
}

#[test]
fn long_proof_is_refused_before_it_is_read() {
    let (client, dpop) = (Client::new(), dpop());
    for (header, claims) in
        [(json!({}), json!({"x": "x".repeat(7000)})), (json!({"x": "x".repeat(3500)}), json!({}))]
    {
        let result = client.check(&dpop, &client.proof(&header, &claims));
        assert_eq!(result, Err("the DPoP proof is too long"));
    }
    let fits = client.proof(&json!({"x": "x".repeat(2000)}), &json!({"x": "x".repeat(2500)}));
    assert_eq!(client.check(&dpop, &fits), Ok(None));
}

#[test]
fn typ_is_exactly_that_of_a_proof() {
    let (client, dpop) = (Client::new(), dpop());
    for typ in ["JWT", "at+jwt", "DPoP+jwt", "application/dpop+jwt", "dpop+jwt ", "absent", ""] {
        let result = client.check(&dpop, &client.proof(&json!({"typ": typ}), &json!({})));
        assert_eq!(result, Err("the typ of the DPoP proof is not dpop+jwt"), "{typ}");
    }
}

#[test]
fn none_and_secrets_and_algorithms_that_are_not_allowed_are_refused() {
    let client = Client::new();
    let only_rsa = dpop().with_algorithms([Algorithm::RS256]).unwrap();
    for (dpop, alg) in [
        (&dpop(), "none"),
        (&dpop(), "HS256"),
        (&dpop(), "HS512"),
        (&dpop(), "es256"),
        (&dpop(), "ES256K"),
        (&only_rsa, "ES256"),
    ] {
        let result = client.check(dpop, &client.proof(&json!({"alg": alg}), &json!({})));
        assert_eq!(result, Err("the algorithm of the DPoP proof is not accepted"), "{alg}");
    }
    // A MAC with the public key as the secret.
    let jwk = client.key.jwk();
    let forger = Client {
        algorithm: Algorithm::HS256,
        key: SigningKey::Secret(jwk.to_string().into_bytes()),
    };
    let forged = forger.proof(&json!({"jwk": jwk}), &json!({}));
    assert!(client.check(&dpop(), &forged).is_err());
}

#[test]
fn critical_parameters_are_refused() {
    let (client, dpop) = (Client::new(), dpop());
    for crit in [json!(["b64"]), json!(["x"]), json!([]), json!(null)] {
        let header = json!({"crit": crit, "b64": true, "x": 1});
        assert_eq!(
            client.check(&dpop, &client.proof(&header, &json!({}))),
            Err("the DPoP proof has a critical header parameter that is not supported"),
        );
    }
}

#[test]
fn key_that_is_private_or_weak_or_not_for_signatures_is_refused() {
    let (client, dpop) = (Client::new(), dpop());
    let unusable = Err("the jwk of the DPoP proof is not a usable public key");
    for change in [
        json!({"d": "AAAA"}),
        json!({"k": "AAAA"}),
        json!({"use": "enc"}),
        json!({"key_ops": ["sign"]}),
        json!({"alg": "ES384"}),
        json!({"alg": "RS256"}),
        json!({"kid": 1}),
    ] {
        let jwk = client.key.jwk_with(&change);
        let result = client.check(&dpop, &client.proof(&json!({"jwk": jwk}), &json!({})));
        assert_eq!(result, unusable, "{change}");
    }
    for jwk in [json!("absent"), json!(null), json!("key"), json!([]), json!({})] {
        let result = client.check(&dpop, &client.proof(&json!({"jwk": jwk}), &json!({})));
        assert_eq!(result, unusable, "{jwk}");
    }
    let twice = client.header().to_string().replace("\"jwk\":{", "\"jwk\":{\"kty\":\"EC\",");
    let claims = good_claims().to_string();
    assert_eq!(client.check(&dpop, &client.sign(twice.as_bytes(), claims.as_bytes())), unusable);
    // These the token could be bound to.
    for jwk in [
        json!({"kty": "EC", "crv": "P-256", "x": base64url(&[1; 32]), "y": base64url(&[1; 32])}),
        json!({"kty": "EC", "crv": "secp256k1", "x": base64url(&[1; 32]), "y": base64url(&[1; 32])}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(&[0; 32])}),
        json!({"kty": "RSA", "n": base64url(&[255; 128]), "e": "AQAB"}),
        json!({"kty": "RSA", "n": base64url(&[255; 256]), "e": "AQ"}),
        json!({"kty": "RSA", "n": format!("{}==", base64url(&[255; 256])), "e": "AQAB"}),
    ] {
        let jkt = ProofJwk::parse(&jwk.to_string()).unwrap().thumbprint().unwrap();
        let alg = match jwk["kty"].as_str() {
            Some("RSA") => "PS256",
            Some("OKP") => "EdDSA",
            _ => "ES256",
        };
        let proof = client.proof(&json!({"jwk": jwk, "alg": alg}), &json!({}));
        let head = get("/a", [&*proof]);
        let DpopCheck::Ready(Err(rejection)) = dpop.check(&head, TOKEN.as_bytes(), &jkt) else {
            panic!("{jwk}")
        };
        assert_eq!(Err(text(&rejection)), unusable, "{jwk}");
    }
}

#[test]
fn key_that_the_token_is_not_bound_to_is_refused() {
    let (client, other, dpop) = (Client::new(), Client::new(), dpop());
    assert_eq!(
        client.check(&dpop, &other.good()),
        Err("the token is bound to another key than that of the DPoP proof"),
    );
    let result = dpop.check(&get("/a", [&*client.good()]), TOKEN.as_bytes(), "");
    assert!(matches!(result, DpopCheck::Ready(Err(_))));
}

#[test]
fn each_claim_is_required_and_has_its_type() {
    let (client, dpop) = (Client::new(), dpop());
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let result = client.check(&dpop, &client.proof(&json!({}), &json!({name: "absent"})));
        assert_eq!(result, Err("the DPoP proof lacks a required claim"), "{name}");
        for wrong in [json!(null), json!(true), json!([]), json!({}), json!([1])] {
            let result = client.check(&dpop, &client.proof(&json!({}), &json!({name: wrong})));
            assert_eq!(result, Err("a claim of the DPoP proof is malformed"), "{name}: {wrong}");
        }
    }
    for (name, wrong) in [
        ("jti", json!("")),
        ("jti", json!("x".repeat(257))),
        ("jti", json!(1)),
        ("iat", json!(NOW.to_string())),
        ("iat", json!(-1)),
        ("exp", json!("soon")),
        ("nbf", json!(null)),
        ("nonce", json!(1)),
    ] {
        let result = client.check(&dpop, &client.proof(&json!({}), &json!({name: wrong})));
        assert_eq!(result, Err("a claim of the DPoP proof is malformed"), "{name}: {wrong}");
    }
    let longest = json!({"jti": "x".repeat(256), "iat": NOW as f64 + 0.5, "nonce": "any", "x": {}});
    assert_eq!(client.check(&dpop, &client.proof(&json!({}), &longest)), Ok(None));
}

#[test]
fn method_is_compared_exactly() {
    let (client, dpop) = (Client::new(), dpop());
    for htm in ["POST", "get", "Get", "GET ", ""] {
        let result = client.check(&dpop, &client.proof(&json!({}), &json!({"htm": htm})));
        assert_eq!(result, Err("the DPoP proof is for another method"), "{htm}");
    }
    let mut head = get("/a", [&*client.good()]);
    head.method = Method::POST;
    assert_eq!(client.check_request(&dpop, &head), Err("the DPoP proof is for another method"));
}

#[test]
fn proof_for_another_token_is_refused() {
    let (client, dpop) = (Client::new(), dpop());
    for ath in ["", &ATH[1..], &format!("{ATH}="), &ATH.to_lowercase(), &base64url(&[0; 32])] {
        let result = client.check(&dpop, &client.proof(&json!({}), &json!({"ath": ath})));
        assert_eq!(result, Err("the DPoP proof is for another token"), "{ath}");
    }
}

#[test]
fn proof_is_accepted_in_its_window_alone() {
    let client = Client::new();
    let times = [
        (NOW - 90, Err("the DPoP proof is too old")),
        (NOW - 89, Ok(None)),
        (NOW, Ok(None)),
        (NOW + 30, Ok(None)),
        (NOW + 31, Err("the DPoP proof was created in the future")),
        (0, Err("the DPoP proof is too old")),
        (i64::MAX, Err("the DPoP proof was created in the future")),
    ];
    for (iat, expected) in times {
        let result = client.check(&dpop(), &client.proof(&json!({}), &json!({"iat": iat})));
        assert_eq!(result, expected, "{iat}");
    }
    for (change, expected) in [
        (json!({"exp": NOW - 30}), Err("the DPoP proof is too old")),
        (json!({"exp": NOW - 29, "nbf": NOW + 30}), Ok(None)),
        (json!({"nbf": NOW + 31}), Err("the DPoP proof was created in the future")),
    ] {
        let result = client.check(&dpop(), &client.proof(&json!({}), &change));
        assert_eq!(result, expected, "{change}");
    }
}

#[test]
fn signature_of_another_key_or_for_other_content_is_refused() {
    let (client, other, dpop) = (Client::new(), Client::new(), dpop());
    let stolen = other.proof(&json!({"jwk": client.key.jwk()}), &json!({}));
    let good = client.good();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let changed = client.proof(&json!({}), &json!({"jti": "2"}));
    let (changed, _) = changed.rsplit_once('.').unwrap();
    for proof in [stolen, format!("{message}."), format!("{changed}.{signature}")] {
        let result = client.check(&dpop, &proof);
        assert_eq!(result, Err("the signature of the DPoP proof is invalid"), "{proof}");
    }
}

#[test]
fn no_refusal_contains_a_value_of_the_client() {
    let (client, dpop) = (Client::new(), dpop());
    let canary = "canary";
    for (header, claims) in [
        (json!({"alg": canary}), json!({})),
        (json!({"typ": canary}), json!({})),
        (json!({"jwk": {"kty": canary}}), json!({})),
        (json!({}), json!({"htm": canary})),
        (json!({}), json!({"htu": canary})),
        (json!({}), json!({"iat": canary})),
        (json!({}), json!({"ath": canary})),
    ] {
        let head = get("/a", [&*client.proof(&header, &claims)]);
        let rejection = client.result(&dpop, &head).unwrap_err();
        assert!(!format!("{rejection:?} {rejection}").contains(canary));
    }
}
