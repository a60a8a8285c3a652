//! The challenge: the value of `WWW-Authenticate` (RFC 6750 section 3, RFC 9110 section 11.6.1).

use std::fmt::Write;
use std::sync::{Arc, OnceLock};

use http::{Extensions, HeaderMap, HeaderValue, StatusCode};

use crate::claims::Scope;
use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::crypto::{Algorithm, AlgorithmSet};
use crate::list_field;
use crate::rejection::kind::RejectionKind;
use crate::rejection::response;
use crate::rejection::{Details, MAX_DESCRIPTION, Rejection};
use crate::scheme::{Schemes, TokenScheme};

/// The realm of a layer without a configured realm.
pub(crate) const DEFAULT_REALM: &str = "api";

/// The challenge without an error in the default realm. It is static: so threads that refuse requests without a token
/// count no references to one value.
const DEFAULT_CHALLENGE: &str = "Bearer realm=\"api\"";

/// The challenges of one layer. The challenges of each reason are written once, when the layer is built.
pub(crate) struct Challenges {
    form: Form,
    /// For each reason.
    written: Vec<Written>,
    /// The header of a refusal for each reason, if a response has no field of its own: with the error in all challenges,
    /// and, if there are two, in one of them.
    headers: Vec<[HeaderMap; 3]>,
    /// The extensions of such a response, with the rejection: a copy of a map takes half of the time of a new one.
    extensions: Vec<Extensions>,
}

/// The challenges of one reason, with the error and without it.
#[derive(Default)]
struct Written {
    with_error: [Option<HeaderValue>; 2],
    without_error: [Option<HeaderValue>; 2],
}

/// What the challenges of one layer have in common.
#[derive(Clone)]
struct Form {
    /// `realm="…"`, the beginning of the parameters of every challenge.
    realm: String,
    /// At least one.
    schemes: Schemes,
    /// The algorithms for proofs of possession, in the challenge for `DPoP` (RFC 9449 section 7.1).
    algorithms: AlgorithmSet,
    /// The URL of the metadata of the resource, in every challenge (RFC 9728 section 5.1).
    resource_metadata: Option<String>,
    /// The scope in the challenge of a 401 whose rejection names no scope, and is no step-up.
    scope: Option<Scope>,
}

impl Challenges {
    /// # Errors
    ///
    /// When the realm is empty or contains a character that is not printable ASCII (a space is allowed).
    pub(crate) fn new(realm: &str) -> Result<Self, ConfigError> {
        Ok(Self::written(Form::new(realm_parameter(realm)?)))
    }

    /// These challenges with another realm.
    ///
    /// # Errors
    ///
    /// When the realm is empty or contains a character that is not printable ASCII (a space is allowed).
    pub(crate) fn with_realm(&self, realm: &str) -> Result<Self, ConfigError> {
        Ok(Self::written(Form { realm: realm_parameter(realm)?, ..self.form.clone() }))
    }

    /// These challenges for a layer that accepts these schemes, and proofs of possession with these algorithms. If it
    /// accepts none, they are for `Bearer`: each 401 has a challenge (RFC 9110 section 15.5.2).
    pub(crate) fn with_schemes(&self, schemes: Schemes, algorithms: AlgorithmSet) -> Self {
        let schemes = if schemes.is_empty() { Schemes::BEARER } else { schemes };
        Self::written(Form { schemes, algorithms, ..self.form.clone() })
    }

    /// These challenges with a scope in every 401.
    ///
    /// # Errors
    ///
    /// When a value is `offline_access` or is not a valid scope value (RFC 6749 section 3.3).
    pub(crate) fn with_scope(&self, scope: Option<Scope>) -> Result<Self, ConfigError> {
        for value in scope.iter().flat_map(Scope::iter) {
            Scope::check_value(value)?;
            if value == "offline_access" {
                return Err(ConfigError::new(
                    ConfigErrorKind::Challenge,
                    "the scope of a challenge must not contain `offline_access`: a client asks for it on its own",
                ));
            }
        }
        Ok(Self::written(Form { scope, ..self.form.clone() }))
    }

    /// These challenges with the URL of the metadata of the resource. The URL needs no escapes.
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn with_resource_metadata(&self, url: &str) -> Self {
        Self::written(Form { resource_metadata: Some(url.to_owned()), ..self.form.clone() })
    }

    /// The scope in the challenge of a 401 whose rejection names no scope.
    #[cfg(feature = "resource-metadata")]
    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.form.scope.as_ref()
    }

    fn written(form: Form) -> Self {
        let kinds = || RejectionKind::ALL.iter().map(|kind| Rejection::from(*kind));
        let write = |rejection: &Rejection, with_error| {
            [TokenScheme::Bearer, TokenScheme::DPoP].map(|scheme| {
                let is_ours = form.schemes.contains(scheme);
                is_ours.then(|| write(&form, scheme, rejection, with_error)).flatten()
            })
        };
        let written = kinds().map(|kind| Written {
            with_error: write(&kind, true),
            without_error: write(&kind, false),
        });
        let written = written.collect();
        let extensions = kinds().map(|kind| {
            let mut extensions = Extensions::new();
            extensions.insert(kind);
            extensions
        });
        let extensions = extensions.collect();
        let mut challenges = Self { form, written, headers: Vec::new(), extensions };
        let used = [None, Some(TokenScheme::Bearer), Some(TokenScheme::DPoP)];
        let headers = kinds().map(|kind| {
            used.map(|used| {
                // Without two challenges, there is nothing to choose.
                if used.is_some() && challenges.form.schemes != Schemes::ALL {
                    return HeaderMap::new();
                }
                let mut headers = HeaderMap::with_capacity(2);
                response::complete_headers(&mut headers, &kind, &challenges, used);
                headers
            })
        });
        challenges.headers = headers.collect();
        challenges
    }

    /// The challenges with the default realm, for bearer tokens.
    pub(crate) fn default_realm() -> Arc<Self> {
        static DEFAULT: OnceLock<Arc<Challenges>> = OnceLock::new();
        Arc::clone(DEFAULT.get_or_init(|| {
            Arc::new(Self::new(DEFAULT_REALM).unwrap_or_else(|_| Self {
                form: Form::new(String::from("realm=\"\"")),
                written: Vec::new(),
                headers: Vec::new(),
                extensions: Vec::new(),
            }))
        }))
    }

    /// The whole header of the response to a refusal without details.
    pub(super) fn headers(
        &self,
        rejection: &Rejection,
        used: Option<TokenScheme>,
    ) -> Option<&HeaderMap> {
        if rejection.details().is_some() {
            return None;
        }
        let [in_all, in_bearer, in_dpop] = self.headers.get(rejection.kind() as usize)?;
        Some(match used.and_then(|used| self.error_in(rejection, Some(used))) {
            None => in_all,
            Some(TokenScheme::Bearer) => in_bearer,
            Some(TokenScheme::DPoP) => in_dpop,
        })
    }

    /// The extensions of the response to a refusal without details.
    pub(super) fn extensions(&self, rejection: &Rejection) -> Option<&Extensions> {
        match rejection.details() {
            Some(_) => None,
            None => self.extensions.get(rejection.kind() as usize),
        }
    }

    /// The challenges for this refusal, with their schemes, `Bearer` first; none for a 503, which is not the client's
    /// fault. If a layer has two challenges, only that of the scheme that the client has `used` contains the error (RFC
    /// 9449 section 7.2); both contain it if the client has used none or several. A nonce is asked for in one challenge
    /// alone: the client is to use the same scheme again, and older clients read only one.
    pub(crate) fn each(
        &self,
        rejection: &Rejection,
        used: Option<TokenScheme>,
    ) -> impl Iterator<Item = (TokenScheme, HeaderValue)> {
        let used = self.error_in(rejection, used);
        let asks_for_nonce = rejection.kind() == RejectionKind::UseDpopNonce;
        let alone = used.filter(|used| asks_for_nonce && *used == TokenScheme::DPoP);
        let schemes = self.form.schemes.iter();
        schemes.filter(move |it| alone.is_none_or(|alone| alone == *it)).filter_map(move |scheme| {
            let with_error = used.is_none_or(|used| used == scheme);
            let challenge = match rejection.details().is_some_and(Details::are_in_challenge) {
                true => write(&self.form, scheme, rejection, with_error),
                false => self.written.get(rejection.kind() as usize)?.get(scheme, with_error),
            };
            Some((scheme, challenge?))
        })
    }

    /// The scheme whose challenge contains the error; `None` for all.
    fn error_in(&self, rejection: &Rejection, used: Option<TokenScheme>) -> Option<TokenScheme> {
        let is_one = rejection.kind() != RejectionKind::MultipleCredentials;
        used.filter(|_| is_one && self.form.schemes == Schemes::ALL)
    }
}

impl Written {
    fn get(&self, scheme: TokenScheme, with_error: bool) -> Option<HeaderValue> {
        let [bearer, dpop] = if with_error { &self.with_error } else { &self.without_error };
        match scheme {
            TokenScheme::Bearer => bearer.clone(),
            TokenScheme::DPoP => dpop.clone(),
        }
    }
}

impl Form {
    fn new(realm: String) -> Self {
        let (schemes, algorithms) = (Schemes::BEARER, AlgorithmSet::EMPTY);
        Self { realm, schemes, algorithms, resource_metadata: None, scope: None }
    }
}

/// # Errors
///
/// When the realm is empty or contains a character that is not printable ASCII (a space is allowed).
fn realm_parameter(realm: &str) -> Result<String, ConfigError> {
    if realm.is_empty() || !realm.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(ConfigError::new(
            ConfigErrorKind::Challenge,
            "the realm must not be empty, and may only contain printable ASCII characters",
        ));
    }
    let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("realm=\"{escaped}\""))
}

fn write(
    form: &Form,
    scheme: TokenScheme,
    rejection: &Rejection,
    with_error: bool,
) -> Option<HeaderValue> {
    if rejection.retry_after_seconds().is_some() {
        return None;
    }
    let mut challenge = format!("{scheme} {}", form.realm);
    let mut add = |name: &str, value: &dyn std::fmt::Display| {
        // Writing into a `String` cannot fail.
        let _ = write!(challenge, ", {name}=\"{value}\"");
    };
    if scheme == TokenScheme::DPoP && !form.algorithms.is_empty() {
        let names: Vec<&str> = form.algorithms.iter().map(Algorithm::name).collect();
        add("algs", &names.join(" "));
    }
    if let Some(url) = &form.resource_metadata {
        add("resource_metadata", url);
    }
    let details = rejection.details();
    // A token for a step-up takes the place of one whose scopes the layer does not know.
    let is_step_up = rejection.kind() == RejectionKind::InsufficientUserAuthentication;
    let is_start = rejection.status() == StatusCode::UNAUTHORIZED && !is_step_up;
    let scope = form.scope.as_ref().filter(|_| is_start);
    if let Some(scope) = rejection.scope().or(scope).and_then(fit_scope) {
        add("scope", &scope);
    }
    if let Some(error) = rejection.error_code().filter(|_| with_error) {
        add("error", &error);
        add("error_description", &fit_text(rejection.description()));
    }
    let details = details.filter(|_| with_error);
    if let Some(acr_values) = details.and_then(|details| details.acr_values.as_deref()) {
        add("acr_values", &fit_text(acr_values));
    }
    if let Some(max_age) = details.and_then(|details| details.max_age) {
        add("max_age", &max_age);
    }
    if challenge == DEFAULT_CHALLENGE {
        return Some(const { HeaderValue::from_static(DEFAULT_CHALLENGE) });
    }
    HeaderValue::try_from(challenge).ok()
}

/// The characters of a description: `%x20-21 / %x23-5B / %x5D-7E` (RFC 6750 section 3).
fn is_text_char(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Replaces the characters that a description cannot contain, and limits its length.
fn fit_text(text: &str) -> String {
    text.chars()
        .take(MAX_DESCRIPTION)
        .map(|c| match u8::try_from(c) {
            Ok(byte) if is_text_char(byte) => c,
            Ok(b'"') => '\'',
            _ => ' ',
        })
        .collect()
}

/// Whether one of the challenges in a field value has this scheme (RFC 9110 section 11.6.1).
pub(crate) fn names(scheme: TokenScheme, value: &[u8]) -> bool {
    let mut schemes = list_field::elements(value).map(|element| {
        let element = element.trim_ascii_start();
        let end = element.iter().position(|byte| !byte.is_ascii_alphanumeric());
        end.map_or((element, None), |end| {
            (element.get(..end).unwrap_or_default(), element.get(end))
        })
    });
    // `bearer=…` is a parameter.
    schemes.any(|(word, next)| {
        word.eq_ignore_ascii_case(scheme.as_str().as_bytes())
            && matches!(next, None | Some(b' ' | b'\t'))
    })
}

/// The values of a scope that a challenge can contain; `None` if there are none. A client asks for `offline_access` on
/// its own.
fn fit_scope(scope: &Scope) -> Option<Scope> {
    let is_fit = |value: &&str| {
        *value != "offline_access" && value.bytes().all(|byte| byte != b' ' && is_text_char(byte))
    };
    let scope: Scope = scope.iter().filter(is_fit).collect();
    (!scope.as_str().is_empty()).then_some(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge(rejection: &Rejection) -> String {
        let challenges = Challenges::new("orders").unwrap();
        let (_, challenge) = challenges.each(rejection, None).next().unwrap();
        challenge.to_str().unwrap().to_owned()
    }

    #[test]
    fn no_credentials_no_error() {
        for kind in [RejectionKind::MissingCredentials, RejectionKind::UnsupportedScheme] {
            assert_eq!(challenge(&kind.into()), r#"Bearer realm="orders""#);
        }
    }

    #[test]
    fn a_failed_token_has_an_error() {
        assert_eq!(
            challenge(&RejectionKind::ExpiredToken.into()),
            r#"Bearer realm="orders", error="invalid_token", error_description="the token has expired""#
        );
    }

    #[test]
    fn bearer_is_found_among_the_challenges_of_a_field() {
        for yes in [
            "Bearer",
            "bearer realm=\"a\"",
            "BEARER  x",
            "Basic realm=\"a\", Bearer realm=\"b\"",
            "Basic realm=\"a, \\\" b\",Bearer",
            "Negotiate,\tBearer scope=a",
        ] {
            assert!(names(TokenScheme::Bearer, yes.as_bytes()), "{yes}");
            let dpop = yes.to_lowercase().replace("bearer", "DPoP");
            assert!(names(TokenScheme::DPoP, dpop.as_bytes()), "{dpop}");
            assert!(!names(TokenScheme::Bearer, dpop.as_bytes()), "{dpop}");
        }
        for no in [
            "",
            "Basic",
            "BearerX realm=\"a\"",
            "Bearer-X realm=\"a\"",
            "Basic realm=\"a, Bearer b\"",
            "Basic realm=\"a\\\", Bearer b\"",
            "Custom a=1, bearer=2",
            "DPoP algs=\"ES256\"",
            "Basic Bearer",
        ] {
            assert!(!names(TokenScheme::Bearer, no.as_bytes()), "{no}");
        }
    }

    #[test]
    fn own_words_are_fitted_to_the_charset() {
        let odd = Rejection::invalid_token().with_description("say \"no\" \\ to\r\nü\0");
        assert!(challenge(&odd).ends_with(r#"error_description="say 'no'   to    ""#));
        let scope = Scope::from("read wr\"ite a\\b é ok");
        assert!(challenge(&Rejection::insufficient_scope(scope)).contains(r#", scope="read ok","#));
    }

    #[test]
    fn a_realm_is_a_quoted_string() {
        let challenges = Challenges::new(r#"a "b" \c"#).unwrap();
        let (_, written) =
            challenges.each(&RejectionKind::MissingCredentials.into(), None).next().unwrap();
        assert_eq!(written.to_str().unwrap(), r#"Bearer realm="a \"b\" \\c""#);
        for realm in ["", "a\r\nb", "é", "\u{7f}"] {
            assert!(Challenges::new(realm).is_err(), "{realm:?}");
        }
    }

    #[test]
    fn step_up_names_what_is_asked_for() {
        let age = Some(std::time::Duration::from_secs(300));
        let rejection = Rejection::insufficient_user_authentication(&["gold", "silver"], age);
        let written = challenge(&rejection);
        assert!(written.contains(r#"error="insufficient_user_authentication""#));
        assert!(written.ends_with(r#", acr_values="gold silver", max_age="300""#));
    }

    #[test]
    fn header_that_is_kept_ready_is_the_one_that_is_written_field_by_field() {
        let bearer = Challenges::new("orders").unwrap();
        let both = bearer.with_schemes(Schemes::ALL, Algorithm::ES256.into());
        let used = [None, Some(TokenScheme::Bearer), Some(TokenScheme::DPoP)];
        let all = RejectionKind::ALL.iter().flat_map(|kind| used.map(|used| (*kind, used)));
        for (challenges, count) in [(bearer, 1), (both, 2)] {
            for (kind, used) in all.clone() {
                let rejection = Rejection::from(kind);
                let (mut ready, mut written) = (HeaderMap::new(), HeaderMap::new());
                response::complete_headers(&mut ready, &rejection, &challenges, used);
                // With a field of its own, a response gets the others one by one.
                written.insert("x-own", HeaderValue::from_static("1"));
                response::complete_headers(&mut written, &rejection, &challenges, used);
                written.remove("x-own");
                assert_eq!(ready, written, "{kind:?}");
                assert!(ready.contains_key("cache-control"), "{kind:?}");
                let is_outage = kind == RejectionKind::Unavailable;
                assert_eq!(ready.contains_key("retry-after"), is_outage, "{kind:?}");
                let challenges = ready.get_all("www-authenticate").iter().count();
                let is_alone =
                    kind == RejectionKind::UseDpopNonce && used == Some(TokenScheme::DPoP);
                let count = if is_alone { 1 } else { count };
                assert_eq!(challenges, if is_outage { 0 } else { count }, "{kind:?}");
            }
        }
    }

    #[test]
    fn an_outage_of_ours_is_no_challenge() {
        let challenges = Challenges::default_realm();
        assert!(challenges.each(&RejectionKind::Unavailable.into(), None).next().is_none());
    }
}
