//! Microsoft Entra ID.

use serde::Deserialize;
use serde_json::{Value, json};
use tower_jwt_auth::{
    IssuerSet, IssuerTemplate, JwtVerifier, KnownIssuer, OidcDiscovery, RejectionKind, Scope,
};

use super::{API_ID, TENANT, WRONG_AUDIENCE, WRONG_ISSUER, Web, kind, rsa_jwk, rsa_token, with};
use crate::support::{self, NOW, now};

const OTHER_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

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
