//! Makes the verifier from the flags. All errors in the flags are found here, before the server starts.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use tower_jwt_auth::{
    Algorithm, ConfigError, ExpectedAudience, ExpectedIssuer, Explanation, FixedClock, IssuerSet,
    JwkSet, JwksUrl, JwtAuthLayer, JwtVerifier, KeySource, KeyStatus, NumericDate, VerificationKey,
};

use crate::binding;
use crate::flags::{Audience, Flags, Keys, Typ};
use crate::with_causes;

/// The claims of any token, as written in it. Even numbers keep their form.
pub(crate) type Claims = BTreeMap<String, Box<RawValue>>;

/// A verifier for one issuer (or, dangerously, for any), or for several issuers with separate keys.
#[derive(Clone)]
pub(crate) enum Verifier {
    One { issuer: Option<String>, verifier: JwtVerifier<Claims> },
    Several(IssuerSet<Claims>),
}

impl Verifier {
    pub(crate) fn new(flags: &Flags) -> Result<Self, String> {
        match &*flags.issuer.issuers {
            [] => Self::one(flags, None),
            [issuer] => Self::one(flags, Some(issuer)),
            issuers if flags.keys.discover => Self::several(flags, issuers),
            _ => Err("--issuer may be repeated with --discover only".into()),
        }
    }

    fn one(flags: &Flags, issuer: Option<&String>) -> Result<Self, String> {
        let verifier = match issuer {
            Some(issuer) if flags.keys.discover => discover(flags, issuer)?,
            _ => {
                let algorithms = algorithms(flags);
                let keys = keys(&flags.keys, &algorithms)?;
                let issuer =
                    issuer.map_or_else(ExpectedIssuer::dangerous_any, ExpectedIssuer::from);
                JwtVerifier::new(issuer, audience(&flags.audience), keys)
                    .and_then(|verifier| with_rules(verifier, flags))
                    .map_err(|error| with_causes(&error))?
            }
        };
        Ok(Self::One { issuer: issuer.cloned(), verifier })
    }

    fn several(flags: &Flags, issuers: &[String]) -> Result<Self, String> {
        let mut set = IssuerSet::new();
        if let Some(capacity) = flags.token_cache {
            set = set.with_token_cache(capacity).map_err(|error| with_causes(&error))?;
        }
        for issuer in issuers {
            set.add(discover(flags, issuer)?).map_err(|error| cannot_use(issuer, &error))?;
        }
        Ok(Self::Several(set))
    }

    pub(crate) fn layer(&self, flags: &Flags) -> Result<JwtAuthLayer<Claims>, String> {
        let layer = match self {
            Self::One { verifier, .. } => binding::layer(verifier.clone(), flags),
            Self::Several(issuers) => binding::layer(issuers.clone(), flags),
        };
        layer.map_err(|error| with_causes(&error))
    }

    pub(crate) async fn explain(&self, token: &str) -> Explanation {
        match self {
            Self::One { verifier, .. } => verifier.explain(token).await,
            Self::Several(issuers) => issuers.explain(token).await,
        }
    }

    /// The state of the keys of each issuer. The first call starts to fetch them.
    pub(crate) fn key_status(&self) -> Vec<(Option<String>, KeyStatus)> {
        match self {
            Self::One { issuer, verifier } => vec![(issuer.clone(), verifier.key_status())],
            Self::Several(issuers) => issuers
                .key_status()
                .into_iter()
                .map(|one| (Some(one.issuer().to_owned()), one.status().clone()))
                .collect(),
        }
    }
}

fn discover(flags: &Flags, issuer: &str) -> Result<JwtVerifier<Claims>, String> {
    JwtVerifier::discover(issuer, audience(&flags.audience))
        .and_then(|verifier| with_rules(verifier, flags))
        .map_err(|error| cannot_use(issuer, &error))
}

fn with_rules(verifier: JwtVerifier, flags: &Flags) -> Result<JwtVerifier<Claims>, ConfigError> {
    let mut verifier = verifier
        .with_claims()
        .with_leeway(Duration::from_secs(flags.leeway))?
        .with_max_token_length(flags.max_token_length)?;
    let algorithms = algorithms(flags);
    if !algorithms.is_empty() {
        verifier = verifier.with_algorithms(algorithms)?;
    }
    if let Some(Typ::AccessToken) = flags.typ {
        verifier = verifier.require_rfc9068();
    }
    for typ in &flags.token_types {
        verifier = verifier.with_token_type(typ)?;
    }
    if flags.allow_at_hash {
        verifier = verifier.allow_at_hash();
    }
    if let Some(epoch) = flags.clock {
        verifier = verifier.with_clock(FixedClock(NumericDate::from_unix_seconds(epoch)));
    }
    if let Some(capacity) = flags.token_cache {
        verifier = verifier.with_token_cache(capacity)?;
    }
    Ok(verifier)
}

fn audience(flags: &Audience) -> ExpectedAudience {
    match flags.dangerous_any_audience {
        true => ExpectedAudience::dangerous_any(),
        false => ExpectedAudience::from(flags.audiences.clone()),
    }
}

/// The algorithms of the flags, without duplicates.
fn algorithms(flags: &Flags) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for algorithm in &flags.algorithms {
        if !algorithms.contains(algorithm) {
            algorithms.push(*algorithm);
        }
    }
    algorithms
}

/// The keys from the one source of the flags. A secret and a PEM file make a key for each algorithm.
fn keys(source: &Keys, algorithms: &[Algorithm]) -> Result<Arc<dyn KeySource>, String> {
    type Load = fn(&[u8], Algorithm) -> Result<VerificationKey, ConfigError>;

    if let Some(url) = &source.jwks_url {
        let keys = JwksUrl::new(url).map_err(|error| cannot_use(url, &error))?;
        return Ok(Arc::new(keys));
    }
    if let Some(path) = &source.jwks {
        return Ok(Arc::new(jwk_set(path)?));
    }
    let (path, load): (&Path, Load) = match (&source.secret_file, &source.public_key) {
        (Some(path), _) => (path, VerificationKey::from_secret),
        (_, Some(path)) => (path, VerificationKey::from_pem),
        _ => return Err("no source of keys is given".into()),
    };
    let bytes = fs::read(path).map_err(|error| cannot_use_file(path, &error))?;
    let keys = algorithms
        .iter()
        .map(|algorithm| load(&bytes, *algorithm))
        .collect::<Result<Vec<_>, _>>()
        .and_then(JwkSet::from_keys)
        .map_err(|error| cannot_use_file(path, &error))?;
    if source.secret_file.is_some() && bytes.ends_with(b"\n") {
        eprintln!("warning: {} ends in a line break, which is part of the secret", path.display());
    }
    Ok(Arc::new(keys))
}

fn jwk_set(path: &Path) -> Result<JwkSet, String> {
    let json = fs::read_to_string(path).map_err(|error| cannot_use_file(path, &error))?;
    let set = JwkSet::from_json(&json).map_err(|error| cannot_use_file(path, &error))?;
    if set.is_empty() {
        let reasons: Vec<String> = set.skipped().iter().map(ToString::to_string).collect();
        return Err(format!("cannot use {}: {}", path.display(), reasons.join("; ")));
    }
    for skipped in set.skipped() {
        eprintln!("{}: skipped {skipped}", path.display());
    }
    Ok(set)
}

fn cannot_use_file(path: &Path, error: &dyn Error) -> String {
    cannot_use(&path.to_string_lossy(), error)
}

fn cannot_use(what: &str, error: &dyn Error) -> String {
    format!("cannot use {what}: {}", with_causes(error))
}
