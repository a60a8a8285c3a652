//! One constructor for each of them.

use crate::config_error::{ConfigError, ConfigErrorKind};
use crate::verify::jwt::{ExpectedAudience, ExpectedIssuer};
use crate::verify::known_issuer::KnownIssuer;
use crate::verify::known_issuer::names::{
    check_domain, check_guid, check_segment, check_url, unusable_audience,
};

impl KnownIssuer {
    /// A tenant of Auth0, by its domain (`tenant.eu.auth0.com`, or one of its own), for an API by its
    /// identifier.
    ///
    /// The issuer is `https://DOMAIN/`, with the slash. A tenant with a domain of its own issues
    /// tokens in the name of the one that was asked (Auth0, *Custom Domains*).
    ///
    /// # Errors
    ///
    /// When the domain is not a bare one in lower case; when the audience is empty, or the tenant's
    /// `/userinfo`, which stands in the tokens of every API.
    ///
    /// # Example: a domain is no URL
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// assert!(KnownIssuer::auth0("login.example", "https://api.example").is_ok());
    /// assert!(KnownIssuer::auth0("https://login.example/", "https://api.example").is_err());
    /// ```
    pub fn auth0(domain: &str, audience: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        check_domain(domain)?;
        let issuer = format!("https://{domain}/");
        let audience = audience.into();
        let userinfo = format!("{issuer}userinfo");
        refuse_audiences(
            &audience,
            |name| name == userinfo,
            "this audience stands in the tokens of every API: give the identifier of yours",
        )?;
        Self::new(issuer, audience)
    }

    /// A realm of Keycloak, by the URL that the server has towards clients, for a client or whatever
    /// else an audience mapper writes into the tokens.
    ///
    /// The issuer is `BASE/realms/REALM`; the base of servers before version 17 ends in `/auth`. It is
    /// the *frontend* URL (Keycloak, *Configuring the hostname*): where this service reaches the
    /// server by another, add [`with_fetch_base`](Self::with_fetch_base).
    ///
    /// # Errors
    ///
    /// When the base is not an https URL (or http to this very machine), or has a realm, a query or a
    /// fragment; when the realm has other characters than letters, digits, `-`, `_` and `.`; when the
    /// audience is empty, or `account`, which stands in the tokens of nearly every client.
    ///
    /// # Example: the default audience is no audience
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// assert!(KnownIssuer::keycloak("https://login.example/", "shop", "orders").is_ok());
    /// assert!(KnownIssuer::keycloak("https://login.example/", "shop", "account").is_err());
    /// ```
    pub fn keycloak(
        base: &str,
        realm: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_url(base)?;
        check_segment(realm, "the realm")?;
        let base = base.strip_suffix('/').unwrap_or(base);
        if base.contains("/realms/") || base.ends_with("/realms") {
            return Err(unusable("the base of Keycloak is given without /realms"));
        }
        let audience = audience.into();
        refuse_audiences(
            &audience,
            |name| name == "account",
            "`account` stands in the tokens of nearly every client of a realm: add an audience mapper \
             and give its audience",
        )?;
        Self::new(format!("{base}/realms/{realm}"), audience)
    }

    /// One tenant of Microsoft Entra ID, by its ID, for an API by its client ID: tokens of version 2.0.
    ///
    /// The issuer is `https://login.microsoftonline.com/TENANT/v2.0`. The version is that of the *API*
    /// (`requestedAccessTokenVersion` in its manifest is 2), not of the endpoint that the client asked;
    /// where it is 1 or null, see [`entra_id_v1`](Self::entra_id_v1). For several tenants, see
    /// [`IssuerTemplate`](crate::IssuerTemplate) (Microsoft, *Access token claims reference*).
    ///
    /// # Errors
    ///
    /// When the tenant or the audience is not a GUID in lower case. `common`, `organizations` and a
    /// domain are none: their metadata name an issuer that no token has.
    ///
    /// # Example: every tenant is no tenant
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let api = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
    /// assert!(KnownIssuer::entra_id("72f988bf-86f1-41af-91ab-2d7cd011db47", api).is_ok());
    /// assert!(KnownIssuer::entra_id("common", api).is_err());
    /// ```
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

    /// One tenant of Microsoft Entra ID, by its ID, for an API: tokens of version 1.0.
    ///
    /// The issuer is `https://sts.windows.net/TENANT/`, with the slash. The audience is the
    /// Application ID URI (`api://…`) or the client ID, as the client asked for it: give those that
    /// yours do (Microsoft, *Access token claims reference*).
    ///
    /// # Errors
    ///
    /// When the tenant is not a GUID in lower case, or the audience is empty.
    ///
    /// # Example: both spellings of the audience
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let (uri, id) = ("api://orders", "6e74172b-be56-4843-9ff4-e66a39bb12e3");
    /// let issuer = KnownIssuer::entra_id_v1("72f988bf-86f1-41af-91ab-2d7cd011db47", [uri, id])?;
    /// assert_eq!(issuer.issuer(), "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/");
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn entra_id_v1(
        tenant: &str,
        audience: impl Into<ExpectedAudience>,
    ) -> Result<Self, ConfigError> {
        check_guid(tenant)?;
        Self::new(format!("https://sts.windows.net/{tenant}/"), audience.into())
    }

    /// A user pool of Amazon Cognito, by its ID, for some of its app clients: access tokens.
    ///
    /// The issuer is `https://cognito-idp.REGION.amazonaws.com/POOL`; the region stands in the ID of the
    /// pool. Access tokens of Cognito have no `aud`: `token_use` and `client_id` stand in its place, see
    /// [`ExpectedAudience::cognito_clients`] (Amazon, *Understanding the access token*).
    ///
    /// # Errors
    ///
    /// When the ID of the pool is not a region, `_` and a name; when there is no client, or one that has
    /// other characters than letters, digits, `+` and `_`.
    ///
    /// # Example: a pool
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let issuer = KnownIssuer::cognito("eu-west-1_AbCdEfGhI", ["7kd2qkvqm1h2r3s4t5u6v7w8x9"])?;
    /// let name = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI";
    /// assert_eq!(issuer.issuer(), name);
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn cognito<T: Into<String>>(
        user_pool: &str,
        clients: impl IntoIterator<Item = T>,
    ) -> Result<Self, ConfigError> {
        let region = crate::verify::known_issuer::names::region_of_pool(user_pool)?;
        let clients = ExpectedAudience::cognito_clients(clients);
        let is_client = |name: &str| {
            name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+_".contains(&octet))
        };
        refuse_audiences(
            &clients,
            |name| !is_client(name),
            "the ID of an app client has letters, digits, `+` and `_`",
        )?;
        Self::new(format!("https://cognito-idp.{region}.amazonaws.com/{user_pool}"), clients)
    }

    /// Google, for one or several client IDs: **ID tokens**.
    ///
    /// Access tokens of Google are opaque, and what its users and service accounts send to an API is
    /// an ID token. So, unlike everywhere else, ID tokens are accepted; event and logout tokens are
    /// not. `iss` is `https://accounts.google.com` or `accounts.google.com` (Google, *OpenID
    /// Connect*).
    ///
    /// Any service account in the world can have an ID token made for any audience: **the audience
    /// alone lets strangers in**. Compare `sub`, `hd` or a verified `email` with those whom you know.
    ///
    /// # Errors
    ///
    /// When the client ID is empty.
    ///
    /// # Example: a web application and its mobile sister
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let verifier = KnownIssuer::google_id_tokens([
    ///     "1234-web.apps.googleusercontent.com",
    ///     "1234-app.apps.googleusercontent.com",
    /// ])?
    /// .verifier();
    /// # let _ = verifier;
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn google_id_tokens(clients: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        const NAME: &str = "https://accounts.google.com";

        let names = ExpectedIssuer::from([NAME, "accounts.google.com"]);
        let mut google = Self::with_names(NAME.to_owned(), names, clients.into())?;
        google.rules.accept_id_tokens = true;
        Ok(google)
    }

    /// A custom authorization server of Okta, by the domain of the organization and the server's ID
    /// (`default` for the one that is there from the start), for its audience.
    ///
    /// The issuer is `https://DOMAIN/oauth2/SERVER`. The *org* authorization server, `https://DOMAIN`,
    /// issues access tokens that only Okta itself may read, and is not to be had here (Okta,
    /// *Authorization servers*).
    ///
    /// # Errors
    ///
    /// When the domain is not a bare one in lower case, or is that of the Admin Console; when the
    /// server's ID has other characters than letters, digits, `-`, `_` and `.`; when the audience is
    /// empty.
    ///
    /// # Example: the first server of an organization
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let issuer = KnownIssuer::okta("acme.okta.com", "default", "api://default")?;
    /// assert_eq!(issuer.issuer(), "https://acme.okta.com/oauth2/default");
    /// assert!(KnownIssuer::okta("acme-admin.okta.com", "default", "api://default").is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
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

    /// A project of Firebase Authentication (or of Identity Platform), by its ID.
    ///
    /// The issuer is `https://securetoken.google.com/PROJECT`, the audience the project. All projects
    /// share their keys, so these two are what tells them apart. What clients send is called an ID
    /// token, has no `at_hash`, and is made for the application's own backend. `sub` and `auth_time`
    /// are required (Firebase, *Verify ID Tokens*).
    ///
    /// # Errors
    ///
    /// When the project is not 6 to 30 lower-case letters, digits and `-`, such as its *name* or its
    /// *number*.
    ///
    /// # Example: the ID, not the name
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let issuer = KnownIssuer::firebase("acme-app-4711")?;
    /// assert_eq!(issuer.issuer(), "https://securetoken.google.com/acme-app-4711");
    /// assert!(KnownIssuer::firebase("Acme App").is_err());
    /// # Ok::<(), tower_jwt_auth::ConfigError>(())
    /// ```
    pub fn firebase(project: &str) -> Result<Self, ConfigError> {
        crate::verify::known_issuer::names::check_project(project)?;
        let issuer = format!("https://securetoken.google.com/{project}");
        let mut firebase = Self::new(issuer, project.into())?;
        firebase.rules.required.extend(["sub".to_owned(), "auth_time".to_owned()]);
        Ok(firebase)
    }

    /// Dex, by the `issuer` of its configuration, for one or several client IDs.
    ///
    /// The issuer is compared as it is configured, with its path. Access tokens of Dex have the form
    /// of ID tokens, `at_hash` included, so that claim is allowed: see
    /// [`allow_at_hash`](crate::JwtVerifier::allow_at_hash). The audience is the client that the token
    /// was made for; an ID token of the same client is accepted too, since nothing tells the two
    /// apart.
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to this very machine); when there is no client, or
    /// an empty one.
    pub fn dex(issuer: &str, clients: impl Into<ExpectedAudience>) -> Result<Self, ConfigError> {
        check_url(issuer)?;
        let mut dex = Self::new(issuer.to_owned(), clients.into())?;
        dex.rules.allow_at_hash = true;
        Ok(dex)
    }

    /// The service accounts of a Kubernetes cluster, by its issuer, for an audience of your own:
    /// projected tokens.
    ///
    /// The issuer is what the API server was started with (`--service-account-issuer`), and stands in
    /// each token and at `/.well-known/openid-configuration` of the API server. The claim
    /// `kubernetes.io`, which says whose token it is, is required. Inside of a cluster the API server
    /// wants a certificate authority of its own and a token: see the guide `docs::providers`
    /// (Kubernetes, *Managing Service Accounts*).
    ///
    /// # Errors
    ///
    /// When the issuer is not an https URL (or http to this very machine); when the audience is empty,
    /// or that of the API server itself: whoever gets such a token can use it there.
    ///
    /// # Example: an audience of one's own
    ///
    /// ```
    /// use tower_jwt_auth::KnownIssuer;
    ///
    /// let cluster = "https://kubernetes.default.svc.cluster.local";
    /// assert!(KnownIssuer::kubernetes(cluster, "orders").is_ok());
    /// assert!(KnownIssuer::kubernetes(cluster, cluster).is_err());
    /// ```
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
            "this is the audience of the API server: project tokens for one of your own",
        )?;
        let mut cluster = Self::new(issuer.to_owned(), audience)?;
        cluster.rules.required.push("kubernetes.io".to_owned());
        Ok(cluster)
    }
}

/// Refuses audiences that look right and are not.
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
