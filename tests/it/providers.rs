//! Issuers of the trade: metadata and tokens of their shapes, under their real URLs, without a network.

#![allow(clippy::needless_pass_by_value, reason = "JSON that is written where it is passed")]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, ExpectedAudience, Fetch, FetchFuture, FetchRequest, IssuerSet,
    IssuerTemplate, JwksUrl, JwtVerifier, KnownIssuer, OidcDiscovery, RejectionKind, Scope,
};

use crate::support::{self, NOW, now};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
const API_ID: &str = "6e74172b-be56-4843-9ff4-e66a39bb12e3";
const POOL: &str = "eu-west-1_AbCdEfGhI";
const CLIENT: &str = "7kd2qkvqm1h2r3s4t5u6v7w8x9";

const MISSING: Option<RejectionKind> = Some(RejectionKind::MissingClaim);
const WRONG_AUDIENCE: Option<RejectionKind> = Some(RejectionKind::WrongAudience);
const WRONG_ISSUER: Option<RejectionKind> = Some(RejectionKind::WrongIssuer);
const WRONG_TYPE: Option<RejectionKind> = Some(RejectionKind::WrongTokenType);

/// What lies on the web: documents by their URLs, all else is 404. It remembers what was asked for.
#[derive(Clone, Debug, Default)]
struct Web {
    documents: Vec<(String, Bytes)>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Metadata of an issuer, at the usual place, and its keys.
    fn issuer(self, issuer: &str, jwks_uri: &str, more: Value, keys: Value) -> Self {
        let metadata = with(&json!({"issuer": issuer, "jwks_uri": jwks_uri}), more);
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        self.at(&place, metadata).at(jwks_uri, json!({ "keys": keys }))
    }

    fn at(mut self, url: &str, document: Value) -> Self {
        self.documents.push((url.to_owned(), document.to_string().into()));
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Fetch for Web {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.asked.lock().unwrap().push(request.url().to_owned());
        let found = self.documents.iter().find(|(url, _)| url == request.url());
        let mut response = Response::new(found.map(|(_, body)| body.clone()).unwrap_or_default());
        if found.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        let json = "application/json; charset=UTF-8".parse().unwrap();
        response.headers_mut().insert("content-type", json);
        Box::pin(async move { Ok(response) })
    }
}

/// An object with some members replaced or added, or, by null, taken out.
fn with(object: &Value, changes: Value) -> Value {
    let mut changed = object.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => changed.remove(name),
            false => changed.insert(name.clone(), value.clone()),
        };
    }
    changed.into()
}

/// The RSA key of the tests under this `kid`.
fn rsa_jwk(kid: &str, more: Value) -> Value {
    let jwk = support::key(Algorithm::RS256).jwk();
    with(&with(&jwk, json!({ "kid": kid })), more)
}

/// A token signed by that key.
fn rsa_token(kid: &str, header: Value, claims: &Value) -> String {
    let header = with(&json!({"alg": "RS256", "kid": kid}), header);
    support::key(Algorithm::RS256).token_of(header.to_string(), claims.to_string())
}

async fn kind<C: serde::de::DeserializeOwned>(
    verifier: &JwtVerifier<C>,
    token: &str,
) -> Option<RejectionKind> {
    verifier.verify(token).await.err().map(|rejection| rejection.kind())
}

fn auth0_web() -> Web {
    let metadata = json!({
        "authorization_endpoint": "https://acme.eu.auth0.com/authorize",
        "token_endpoint": "https://acme.eu.auth0.com/oauth/token",
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        "request_uri_parameter_supported": false,
        "mfa_challenge_endpoint": "https://acme.eu.auth0.com/mfa/challenge",
    });
    // Each key with its certificate, whose contents are nobody's business.
    let more = json!({"x5t": "mGKQkZ0mDkWbXXdzYTLqXXdzYTL", "x5c": ["MIIDAzCCAeugAwIBAgIJ"]});
    let keys = json!([rsa_jwk("NjVBRjY5MDlC", more.clone()), rsa_jwk("next", more)]);
    let jwks_uri = "https://acme.eu.auth0.com/.well-known/jwks.json";
    Web::default().issuer("https://acme.eu.auth0.com/", jwks_uri, metadata, keys)
}

fn auth0() -> JwtVerifier {
    let issuer = KnownIssuer::auth0("acme.eu.auth0.com", "https://api.example").unwrap();
    issuer.verifier_with(auth0_web()).with_clock(now())
}

fn auth0_claims() -> Value {
    json!({
        "iss": "https://acme.eu.auth0.com/",
        "sub": "auth0|65a1b2c3d4e5f60718293a4b",
        "aud": ["https://api.example", "https://acme.eu.auth0.com/userinfo"],
        "iat": NOW - 10,
        "exp": NOW + 86_390,
        "scope": "openid profile orders:read",
        "azp": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja",
        "permissions": ["orders:read", "orders:close"],
    })
}

#[tokio::test(start_paused = true)]
async fn tokens_of_auth0() {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
        scope: Scope,
        permissions: Vec<String>,
    }

    let verifier = auth0().with_claims::<Claims>();
    let token =
        |changes| rsa_token("NjVBRjY5MDlC", json!({"typ": "JWT"}), &with(&auth0_claims(), changes));
    let accepted = verifier.verify(&token(json!({}))).await.unwrap();
    assert!(accepted.sub.starts_with("auth0|") && accepted.scope.contains("orders:read"));
    assert_eq!(accepted.permissions, ["orders:read", "orders:close"]);

    for (changes, expected) in [
        // A machine: one audience, and no `permissions` where RBAC is off.
        (json!({"aud": "https://api.example"}), None),
        (json!({"permissions": null}), Some(RejectionKind::UnexpectedClaims)),
        // Another API of the tenant, an ID token, the name without its slash, another tenant.
        (
            json!({"aud": ["https://other.example", "https://acme.eu.auth0.com/userinfo"]}),
            WRONG_AUDIENCE,
        ),
        (json!({"aud": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "nonce": "n"}), WRONG_AUDIENCE),
        (json!({"iss": "https://acme.eu.auth0.com"}), WRONG_ISSUER),
        (json!({"iss": "https://evil.eu.auth0.com/"}), WRONG_ISSUER),
    ] {
        assert_eq!(kind(&verifier, &token(changes.clone())).await, expected, "{changes}");
    }
    // What Auth0 gives to who asks for no audience: an encrypted token, for itself.
    let opaque = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.BBBB.CCCC";
    assert_eq!(kind(&verifier, opaque).await, Some(RejectionKind::MalformedToken));
    // An API that signs with its secret has no key in the set.
    let header = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    let secret = support::key(Algorithm::HS256).token_of(header, auth0_claims().to_string());
    assert_eq!(kind(&verifier, &secret).await, Some(RejectionKind::UnknownKey));
}

#[tokio::test(start_paused = true)]
async fn auth0_without_its_slash_has_no_keys() {
    let name = "https://acme.eu.auth0.com";
    let keys = OidcDiscovery::new_with(name, auth0_web()).unwrap();
    let verifier = JwtVerifier::new(name, "https://api.example", keys).unwrap().with_clock(now());
    let token = rsa_token("NjVBRjY5MDlC", json!({}), &auth0_claims());
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::Unavailable));
    assert!(verifier.key_status().last_error().unwrap().contains("another issuer"));
}

#[tokio::test(start_paused = true)]
async fn the_profile_of_rfc9068_is_asked_for_and_the_older_one_then_refused() {
    let (older, strict) = (auth0(), auth0().require_rfc9068());
    let profile = with(
        &auth0_claims(),
        json!({"azp": null, "client_id": "K1AUPhZq8mRi0Q0pjhkfu1D7y6KjDQja", "jti": "73WakrfVbNJ"}),
    );
    let kid = "NjVBRjY5MDlC";
    let by_rfc = rsa_token(kid, json!({"typ": "at+jwt"}), &profile);
    assert_eq!(kind(&older, &by_rfc).await, None);
    assert_eq!(kind(&strict, &by_rfc).await, None);
    for header in [json!({"typ": "JWT"}), json!({})] {
        // All of the claims, and not the type.
        let token = rsa_token(kid, header.clone(), &profile);
        assert_eq!(kind(&older, &token).await, None, "{header}");
        assert_eq!(kind(&strict, &token).await, WRONG_TYPE, "{header}");
    }
    // The type, and not all of the claims.
    let token = rsa_token(kid, json!({"typ": "at+jwt"}), &auth0_claims());
    assert_eq!(kind(&strict, &token).await, MISSING);
}

#[tokio::test(start_paused = true)]
async fn keycloak() {
    let issuer = "https://login.example/realms/shop";
    let certs = format!("{issuer}/protocol/openid-connect/certs");
    let metadata = json!({
        "introspection_endpoint": format!("{issuer}/protocol/openid-connect/token/introspect"),
        "acr_values_supported": ["0", "1"],
        "mtls_endpoint_aliases": {"token_endpoint": format!("{issuer}/protocol/openid-connect/token")},
    });
    // Beside the key that signs stands one that encrypts.
    let keys = json!([
        rsa_jwk("enc", json!({"use": "enc", "alg": "RSA-OAEP"})),
        rsa_jwk(
            "sig",
            json!({"x5c": ["MIICmzCCAYMCBgF"], "x5t#S256": "q83vEjRWeJCrze8SNFZ4kKvN7xI"})
        ),
    ]);
    let web = Web::default().issuer(issuer, &certs, metadata, keys.clone());
    let shop = || KnownIssuer::keycloak("https://login.example", "shop", "orders").unwrap();
    let verifier = shop().verifier_with(web).with_clock(now());

    let claims = json!({
        "exp": NOW + 300, "iat": NOW, "auth_time": NOW - 60,
        "jti": "onrtac:5a4f1c1e-6f3a-4b63-9d58-1f0a8a5b7a10",
        "iss": issuer,
        "aud": ["orders", "account"],
        "sub": "f1c1e5a4-6f3a-4b63-9d58-1f0a8a5b7a10",
        "typ": "Bearer", "azp": "web", "sid": "b7a10", "acr": "1",
        "allowed-origins": ["https://shop.example"],
        "realm_access": {"roles": ["offline_access", "default-roles-shop", "uma_authorization"]},
        "resource_access": {"orders": {"roles": ["clerk"]}, "account": {"roles": ["view-profile"]}},
        "scope": "openid profile email", "email_verified": true, "preferred_username": "alice",
    });
    for (changes, expected) in [
        (json!({}), None),
        (json!({"aud": "orders"}), None),
        // Without an audience mapper, for nobody in particular: another client of the realm.
        (json!({"aud": "account"}), WRONG_AUDIENCE),
        (json!({"aud": null}), MISSING),
        // Its ID tokens, whatever their audience, and its logout tokens.
        (json!({"typ": "ID", "aud": "web", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}), WRONG_AUDIENCE),
        (json!({"typ": "ID", "aud": "orders", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}), WRONG_TYPE),
        (
            json!({"typ": "Logout", "aud": "orders", "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
            WRONG_TYPE,
        ),
        (json!({"iss": "https://login.example/realms/other"}), WRONG_ISSUER),
        (json!({"iss": "https://login.example/auth/realms/shop"}), WRONG_ISSUER),
        (json!({"iss": "https://keycloak.auth.svc/realms/shop"}), WRONG_ISSUER),
    ] {
        let token = rsa_token("sig", json!({"typ": "JWT"}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // The key that encrypts, and the secret of refresh tokens, sign nothing here.
    let token = rsa_token("enc", json!({}), &claims);
    assert_eq!(kind(&verifier, &token).await, Some(RejectionKind::UnknownKey));
    let header = json!({"alg": "HS512", "typ": "JWT", "kid": "hmac"}).to_string();
    let refresh = with(&claims, json!({"typ": "Refresh", "aud": issuer})).to_string();
    let refresh = support::key(Algorithm::HS512).token_of(header, refresh);
    assert_eq!(kind(&verifier, &refresh).await, Some(RejectionKind::UnknownKey));

    // Inside of a cluster the same server has another name, in its metadata too.
    let inside = "https://keycloak.auth.svc/realms/shop";
    let certs = format!("{inside}/protocol/openid-connect/certs");
    let web = Web::default().issuer(inside, &certs, json!({}), keys);
    let by_inner_name = shop().with_jwks_url(&certs).unwrap();
    let verifier = by_inner_name.verifier_with(web.clone()).with_clock(now());
    assert_eq!(kind(&verifier, &rsa_token("sig", json!({}), &claims)).await, None);
    let token = rsa_token("sig", json!({}), &with(&claims, json!({"iss": inside})));
    assert_eq!(kind(&verifier, &token).await, WRONG_ISSUER);
    assert_eq!(web.asked(), [certs]);
}

fn entra_keys(issuer: &str) -> Value {
    // Without `alg`, and with a member that only Microsoft has.
    let more = json!({
        "alg": null, "x5t": "kg2LYs2T0CTjIfj4rt6JIynen38", "x5c": ["MIIC/TCCAeWgAwIBAgII"],
        "issuer": issuer, "cloud_instance_name": "microsoftonline.com",
    });
    json!([rsa_jwk("kg2LYs2T0CTjIfj4rt6JIynen38", more)])
}

fn entra_web(tenant: &str) -> Web {
    let issuer = format!("https://login.microsoftonline.com/{tenant}/v2.0");
    let jwks_uri = format!("https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys");
    let metadata = json!({
        "http_logout_supported": true, "tenant_region_scope": "EU",
        "cloud_graph_host_name": "graph.windows.net", "rbac_url": "https://pas.windows.net",
        "kerberos_endpoint": format!("https://login.microsoftonline.com/{tenant}/kerberos"),
    });
    Web::default().issuer(&issuer, &jwks_uri, metadata, entra_keys(&issuer))
}

fn entra_token(changes: Value) -> String {
    let claims = json!({
        "aud": API_ID,
        "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "iat": NOW, "nbf": NOW, "exp": NOW + 4511,
        "aio": "AXQAi/8TAAAA", "azp": "0c1a2b3c-4d5e-6f70-8192-a3b4c5d6e7f8", "azpacr": "0",
        "name": "Alice", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "preferred_username": "alice@acme.example", "rh": "0.AXkA",
        "scp": "orders.read orders.close", "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        "tid": TENANT, "uti": "fqiBqXLPj0eQa82S-IYFAA", "ver": "2.0",
    });
    let kid = "kg2LYs2T0CTjIfj4rt6JIynen38";
    rsa_token(kid, json!({"typ": "JWT"}), &with(&claims, changes))
}

#[tokio::test(start_paused = true)]
async fn entra_id() {
    #[derive(Deserialize)]
    struct Claims {
        oid: String,
        #[serde(default)]
        scp: Scope,
        #[serde(default)]
        roles: Vec<String>,
    }

    let issuer = KnownIssuer::entra_id(TENANT, API_ID).unwrap();
    let verifier =
        issuer.verifier_with(entra_web(TENANT)).with_clock(now()).with_claims::<Claims>();
    let user = verifier.verify(&entra_token(json!({}))).await.unwrap();
    assert!(user.oid.starts_with("690222be") && user.scp.contains("orders.close"));
    let machine = json!({"scp": null, "roles": ["Orders.Read.All"], "idtyp": "app"});
    let machine = verifier.verify(&entra_token(machine)).await.unwrap();
    assert_eq!(
        (machine.scp.as_str(), machine.roles.as_slice()),
        ("", &["Orders.Read.All".into()][..])
    );

    for (changes, expected) in [
        // Another tenant, by the very keys that they share, and its word alone.
        (
            json!({
                "iss": format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0"),
                "tid": OTHER_TENANT,
            }),
            WRONG_ISSUER,
        ),
        (json!({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}), WRONG_ISSUER),
        // An API whose manifest says version 1.
        (json!({"iss": format!("https://sts.windows.net/{TENANT}/"), "ver": "1.0"}), WRONG_ISSUER),
        (json!({"aud": format!("api://{API_ID}")}), WRONG_AUDIENCE),
        (json!({"aud": "00000003-0000-0000-c000-000000000000"}), WRONG_AUDIENCE),
    ] {
        assert_eq!(kind(&verifier, &entra_token(changes.clone())).await, expected, "{changes}");
    }
    // A token for Microsoft Graph: what is signed holds the hash of the nonce, not the nonce.
    let token = entra_token(json!({}));
    let (_, rest) = token.split_once('.').unwrap();
    let of = |nonce: &str| {
        let header = json!({"alg": "RS256", "kid": "kg2LYs2T0CTjIfj4rt6JIynen38", "nonce": nonce});
        support::b64(header.to_string())
    };
    let graph = format!("{}.{rest}", of("Hp6mAbc"));
    assert_eq!(kind(&verifier, &graph).await, Some(RejectionKind::InvalidSignature));
}

#[tokio::test(start_paused = true)]
async fn entra_id_of_version_1() {
    let issuer = format!("https://sts.windows.net/{TENANT}/");
    let jwks_uri = "https://login.microsoftonline.com/common/discovery/keys";
    let web = Web::default().issuer(&issuer, jwks_uri, json!({}), entra_keys(&issuer));
    let uri = format!("api://{API_ID}");
    let v1 = KnownIssuer::entra_id_v1(TENANT, [uri.as_str(), API_ID]).unwrap();
    assert_eq!(v1.issuer(), issuer);
    let verifier = v1.verifier_with(web).with_clock(now());
    let token = |changes| {
        let v1 =
            json!({"iss": issuer, "ver": "1.0", "azp": null, "appid": API_ID, "appidacr": "1"});
        entra_token(with(&v1, changes))
    };
    assert_eq!(kind(&verifier, &token(json!({}))).await, None);
    assert_eq!(kind(&verifier, &token(json!({"aud": uri}))).await, None);
    for iss in [
        format!("https://sts.windows.net/{TENANT}"),
        format!("https://sts.windows.net/{OTHER_TENANT}/"),
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    ] {
        assert_eq!(kind(&verifier, &token(json!({"iss": iss}))).await, WRONG_ISSUER, "{iss}");
    }
}

#[tokio::test(start_paused = true)]
async fn tenants_of_entra_id_by_a_template() {
    // The metadata of all tenants name an issuer that no token has.
    let common = "https://login.microsoftonline.com/common/v2.0";
    let template = "https://login.microsoftonline.com/{tenantid}/v2.0";
    let metadata = json!({"issuer": template, "jwks_uri": "https://login.microsoftonline.com/common/discovery/v2.0/keys"});
    let web = entra_web(TENANT).at(&format!("{common}/.well-known/openid-configuration"), metadata);
    let keys = OidcDiscovery::new_with(common, web.clone()).unwrap();
    let verifier = JwtVerifier::new(common, API_ID, keys).unwrap().with_clock(now());
    let refused = kind(&verifier, &entra_token(json!({}))).await;
    assert_eq!(refused, Some(RejectionKind::Unavailable));

    let issuers = IssuerSet::new();
    let fetch = web.clone();
    let entra = IssuerTemplate::new(template, move |found| {
        let tenant = found.tenant();
        let issuer = KnownIssuer::entra_id(tenant, API_ID)?;
        Ok(issuer.verifier_with(fetch.clone()).with_clock(now()))
    });
    issuers.add_template(entra.unwrap().allow_tenants([TENANT]));
    assert!(issuers.verify(&entra_token(json!({}))).await.is_ok());
    let asked = web.asked().len();
    let other = format!("https://login.microsoftonline.com/{OTHER_TENANT}/v2.0");
    let rejection = issuers.verify(&entra_token(json!({"iss": other}))).await.unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::WrongIssuer);
    assert_eq!(web.asked().len(), asked);
}

fn cognito_web() -> Web {
    let issuer = format!("https://cognito-idp.eu-west-1.amazonaws.com/{POOL}");
    let metadata = json!({
        "authorization_endpoint": "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/authorize",
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    // One key for ID tokens, one for access tokens.
    let keys = json!([rsa_jwk("1234id=", json!({})), rsa_jwk("5678access=", json!({}))]);
    Web::default().issuer(&issuer, &format!("{issuer}/.well-known/jwks.json"), metadata, keys)
}

fn cognito() -> JwtVerifier {
    let issuer = KnownIssuer::cognito(POOL, [CLIENT, "other_client"]).unwrap();
    issuer.verifier_with(cognito_web()).with_clock(now())
}

fn cognito_token(changes: Value) -> String {
    let claims = json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "cognito:groups": ["clerks"],
        "iss": format!("https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"),
        "version": 2, "client_id": CLIENT, "origin_jti": "c9f1", "event_id": "e1", "token_use": "access",
        "scope": "openid orders/read", "auth_time": NOW, "iat": NOW, "exp": NOW + 3600,
        "jti": "d8e2", "username": "alice",
    });
    rsa_token("5678access=", json!({}), &with(&claims, changes))
}

#[tokio::test(start_paused = true)]
async fn cognito_clients_stand_in_place_of_the_audience() {
    let verifier = cognito();
    for (changes, expected) in [
        (json!({}), None),
        (json!({"client_id": "other_client"}), None),
        (json!({"client_id": "stranger"}), WRONG_AUDIENCE),
        (json!({"client_id": CLIENT.to_uppercase()}), WRONG_AUDIENCE),
        (json!({"client_id": &CLIENT[..20]}), WRONG_AUDIENCE),
        (json!({"client_id": format!("{CLIENT} ")}), WRONG_AUDIENCE),
        (json!({"client_id": ""}), WRONG_AUDIENCE),
        (json!({"client_id": null}), MISSING),
        (json!({"token_use": null}), MISSING),
        (json!({"token_use": "id"}), WRONG_TYPE),
        (json!({"token_use": "Access"}), WRONG_TYPE),
        (json!({"token_use": ""}), WRONG_TYPE),
        // Whoever has an audience is for that, and for nobody else.
        (json!({"aud": CLIENT}), WRONG_AUDIENCE),
        (json!({"aud": ["https://api.example"]}), WRONG_AUDIENCE),
        (json!({"aud": []}), WRONG_AUDIENCE),
        // The ID token of the same log-in.
        (
            json!({
                "aud": CLIENT, "client_id": null, "token_use": "id", "at_hash": "77QmUPtjPfzWtF2AnpK9RQ",
                "cognito:username": "alice", "email_verified": true,
            }),
            WRONG_TYPE,
        ),
        // Another pool of the region: it has keys of its own, and in case it had not:
        (
            json!({"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_XxXxXxXxX"}),
            WRONG_ISSUER,
        ),
        (
            json!({"iss": format!("https://issuer-cognito-idp.eu-west-1.amazonaws.com/{POOL}")}),
            WRONG_ISSUER,
        ),
        (json!({"exp": NOW - 60}), Some(RejectionKind::ExpiredToken)),
        (json!({"client_id": "stranger", "exp": NOW - 60}), WRONG_AUDIENCE),
    ] {
        assert_eq!(kind(&verifier, &cognito_token(changes.clone())).await, expected, "{changes}");
    }
    for wrong in [json!(5), json!([CLIENT]), json!({"id": CLIENT}), json!(true)] {
        for name in ["client_id", "token_use"] {
            let token = cognito_token(json!({ name: wrong }));
            let refused = kind(&verifier, &token).await;
            assert_eq!(refused, Some(RejectionKind::MalformedClaims), "{name}: {wrong}");
        }
    }
    // A null is a value, and no string.
    let null = |name: &str| {
        let claims = json!({"iss": format!("https://cognito-idp.eu-west-1.amazonaws.com/{POOL}"), "exp": NOW + 9});
        let mut claims = with(&claims, json!({"token_use": "access", "client_id": CLIENT}));
        claims[name] = Value::Null;
        rsa_token("5678access=", json!({}), &claims)
    };
    for name in ["client_id", "token_use", "aud"] {
        let refused = kind(&verifier, &null(name)).await;
        assert_eq!(refused, Some(RejectionKind::MalformedClaims), "{name}");
    }
    // Not even a type of claims that swallows errors helps.
    let values = cognito().with_claims::<Value>();
    let token = cognito_token(json!({"client_id": [CLIENT]}));
    assert_eq!(kind(&values, &token).await, Some(RejectionKind::MalformedClaims));
    assert_eq!(values.verify(&cognito_token(json!({}))).await.unwrap()["client_id"], CLIENT);
}

#[tokio::test(start_paused = true)]
async fn cognito_tokens_are_refused_where_nobody_asked_for_them_by_name() {
    // The client's ID as an audience does not do: an access token has none.
    let issuer = format!("https://cognito-idp.eu-west-1.amazonaws.com/{POOL}");
    let keys = OidcDiscovery::new_with(&issuer, cognito_web()).unwrap();
    let usual = JwtVerifier::new(&issuer, CLIENT, keys).unwrap().with_clock(now());
    assert_eq!(kind(&usual, &cognito_token(json!({}))).await, MISSING);
    // A token that was asked for by the name of a resource has one, and that is compared.
    let keys = OidcDiscovery::new_with(&issuer, cognito_web()).unwrap();
    let bound = JwtVerifier::new(&issuer, "https://api.example", keys).unwrap().with_clock(now());
    assert_eq!(kind(&bound, &cognito_token(json!({"aud": "https://api.example"}))).await, None);
    assert_eq!(kind(&bound, &cognito_token(json!({"aud": CLIENT}))).await, WRONG_AUDIENCE);
    // Nor is it a token by RFC 9068, with whichever type.
    let strict = cognito().require_rfc9068();
    assert_eq!(kind(&strict, &cognito_token(json!({}))).await, WRONG_TYPE);
    // `client_id` of another type is nobody's business elsewhere.
    let token =
        cognito_token(json!({"aud": "https://api.example", "client_id": 5, "token_use": []}));
    assert_eq!(kind(&bound.with_claims::<Value>(), &token).await, None);
    // Without a client, or with an empty one, there is no verifier.
    for clients in [vec![], vec![String::new()]] {
        let key = support::key(Algorithm::ES256).verification_key();
        let clients = ExpectedAudience::cognito_clients(clients);
        let error = JwtVerifier::new(&issuer, clients, key).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Audience);
    }
}

#[tokio::test(start_paused = true)]
async fn google_id_tokens() {
    const WEB: &str = "1234-web.apps.googleusercontent.com";

    let web = Web::default().issuer(
        "https://accounts.google.com",
        "https://www.googleapis.com/oauth2/v3/certs",
        json!({"device_authorization_endpoint": "https://oauth2.googleapis.com/device/code"}),
        json!([rsa_jwk("08d3245c62f86b63", json!({})), rsa_jwk("other", json!({}))]),
    );
    let issuer =
        KnownIssuer::google_id_tokens([WEB, "1234-app.apps.googleusercontent.com"]).unwrap();
    let verifier = issuer.verifier_with(web.clone()).with_clock(now());
    let claims = json!({
        "iss": "https://accounts.google.com",
        "azp": "1234-app.apps.googleusercontent.com", "aud": WEB,
        "sub": "110169484474386276334", "hd": "acme.example",
        "email": "alice@acme.example", "email_verified": true,
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "nonce": "0394852",
        "name": "Alice", "iat": NOW, "exp": NOW + 3600,
    });
    let token = |header, changes| rsa_token("08d3245c62f86b63", header, &with(&claims, changes));
    let logout = "http://schemas.openid.net/event/backchannel-logout";
    let revoked = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked";
    for (header, changes, expected) in [
        ("JWT", json!({}), None),
        ("JWT", json!({"iss": "accounts.google.com"}), None),
        ("JWT", json!({"iss": "https://accounts.google.com/"}), WRONG_ISSUER),
        ("JWT", json!({"iss": "https://securetoken.google.com/acme-app"}), WRONG_ISSUER),
        ("JWT", json!({"aud": "4321-web.apps.googleusercontent.com"}), WRONG_AUDIENCE),
        // `azp` is whoever asked, and no audience.
        ("JWT", json!({"aud": "https://other.example", "azp": WEB}), WRONG_AUDIENCE),
        // Told to the same client, by the same keys: events are still none of it.
        ("JWT", json!({"events": {logout: {}}}), WRONG_TYPE),
        ("secevent+jwt", json!({"at_hash": null, "events": {revoked: {}}}), WRONG_TYPE),
    ] {
        let token = token(json!({ "typ": header }), changes.clone());
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    let opaque = "ya29.a0AfH6SMBx-Zz";
    assert_eq!(kind(&verifier, opaque).await, Some(RejectionKind::MalformedToken));

    // Without the word for it, an ID token is refused here as everywhere.
    let keys = OidcDiscovery::new_with("https://accounts.google.com", web).unwrap();
    let usual = JwtVerifier::new("https://accounts.google.com", WEB, keys).unwrap();
    let token = token(json!({}), json!({}));
    assert_eq!(kind(&usual.with_clock(now()), &token).await, WRONG_TYPE);
}

#[tokio::test(start_paused = true)]
async fn google_identity_aware_proxy() {
    let (iap, audience) =
        ("https://cloud.google.com/iap", "/projects/1234/global/backendServices/5678");
    let url = "https://www.gstatic.com/iap/verify/public_key-jwk";
    let key = support::key(Algorithm::ES256);
    let keys = json!({"keys": [with(&key.jwk(), json!({"kid": "2nMJtw"}))]});
    let keys = JwksUrl::new_with(url, Web::default().at(url, keys)).unwrap();
    let verifier = JwtVerifier::new(iap, audience, keys).unwrap().with_clock(now());
    let token = |audience: &str| {
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "2nMJtw"});
        let claims = json!({
            "iss": iap, "aud": audience, "sub": "accounts.google.com:1101694", "hd": "acme.example",
            "email": "alice@acme.example", "iat": NOW, "exp": NOW + 600,
            "google": {"access_levels": ["accessPolicies/1/accessLevels/staff"]},
        });
        key.token_of(header.to_string(), claims.to_string())
    };
    assert_eq!(kind(&verifier, &token(audience)).await, None);
    let other = token("/projects/1234/global/backendServices/8765");
    assert_eq!(kind(&verifier, &other).await, WRONG_AUDIENCE);
}

#[tokio::test(start_paused = true)]
async fn okta() {
    #[derive(Deserialize)]
    struct Claims {
        uid: String,
        cid: String,
        scp: Scope,
    }

    let issuer = "https://acme.okta.com/oauth2/default";
    let metadata = json!({
        "registration_endpoint": "https://acme.okta.com/oauth2/v1/clients",
        "dpop_signing_alg_values_supported": ["RS256", "ES256"],
    });
    let keys = json!([rsa_jwk("FJA0HGNtsuuda_Pl45J42kvQqcsu_0C4Fg7pbJLXTHY", json!({}))]);
    let web = Web::default().issuer(issuer, &format!("{issuer}/v1/keys"), metadata, keys);
    let known = KnownIssuer::okta("acme.okta.com", "default", "api://default").unwrap();
    let verifier = known.verifier_with(web).with_clock(now()).with_claims::<Claims>();

    let claims = json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": issuer,
        "aud": "api://default", "iat": NOW, "exp": NOW + 3600,
        "cid": "0oa1c2d3e4", "uid": "00u5t60iloOHN9pBi0h7", "scp": ["openid", "orders.read"],
        "auth_time": NOW - 9, "sub": "alice@acme.example",
    });
    let kid = "FJA0HGNtsuuda_Pl45J42kvQqcsu_0C4Fg7pbJLXTHY";
    let accepted = verifier.verify(&rsa_token(kid, json!({}), &claims)).await.unwrap();
    assert!(accepted.uid.starts_with("00u") && accepted.cid.starts_with("0oa"));
    assert!(accepted.scp.contains("orders.read"));
    for (header, changes, expected) in [
        // The org authorization server: for Okta itself, of a type that says so.
        (
            json!({"typ": "application/okta-internal-at+jwt"}),
            json!({"iss": "https://acme.okta.com", "aud": "https://acme.okta.com"}),
            WRONG_ISSUER,
        ),
        (json!({"typ": "application/okta-internal-at+jwt"}), json!({}), WRONG_TYPE),
        (json!({}), json!({"iss": "https://acme.okta.com/oauth2/aus1"}), WRONG_ISSUER),
        (json!({}), json!({"aud": "0oa1c2d3e4", "at_hash": "preview_at_hash"}), WRONG_AUDIENCE),
        (json!({}), json!({"at_hash": "preview_at_hash"}), WRONG_TYPE),
        // A client that proves its key, which nothing here checks.
        (json!({}), json!({"cnf": {"jkt": "0ZcOCORZNYy"}}), Some(RejectionKind::UnconfirmedSender)),
    ] {
        let token = rsa_token(kid, header, &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
}

#[tokio::test(start_paused = true)]
async fn firebase() {
    let issuer = "https://securetoken.google.com/acme-app-4711";
    let jwks_uri =
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";
    let metadata =
        json!({"response_types_supported": ["id_token"], "subject_types_supported": ["public"]});
    let keys = json!([rsa_jwk("f1c1e5a4", json!({})), rsa_jwk("b7a10", json!({}))]);
    let web = Web::default().issuer(issuer, jwks_uri, metadata, keys);
    let known = KnownIssuer::firebase("acme-app-4711").unwrap();
    let verifier = known.verifier_with(web).with_clock(now());

    let claims = json!({
        "name": "Alice", "iss": issuer, "aud": "acme-app-4711", "auth_time": NOW - 60,
        "user_id": "Zx1Yw2", "sub": "Zx1Yw2", "iat": NOW, "exp": NOW + 3600,
        "email": "alice@acme.example", "email_verified": false,
        "firebase": {"identities": {"email": ["alice@acme.example"]}, "sign_in_provider": "password"},
    });
    for (changes, expected) in [
        (json!({}), None),
        // Another project, by the very keys that they share.
        (
            json!({"iss": "https://securetoken.google.com/evil-app", "aud": "evil-app"}),
            WRONG_ISSUER,
        ),
        (json!({"aud": "evil-app"}), WRONG_AUDIENCE),
        // A session cookie, and a token of Google's own log-in.
        (json!({"iss": "https://session.firebase.google.com/acme-app-4711"}), WRONG_ISSUER),
        (json!({"iss": "https://accounts.google.com", "at_hash": "HK6E_P6Dh8Y93"}), WRONG_ISSUER),
        (json!({"sub": null}), MISSING),
        (json!({"auth_time": null}), MISSING),
    ] {
        let token = rsa_token("f1c1e5a4", json!({"typ": "JWT"}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // What the emulator makes is not signed at all.
    let header = support::b64(r#"{"alg":"none","typ":"JWT"}"#);
    let emulated = format!("{header}.{}.", support::b64(claims.to_string()));
    let refused = kind(&verifier, &emulated).await.unwrap();
    assert!(
        [RejectionKind::UnsupportedAlgorithm, RejectionKind::MalformedToken].contains(&refused),
        "{refused:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn kubernetes() {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(rename = "kubernetes.io")]
        kubernetes: Kubernetes,
    }
    #[derive(Deserialize)]
    struct Kubernetes {
        namespace: String,
        serviceaccount: Named,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }

    let cluster = "https://kubernetes.default.svc.cluster.local";
    // The set lies where the API server believes to be.
    let jwks_uri = "https://172.18.0.2:6443/openid/v1/jwks";
    let keys = json!([rsa_jwk("C5Qh1nG6", json!({})), rsa_jwk("former", json!({}))]);
    let web = Web::default().issuer(cluster, jwks_uri, json!({}), keys.clone());
    let known = KnownIssuer::kubernetes(cluster, "orders").unwrap();
    let verifier = known.verifier_with(web).with_clock(now()).with_claims::<Claims>();

    let claims = json!({
        "aud": ["orders"], "exp": NOW + 3600, "iat": NOW, "nbf": NOW, "iss": cluster,
        "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
        "kubernetes.io": {
            "namespace": "shop",
            "node": {"name": "node-1", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
            "pod": {"name": "web-69cbfb9798-jv9gn", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
            "serviceaccount": {"name": "web", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"},
            "warnafter": NOW + 3607,
        },
        "sub": "system:serviceaccount:shop:web",
    });
    let accepted = verifier.verify(&rsa_token("C5Qh1nG6", json!({}), &claims)).await.unwrap();
    assert_eq!(
        (&*accepted.kubernetes.namespace, &*accepted.kubernetes.serviceaccount.name),
        ("shop", "web")
    );
    for (changes, expected) in [
        // What every pod has, for the API server.
        (json!({"aud": [cluster]}), WRONG_AUDIENCE),
        (json!({"iss": "https://kubernetes.default.svc"}), WRONG_ISSUER),
        (json!({"iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/D53A"}), WRONG_ISSUER),
        (json!({"kubernetes.io": null}), MISSING),
        // A token of the old kind, out of a secret: without an end and without an audience.
        (
            json!({"iss": "kubernetes/serviceaccount", "aud": null, "exp": null, "iat": null}),
            WRONG_ISSUER,
        ),
    ] {
        let token = rsa_token("C5Qh1nG6", json!({}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }

    // From inside, by the name of the service, whatever the metadata say.
    let url = "https://kubernetes.default.svc/openid/v1/jwks";
    let eks = "https://oidc.eks.eu-west-1.amazonaws.com/id/D53A";
    let web = Web::default().at(url, json!({ "keys": keys }));
    let known = KnownIssuer::kubernetes(eks, "orders").unwrap().with_jwks_url(url).unwrap();
    let verifier = known.verifier_with(web.clone()).with_clock(now());
    let token = rsa_token("C5Qh1nG6", json!({}), &with(&claims, json!({"iss": eks})));
    assert_eq!(kind(&verifier, &token).await, None);
    assert_eq!(web.asked(), [url]);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_dex_carry_the_hash_of_an_id_token() {
    let issuer = "https://dex.example/dex";
    let keys = json!([rsa_jwk("f1c1e5a4", json!({}))]);
    let web = Web::default().issuer(issuer, "https://dex.example/dex/keys", json!({}), keys);
    let verifier = KnownIssuer::dex(issuer, ["orders-web", "orders-cli"])
        .unwrap()
        .verifier_with(web.clone())
        .with_clock(now());
    let claims = json!({
        "iss": issuer, "aud": "orders-web", "sub": "CgZhbGljZTISBWxvY2Fs",
        "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "c_hash": "HK6E_P6Dh8Y93mRNtsDB1Q", "nonce": "n",
        "iat": NOW, "exp": NOW + 86_400, "email": "alice@acme.example",
    });
    for (changes, expected) in [
        (json!({}), None),
        (json!({"aud": ["orders-cli", "other"], "azp": "other"}), None),
        (json!({"aud": "other"}), WRONG_AUDIENCE),
        (json!({"aud": null}), MISSING),
        (json!({"iss": "https://dex.example/dex/"}), WRONG_ISSUER),
        (json!({"typ": "ID"}), WRONG_TYPE),
        (json!({"events": {"a": {}}}), WRONG_TYPE),
    ] {
        let token = rsa_token("f1c1e5a4", json!({}), &with(&claims, changes.clone()));
        assert_eq!(kind(&verifier, &token).await, expected, "{changes}");
    }
    // By discovery alone, they are refused, and the operator is told why.
    let token = rsa_token("f1c1e5a4", json!({}), &claims);
    let keys = OidcDiscovery::new_with(issuer, web).unwrap();
    let plain = JwtVerifier::new(issuer, "orders-web", keys).unwrap().with_clock(now());
    let rejection = plain.verify(&token).await.unwrap_err();
    assert_eq!((Some(rejection.kind()), rejection.expected()), (WRONG_TYPE, Some("at_hash")));
    assert_eq!(kind(&plain.allow_at_hash(), &token).await, None);
}

#[test]
fn names_that_look_right_and_are_not_are_errors() {
    use ConfigErrorKind::{Audience, Issuer, Url};

    let api = "https://api.example";
    let odd =
        ["", " ", ".", "..", "a/b", "a?b", "a#b", "a@b", "a b", "a\n", "a%2fb", "a\\b", "ä", "{a}"];
    for part in odd {
        let domain = format!("{part}.example");
        for (name, made) in [
            ("auth0", KnownIssuer::auth0(&domain, api)),
            ("auth0 alone", KnownIssuer::auth0(part, api)),
            ("keycloak", KnownIssuer::keycloak("https://login.example", part, "orders")),
            ("entra", KnownIssuer::entra_id(part, API_ID)),
            ("entra v1", KnownIssuer::entra_id_v1(part, API_ID)),
            ("cognito", KnownIssuer::cognito(&format!("eu-west-1_{part}"), [CLIENT])),
            ("cognito region", KnownIssuer::cognito(&format!("{part}_AbC"), [CLIENT])),
            ("okta", KnownIssuer::okta(&domain, "default", "api://default")),
            ("okta server", KnownIssuer::okta("acme.okta.com", part, "api://default")),
            ("firebase", KnownIssuer::firebase(&format!("acme{part}app"))),
        ] {
            let good = name == "firebase" && part.is_empty();
            assert_eq!(made.is_ok(), good, "{name}: {part:?}");
            assert!(made.err().is_none_or(|error| error.kind() == Issuer), "{name}: {part:?}");
        }
    }
    for (kind, made) in [
        (Issuer, KnownIssuer::auth0("https://acme.eu.auth0.com/", api)),
        (Issuer, KnownIssuer::auth0("acme.eu.auth0.com/", api)),
        (Issuer, KnownIssuer::auth0("acme.eu.auth0.com:443", api)),
        (Issuer, KnownIssuer::auth0("ACME.eu.auth0.com", api)),
        (Issuer, KnownIssuer::auth0("acme", api)),
        (Issuer, KnownIssuer::auth0("acme..example", api)),
        (Issuer, KnownIssuer::auth0("-acme.example", api)),
        (Issuer, KnownIssuer::auth0("127.0.0.1", api)),
        (Issuer, KnownIssuer::auth0(&format!("{}.example", "a".repeat(64)), api)),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", "")),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", "https://acme.eu.auth0.com/userinfo")),
        (Audience, KnownIssuer::auth0("acme.eu.auth0.com", Vec::<String>::new())),
        (Url, KnownIssuer::keycloak("login.example", "shop", "orders")),
        (Url, KnownIssuer::keycloak("http://login.example", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://login.example?a=b", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://login.example#a", "shop", "orders")),
        (Url, KnownIssuer::keycloak("https://a@login.example", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example ", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example/realms", "shop", "orders")),
        (Issuer, KnownIssuer::keycloak("https://login.example/realms/shop/", "shop", "orders")),
        (Audience, KnownIssuer::keycloak("https://login.example", "shop", "account")),
        (Audience, KnownIssuer::keycloak("https://login.example", "shop", ["orders", "account"])),
        (Issuer, KnownIssuer::entra_id("common", API_ID)),
        (Issuer, KnownIssuer::entra_id("organizations", API_ID)),
        (Issuer, KnownIssuer::entra_id("consumers", API_ID)),
        (Issuer, KnownIssuer::entra_id("acme.onmicrosoft.com", API_ID)),
        (Issuer, KnownIssuer::entra_id(&TENANT.to_uppercase(), API_ID)),
        (Issuer, KnownIssuer::entra_id_v1("common", API_ID)),
        (Audience, KnownIssuer::entra_id(TENANT, "api://orders")),
        (Audience, KnownIssuer::entra_id(TENANT, API_ID.to_uppercase())),
        (Audience, KnownIssuer::entra_id_v1(TENANT, "")),
        (Url, KnownIssuer::dex("http://dex.example/dex", "web")),
        (Url, KnownIssuer::dex("dex.example", "web")),
        (Issuer, KnownIssuer::dex("https://dex.example/dex ", "web")),
        (Audience, KnownIssuer::dex("https://dex.example/dex", "")),
        (Audience, KnownIssuer::dex("https://dex.example/dex", Vec::<String>::new())),
        (Issuer, KnownIssuer::cognito("eu-west-1", [CLIENT])),
        (Issuer, KnownIssuer::cognito("AbCdEfGhI", [CLIENT])),
        (Issuer, KnownIssuer::cognito("evil.example_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("eu-west_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("cn-north-1_AbC", [CLIENT])),
        (Issuer, KnownIssuer::cognito("eu-west-1:0a1b2c3d-0000-0000-0000-0a1b2c3d4e5f", [CLIENT])),
        (Audience, KnownIssuer::cognito(POOL, Vec::<String>::new())),
        (Audience, KnownIssuer::cognito(POOL, [""])),
        (Audience, KnownIssuer::cognito(POOL, ["https://api.example"])),
        (Audience, KnownIssuer::google_id_tokens("")),
        (Issuer, KnownIssuer::okta("https://acme.okta.com", "default", "api://default")),
        (Issuer, KnownIssuer::okta("acme-admin.okta.com", "default", "api://default")),
        (Issuer, KnownIssuer::okta("acme.okta.com", "oauth2/default", "api://default")),
        (Audience, KnownIssuer::okta("acme.okta.com", "default", "")),
        (Issuer, KnownIssuer::firebase("Acme App")),
        (Issuer, KnownIssuer::firebase("471147114711")),
        (Issuer, KnownIssuer::firebase("acme")),
        (Url, KnownIssuer::kubernetes("kubernetes/serviceaccount", "orders")),
        (Url, KnownIssuer::kubernetes("http://kubernetes.default.svc", "orders")),
        (Audience, KnownIssuer::kubernetes("https://cluster.example", "")),
        (Audience, KnownIssuer::kubernetes("https://cluster.example", "https://cluster.example")),
        (
            Audience,
            KnownIssuer::kubernetes("https://cluster.example", "https://kubernetes.default.svc"),
        ),
    ] {
        let error = made.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
    for (made, issuer) in [
        (KnownIssuer::auth0("login.example", api), "https://login.example/"),
        (
            KnownIssuer::keycloak("https://login.example/auth/", "shop", "orders"),
            "https://login.example/auth/realms/shop",
        ),
        (
            KnownIssuer::keycloak("http://localhost:8080", "shop", "orders"),
            "http://localhost:8080/realms/shop",
        ),
        (
            KnownIssuer::cognito("us-gov-west-1_AbC123", [CLIENT]),
            "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbC123",
        ),
        (
            KnownIssuer::okta("login.example", "aus1c2d3E4", "api://orders"),
            "https://login.example/oauth2/aus1c2d3E4",
        ),
    ] {
        assert_eq!(made.unwrap().issuer(), issuer);
    }
    assert!(
        KnownIssuer::auth0("login.example", api)
            .unwrap()
            .with_jwks_url("http://a.example")
            .is_err()
    );
    let debug = format!("{:?}", KnownIssuer::cognito(POOL, [CLIENT]).unwrap());
    assert!(debug.contains("CognitoClient") && debug.contains(CLIENT), "{debug}");
}
