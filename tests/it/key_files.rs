//! Keys and secrets as files, environment variables and configuration files give them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tower_jwt_auth::{Algorithm, ConfigError, JwkSet, VerificationKey};

use crate::support::key;

#[track_caller]
fn assert_hint(result: Result<VerificationKey, ConfigError>, part: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
    assert!(error.len() < 300, "{error}");
}

fn from_pem(text: impl AsRef<[u8]>) -> Result<VerificationKey, ConfigError> {
    VerificationKey::from_pem(text.as_ref(), Algorithm::RS256)
}

fn utf16(text: &str, mark: &str) -> [Vec<u8>; 2] {
    let units: Vec<u16> = format!("{mark}{text}").encode_utf16().collect();
    [
        units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ]
}

#[test]
fn pem_whose_line_breaks_were_lost_is_refused_with_a_hint() {
    let text = key(Algorithm::RS256).pem();
    for joined in [
        text.replace('\n', ""),
        text.replace('\n', " "),
        text.replace('\n', "\t"),
        format!("\n{}\n", text.replace('\n', "")),
    ] {
        assert_hint(from_pem(&joined), "on one line");
    }
    for spelled_out in [text.replace('\n', r"\n"), text.replace('\n', r"\r\n")] {
        assert_hint(from_pem(&spelled_out), r"the two characters `\n`");
    }
    // A block that ends too soon has lost more than its line breaks.
    let cut: String = text.lines().take(4).collect::<Vec<_>>().join("\n");
    let error = from_pem(cut).unwrap_err().to_string();
    assert_eq!(error, "the PEM block cannot be read");
}

#[test]
fn pem_in_quotation_marks_is_refused_with_a_hint() {
    let text = key(Algorithm::RS256).pem();
    for quote in ['"', '\''] {
        let quoted = format!("{quote}{}{quote}", text.trim_end());
        assert_hint(from_pem(&quoted), "in quotation marks");
        let spelled_out = quoted.replace('\n', r"\n");
        assert_hint(from_pem(&spelled_out), "in quotation marks");
        assert_hint(from_pem(&spelled_out), r"the two characters `\n`");
        assert_hint(from_pem(quoted.replace('\n', "")), "on one line");
    }
}

#[test]
fn base64_without_pem_lines_is_refused_with_a_hint() {
    let key = key(Algorithm::RS256);
    let text = STANDARD.encode(key.spki());
    let pem = key.pem();
    let wrapped = pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>();
    for bare in [
        text.clone(),
        format!("{text}\n"),
        format!("\u{feff}{text}"),
        format!("\"{text}\""),
        wrapped.join("\r\n"),
        text.trim_end_matches('=').to_owned(),
    ] {
        assert_hint(from_pem(&bare), "`-----BEGIN PUBLIC KEY-----` before it");
        assert_hint(
            VerificationKey::from_der(bare.as_bytes(), Algorithm::RS256),
            "this is base64, not DER",
        );
    }
    assert_hint(from_pem(STANDARD.encode(key.pem())), "base64 of a PEM text");
    assert_hint(from_pem(STANDARD.encode(STANDARD.encode("x"))), "no PEM block");
    assert_hint(
        VerificationKey::from_der(key.pem().as_bytes(), Algorithm::RS256),
        "`VerificationKey::from_pem`",
    );
}

#[test]
fn pem_in_utf_16_is_refused_with_a_hint() {
    let text = key(Algorithm::RS256).pem();
    for mark in ["", "\u{feff}"] {
        for bytes in utf16(&text, mark) {
            assert_hint(from_pem(&bytes), "UTF-16");
        }
        for bytes in utf16(&text.replace('\n', "\r\n"), mark) {
            assert_hint(from_pem(&bytes), "UTF-16");
        }
    }
}

#[test]
fn something_else_than_pem_is_named() {
    assert_hint(from_pem(""), "empty");
    assert_hint(from_pem(" \r\n"), "empty");
    assert_hint(from_pem("/etc/issuer/public.pem\n"), "the name of a file");
    assert_hint(from_pem(r"C:\keys\issuer.PUB"), "the name of a file");
    let four = key(Algorithm::RS256).pem().replace("-----", "----");
    assert_hint(from_pem(four), "five hyphens");
    assert_hint(from_pem("MIIB"), "the text has no PEM block");
}

#[cfg(feature = "issuer")]
#[test]
fn hints_are_given_for_private_keys_too() {
    use tower_jwt_auth::SigningKey;

    use crate::support::pem;

    let der =
        aws_lc_rs::signature::Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new())
            .unwrap();
    let text = pem("PRIVATE KEY", der.as_ref());
    let load = |text: &[u8]| SigningKey::from_pem(text, Algorithm::EdDSA).map(|_| ());
    assert!(load(text.as_bytes()).is_ok());
    for (text, part) in [
        (text.replace('\n', "").into_bytes(), "on one line"),
        (text.replace('\n', r"\n").into_bytes(), "the two characters"),
        (format!("'{}'", text.trim_end()).into_bytes(), "in quotation marks"),
        (STANDARD.encode(der.as_ref()).into_bytes(), "without its PEM lines"),
        (utf16(&text, "\u{feff}")[0].clone(), "UTF-16"),
        (Vec::new(), "empty"),
    ] {
        let error = load(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    // It is not shown.
    let cut = text.replace("END", "AND");
    let error = load(cut.as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(&STANDARD.encode(der.as_ref())[20..40]));
}

#[test]
fn a_byte_order_mark_is_ignored() {
    let key = key(Algorithm::ES256);
    let jwk = key.jwk();
    let set = json!({ "keys": [jwk] });
    assert!(JwkSet::from_json(&format!("\u{feff}{set}")).is_ok());
    assert!(VerificationKey::from_jwk(&format!("\u{feff}{jwk}")).is_ok());
    let text = format!("\u{feff}{}", key.pem());
    assert!(VerificationKey::from_pem(text.as_bytes(), Algorithm::ES256).is_ok());
    // One, and at the beginning.
    assert!(JwkSet::from_json(&format!("\u{feff}\u{feff}{set}")).is_err());
    assert!(JwkSet::from_json(&format!("{set}\u{feff}")).is_err());
}

#[test]
fn a_key_in_the_wrong_format_is_named() {
    let key = key(Algorithm::ES256);
    let (jwk, set) = (key.jwk().to_string(), json!({ "keys": [key.jwk()] }).to_string());
    assert_hint(VerificationKey::from_jwk(&set), "this is a JWK set");
    assert_hint(VerificationKey::from_jwk(&key.pem()), "`VerificationKey::from_pem`");
    for (text, part) in [(jwk, "this is a JWK, not a JWK set"), (key.pem(), "not JSON but PEM")] {
        let error = JwkSet::from_json(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[cfg(feature = "tracing")]
mod secrets {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use tower_jwt_auth::{Algorithm, VerificationKey};

    use crate::support::log_text::Log;

    /// How many events one secret makes; it is in none of them.
    fn warnings(load: impl FnOnce() -> VerificationKey) -> usize {
        let (log, _guard) = Log::start(tracing::Level::WARN);
        drop(load());
        assert!(!log.text().contains("canary"), "{}", log.text());
        assert_eq!(log.text().lines().count(), log.count("a secret ends in a line break"));
        log.count("WARN")
    }

    #[test]
    fn a_secret_that_ends_in_a_line_break_is_taken_with_a_warning() {
        let load = |secret: &[u8]| {
            let secret = secret.to_vec();
            warnings(move || VerificationKey::from_secret(&secret, Algorithm::HS256).unwrap())
        };
        let text = "canary-canary-canary-canary-canary";
        assert_eq!(load(text.as_bytes()), 0);
        for ending in ["\n", "\r\n", "\n\n", " \n"] {
            assert_eq!(load(format!("{text}{ending}").as_bytes()), 1, "{ending:?}");
        }
        assert_eq!(load(format!("{text}-\u{e9}\n").as_bytes()), 1);
        // Random bytes end so by chance.
        assert_eq!(load(&[&[0xfb; 32][..], b"\n"].concat()), 0);
        assert_eq!(load(&[&[1; 32][..], b"\n"].concat()), 0);
        let encoded = STANDARD.encode(format!("{text}\n"));
        let decoded = || VerificationKey::from_base64_secret(&encoded, Algorithm::HS256).unwrap();
        assert_eq!(warnings(decoded), 0);
    }

    /// It is used as it is: the issuer may have read the same file.
    #[test]
    fn the_line_break_at_the_end_of_a_secret_is_part_of_it() {
        use crate::support::{AUDIENCE, ISSUER, claims, now};
        use tower_jwt_auth::JwtVerifier;

        let with = [&[b'a'; 40][..], b"\n"].concat();
        let signer = crate::test_keys::SigningKey::Secret(with.clone());
        let message = format!(
            "{}.{}",
            crate::support::b64(r#"{"alg":"HS256"}"#),
            crate::support::b64(claims().to_string())
        );
        let signature = signer.sign(Algorithm::HS256, message.as_bytes());
        let token = format!("{message}.{}", crate::support::b64(signature));
        for (secret, good) in [(&with[..], true), (&with[..40], false)] {
            let key = VerificationKey::from_secret(secret, Algorithm::HS256).unwrap();
            let verifier = JwtVerifier::new(ISSUER, AUDIENCE, key).unwrap().with_clock(now());
            assert_eq!(verifier.verify_now(&token).is_ok(), good);
        }
    }
}
