//! A row, and the request that it describes.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tower_jwt_auth::{
    Algorithm, ExpectedAudience, ExpectedIssuer, FixedClock, JwkSet, JwtVerifier, NumericDate,
    VerificationKey,
};

use super::keys::{base_name, local_key, named_key};
use crate::support::{self, AUDIENCE, ISSUER, NOW, b64};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) ids: Vec<String>,
    pub(super) name: String,
    #[serde(default)]
    each: Vec<Value>,
    #[serde(default = "es256")]
    key: String,
    signed_by: Option<String>,
    sign_as: Option<String>,
    signature_hex: Option<String>,
    keys: Option<Vec<KeyEntry>>,
    local_keys: Option<Vec<String>>,
    profile: Option<Profile>,
    #[serde(default)]
    header: Map<String, Value>,
    header_text: Option<String>,
    header_hex: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    claims_text: Option<String>,
    claims_hex: Option<String>,
    swap_header: Option<Map<String, Value>>,
    swap_claims: Option<Map<String, Value>>,
    token: Option<String>,
    #[serde(default)]
    pub(super) verifier: Settings,
    #[serde(default)]
    pub(super) layer: LayerSettings,
    pub(super) request: Option<RequestHead>,
    pub(super) expect: Option<String>,
    pub(super) as_value: Option<String>,
    pub(super) as_access_token: Option<String>,
    pub(super) http: Option<Http>,
}

fn es256() -> String {
    "ES256".to_owned()
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    Rfc9068,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum KeyEntry {
    Name(String),
    Changed(ChangedKey),
    Raw(RawKey),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangedKey {
    of: String,
    #[serde(default)]
    set: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKey {
    jwk: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    issuer: Option<OneOrMany>,
    any_issuer: bool,
    audience: Option<OneOrMany>,
    any_audience: bool,
    leeway: Option<u64>,
    max_age: Option<u64>,
    clock: Option<i64>,
    exclusive_audience: bool,
    algorithms: Option<Vec<String>>,
    required: Vec<String>,
    ignore_confirmation: bool,
    allow_at_hash: bool,
    accept_id_tokens: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn values(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LayerSettings {
    pub(super) optional: bool,
    pub(super) realm: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestHead {
    #[serde(default = "get")]
    pub(super) method: String,
    #[serde(default = "root")]
    pub(super) uri: String,
    pub(super) headers: Vec<(String, String)>,
}

fn get() -> String {
    "GET".to_owned()
}

fn root() -> String {
    "/".to_owned()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) status: u16,
    pub(super) error: Option<String>,
    pub(super) challenge: Option<String>,
    /// Whether the inner service must see a verified token: by default it does with 200.
    pub(super) verified: Option<bool>,
}

/// A row with one of its `each` values.
pub(super) struct Case<'a> {
    pub(super) row: &'a Row,
    each: Option<&'a Value>,
}

impl Row {
    /// That of its key.
    pub(super) fn algorithm(&self) -> Algorithm {
        base_name(&self.key).parse().unwrap()
    }

    pub(super) fn cases(&self) -> Vec<Case<'_>> {
        match self.each.as_slice() {
            [] => vec![Case { row: self, each: None }],
            each => each.iter().map(|value| Case { row: self, each: Some(value) }).collect(),
        }
    }
}

impl Case<'_> {
    pub(super) fn name(&self) -> String {
        match self.each {
            None => self.row.name.clone(),
            Some(Value::String(text)) => format!("{} [{text}]", self.row.name),
            Some(value) => format!("{} [{value}]", self.row.name),
        }
    }

    /// The token, and the claims in it as they were sent.
    pub(super) fn token(&self) -> (String, Vec<u8>) {
        let row = self.row;
        let key = named_key(row.signed_by.as_deref().unwrap_or(&row.key));
        let verifying = row.algorithm();
        let algorithm: Algorithm =
            row.sign_as.as_deref().unwrap_or(key.algorithm.name()).parse().unwrap();

        let mut header = json!({"alg": verifying.name(), "kid": verifying.name(), "typ": "JWT"});
        let mut claims = support::claims();
        if row.profile == Some(Profile::Rfc9068) {
            header["typ"] = "at+jwt".into();
            claims["client_id"] = "cli".into();
            claims["jti"] = "id-1".into();
        }
        let header_bytes = match (&row.header_text, &row.header_hex) {
            (None, None) => self.merged(&header, &row.header).to_string().into_bytes(),
            (Some(text), None) => self.expand(text, &[]).into_bytes(),
            (None, Some(hex)) => unhex(hex),
            _ => panic!("header_text and header_hex"),
        };
        let claims_bytes = match (&row.claims_text, &row.claims_hex) {
            (None, None) => self.merged(&claims, &row.claims).to_string().into_bytes(),
            (Some(text), None) => self.expand(text, &[]).into_bytes(),
            (None, Some(hex)) => unhex(hex),
            _ => panic!("claims_text and claims_hex"),
        };
        let (mut header_part, mut claims_part) = (b64(&header_bytes), b64(&claims_bytes));
        let message = format!("{header_part}.{claims_part}");
        let signature = match &row.signature_hex {
            Some(hex) => unhex(hex),
            None => key.sign_as(algorithm, message.as_bytes()),
        };
        if let Some(other) = &row.swap_header {
            header_part = b64(self.merged(&header, other).to_string());
        }
        if let Some(other) = &row.swap_claims {
            claims_part = b64(self.merged(&claims, other).to_string());
        }
        let signature = b64(signature);
        let template = row.token.as_deref().unwrap_or("<header>.<payload>.<signature>");
        let parts =
            [("header", &*header_part), ("payload", &claims_part), ("signature", &signature)];
        (self.expand(template, &parts), claims_bytes)
    }

    pub(super) fn verifier(&self) -> JwtVerifier {
        let settings = self.row.verifier.clone();
        let issuer = match (settings.any_issuer, settings.issuer) {
            (true, None) => ExpectedIssuer::dangerous_any(),
            (false, None) => ISSUER.into(),
            (false, Some(issuer)) => issuer.values().into(),
            (true, Some(_)) => panic!("issuer and any_issuer"),
        };
        let audience = match (settings.any_audience, settings.audience) {
            (true, None) => ExpectedAudience::dangerous_any(),
            (false, None) => AUDIENCE.into(),
            (false, Some(audience)) => audience.values().into(),
            (true, Some(_)) => panic!("audience and any_audience"),
        };
        let mut verifier = self
            .with_keys(issuer, audience)
            .with_clock(FixedClock(NumericDate::from_unix_seconds(settings.clock.unwrap_or(NOW))));
        if let Some(leeway) = settings.leeway {
            verifier = verifier.with_leeway(Duration::from_secs(leeway)).unwrap();
        }
        if let Some(max_age) = settings.max_age {
            verifier = verifier.with_max_age(Duration::from_secs(max_age)).unwrap();
        }
        if let Some(names) = settings.algorithms {
            let algorithms: Vec<Algorithm> =
                names.iter().map(|name| name.parse().unwrap()).collect();
            verifier = verifier.with_algorithms(algorithms).unwrap();
        }
        for name in settings.required {
            verifier = verifier.add_required_claim(name);
        }
        if self.row.profile == Some(Profile::Rfc9068) {
            verifier = verifier.require_rfc9068();
        }
        if settings.exclusive_audience {
            verifier = verifier.exclusive_audience();
        }
        if settings.ignore_confirmation {
            verifier = verifier.dangerous_ignore_confirmation();
        }
        if settings.allow_at_hash {
            verifier = verifier.allow_at_hash();
        }
        if settings.accept_id_tokens {
            verifier = verifier.dangerous_accept_id_tokens();
        }
        verifier
    }

    fn with_keys(&self, issuer: ExpectedIssuer, audience: ExpectedAudience) -> JwtVerifier {
        match (&self.row.keys, self.row.local_keys.as_deref()) {
            (None, None) => {
                let jwk = named_key(&self.row.key).jwk().to_string();
                JwtVerifier::new(issuer, audience, VerificationKey::from_jwk(&jwk).unwrap())
            }
            (Some(entries), None) => {
                let keys: Vec<Value> = entries.iter().map(|entry| self.jwk(entry)).collect();
                let set = JwkSet::from_json(&json!({"keys": keys}).to_string()).unwrap();
                JwtVerifier::new(issuer, audience, set)
            }
            (None, Some([one])) => JwtVerifier::new(issuer, audience, local_key(one)),
            (None, Some(many)) => {
                let keys = many.iter().map(|name| local_key(name));
                JwtVerifier::new(issuer, audience, JwkSet::from_keys(keys).unwrap())
            }
            (Some(_), Some(_)) => panic!("keys and local_keys"),
        }
        .unwrap()
    }

    fn jwk(&self, entry: &KeyEntry) -> Value {
        match entry {
            KeyEntry::Name(name) => named_key(name).jwk(),
            KeyEntry::Changed(changed) => self.merged(&named_key(&changed.of).jwk(), &changed.set),
            KeyEntry::Raw(raw) => raw.jwk.clone(),
        }
    }

    /// The members of `changes` over those of `object`: `"<each>"` is the value of this case, and
    /// `"<absent>"` takes a member away.
    fn merged(&self, object: &Value, changes: &Map<String, Value>) -> Value {
        let mut merged = object.clone();
        for (name, value) in changes {
            match value.as_str() {
                Some("<absent>") => {
                    merged.as_object_mut().unwrap().remove(name);
                }
                Some("<each>") if self.each.is_some_and(|each| each == "<absent>") => {
                    merged.as_object_mut().unwrap().remove(name);
                }
                Some("<each>") => merged[name] = self.each.unwrap().clone(),
                Some(text) => merged[name] = self.expand(text, &[]).into(),
                None => merged[name] = value.clone(),
            }
        }
        merged
    }

    /// A text with its placeholders replaced.
    pub(super) fn expand(&self, text: &str, parts: &[(&str, &str)]) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            let length = rest[start..].find('>').unwrap_or_else(|| panic!("no end: {text}"));
            expanded.push_str(&rest[..start]);
            let placeholder = &rest[start + 1..start + length];
            expanded.push_str(&self.placeholder(placeholder, parts));
            rest = &rest[start + length + 1..];
        }
        expanded + rest
    }

    fn placeholder(&self, placeholder: &str, parts: &[(&str, &str)]) -> String {
        if let Some((_, part)) = parts.iter().find(|(name, _)| *name == placeholder) {
            return (*part).to_owned();
        }
        match placeholder.split_once(':') {
            None if placeholder == "each" => match self.each.unwrap() {
                Value::String(text) if text.contains('<') => self.expand(text, parts),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            },
            Some(("repeat", argument)) => {
                let (count, text) = argument.split_once(':').unwrap();
                text.repeat(count.parse().unwrap())
            }
            Some(("b64", text)) => b64(text),
            Some(("claims-without", name)) => {
                let mut claims = support::claims();
                claims.as_object_mut().unwrap().remove(name).unwrap();
                let text = claims.to_string();
                text[1..text.len() - 1].to_owned()
            }
            Some(("cut", argument)) => {
                let (count, name) = argument.split_once(':').unwrap();
                let (_, part) = parts.iter().find(|(part, _)| *part == name).unwrap();
                part[..part.len() - count.parse::<usize>().unwrap()].to_owned()
            }
            _ => panic!("unknown placeholder <{placeholder}>"),
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}
