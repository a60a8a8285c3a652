//! The authorization request (RFC 6749 section 4.1.1, OpenID Connect Core 1.0 section 3.1.2.1): what it must be like.

use std::net::IpAddr;

use super::redirect_uri::{self, ReturnAddress};
use super::refusal::{Code, Refusal};
use super::scopes;
use crate::Service;
use crate::client_documents::{self, Published};
use crate::id_token_hint;
use crate::observe::facts;
use crate::pages::Unregistered;
use crate::pages::parameters::{Parameters, Repeated};
use crate::store::{Client, GrantType, Seconds, Session};

/// The longest `state`, in bytes.
const MAX_STATE: usize = 4096;
/// The longest `nonce`, in bytes. It is stored with the code, and is in the ID token.
const MAX_NONCE: usize = 512;
/// How long the consent page may be open.
const READING_TIME: Seconds = 600;

/// An authorization request that was checked.
#[derive(Debug)]
pub(crate) struct AuthorizationRequest {
    pub(crate) client: Client,
    /// What is known of a client that is not registered.
    pub(crate) published: Option<Published>,
    pub(crate) return_to: ReturnAddress,
    /// The scopes that are known here; `None` if the request names none.
    pub(crate) scopes: Option<Vec<String>>,
    /// Empty: the issuer.
    pub(crate) resources: Vec<String>,
    pub(crate) code_challenge: String,
    pub(crate) nonce: Option<String>,
    pub(crate) prompt: Prompt,
    max_age: Option<Seconds>,
    pub(crate) login_hint: Option<String>,
    /// The user who must be logged in; `Some(None)` if the ID token cannot be verified.
    user: Option<Option<String>>,
    /// All of it, for the pages and the forms on them.
    pub(crate) parameters: Parameters,
}

/// What the client wants to be shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prompt {
    /// No page at all.
    pub(crate) none: bool,
    /// The login, also with a session. `select_account` counts as this: a browser has one session.
    pub(crate) login: bool,
    /// The question, also if it was answered before.
    pub(crate) consent: bool,
}

impl AuthorizationRequest {
    /// Checks a request. Before the client and its redirect URI are known to be good, a refusal is a page.
    pub(crate) async fn read(
        service: &Service,
        parameters: Parameters,
        address: IpAddr,
    ) -> Result<Self, Refusal> {
        let (client, published, return_to) = addressee(service, &parameters, address).await?;
        let refuse = |code, why| Refusal::Redirect(return_to.clone(), code, why);
        let repeated = |_: Repeated| refuse(Code::InvalidRequest, "a parameter is given twice");
        if parameters.is_any_repeated() {
            return Err(repeated(Repeated));
        }
        let one = |name| parameters.one(name).map_err(repeated);
        if one("state")?.is_some_and(|state| state.len() > MAX_STATE) {
            return Err(refuse(Code::InvalidRequest, "state is longer than 4096 bytes"));
        }

        match one("response_type")? {
            Some("code") => {}
            Some(_) => {
                let why = "the only response_type here is code";
                return Err(refuse(Code::UnsupportedResponseType, why));
            }
            None => return Err(refuse(Code::InvalidRequest, "response_type is missing")),
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            let why = "the client may not use the authorization code grant";
            return Err(refuse(Code::UnauthorizedClient, why));
        }
        for (name, code) in [
            ("request", Code::RequestNotSupported),
            ("request_uri", Code::RequestUriNotSupported),
            ("registration", Code::RegistrationNotSupported),
        ] {
            if one(name)?.is_some() {
                return Err(refuse(code, "request objects are not supported here"));
            }
        }
        if !matches!(one("response_mode")?, None | Some("query")) {
            return Err(refuse(Code::InvalidRequest, "the only response_mode here is query"));
        }
        let code_challenge = code_challenge(one("code_challenge")?, one("code_challenge_method")?)
            .map_err(|why| refuse(Code::InvalidRequest, why))?;
        let prompt =
            Prompt::read(one("prompt")?).map_err(|why| refuse(Code::InvalidRequest, why))?;
        let max_age = max_age(one("max_age")?).map_err(|why| refuse(Code::InvalidRequest, why))?;

        let scopes = match one("scope")? {
            Some(asked) => Some(
                scopes::known(&service.settings, &client, asked)
                    .map_err(|why| refuse(Code::InvalidScope, why))?,
            ),
            None => None,
        };
        let mut resources: Vec<String> = Vec::new();
        for resource in parameters.all("resource") {
            if !service.is_audience(resource) {
                let why = "no tokens are issued for a resource that is asked for";
                return Err(refuse(Code::InvalidTarget, why));
            }
            if !resources.iter().any(|one| one == resource) {
                resources.push(resource.to_owned());
            }
        }

        if one("nonce")?.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
            return Err(refuse(Code::InvalidRequest, "nonce is longer than 512 bytes"));
        }
        let (nonce, login_hint) = (one("nonce")?.map(str::to_owned), one("login_hint")?);
        let login_hint = login_hint.map(str::to_owned);
        let user = one("id_token_hint")?
            .map(|token| id_token_hint::read(service, token).map(|hint| hint.user));
        Ok(Self {
            client,
            published,
            return_to,
            scopes,
            resources,
            code_challenge,
            nonce,
            prompt,
            max_age,
            login_hint,
            user,
            parameters,
        })
    }

    /// Whether the user must log in although there is this session.
    pub(crate) fn needs_login(&self, session: &Session, now: Seconds) -> bool {
        // A maximum age of 0 is the same as `prompt=login` (OpenID Connect Core 1.0 section 3.1.2.1).
        let is_too_old =
            |age: Seconds| age == 0 || now.saturating_sub(session.authenticated_at) > age;
        let is_another = |user: &Option<String>| user.as_ref() != Some(&session.user);
        self.prompt.login
            || self.max_age.is_some_and(is_too_old)
            || self.user.as_ref().is_some_and(is_another)
    }

    /// The same when the consent page is answered, for which there are ten minutes beside the maximum age. Otherwise a
    /// person who reads for longer than a small `max_age` would be asked to log in again and again.
    pub(crate) fn needs_login_after_consent(&self, session: &Session, now: Seconds) -> bool {
        self.needs_login(session, now.saturating_sub(READING_TIME))
    }

    /// The request after a login: it does not ask for another one.
    pub(crate) fn after_login(&self) -> Parameters {
        let parameters = self.parameters.clone();
        let parameters = match self.prompt {
            Prompt { consent: true, .. } => parameters.with("prompt", "consent"),
            Prompt { login: true, .. } => parameters.without("prompt"),
            Prompt { .. } => parameters,
        };
        // A hint that cannot be verified would ask again and again. A verified one still says who it must be.
        let parameters = match self.user {
            Some(None) => parameters.without("id_token_hint"),
            Some(Some(_)) | None => parameters,
        };
        match self.max_age {
            Some(0) => parameters.without("max_age"),
            Some(_) | None => parameters,
        }
    }

    /// Whether the ID token of the request is that of another user.
    pub(crate) fn is_for_another(&self, user: &str) -> bool {
        self.user.as_ref().and_then(Option::as_deref).is_some_and(|wanted| wanted != user)
    }

    /// The request for another account.
    pub(crate) fn with_login(&self) -> Parameters {
        let prompt = if self.prompt.consent { "login consent" } else { "login" };
        self.parameters.clone().with("prompt", prompt)
    }

    /// What the page says of a client that is not registered.
    pub(crate) fn unregistered(&self) -> Option<Unregistered<'_>> {
        let published = self.published.as_ref()?;
        let redirect_uri = &self.return_to.redirect_uri;
        Some(Unregistered {
            url: &self.client.id,
            claimed_name: published.claimed_name.as_deref(),
            can_be_taken: redirect_uri::can_be_taken(redirect_uri),
            is_elsewhere: !redirect_uri::is_same_site(redirect_uri, &self.client.id),
        })
    }

    /// The hash of the document of a client that is not registered.
    pub(crate) fn document_hash(&self) -> Option<&str> {
        self.published.as_ref().map(|one| one.document_hash.as_str())
    }

    /// A refusal that the client learns of.
    pub(crate) fn refuse(&self, code: Code, why: &'static str) -> Refusal {
        Refusal::Redirect(self.return_to.clone(), code, why)
    }
}

/// The client, and where its response goes.
async fn addressee(
    service: &Service,
    parameters: &Parameters,
    address: IpAddr,
) -> Result<(Client, Option<Published>, ReturnAddress), Refusal> {
    let id = parameters.one("client_id");
    let id = id.map_err(|_| Refusal::Page("The client_id is given twice."))?;
    let id = id.ok_or(Refusal::Page("The client_id is missing."))?;
    let client = service.client(id).await.map_err(Refusal::Store)?;
    let (client, published) = match client {
        Some(client) => (client, None),
        None if service.documents.is_client_id(id) => {
            let published = client_documents::find(service, id, address).await?;
            (published.client.clone(), Some(published))
        }
        None => return Err(Refusal::Page("The application is not registered here.")),
    };
    facts::client(&client.id);
    let uri = parameters.one("redirect_uri");
    let uri = uri.map_err(|_| Refusal::Page("The redirect_uri is given twice."))?;
    // RFC 6749 lets a client with one URI leave it out. OpenID Connect does not, and then nothing can be confused.
    let uri = uri.ok_or(Refusal::Page("The redirect_uri is missing."))?;
    if !redirect_uri::is_registered(&client.redirect_uris, uri) {
        return Err(Refusal::Page("The redirect_uri is not registered for this application."));
    }
    // A `state` that is repeated or too long is refused later, and is not returned then.
    let state = parameters.one("state").ok().flatten().filter(|state| state.len() <= MAX_STATE);
    let state = state.map(str::to_owned);
    let issuer = service.issuer().to_owned();
    let is_untrusted = published.is_some() && !redirect_uri::is_on_device(uri);
    let redirect_uri = uri.to_owned();
    Ok((client, published, ReturnAddress { redirect_uri, state, issuer, is_untrusted }))
}

/// The challenge of PKCE (RFC 7636 section 4.3), by S256 alone.
fn code_challenge(challenge: Option<&str>, method: Option<&str>) -> Result<String, &'static str> {
    let challenge = challenge.ok_or("code_challenge is missing: PKCE is required")?;
    if method != Some("S256") {
        return Err("code_challenge_method must be S256");
    }
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if challenge.len() != 43 || !challenge.bytes().all(is_base64url) {
        return Err("code_challenge must be the SHA-256 hash of the verifier, in base64url");
    }
    Ok(challenge.to_owned())
}

fn max_age(value: Option<&str>) -> Result<Option<Seconds>, &'static str> {
    let Some(value) = value else { return Ok(None) };
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("max_age must be a number of seconds");
    }
    // An age that is too large for a number is no limit.
    Ok(Some(value.parse().unwrap_or(Seconds::MAX)))
}

impl Prompt {
    fn read(value: Option<&str>) -> Result<Self, &'static str> {
        let mut prompt = Self::default();
        for name in value.unwrap_or_default().split(' ').filter(|name| !name.is_empty()) {
            match name {
                "none" => prompt.none = true,
                "login" | "select_account" => prompt.login = true,
                "consent" => prompt.consent = true,
                _ => return Err("prompt must be none, login, consent or select_account"),
            }
        }
        if prompt.none && (prompt.login || prompt.consent) {
            return Err("prompt has none together with another value");
        }
        Ok(prompt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_s256_is_a_challenge() {
        let good = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(code_challenge(Some(good), Some("S256")).as_deref(), Ok(good));
        for (challenge, method) in [
            (None, None),
            (None, Some("S256")),
            (Some(good), None),
            (Some(good), Some("plain")),
            (Some(good), Some("s256")),
            (Some(&good[1..]), Some("S256")),
            (Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"), Some("S256")),
        ] {
            assert!(code_challenge(challenge, method).is_err(), "{challenge:?} {method:?}");
        }
    }

    #[test]
    fn max_age_is_a_number() {
        assert_eq!(max_age(None), Ok(None));
        assert_eq!(max_age(Some("0")), Ok(Some(0)));
        assert_eq!(max_age(Some("99999999999999999999")), Ok(Some(Seconds::MAX)));
        for wrong in ["-1", "+1", "1.5", "x", " 1"] {
            assert!(max_age(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn none_is_alone() {
        for wrong in ["none login", "consent none", "create", "LOGIN"] {
            assert!(Prompt::read(Some(wrong)).is_err(), "{wrong}");
        }
        let prompt = Prompt::read(Some("login consent")).unwrap();
        assert!(prompt.login && prompt.consent && !prompt.none);
        assert!(Prompt::read(Some("select_account")).unwrap().login);
    }
}
