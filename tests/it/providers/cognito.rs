//! Amazon Cognito.

use serde_json::{Value, json};
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, ExpectedAudience, JwtVerifier, KnownIssuer, OidcDiscovery,
    RejectionKind,
};

use super::{
    CLIENT, MISSING, POOL, WRONG_AUDIENCE, WRONG_ISSUER, WRONG_TYPE, Web, kind, rsa_jwk, rsa_token,
    with,
};
use crate::support::{self, NOW, now};

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
