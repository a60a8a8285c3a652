//! The constructors of well-known issuers.

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer};
use crate::verify::known_issuer::KnownIssuer;
use crate::verify::known_issuer::names::{
    check_domain, check_guid, check_segment, check_url, unusable_audience,
};

impl KnownIssuer {
    /// Auth0: accepts the access tokens of one tenant for one API. `domain` is the domain of the tenant
    /// (`tenant.eu.auth0.com` or a custom domain), `audience` the identifier of the API.
    ///
    /// The issuer is `https://DOMAIN/`, with the slash. If a tenant has a custom domain, its tokens name the
    /// domain that the client used (Auth0, *Custom Domains*).
    ///
    /// # Errors
    ///
    /// When the domain is not a bare domain in lower case, such as a URL; when the audience is empty, or is
    /// `https://DOMAIN/userinfo`: the tokens of every API contain that audience if the client requested `openid`.
    pub fn auth0(domain: &str, audience: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        check_domain(domain)?;
        let issuer = format!("https://{domain}/");
        let audience = audience.into();
        let userinfo = format!("{issuer}userinfo");
        refuse_audiences(
            &audience,
            |name| name == userinfo,
            "the tokens of every API contain this audience: give the identifier of your API",
        )?;
        Self::new(issuer, audience)
    }

    /// Keycloak: accepts the access tokens of one realm. `base` is the public URL of the server, `realm` the
    /// name of the realm, and `audience` the audience that an audience mapper writes into the tokens.
    ///
    /// The issuer is `BASE/realms/REALM` (a final slash of `base` is dropped); the base of servers before version
    /// 17 ends in `/auth`. `base` is the *frontend* URL (Keycloak, *Configuring the hostname*). If this service
    /// reaches the server under another URL, add [`with_fetch_base`](Self::with_fetch_base).
    ///
    /// # Errors
    ///
    /// When the base is not an https URL (or http to a loopback address), or contains a realm, a query, a
    /// fragment, a user name or a password; when the realm is empty, or has other characters than ASCII letters,
    /// digits, `-`, `_` and `.`; when the audience is empty, or is `account`: the tokens of nearly every client
    /// contain that audience.
    pub fn keycloak(
        base: &str,
        realm: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_url(base)?;
        check_segment(realm, "the realm")?;
        let base = base.strip_suffix('/').unwrap_or(base);
        if base.contains("/realms/") || base.ends_with("/realms") {
            return Err(unusable("give the base URL of Keycloak without /realms"));
        }
        let audience = audience.into();
        refuse_audiences(
            &audience,
            |name| name == "account",
            "the tokens of nearly every client of a realm contain `account`: add an audience mapper \
             and give its audience",
        )?;
        Self::new(format!("{base}/realms/{realm}"), audience)
    }

    /// Microsoft Entra ID: accepts access tokens of version 2.0. `tenant` is the ID of the tenant, `audience`
    /// the client ID of the API.
    ///
    /// The issuer is `https://login.microsoftonline.com/TENANT/v2.0`. The *API* determines the version, with
    /// `requestedAccessTokenVersion` in its manifest. Use this constructor for 2. For 1 or null, use
    /// [`entra_id_v1`](Self::entra_id_v1). The version of the endpoint that the client uses does not matter
    /// (Microsoft, *Access token claims reference*). For several tenants, see
    /// [`IssuerTemplate`](crate::IssuerTemplate).
    ///
    /// # Errors
    ///
    /// When the tenant or the audience is not a GUID in lower case. So `common`, `organizations` and a domain
    /// are errors: the issuer in a token always contains the GUID of the tenant.
    pub fn entra_id(
        tenant: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_guid(tenant)?;
        let audience = audience.into();
        refuse_audiences(
            &audience,
            |name| check_guid(name).is_err(),
            "the audience of a token of version 2.0 is the API's client ID, a GUID in lower case",
        )?;
        Self::new(format!("https://login.microsoftonline.com/{tenant}/v2.0"), audience)
    }

    /// Microsoft Entra ID: accepts access tokens of version 1.0. `tenant` is the ID of the tenant, `audience`
    /// names the API.
    ///
    /// The issuer is `https://sts.windows.net/TENANT/`, with the slash. The audience is the API's Application
    /// ID URI (`api://…`) or its client ID, depending on what the client requests. If clients use both, give
    /// both (Microsoft, *Access token claims reference*).
    ///
    /// # Errors
    ///
    /// When the tenant is not a GUID in lower case, or when the audience is empty.
    pub fn entra_id_v1(
        tenant: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_guid(tenant)?;
        Self::new(format!("https://sts.windows.net/{tenant}/"), audience.into())
    }

    /// Amazon Cognito: accepts the access tokens of one user pool. `user_pool` is the ID of the pool, such as
    /// `eu-west-1_AbCdEfGhI`, `clients` are the IDs of its app clients.
    ///
    /// The issuer is `https://cognito-idp.REGION.amazonaws.com/POOL`, with the region from the ID of the pool.
    /// Access tokens of Cognito have no `aud`. `token_use` and `client_id` are compared in place of `aud`: see
    /// [`ExpectedAudience::cognito_clients`] (Amazon, *Understanding the access token*).
    ///
    /// # Errors
    ///
    /// When the ID of the pool is not a region, `_` and a name, or the region is in China (`cn-…`): such a pool
    /// has another host; when there is no client, or a client is empty or has other characters than ASCII letters,
    /// digits, `+` and `_`.
    pub fn cognito<T: Into<String>>(
        user_pool: &str,
        clients: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let region = crate::verify::known_issuer::names::region_of_pool(user_pool)?;
        let clients = ExpectedAudience::cognito_clients(clients);
        let is_client = |name: &str| {
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+_".contains(&byte))
        };
        refuse_audiences(
            &clients,
            |name| !is_client(name),
            "the ID of an app client may only contain letters, digits, `+` and `_`",
        )?;
        Self::new(format!("https://cognito-idp.{region}.amazonaws.com/{user_pool}"), clients)
    }

    /// Google: accepts **ID tokens**. `clients` is one client ID or several.
    ///
    /// Access tokens of Google are opaque, so users and service accounts send ID tokens to an API. Only this
    /// constructor accepts every form of ID token ([`dex`](Self::dex) accepts ID tokens with `at_hash`). Like
    /// the other constructors, it refuses event and logout tokens. The expected `iss` is
    /// `https://accounts.google.com` or `accounts.google.com` (Google, *OpenID Connect*).
    ///
    /// Every service account of Google can get an ID token for any audience, so **the audience does not keep
    /// untrusted clients out**. Compare `sub`, `hd` or a verified `email` with known values.
    ///
    /// # Errors
    ///
    /// When there is no client ID, or an empty one.
    pub fn google_id_tokens(clients: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        const NAME: &str = "https://accounts.google.com";

        let names = ExpectedIssuer::from([NAME, "accounts.google.com"]);
        let mut google = Self::with_names(NAME.to_owned(), names, clients.into())?;
        google.rules.accept_id_tokens = true;
        Ok(google)
    }

    /// Okta: accepts the access tokens of a custom authorization server. `domain` is the domain of the
    /// organization, `authorization_server` the ID of the server (`default` for the predefined one), and
    /// `audience` the server's audience.
    ///
    /// The issuer is `https://DOMAIN/oauth2/SERVER`. The *org* authorization server, `https://DOMAIN`, is not
    /// supported: only Okta can verify its access tokens (Okta, *Authorization servers*).
    ///
    /// # Errors
    ///
    /// When the domain is not a bare domain in lower case, or is the domain of the Admin Console
    /// (`ORG-admin.okta.com`); when the server's ID is empty, or has other characters than ASCII letters, digits,
    /// `-`, `_` and `.`; when the audience is empty.
    pub fn okta(
        domain: &str,
        authorization_server: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_domain(domain)?;
        check_segment(authorization_server, "the authorization server")?;
        let is_console = domain.split_once('.').is_some_and(|(org, rest)| {
            org.ends_with("-admin")
                && ["okta.com", "oktapreview.com", "okta-emea.com"].contains(&rest)
        });
        if is_console {
            return Err(unusable("this is the domain of the Admin Console: leave `-admin` out"));
        }
        Self::new(format!("https://{domain}/oauth2/{authorization_server}"), audience.into())
    }

    /// Firebase Authentication (or Identity Platform): accepts the tokens of one project. `project` is the ID
    /// of the project.
    ///
    /// The issuer is `https://securetoken.google.com/PROJECT`, the audience is the project. All projects share
    /// their keys: only these two claims distinguish the projects. Clients send tokens that Firebase calls ID
    /// tokens. These have no `at_hash`, and are meant for the application's own backend. `sub` and `auth_time`
    /// are required (Firebase, *Verify ID Tokens*).
    ///
    /// # Errors
    ///
    /// When the project is not 6 to 30 lower-case letters, digits and `-`, does not begin with a letter, or ends
    /// with `-`. So the *number* of a project is an error, and its *name* too if the name has a space or a capital
    /// letter.
    pub fn firebase(project: &str) -> Result<Self, ConfigError> {
        crate::verify::known_issuer::names::check_project(project)?;
        let issuer = format!("https://securetoken.google.com/{project}");
        let mut firebase = Self::new(issuer, project.into())?;
        firebase.rules.required.extend(["sub".to_owned(), "auth_time".to_owned()]);
        Ok(firebase)
    }

    /// Dex: accepts the access tokens of a Dex server. `issuer` is the `issuer` of Dex's configuration, with
    /// its path; `clients` is one client ID or several.
    ///
    /// Access tokens of Dex have the form of ID tokens with an `at_hash`, so this claim is allowed: see
    /// [`allow_at_hash`](crate::JwtVerifier::allow_at_hash). The audience is the client that the token was
    /// issued to. An ID token of the same client is accepted too, since it does not differ from an access
    /// token.
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to a loopback address), or has a query, a fragment, a
    /// user name or a password; when there is no client, or an empty one.
    pub fn dex(issuer: &str, clients: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        check_url(issuer)?;
        let mut dex = Self::new(issuer.to_owned(), clients.into())?;
        dex.rules.allow_at_hash = true;
        Ok(dex)
    }

    /// Kubernetes: accepts projected service account tokens. `issuer` is the issuer of the cluster,
    /// `audience` an audience of the application.
    ///
    /// The issuer is the value of the API server's option `--service-account-issuer`. It is also in each
    /// token, and in the API server's `/.well-known/openid-configuration`. The claim `kubernetes.io`, which
    /// names the service account, is required.
    ///
    /// If the keys are fetched from the API server inside a cluster, the HTTP client must trust the API
    /// server's certificate authority and send a token: see the guide
    /// [`docs::providers`](crate::docs::providers). See also *Managing Service Accounts* in the Kubernetes
    /// documentation.
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to a loopback address), or has a query, a fragment, a
    /// user name or a password; when an audience is empty, or is an audience of the API server itself (the
    /// issuer's name, `https://kubernetes.default.svc` or `https://kubernetes.default.svc.cluster.local`). An
    /// application that receives a token with such an audience could call the API server in the name of the
    /// token's service account.
    pub fn kubernetes(
        issuer: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        const API_SERVERS: [&str; 2] =
            ["https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local"];

        check_url(issuer)?;
        let audience = audience.into();
        refuse_audiences(
            &audience,
            |name| name == issuer || API_SERVERS.contains(&name),
            "this is the audience of the API server: project tokens for another audience",
        )?;
        let mut cluster = Self::new(issuer.to_owned(), audience)?;
        cluster.rules.required.push("kubernetes.io".to_owned());
        Ok(cluster)
    }
}

/// Refuses audiences that look right but are wrong.
fn refuse_audiences(
    audience: &ExpectedAudience,
    refuses: impl Fn(&str) -> bool,
    why: &'static str,
) -> Result<(), ConfigError> {
    match audience.names().iter().any(|name| refuses(name)) {
        true => Err(unusable_audience(why)),
        false => Ok(()),
    }
}

fn unusable(message: &'static str) -> ConfigError {
    ConfigError::new(ConfigErrorKind::Issuer, message)
}
