//! The setters.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "reqwest-0_13")]
use reqwest::Client;

use crate::claims::ScopeHierarchy;
use crate::clock::Clock;
use crate::config_error::{ConfigError, ConfigErrorKind};
#[cfg(feature = "reqwest-0_13")]
use crate::key_source::HttpFetch;
use crate::key_source::{Fetch, FetchUrl, HttpHosts, KeySource};
use crate::verify::introspection::client_authentication::ClientAuthentication;
use crate::verify::introspection::endpoint::Endpoint;
use crate::verify::introspection::signed::SignedResponses;
use crate::verify::introspection::{AnswerRules, Introspection};
use crate::verify::jwt::{
    Expected, ExpectedAudience, ExpectedIssuer, Rules, checked_leeway, checked_token_length,
};
use crate::verify::rule_context::RuleContext;

impl Introspection {
    /// Like [`new`](Self::new), but also allows plain http to the listed hosts.
    ///
    /// Use it in a closed network where the authorization server has no certificate, such as the network of the
    /// containers on one machine. **Anyone who can read the requests gets the tokens and the credentials of this
    /// service. Anyone who can respond in place of a listed host decides which tokens are accepted.** A host is a name
    /// or an address (IPv6 in brackets), in any case, and is allowed on every port. A subdomain is another host.
    ///
    /// # Errors
    ///
    /// Like [`new`](Self::new), and when a host is empty or has a scheme, a port, a path or a wildcard.
    #[cfg(feature = "reqwest-0_13")]
    pub fn dangerous_allow_http_hosts<I>(
        issuer: impl Into<ExpectedIssuer>,
        audience: impl Into<ExpectedAudience>,
        url: &str,
        client: ClientAuthentication,
        hosts: I,
    ) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let fetch = HttpFetch::default();
        Self::dangerous_allow_http_hosts_with(issuer, audience, url, client, hosts, fetch)
    }

    /// Like [`dangerous_allow_http_hosts`](Self::dangerous_allow_http_hosts), but `fetch` sends the requests. See
    /// [`Fetch`].
    ///
    /// **Anyone who can read the requests gets the tokens and the credentials of this service. Anyone who can respond in
    /// place of a listed host decides which tokens are accepted.**
    ///
    /// # Errors
    ///
    /// Like [`new`](Self::new), and when a host is empty or has a scheme, a port, a path or a wildcard.
    pub fn dangerous_allow_http_hosts_with<I>(
        issuer: impl Into<ExpectedIssuer>,
        audience: impl Into<ExpectedAudience>,
        url: &str,
        client: ClientAuthentication,
        hosts: I,
        fetch: impl Fetch,
    ) -> Result<Self, ConfigError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let url = FetchUrl::parse(url, &HttpHosts::parse(hosts)?)?;
        Self::at(url, Rules::new(issuer.into(), audience.into())?, client, fetch)
    }
}

impl<C> Introspection<C> {
    /// Replaces the type of the claims; [`RegisteredClaims`](crate::RegisteredClaims) by default.
    ///
    /// `D` is any type that `serde` can deserialize from an object. It can also read members that are not claims, such
    /// as `username` (RFC 7662 section 2.2), but none that is `null`. An active token whose answer does not fit
    /// is refused as [`UnexpectedClaims`](crate::RejectionKind::UnexpectedClaims).
    ///
    /// # Example: the user name
    ///
    /// ```
    /// use serde::Deserialize;
    /// use tower_jwt_auth::Introspection;
    ///
    /// #[derive(Deserialize)]
    /// struct Answer {
    ///     username: String,
    /// }
    ///
    /// fn of_users(verifier: Introspection) -> Introspection<Answer> {
    ///     verifier.with_claims()
    /// }
    /// # let _ = (of_users, |answer: Answer| answer.username);
    /// ```
    #[must_use]
    pub fn with_claims<D>(self) -> Introspection<D> {
        Introspection::from_parts(self.endpoint, self.rules, self.signed, self.cache)
    }

    /// Replaces the HTTP client, for custom proxies, certificates or headers, and for a client certificate by which this
    /// service authenticates (RFC 8705 section 2; see [`ClientAuthentication::tls_client`]).
    ///
    /// By default the client uses rustls and the root certificates of the platform, has 2 seconds to connect, and uses
    /// neither redirects nor cookies. Build a custom client with `redirect(Policy::none())`: a response from another URL
    /// is refused, but only after the client has followed the redirect, with the token.
    #[cfg(feature = "reqwest-0_13")]
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_fetcher(HttpFetch::with_client(client))
    }

    /// Replaces the [`Fetch`] implementation. By default it is that of the constructor.
    #[must_use]
    pub fn with_fetcher(self, fetch: impl Fetch) -> Self {
        self.with_endpoint(|endpoint| endpoint.with_poster(|poster| poster.with(fetch)))
    }

    /// Refuses addresses outside the public internet; by default they are allowed. See
    /// [`JwksUrl::refuse_private_addresses`](crate::JwksUrl::refuse_private_addresses).
    ///
    /// # Errors
    ///
    /// When the host in the URL is `localhost` or such an address.
    pub fn refuse_private_addresses(self) -> Result<Self, ConfigError> {
        self.endpoint.url().check_public()?;
        Ok(self.with_endpoint(|endpoint| {
            endpoint.with_poster(|poster| poster.refusing_private_addresses())
        }))
    }

    /// Replaces the number of requests that the endpoint gets at the same time; 32 by default. Clones share the number.
    ///
    /// # Errors
    ///
    /// When the number is 0 or more than 1024.
    pub fn with_max_concurrent_requests(self, requests: usize) -> Result<Self, ConfigError> {
        match (1..=1024).contains(&requests) {
            true => Ok(self.with_endpoint(|endpoint| endpoint.with_slots(requests))),
            false => Err(ConfigError::new(
                ConfigErrorKind::Capacity,
                "an introspection endpoint gets 1 to 1024 requests at the same time",
            )),
        }
    }

    /// Replaces the time for which an answer is used again; 30 seconds by default, 0 turns the caches off. An answer is
    /// never used after the `exp` of the token.
    ///
    /// A token that is revoked is accepted until its answer is this old. Without a cache, each request waits for the
    /// authorization server, and a client that repeats a refused token causes as many requests to it. Requests with the
    /// same token at the same time share one answer all the same, so an answer can be to a question that was asked up to
    /// 5 seconds before.
    ///
    /// # Errors
    ///
    /// When the time is longer than an hour.
    pub fn with_cache_age(self, age: Duration) -> Result<Self, ConfigError> {
        let cache = self.cache.with_age(age)?;
        Ok(Self::from_parts(self.endpoint, self.rules, self.signed, cache))
    }

    /// Replaces the number of accepted tokens whose answers are kept; 4096 by default. A token and its answer take up
    /// to 5 KiB if they have up to 1 KiB together, beside what the claims type makes of them. Longer ones count more.
    ///
    /// # Errors
    ///
    /// When the capacity is 0, or more than 16777216.
    pub fn with_cache_capacity(self, capacity: usize) -> Result<Self, ConfigError> {
        let cache = self.cache.with_capacity(capacity)?;
        Ok(Self::from_parts(self.endpoint, self.rules, self.signed, cache))
    }

    /// Requires responses that the authorization server signed (RFC 9701). By default responses are plain JSON, which
    /// TLS alone protects. `keys` are those of the issuer, such as a `JwksUrl`; the client must be registered at the
    /// issuer with an `introspection_signed_response_alg`.
    ///
    /// A response that is not signed is not accepted: 503. So is one whose `typ` is not `token-introspection+jwt`,
    /// whose `iss` is not the expected issuer, whose `aud` is not the client ID, or whose `iat` is missing or before the
    /// request, with the [leeway](Self::with_leeway). Responses that are also encrypted are not supported.
    ///
    /// A response does not name the token that it is about. **So TLS remains necessary**: without it, responses of the
    /// same time could be exchanged.
    ///
    /// # Errors
    ///
    /// When the verifier accepts [any issuer](ExpectedIssuer::dangerous_any), or the keys belong to another issuer.
    ///
    /// # Example: the keys of the issuer
    ///
    /// ```
    /// use tower_jwt_auth::{ConfigError, Introspection, JwkSet};
    ///
    /// fn signed(verifier: Introspection, keys: JwkSet) -> Result<Introspection, ConfigError> {
    ///     verifier.require_signed_responses(keys)
    /// }
    /// # let _ = signed;
    /// ```
    pub fn require_signed_responses(self, keys: impl KeySource) -> Result<Self, ConfigError> {
        let unusable = |message: String| ConfigError::new(ConfigErrorKind::Issuer, message);
        let Expected::OneOf { values, display } = self.rules.rules.issuer() else {
            let message =
                "signed responses need an expected issuer: the `iss` of each response is compared";
            return Err(unusable(message.to_owned()));
        };
        if let Some(issuer) = keys.issuer()
            && !values.iter().any(|name| name == issuer)
        {
            return Err(unusable(format!("the keys belong to {issuer}, not to {display}")));
        }
        let signed = Some(SignedResponses { keys: Arc::new(keys) });
        Ok(Self::from_parts(self.endpoint, self.rules, signed, self.cache))
    }

    /// Replaces the leeway for clocks that differ, in whole seconds; 30 s by default. See
    /// [`JwtVerifier::with_leeway`](crate::JwtVerifier::with_leeway). An answer is not kept beyond `exp`, whatever the
    /// leeway is.
    ///
    /// # Errors
    ///
    /// When the leeway is more than 5 minutes.
    pub fn with_leeway(self, leeway: Duration) -> Result<Self, ConfigError> {
        let leeway = checked_leeway(leeway)?;
        Ok(self.with_context(|context| context.leeway = leeway))
    }

    /// Replaces the clock for `exp`, `nbf` and `iat`; [`SystemClock`](crate::SystemClock) by default.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock) -> Self {
        self.with_context(|context| context.clock = Arc::new(clock))
    }

    /// Replaces the scopes that include others, for [rules](crate::Rule) and for
    /// [`VerifiedToken::scope`](crate::VerifiedToken::scope); none by default.
    #[must_use]
    pub fn with_scope_hierarchy(self, hierarchy: ScopeHierarchy) -> Self {
        self.with_context(|context| context.hierarchy = Some(hierarchy))
    }

    /// Requires one more member of the answer, such as `token_type` or `exp`. By default `active` and `aud` are
    /// required. A member that is `null` counts as missing; so does an empty `iss`, `sub`, `aud`, `client_id`, `azp` or
    /// `jti`.
    #[must_use]
    pub fn add_required_claim(self, name: impl Into<String>) -> Self {
        self.with_rules(|rules| rules.rules.required.push(name.into()))
    }

    /// Replaces the maximum length of a token, in bytes; 16384 by default. A longer token is refused as
    /// [`TokenTooLong`](crate::RejectionKind::TokenTooLong), and the endpoint is not asked.
    ///
    /// # Errors
    ///
    /// When the length is less than 128 or more than 65536.
    pub fn with_max_token_length(self, bytes: usize) -> Result<Self, ConfigError> {
        let bytes = checked_token_length(bytes)?;
        Ok(self.with_rules(|rules| rules.rules.limits.token = bytes))
    }

    /// Accepts answers without `aud`. By default `aud` is required.
    ///
    /// RFC 7662 leaves `aud` to the authorization server, and some servers never send it. **Such a server may say of a
    /// token for another service that it is active.** Then each of these services can use the tokens that it receives
    /// here. Use this setting only if the server tells this client of no other tokens than those for it, or if another
    /// rule, such as a scope, tells the services apart. An `aud` that is present is compared all the same; an empty list
    /// counts as absent.
    ///
    /// An answer without `aud` must have a `token_type`: otherwise nothing tells an access token from a refresh token.
    #[must_use]
    pub fn dangerous_allow_missing_audience(self) -> Self {
        self.with_rules(|rules| rules.allows_missing_audience = true)
    }

    /// Accepts tokens that are bound to their sender (the answer has a member `cnf`) as if they were bearer tokens. By
    /// default they are refused. See
    /// [`JwtVerifier::dangerous_ignore_confirmation`](crate::JwtVerifier::dangerous_ignore_confirmation).
    #[must_use]
    pub fn dangerous_ignore_confirmation(self) -> Self {
        self.with_rules(|rules| rules.rules.ignore_confirmation = true)
    }

    fn with_endpoint(self, change: impl FnOnce(&Endpoint) -> Endpoint) -> Self {
        let endpoint = Arc::new(change(&self.endpoint));
        Self::from_parts(endpoint, self.rules, self.signed, self.cache)
    }

    /// With other rules, and with nothing that was accepted by the rules before.
    fn with_rules(self, change: impl FnOnce(&mut AnswerRules)) -> Self {
        let mut rules = self.rules;
        change(Arc::make_mut(&mut rules));
        Self::from_parts(self.endpoint, rules, self.signed, self.cache)
    }

    fn with_context(self, change: impl FnOnce(&mut RuleContext)) -> Self {
        self.with_rules(|rules| change(Arc::make_mut(&mut rules.rules.context)))
    }
}
