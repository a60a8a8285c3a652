//! One API for several tenants. Each has its own issuer and its own keys, writes its claims in its own way,
//! and has its own rule. The handlers see one type.
//!
//! | tenant | issuer | its rule |
//! |---|---|---|
//! | `acme`, `initech` | `https://issuer.example/{tenant}` | the scope `orders:read` |
//! | `globex` | `https://login.globex.example` | the group `buyers` |
//!
//! ```sh
//! cargo run -p multi_tenant
//! curl -i -H "Authorization: Bearer $TOKEN" http://127.0.0.1:3000/orders
//! ```
//!
//! The secret of a tenant is `demo secret of TENANT: never use it for real`.

use std::collections::HashMap;
use std::env;
use std::error::Error;

use axum::Router;
use axum::http::request::Parts;
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tower_jwt_auth::{
    Algorithm, Authorize, AuthorizeLayer, ConfigError, IssuerSet, IssuerTemplate, JwtAuthLayer,
    JwtVerifier, Rejection, RejectionKind, Rule, VerificationKey, VerifiedToken,
};

const AUDIENCE: &str = "https://api.example";
const GLOBEX: &str = "https://login.globex.example";

/// A caller, whichever tenant it belongs to.
#[derive(Deserialize)]
#[serde(try_from = "TokenClaims")]
struct Caller {
    tenant: String,
    name: String,
}

/// The claims as the tenants write them.
#[derive(Deserialize)]
struct TokenClaims {
    iss: String,
    sub: String,
    /// Of Globex, whose `sub` is a number that nobody knows.
    preferred_username: Option<String>,
}

impl TryFrom<TokenClaims> for Caller {
    type Error = &'static str;

    fn try_from(claims: TokenClaims) -> Result<Self, &'static str> {
        let tenant = match &*claims.iss {
            GLOBEX => "globex",
            // It is that of the verifier, whose keys belong to this tenant alone.
            issuer => issuer.strip_prefix("https://issuer.example/").ok_or("not a tenant's")?,
        };
        let tenant = tenant.to_owned();
        Ok(Self { tenant, name: claims.preferred_username.unwrap_or(claims.sub) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = app()?;
    let listener = TcpListener::bind(env::var("LISTEN").unwrap_or("127.0.0.1:3000".into())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

fn app() -> Result<Router, ConfigError> {
    let auth = JwtAuthLayer::new(issuers()?);
    Ok(Router::new()
        .route("/orders", get(orders).route_layer(AuthorizeLayer::new(TenantRules::new()?)))
        .route_layer(auth))
}

/// Tenants can be added and removed while the server runs: by `add` and `remove`, or with
/// `IssuerTemplate::allow_if`.
fn issuers() -> Result<IssuerSet<Caller>, ConfigError> {
    let issuers = IssuerSet::new();
    let template = IssuerTemplate::new("https://issuer.example/{tenant}", |found| {
        verifier(found.issuer(), found.tenant())
    })?;
    issuers.add_template(template.allow_tenants(["acme", "initech"]));
    issuers.add(verifier(GLOBEX, "globex")?)?;
    Ok(issuers)
}

fn verifier(issuer: &str, tenant: &str) -> Result<JwtVerifier<Caller>, ConfigError> {
    // In an application: `JwtVerifier::discover(issuer, AUDIENCE)`, which fetches the keys.
    let secret = format!("demo secret of {tenant}: never use it for real");
    let key = VerificationKey::from_secret(secret.as_bytes(), Algorithm::HS256)?;
    Ok(JwtVerifier::new(issuer, AUDIENCE, key)?.add_required_claim("sub").with_claims())
}

/// A rule for each tenant. A tenant without one is refused.
struct TenantRules(HashMap<&'static str, Rule<Caller>>);

impl TenantRules {
    fn new() -> Result<Self, ConfigError> {
        let read = Rule::scope("orders:read")?;
        let buyers = Rule::contains("groups", "buyers")?;
        Ok(Self(HashMap::from([("acme", read.clone()), ("initech", read), ("globex", buyers)])))
    }
}

impl Authorize<Caller> for TenantRules {
    fn authorize(&self, token: &VerifiedToken<Caller>, _head: &Parts) -> Result<(), Rejection> {
        let rule = self.0.get(&*token.tenant).ok_or(RejectionKind::InsufficientScope)?;
        rule.check(token)
    }
}

async fn orders(token: VerifiedToken<Caller>) -> String {
    format!("the orders of {}, read by {}\n", token.tenant, token.name)
}

#[cfg(test)]
mod tests {
    use tower_jwt_auth::SigningKey;
    use tower_jwt_auth::test_util::{ProtectedRequests, TestIssuer, assert_protected};

    use super::*;

    fn issuer(name: &str, tenant: &str) -> TestIssuer {
        let secret = format!("demo secret of {tenant}: never use it for real");
        let key = SigningKey::from_secret(secret.as_bytes(), Algorithm::HS256).unwrap();
        TestIssuer::new().with_issuer(name).with_audience(AUDIENCE).with_key(key)
    }

    #[tokio::test]
    async fn orders_of_each_tenant_are_protected() {
        let acme = issuer("https://issuer.example/acme", "acme").token().scope("orders:read");
        let globex = issuer(GLOBEX, "globex").token().claim("groups", ["buyers"]);
        for token in [acme, globex] {
            let requests = ProtectedRequests::new(token).get("/orders");
            assert_protected(app().unwrap(), requests).await;
        }
    }
}
