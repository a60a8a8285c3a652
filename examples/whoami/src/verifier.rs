//! Makes the verifier from the flags. All errors in the flags are found here, before the server starts.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Request;
use serde_json::value::RawValue;
use tower_jwt_auth::{
    Accepted, Algorithm, ClientAuthentication, ConfigError, ConfigVerifier, ExpectedAudience,
    ExpectedIssuer, FixedClock, Introspection, IssuerSet, JwkSet, JwksUrl, JwtAuthLayer,
    JwtVerifier, KeySource, KeyStatus, LayerConfig, NumericDate, OidcDiscovery, PresentedToken,
    Rejection, VerificationKey, VerifyToken,
};

use crate::flags::{Audience, Flags, Typ};
use crate::with_causes;
use crate::{binding, start};

/// The claims of any token, as written in it. Even numbers keep their form.
pub(crate) type Claims = BTreeMap<String, Box<RawValue>>;

/// A verifier for one issuer (or, dangerously, for any), for several issuers with separate keys, for tokens about which
/// the issuer is asked, or, from a file, for both.
#[derive(Clone)]
pub(crate) enum Verifier {
    One { issuer: Option<String>, verifier: JwtVerifier<Claims> },
    Several(IssuerSet<Claims>),
    Introspection(Introspection<Claims>),
    Both(ConfigVerifier<Claims>),
}

impl Verifier {
    pub(crate) fn new(flags: &Flags, config: Option<&LayerConfig>) -> Result<Self, String> {
        // An argument that conflicts with --introspect would make clap forget that --client needs it.
        if flags.client.client_id.is_some() && flags.keys.introspect.is_none() {
            return Err("--client needs --introspect".into());
        }
        if let Some(config) = config {
            return Self::of(config, flags);
        }
        start::check(flags)?;
        match &*flags.issuer.issuers {
            [] | [_] if flags.keys.introspect.is_some() => {
                introspection(flags).map(Self::Introspection)
            }
            [] => Self::one(flags, None),
            [issuer] => Self::one(flags, Some(issuer)),
            issuers if flags.keys.discover => Self::several(flags, issuers),
            _ => Err("--issuer may be repeated with --discover only".into()),
        }
    }

    fn of(config: &LayerConfig, flags: &Flags) -> Result<Self, String> {
        let all = config.verifier::<Claims>().map_err(|error| cannot_use_config(flags, &error))?;
        if let Some(verifier) = all.as_introspection() {
            let has_keys = all.as_jwt_verifier().is_some() || all.as_issuer_set().is_some();
            return match (has_keys, flags.clock) {
                (false, None) => Ok(Self::Introspection(verifier.clone())),
                (false, Some(epoch)) => {
                    Ok(Self::Introspection(verifier.clone().with_clock(fixed(epoch))))
                }
                (true, None) => Ok(Self::Both(all)),
                (true, Some(_)) => Err("--clock with --config needs a file with one issuer".into()),
            };
        }
        let issuer = all.accepted_tokens().authorization_servers().first().cloned();
        match (Self::with_keys(&all, issuer), flags.clock) {
            (Some(Self::One { issuer, verifier }), Some(epoch)) => {
                Ok(Self::One { issuer, verifier: verifier.with_clock(fixed(epoch)) })
            }
            (Some(verifier), None) => Ok(verifier),
            _ => Err("--clock with --config needs a file with one issuer".into()),
        }
    }

    /// The part of a file that has keys.
    fn with_keys(all: &ConfigVerifier<Claims>, issuer: Option<String>) -> Option<Self> {
        let one = all.as_jwt_verifier().cloned().map(|verifier| Self::One { issuer, verifier });
        one.or_else(|| all.as_issuer_set().cloned().map(Self::Several))
    }

    fn one(flags: &Flags, issuer: Option<&String>) -> Result<Self, String> {
        let verifier = match issuer {
            Some(issuer) if flags.keys.discover => discover(flags, issuer)?,
            _ => {
                let algorithms = algorithms(flags);
                let keys = keys(flags, &algorithms)?;
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

    /// The layer with all settings of the file.
    pub(crate) fn configured_layer(
        &self,
        config: &LayerConfig,
    ) -> Result<JwtAuthLayer<Claims>, ConfigError> {
        match self {
            Self::One { verifier, .. } => config.layer_with_verifier(verifier.clone()),
            Self::Several(issuers) => config.layer_with_verifier(issuers.clone()),
            Self::Introspection(verifier) => config.layer_with_verifier(verifier.clone()),
            Self::Both(verifier) => config.layer_with_verifier(verifier.clone()),
        }
    }

    pub(crate) fn layer(&self, flags: &Flags) -> Result<JwtAuthLayer<Claims>, String> {
        let layer = match self {
            Self::One { verifier, .. } => binding::layer(verifier.clone(), flags),
            Self::Several(issuers) => binding::layer(issuers.clone(), flags),
            Self::Introspection(verifier) => binding::layer(verifier.clone(), flags),
            Self::Both(verifier) => binding::layer(verifier.clone(), flags),
        };
        layer.map_err(|error| with_causes(&error))
    }

    /// The text for the terminal, and whether the token is accepted.
    pub(crate) async fn explain(&self, token: &str, flags: &Flags) -> (String, bool) {
        let (explanation, verified) = match self {
            Self::One { verifier, .. } => {
                (verifier.explain(token).await, verifier.verify(token).await)
            }
            Self::Several(issuers) => (issuers.explain(token).await, issuers.verify(token).await),
            // The endpoint tells no reason, and the rules for its answer tell theirs.
            Self::Introspection(verifier) => {
                return match verifier.verify(token).await {
                    Ok(_) => ("introspection: passed".to_owned(), true),
                    Err(refused) => binding::if_bound(&refused, flags).map_or_else(
                        || (refusal("introspection", &refused), false),
                        |text| (text.to_owned(), true),
                    ),
                };
            }
            Self::Both(all) => {
                return match present(all, token).await {
                    Ok(_) => ("keys or introspection: passed".to_owned(), true),
                    Err(refused) => (refusal("keys or introspection", &refused), false),
                };
            }
        };
        match verified {
            Ok(token) if flags.binding.is_explained && explanation.is_accepted() => {
                let cnf = token.get("cnf").map(|cnf| cnf.get());
                binding::explain(explanation.steps(), cnf, flags)
            }
            _ => (explanation.to_string(), explanation.is_accepted()),
        }
    }

    /// The same for `required_scopes` of the file, of a token that is accepted so far.
    pub(crate) async fn explain_scopes(
        &self,
        token: &str,
        config: &LayerConfig,
        flags: &Flags,
    ) -> Result<Option<(String, bool)>, String> {
        let rule = config.required_scopes().map_err(|error| cannot_use_config(flags, &error))?;
        let Some(rule) = rule else { return Ok(None) };
        let checked = match self {
            Self::One { verifier, .. } => present(verifier, token).await,
            Self::Several(issuers) => present(issuers, token).await,
            Self::Introspection(verifier) => present(verifier, token).await,
            Self::Both(verifier) => present(verifier, token).await,
        };
        let checked = checked.and_then(|accepted| rule.check(accepted.token()));
        Ok(Some(match checked {
            Ok(()) => ("required_scopes: passed".to_owned(), true),
            Err(refused) => (refusal("required_scopes", &refused), false),
        }))
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
            // It has no keys to wait for.
            Self::Introspection(_) => Vec::new(),
            Self::Both(all) => {
                Self::with_keys(all, None).iter().flat_map(Self::key_status).collect()
            }
        }
    }
}

/// `--introspect`.
fn introspection(flags: &Flags) -> Result<Introspection<Claims>, String> {
    let Flags { client, leeway, max_token_length, .. } = flags;
    let (Some(url), Some(id), Some(path)) =
        (&flags.keys.introspect, &client.client_id, &client.client_secret_file)
    else {
        return Err("--introspect needs --client and --client-secret-file".into());
    };
    let secret = fs::read_to_string(path).map_err(|error| cannot_use_file(path, &error))?;
    let secret = secret.strip_suffix('\n').unwrap_or(&secret);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    let client_authentication = ClientAuthentication::client_secret_basic(id, secret)
        .map_err(|error| cannot_use_file(path, &error))?;

    let verifier = || -> Result<Introspection<Claims>, ConfigError> {
        let issuer = flags.issuer.issuers.first();
        let issuer = issuer.map_or_else(ExpectedIssuer::dangerous_any, ExpectedIssuer::from);
        let audience = audience(&flags.audience);
        // RFC 7662 leaves `aud` to the server, and many servers do not send it.
        let mut verifier = Introspection::new(issuer, audience, url, client_authentication)?
            .dangerous_allow_missing_audience()
            .with_claims()
            .with_leeway(Duration::from_secs(*leeway))?
            .with_max_token_length(*max_token_length)?;
        if let Some(epoch) = flags.clock {
            verifier = verifier.with_clock(FixedClock(NumericDate::from_unix_seconds(epoch)));
        }
        if let Some(capacity) = flags.token_cache {
            verifier = verifier.with_cache_capacity(capacity)?;
        }
        if let Some(seconds) = client.introspection_cache_age {
            verifier = verifier.with_cache_age(Duration::from_secs(seconds))?;
        }
        Ok(verifier)
    };
    verifier().map_err(|error| cannot_use(url, &error))
}

/// Verifies a token as the layer does it: without a request, the scopes of a token are not kept.
async fn present(
    verifier: &impl VerifyToken<Claims>,
    token: &str,
) -> Result<Accepted<Claims>, Rejection> {
    let (head, ()) = Request::new(()).into_parts();
    let token = PresentedToken::bearer(token)?;
    verifier.verify_token(&token, &head).await
}

/// A refusal for the terminal: the reason, what was expected, and the causes.
fn refusal(what: &str, refused: &Rejection) -> String {
    let expected = refused.expected().map(|it| format!(" (expected {it})")).unwrap_or_default();
    format!("{what}: {:?}: {}{expected}", refused.kind(), with_causes(refused))
}

fn discover(flags: &Flags, issuer: &str) -> Result<JwtVerifier<Claims>, String> {
    let keys = OidcDiscovery::new(issuer).map_err(|error| cannot_use(issuer, &error))?;
    let keys = start::discovery(keys, &flags.start)?;
    JwtVerifier::new(issuer, audience(&flags.audience), keys)
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
    if flags.binding.is_explained {
        verifier = verifier.dangerous_ignore_confirmation();
    }
    if let Some(epoch) = flags.clock {
        verifier = verifier.with_clock(fixed(epoch));
    }
    if let Some(capacity) = flags.token_cache {
        verifier = verifier.with_token_cache(capacity)?;
    }
    Ok(verifier)
}

fn fixed(epoch: i64) -> FixedClock {
    FixedClock(NumericDate::from_unix_seconds(epoch))
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
fn keys(flags: &Flags, algorithms: &[Algorithm]) -> Result<Arc<dyn KeySource>, String> {
    type Load = fn(&[u8], Algorithm) -> Result<VerificationKey, ConfigError>;

    let source = &flags.keys;
    if let Some(url) = &source.jwks_url {
        let keys = JwksUrl::new(url).map_err(|error| cannot_use(url, &error))?;
        return Ok(Arc::new(start::url(keys, &flags.start)?));
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

pub(crate) fn jwk_set(path: &Path) -> Result<JwkSet, String> {
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

pub(crate) fn cannot_use_config(flags: &Flags, error: &dyn Error) -> String {
    let path = flags.config.as_deref().unwrap_or(Path::new("the file"));
    cannot_use_file(path, error)
}

pub(crate) fn cannot_use_file(path: &Path, error: &dyn Error) -> String {
    cannot_use(&path.to_string_lossy(), error)
}

fn cannot_use(what: &str, error: &dyn Error) -> String {
    format!("cannot use {what}: {}", with_causes(error))
}
