//! A single JWK.

use std::collections::HashSet;

use serde_json::{Value, json};
use tower_jwt_auth::{Algorithm, VerificationKey};

use super::{assert_refused, from_jwk};
use crate::test_keys::{SigningKey, backend_supports, base64url};

#[test]
fn algorithms_of_a_jwk() {
    use Algorithm::*;
    for (algorithm, without_alg) in [
        (RS256, &[RS256, RS384, RS512, PS256, PS384, PS512][..]),
        (ES256, &[ES256]),
        (ES384, &[ES384]),
        (ES512, &[ES512]),
        (Ed25519, &[EdDSA, Ed25519]),
    ] {
        if !backend_supports(algorithm) {
            continue;
        }
        let signer = SigningKey::new(algorithm);
        let key = from_jwk(&signer.jwk()).unwrap();
        let found: HashSet<Algorithm> = key.algorithms().collect();
        assert_eq!(found, without_alg.iter().copied().collect());
        for bound in without_alg {
            let key = from_jwk(&signer.jwk_with(&json!({"alg": bound.name()}))).unwrap();
            assert!(key.algorithms().eq([*bound]));
        }
        for alg in ["none", "rs256", "RSA-OAEP-256", "ECDH-ES", "ML-DSA-44", "HS256", ""] {
            assert!(from_jwk(&signer.jwk_with(&json!({"alg": alg}))).is_err(), "{alg}");
        }
        assert_refused(from_jwk(&signer.jwk_with(&json!({"alg": 7}))), "`alg`");
    }
}

#[test]
fn symmetric_jwks() {
    let secret = SigningKey::new(Algorithm::HS256);
    assert_refused(from_jwk(&secret.jwk()), "needs `alg`");
    assert!(from_jwk(&secret.jwk_with(&json!({"alg": "HS512"}))).is_ok());
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": ""})), "`k`");
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256"})), "no `k`");
    assert_refused(
        from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": base64url(&[7; 31])})),
        "this one has 31",
    );
    let public = base64url(&SigningKey::new(Algorithm::RS256).spki());
    assert_refused(from_jwk(&json!({"kty": "oct", "alg": "HS256", "k": public})), "DER");
    let rsa = SigningKey::new(Algorithm::RS256);
    assert!(from_jwk(&rsa.jwk_with(&json!({"alg": "HS256"}))).is_err());
}

#[test]
fn use_and_key_ops_are_honoured() {
    let signer = SigningKey::new(Algorithm::ES256);
    let load = |members: Value| from_jwk(&signer.jwk_with(&members));
    for good in [
        json!({"use": "sig"}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"]}),
        json!({"key_ops": ["verify", "deriveKey"]}),
        json!({"use": "sig", "key_ops": ["verify"]}),
        json!({"use": null, "key_ops": null}),
    ] {
        assert!(load(good.clone()).is_ok(), "{good}");
    }
    for (bad, part) in [
        (json!({"use": "enc"}), "the `use` of the JWK"),
        (json!({"use": "SIG"}), "`use`"),
        (json!({"use": ""}), "the `use` of the JWK"),
        (json!({"use": "Sig"}), "names are case-sensitive"),
        (json!({"use": 5}), "`use`"),
        (json!({"key_ops": []}), "the `key_ops` of the JWK"),
        (json!({"key_ops": ["sign"]}), "the `key_ops` of the JWK"),
        (json!({"key_ops": ["Verify"]}), "the `key_ops` of the JWK"),
        (json!({"key_ops": ["verify", "verify"]}), "duplicate operation"),
        (json!({"key_ops": ["verify", "sign", "verify"]}), "duplicate operation"),
        (json!({"key_ops": "verify"}), "array of strings"),
        (json!({"key_ops": ["verify", 1]}), "array of strings"),
        (json!({"use": "sig", "key_ops": ["verify", "encrypt"]}), "contradict"),
        (json!({"use": "enc", "key_ops": ["verify"]}), "the `use` of the JWK"),
    ] {
        assert_refused(load(bad), part);
    }
}

#[test]
fn private_members_are_refused() {
    let algorithms = [Algorithm::RS256, Algorithm::ES256, Algorithm::Ed25519, Algorithm::MlDsa44];
    for algorithm in algorithms.into_iter().filter(|algorithm| backend_supports(*algorithm)) {
        let signer = SigningKey::new(algorithm);
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "priv", "k"] {
            for value in [json!("CANARY"), json!(5), json!([{}]), json!({}), json!(false)] {
                let error = from_jwk(&signer.jwk_with(&json!({ name: value }))).unwrap_err();
                assert!(error.to_string().contains("private"), "{error}");
                assert!(!format!("{error} {error:?}").contains("CANARY"));
            }
            // Without a value nothing is private.
            for value in [json!(null), json!(""), json!([])] {
                assert!(from_jwk(&signer.jwk_with(&json!({ name: value }))).is_ok(), "{name}");
            }
        }
        let escaped = signer.jwk().to_string().replacen('{', r#"{"\u0064": "AA","#, 1);
        assert_refused(VerificationKey::from_jwk(&escaped), "private");
    }
}

#[test]
fn members_that_are_not_understood_are_ignored() {
    let jwk = SigningKey::new(Algorithm::ES256).jwk().to_string();
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for member in [
        r#""x5c": ["AAAA"]"#.to_owned(),
        r#""": 1"#.to_owned(),
        r#""exp": 123456789012345678901234567890"#.to_owned(),
        r#""real": 1e999"#.to_owned(),
        r#""nested": {"kty": "oct", "d": {"kty": 1, "kty": 2}}"#.to_owned(),
        r#""KTY": "RSA""#.to_owned(),
        r#""ключ": "\u043a\ud83d\udd11""#.to_owned(),
        format!(r#""deep": {deep}"#),
    ] {
        let text = jwk.replacen('{', &format!("{{{member},"), 1);
        VerificationKey::from_jwk(&text).unwrap();
    }
}

#[test]
fn malformed_jwks_are_refused() {
    let signer = SigningKey::new(Algorithm::ES256);
    let jwk = signer.jwk().to_string();
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "7".to_owned(),
        "{}".to_owned(),
        format!("\u{feff}\u{feff}{jwk}"),
        format!("{jwk} x"),
        format!("{jwk}{jwk}"),
        format!("{jwk}\0"),
        format!("/* key */ {jwk}"),
        jwk.replacen('{', r#"{"kty": "EC","#, 1),
        jwk.replacen('{', r#"{"a": 1, "a": 2,"#, 1),
        jwk.replacen('{', r#"{"a": 1, "\u0061": 2,"#, 1),
        jwk.replacen('{', r#"{"a": NaN,"#, 1),
        jwk.replacen('{', r#"{"a": 01,"#, 1),
        jwk.replacen('}', ",}", 1),
    ] {
        assert!(VerificationKey::from_jwk(&text).is_err(), "{text}");
    }
    let twice = jwk.replacen('{', r#"{"a": 1, "\u0061": 2,"#, 1);
    assert_refused(VerificationKey::from_jwk(&twice), "has a duplicate member name");
    assert_refused(VerificationKey::from_jwk("[]"), "is not a JSON object");
    assert_refused(VerificationKey::from_jwk("{"), "is not well-formed JSON");
    for members in [
        json!({"kty": "ec"}),
        json!({"kty": 1}),
        json!({"kty": "AKP"}),
        json!({"kty": "RSA"}),
        json!({"kty": "OKP"}),
        json!({"crv": "secp256k1"}),
        json!({"crv": "P-384"}),
        json!({"crv": "Ed25519"}),
        json!({"x": 1}),
        json!({"x": ""}),
        json!({"kid": 1}),
        json!({"kty": null}),
        json!({"crv": null}),
        json!({"x": null}),
    ] {
        assert!(from_jwk(&signer.jwk_with(&members)).is_err(), "{members}");
    }
    for (members, part) in [
        (json!({"kty": "ec"}), "in another case"),
        (json!({"kty": null}), "no `kty`"),
        (json!({"crv": null}), "no `crv`"),
        (json!({"x": null}), "no `x`"),
        (json!({"alg": "es256"}), "ES256 in another case"),
        (json!({"kid": 1}), "`kid` of the JWK is not a string"),
        (json!({"alg": "ECDH-ES"}), "not a supported signature algorithm"),
    ] {
        assert_refused(from_jwk(&signer.jwk_with(&members)), part);
    }
    let okp = SigningKey::new(Algorithm::Ed25519);
    assert_refused(from_jwk(&okp.jwk_with(&json!({"crv": "Ed448"}))), "not Ed25519");
    assert_refused(from_jwk(&okp.jwk_with(&json!({"crv": "X25519"}))), "not Ed25519");
}

#[test]
fn base64url_of_members_is_strict() {
    let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let load = |x: &str| from_jwk(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}));
    assert!(load(good).is_ok());
    for (bad, reason) in [
        (format!("{good}="), "padding"),
        (good.replace('_', "/"), "the other alphabet"),
        (good.replace("Ro", "Rp"), ""),
        (format!(" {good}"), "white space"),
        (format!("{good}\n"), "white space"),
        (good.replace("11q", "11q\n"), "white space"),
    ] {
        assert_refused(load(&bad), "`x` of the JWK is not base64url");
        assert_refused(load(&bad), reason);
    }
}

#[test]
fn kid_of_a_jwk_is_any_string() {
    let signer = SigningKey::new(Algorithm::ES256);
    for kid in ["", "a", "../../etc/passwd", "ключ", "\u{0}", &"k".repeat(100_000)] {
        let key = from_jwk(&signer.jwk_with(&json!({ "kid": kid }))).unwrap();
        assert_eq!(key.kid(), Some(kid));
    }
    assert_eq!(from_jwk(&signer.jwk()).unwrap().kid(), None);
}
