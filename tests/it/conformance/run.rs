//! What is done with each row: the verifier alone, and the whole layer.

use std::convert::Infallible;

use futures_util::FutureExt;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_jwt_auth::{
    AccessTokenClaims, JwtAuthLayer, JwtVerifier, RegisteredClaims, Rejection, RejectionKind,
    VerifiedToken,
};

use super::row::{Case, Http};
use crate::explain::agrees_with_itself;
use crate::support::backend_supports;
use crate::support::challenge;

type Verdict<T = ()> = Result<T, String>;

pub(super) fn run(case: &Case<'_>) -> Verdict {
    // What the backend lacks is an error when the key is loaded: asserted there.
    if !backend_supports(case.row.algorithm()) {
        return Ok(());
    }
    let (token, claims) = case.token();
    let verifier = case.verifier();
    match &case.row.request {
        Some(head) => {
            let mut request = Request::builder()
                .method(&*case.expand(&head.method, &[]))
                .uri(case.expand(&head.uri, &[("token", &token)]));
            for (name, value) in &head.headers {
                let value = case.expand(value, &[("token", &token)]);
                let name: HeaderName = case.expand(name, &[]).parse().unwrap();
                request = request.header(name, latin_1(&value));
            }
            let Some(http) = &case.row.http else { return Err("no `http`".into()) };
            let kind = match case.row.expect.as_deref() {
                None => None,
                Some(name) => Some(kind(name)?),
            };
            let request = request.body(String::new()).unwrap();
            for verifier in with_and_without_cache(verifier) {
                let request = request.clone();
                over_http::<RegisteredClaims>(case, verifier, request, http, kind, &token)?;
            }
            Ok(())
        }
        None => {
            let expect = case.row.expect.as_deref().ok_or("no `expect`")?;
            check::<RegisteredClaims>(case, &verifier, &token, &claims, expect)?;
            let as_value = case.row.as_value.as_deref().unwrap_or(expect);
            check::<Value>(case, &verifier, &token, &claims, as_value)
                .map_err(|fault| format!("as Value: {fault}"))?;
            match &case.row.as_access_token {
                None => Ok(()),
                Some(expect) => {
                    check::<AccessTokenClaims>(case, &verifier, &token, &claims, expect)
                        .map_err(|fault| format!("as AccessTokenClaims: {fault}"))
                }
            }
        }
    }
}

/// Each row goes through a verifier with a cache too, twice: so the cache decides about the second one.
fn with_and_without_cache<C>(verifier: JwtVerifier<C>) -> Vec<JwtVerifier<C>> {
    #[cfg(feature = "token-cache")]
    {
        let cached = verifier.clone().with_token_cache(4).unwrap();
        vec![verifier, cached.clone(), cached]
    }
    #[cfg(not(feature = "token-cache"))]
    vec![verifier]
}

/// The token by itself, and in a request.
fn check<C>(
    case: &Case<'_>,
    verifier: &JwtVerifier,
    token: &str,
    claims: &[u8],
    expect: &str,
) -> Verdict
where
    C: DeserializeOwned + serde::Serialize + Send + Sync + 'static,
{
    for verifier in with_and_without_cache(verifier.clone().with_claims::<C>()) {
        check_by(case, verifier, token, claims, expect)?;
    }
    Ok(())
}

fn check_by<C>(
    case: &Case<'_>,
    verifier: JwtVerifier<C>,
    token: &str,
    claims: &[u8],
    expect: &str,
) -> Verdict
where
    C: DeserializeOwned + serde::Serialize + Send + Sync + 'static,
{
    let kind = match (verifier.verify_now(token), expect) {
        (Ok(verified), "accept") => {
            same_claims(verified.claims(), claims)?;
            None
        }
        (Ok(_), _) => return Err(format!("accepted, expected {expect}")),
        (Err(rejection), "accept") => return Err(format!("refused: {:?}", rejection.kind())),
        (Err(rejection), name) if rejection.kind() == kind(name)? => Some(rejection.kind()),
        (Err(rejection), _) => {
            return Err(format!("refused as {:?}, expected {expect}", rejection.kind()));
        }
    };
    explained(&verifier, token, kind)?;
    // Written out here once more: what the crate's own table says is not asked.
    let standard = match kind {
        None => Http { status: 200, error: None, challenge: None, verified: None },
        Some(_) => Http {
            status: 401,
            error: Some("invalid_token".to_owned()),
            challenge: None,
            verified: None,
        },
    };
    let http = case.row.http.as_ref().unwrap_or(&standard);
    let kind = kind.filter(|_| case.row.http.is_none());
    let value = latin_1(&format!("Bearer {token}"));
    let request = Request::builder().header(AUTHORIZATION, value).body(String::new()).unwrap();
    over_http::<C>(case, verifier, request, http, kind, token)
}

/// The explanation says what the verification says.
fn explained<C>(verifier: &JwtVerifier<C>, token: &str, kind: Option<RejectionKind>) -> Verdict
where
    C: DeserializeOwned,
{
    let explanation = verifier.explain(token).now_or_never().ok_or("the explanation waits")?;
    match explanation.rejection().map(Rejection::kind) == kind {
        true => agrees_with_itself(&explanation, token),
        false => Err(format!("explained as {:?}, expected {kind:?}", explanation.rejection())),
    }
}

fn over_http<C>(
    case: &Case<'_>,
    verifier: JwtVerifier<C>,
    request: Request<String>,
    http: &Http,
    kind: Option<RejectionKind>,
    token: &str,
) -> Verdict
where
    C: DeserializeOwned + Send + Sync + 'static,
{
    let mut layer = JwtAuthLayer::new(verifier);
    let settings = &case.row.layer;
    if settings.optional {
        layer = layer.optional();
    }
    if let Some(realm) = &settings.realm {
        layer = layer.with_realm(realm).unwrap();
    }
    let service =
        ServiceBuilder::new().layer(layer).service(service_fn(async |request: Request<String>| {
            let verified = VerifiedToken::<C>::from_extensions(request.extensions()).is_ok();
            Ok::<_, Infallible>(Response::new(format!("inner, verified: {verified}")))
        }));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let response = runtime.block_on(service.oneshot(request)).unwrap();

    if response.status() != http.status {
        return Err(format!("HTTP {}, expected {}", response.status(), http.status));
    }
    if response.status() == StatusCode::OK {
        let verified = http.verified.unwrap_or(true);
        return match *response.body() == format!("inner, verified: {verified}") {
            true => Ok(()),
            false => Err(format!("the inner service says {:?}", response.body())),
        };
    }
    refusal(&response, http, token)?;
    let rejection: Option<&Rejection> = response.extensions().get();
    match (kind, rejection) {
        (_, None) => Err("no `Rejection` in the extensions".into()),
        (Some(kind), Some(rejection)) if rejection.kind() != kind => {
            Err(format!("over HTTP {:?}, expected {kind:?}", rejection.kind()))
        }
        _ => Ok(()),
    }
}

/// What holds for every refusal, and the error code.
fn refusal(response: &Response<String>, http: &Http, token: &str) -> Verdict {
    let values: Vec<&HeaderValue> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
    let [value] = values[..] else {
        return Err(format!("{} challenges", values.len()));
    };
    let text = value.to_str().map_err(|_| "a challenge that is not ASCII")?;
    let params = challenge::parse(text)?;
    if !params.contains_key("realm") {
        return Err(format!("no realm: {text}"));
    }
    if params.get("error") != http.error.as_ref() {
        return Err(format!("{text}, expected the error {:?}", http.error));
    }
    if params.contains_key("error_description") != http.error.is_some() {
        return Err(format!("error and error_description do not go together: {text}"));
    }
    if http.challenge.as_ref().is_some_and(|challenge| challenge != text) {
        return Err(format!("{text} is not the expected challenge"));
    }
    if response.headers().get(CACHE_CONTROL).is_none_or(|value| value != "no-store") {
        return Err("no `Cache-Control: no-store`".into());
    }
    if !response.body().is_empty() {
        return Err(format!("a body: {:?}", response.body()));
    }
    let shown = format!("{response:?}");
    let leaks = token.split('.').any(|part| part.len() > 20 && shown.contains(part));
    if leaks { Err("the response shows the token".into()) } else { Ok(()) }
}

/// Whatever of the sent claims the type holds is the same.
fn same_claims<C: serde::Serialize>(claims: &C, sent: &[u8]) -> Verdict {
    let sent: Value = match serde_json::from_slice(sent) {
        Ok(sent) => sent,
        // A number that no `Value` can hold, in a claim that nobody reads.
        Err(error) if error.to_string().starts_with("number out of range") => return Ok(()),
        Err(error) => return Err(format!("accepted, and no JSON: {error}")),
    };
    let seen = serde_json::to_value(claims).unwrap();
    for (name, value) in seen.as_object().ok_or("the claims are no object")? {
        let same = match (value, &sent[name]) {
            (Value::Number(seen), Value::Number(sent)) => seen.as_f64() == sent.as_f64(),
            // `Scope` writes the standard form.
            (Value::String(seen), Value::Array(sent)) if name == "scope" => {
                sent.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ") == *seen
            }
            (Value::String(seen), Value::Null) if name == "scope" => seen.is_empty(),
            (seen, sent) => seen == sent,
        };
        if !same {
            return Err(format!("`{name}` is {value}, sent was {}", sent[name]));
        }
    }
    let partial = std::any::type_name::<C>() != std::any::type_name::<Value>();
    match partial || seen.as_object().map(|seen| seen.len()) == sent.as_object().map(|s| s.len()) {
        true => Ok(()),
        false => Err("claims are lacking".into()),
    }
}

fn kind(name: &str) -> Verdict<RejectionKind> {
    RejectionKind::ALL
        .iter()
        .copied()
        .find(|kind| format!("{kind:?}") == name)
        .ok_or_else(|| format!("there is no kind of refusal `{name}`"))
}

/// Each character is one byte.
fn latin_1(text: &str) -> HeaderValue {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).unwrap()).collect();
    HeaderValue::from_bytes(&bytes).unwrap()
}
