//! Explains why a token is refused: runs the verification with a recorder, and lists what each stage expected and
//! found.

use std::any::type_name;
use std::error::Error;
use std::iter;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::claims::NumericDate;
use crate::crypto::Algorithm;
use crate::json_member;
use crate::json_member::member;
use crate::rejection::{Rejection, RejectionKind};
use crate::token::{CompactJws, Limits, Scratch, Segments};
use crate::verify::by_name::Input;
use crate::verify::explanation::{ExplainedStep, Explanation, StepOutcome, json, quoted};
use crate::verify::jwt::claim_rules::Rules;
use crate::verify::jwt::expected::Expected;
use crate::verify::jwt::registered::Registered;
use crate::verify::jwt::stage::Stage;
use crate::verify::jwt::{JwtVerifier, MayWait, Step, read_claims};

impl<C: DeserializeOwned> JwtVerifier<C> {
    /// Verifies a token and lists the steps of the verification: whether each one passed, failed or was not reached,
    /// and what it expected and found. Use it to find out why a token is refused.
    ///
    /// **For a developer at a terminal.** The explanation shows claims and settings: do not send it to a client, and
    /// do not log it. It never shows the signature or the whole token. The result is the same as that of
    /// [`verify`](Self::verify).
    ///
    /// # Example: a token for another service
    ///
    /// ```
    /// # #[cfg(feature = "test-util")] {
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use tower_jwt_auth::test_util::TestIssuer;
    ///
    /// let issuer = TestIssuer::new();
    /// let token = issuer.token().audience("https://other.test").build();
    /// let explanation = issuer.verifier().explain(&token).await;
    ///
    /// assert!(!explanation.is_accepted());
    /// let failed = explanation.failed().unwrap();
    /// assert_eq!(failed.name(), "audience");
    /// assert_eq!(failed.expected(), Some("https://api.test"));
    /// assert_eq!(failed.found(), Some("\"https://other.test\""));
    /// println!("{explanation}");
    /// # });
    /// # }
    /// ```
    pub async fn explain(&self, token: &str) -> Explanation {
        let input = Input::Text(token);
        let token = token.as_bytes();
        let mut last = None;
        let result = match self.begin(input, MayWait::Yes, &mut last) {
            Step::Done(result) => result,
            Step::Wait(keys) => {
                let found = keys.await;
                self.resume(input, found, &mut last)
            }
        };
        let rejection = result.err();
        let failed = rejection.as_ref().and_then(|rejection| match last {
            Some(last) => last.next(),
            None => Some(unread(token, self.rules.limits, rejection.kind())),
        });
        let mut found = found(&self.rules, token);
        if let (Some(stage), Some(rejection)) = (failed, &rejection) {
            found.extend(fault(stage, rejection).map(|fault| (stage, fault)));
        }
        let steps = Stage::ALL.into_iter().map(|stage| {
            let outcome = match failed {
                Some(failed) if stage == failed => StepOutcome::Failed,
                Some(failed) if stage > failed => StepOutcome::NotReached,
                _ => StepOutcome::Passed,
            };
            let expected = match stage {
                Stage::ClaimsType => type_name::<C>().to_owned(),
                stage => expected(&self.rules, stage),
            };
            let found = found.iter().rfind(|(of, _)| *of == stage).map(|(_, found)| found.clone());
            ExplainedStep::new(stage.name(), outcome, expected, found)
        });
        Explanation::new(steps.collect(), rejection)
    }
}

/// The stage of a token that was refused before anything was compared.
pub(in crate::verify) fn unread(token: &[u8], limits: Limits, kind: RejectionKind) -> Stage {
    match kind {
        RejectionKind::TokenTooLong => Stage::Length,
        RejectionKind::UnsupportedAlgorithm => Stage::Algorithm,
        _ => match Segments::decode(token, limits, &mut Scratch::new()) {
            Ok(_) => Stage::Header,
            Err(_) => Stage::Shape,
        },
    }
}

/// What the rules expect at a stage.
fn expected(rules: &Rules, stage: Stage) -> String {
    let any_or = |expected: &Expected| match expected {
        Expected::Any => "any".to_owned(),
        Expected::OneOf { display, .. } => display.to_string(),
    };
    let leeway = rules.context.leeway;
    match stage {
        Stage::Length => {
            let Limits { token, header } = rules.limits;
            format!("at most {token} bytes, {header} of them in the header")
        }
        Stage::Shape => "three segments of base64url, without padding".into(),
        Stage::Header => {
            "a JSON object with alg, without a duplicate name, crit, enc, zip or a nested token"
                .into()
        }
        Stage::Algorithm => match rules.algorithms {
            None => "one of its key's".into(),
            Some(algorithms) => {
                let names: Vec<&str> = algorithms.iter().map(Algorithm::name).collect();
                names.join(" or ")
            }
        },
        Stage::Key => "one that is loaded, for this algorithm".into(),
        Stage::Signature => "that of the key".into(),
        Stage::Claims => {
            "a JSON object without a duplicate name, and registered claims of the right types"
                .into()
        }
        Stage::Issuer => any_or(rules.issuer()),
        Stage::Audience => match rules.audience_claim.in_place_of_audience() {
            Some(claim) => format!("no aud, and as {claim} {}", any_or(&rules.audience)),
            None if rules.exclusive_audience => format!("only {}", any_or(&rules.audience)),
            None => any_or(&rules.audience),
        },
        Stage::Expiry => format!("less than {leeway} s in the past"),
        Stage::NotBefore => format!("absent, or at most {leeway} s in the future"),
        Stage::IssuedAt => format!("absent, or at most {leeway} s in the future"),
        Stage::Age => match rules.max_age {
            None => "any".into(),
            Some(max_age) => format!("by iat, less than {max_age} s and {leeway} s of leeway"),
        },
        Stage::Type => match &rules.types {
            types if types.allow_absence() => format!("{}, or absent", types.expected()),
            types => types.expected().into(),
        },
        Stage::Kind => "no claim that names another kind of token".into(),
        Stage::Confirmation => match rules.ignore_confirmation {
            true => "any".into(),
            false => "no cnf".into(),
        },
        Stage::Required => {
            let names: Vec<&str> = rules.required_claims().chain(rules.value_displays()).collect();
            if names.is_empty() { "none further".into() } else { names.join(", ") }
        }
        Stage::ClaimsType => String::new(),
    }
}

/// What the token contains for each stage, as far as it can be read. It may be unverified.
fn found(rules: &Rules, token: &[u8]) -> Vec<(Stage, String)> {
    let mut found = vec![(Stage::Length, format!("{} bytes", token.len()))];
    // A longer token is not decoded.
    if !rules.limits.allow(token) {
        return found;
    }
    found.push((Stage::Shape, shape(token)));
    let mut scratch = Scratch::new();
    if let Ok(segments) = Segments::decode(token, rules.limits, &mut scratch) {
        found.extend(header(segments.header));
    }
    let mut scratch = Scratch::new();
    let Ok(jws) = CompactJws::parse(token, rules.limits, &mut scratch) else { return found };
    let hint = jws.header.key_hint();
    let names = [("kid", hint.kid), ("x5t#S256", hint.x5t_s256), ("x5t", hint.x5t)];
    let named = names.iter().find_map(|(name, value)| Some((name, (*value)?)));
    found.push((
        Stage::Key,
        match named {
            Some((name, value)) => format!("{name} {}", quoted(value)),
            None => "no kid".into(),
        },
    ));
    let typ = jws.header.typ.as_deref();
    found.push((Stage::Type, typ.map_or_else(|| "absent".into(), quoted)));
    let mut registered = Registered::default();
    if read_claims::read::<IgnoredAny>(jws.payload, rules.wanted(), &mut registered).is_ok() {
        found.extend(claims(rules, &registered));
        #[cfg(feature = "oidc-discovery")]
        found.extend(values(rules, &registered, jws.payload));
    }
    found
}

/// The number of segments, and a character that no token contains.
fn shape(token: &[u8]) -> String {
    let segments = token.split(|byte| *byte == b'.').count();
    let is_other = |byte: &&u8| !(byte.is_ascii_alphanumeric() || b"-_.".contains(*byte));
    let count = match segments {
        1 => "1 segment".into(),
        5 => "5 segments, as of an encrypted token (JWE)".into(),
        segments => format!("{segments} segments"),
    };
    match token.iter().find(is_other) {
        Some(byte) if byte.is_ascii() => {
            format!("{count}, with {:?} in it", char::from(*byte))
        }
        Some(_) => format!("{count}, with a character beyond ASCII in it"),
        None => count,
    }
}

/// The header and its algorithm, if the header is a JSON object.
fn header(header: &[u8]) -> Vec<(Stage, String)> {
    let text = String::from_utf8_lossy(header);
    let Ok(algorithm) = member(&text, "alg") else {
        return vec![(Stage::Header, "not a JSON object, or with a duplicate name".into())];
    };
    let algorithm = match algorithm {
        Some(json) => {
            json_member::text(json).map_or_else(|| "not a string".into(), |name| quoted(&name))
        }
        None => "absent".into(),
    };
    vec![(Stage::Header, json(&text)), (Stage::Algorithm, algorithm)]
}

fn claims(rules: &Rules, claims: &Registered<'_>) -> Vec<(Stage, String)> {
    let now = rules.context.clock.now();
    let absent = || "absent".to_owned();
    let date = |date: Option<NumericDate>| date.map_or_else(absent, |date| relative(date, now));
    let text = |text: Option<&str>| text.map_or_else(absent, quoted);
    let audience = claims.audience.as_ref().map_or_else(absent, |audience| {
        let names: Vec<String> = audience.iter().take(10).map(quoted).collect();
        names.join(", ")
    });
    let audience = match rules.audience_claim.in_place_of_audience() {
        None => audience,
        Some(claim) => {
            let party = text(claims.in_place_of_audience.as_deref());
            format!("as aud {audience}, as {claim} {party}")
        }
    };
    let missing: Vec<&str> =
        rules.required_claims().filter(|name| !claims.has_value(name)).collect();
    let kind = rules.claim_of_another_kind(claims);
    vec![
        (Stage::Issuer, text(claims.issuer.as_deref())),
        (Stage::Audience, audience),
        (Stage::Expiry, date(claims.expires_at)),
        (Stage::NotBefore, date(claims.not_before)),
        (Stage::IssuedAt, date(claims.issued_at)),
        (Stage::Age, date(claims.issued_at)),
        (Stage::Kind, kind.map_or_else(|| "none".into(), str::to_owned)),
        (Stage::Confirmation, if claims.has("cnf") { "cnf".into() } else { absent() }),
        (
            Stage::Required,
            match missing.is_empty() {
                true => "all of them".into(),
                false => format!("no {}", missing.join(", no ")),
            },
        ),
    ]
}

/// What the claims contain whose values are compared, if no other required claim is missing.
#[cfg(feature = "oidc-discovery")]
fn values(rules: &Rules, claims: &Registered<'_>, payload: &[u8]) -> Option<(Stage, String)> {
    let is_complete = rules.required_claims().all(|name| claims.has_value(name));
    let payload = std::str::from_utf8(payload).ok().filter(|_| is_complete)?;
    let found = rules.values.found(payload).map(|(claim, value)| match value {
        Some(value) => format!("{claim} {}", json(value)),
        None => format!("no {claim}"),
    });
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| (Stage::Required, found.join(", ")))
}

fn relative(date: NumericDate, now: NumericDate) -> String {
    let (seconds, now) = (date.unix_seconds(), now.unix_seconds());
    match seconds.saturating_sub(now) {
        0 => format!("{seconds}, which is now"),
        past if past < 0 => format!("{seconds}, {} s in the past", past.unsigned_abs()),
        future => format!("{seconds}, {future} s in the future"),
    }
}

/// What the stage that failed found, if only the rejection contains it.
fn fault(stage: Stage, rejection: &Rejection) -> Option<String> {
    let expected = rejection.expected();
    match stage {
        Stage::Key => {
            let first = rejection.source()?;
            let causes = iter::successors(Some(first), |&cause| cause.source());
            let causes: Vec<String> = causes.map(ToString::to_string).collect();
            Some(causes.join(": "))
        }
        Stage::Claims => expected.map(|claim| format!("{claim} has the wrong type")),
        Stage::ClaimsType => {
            expected.map(|claim| format!("{claim} is absent or does not fit the type"))
        }
        Stage::Audience if expected == Some("token_use") => {
            Some("a token_use that is absent or is not \"access\"".into())
        }
        _ => None,
    }
}
