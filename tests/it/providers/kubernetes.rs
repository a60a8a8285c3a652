//! Service accounts of Kubernetes.

use serde::Deserialize;
use serde_json::json;
use tower_jwt_auth::KnownIssuer;

use super::{MISSING, WRONG_AUDIENCE, WRONG_ISSUER, Web, kind, rsa_jwk, rsa_token, with};
use crate::support::{NOW, now};

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
