//! What the network types print: neither keys nor the query of a URL, which may be a secret.

use std::sync::{Arc, Mutex};

use tower_jwt_auth::test_util::{MockAnswer, MockIssuer};
use tower_jwt_auth::{
    Fetch, FetchFuture, FetchRequest, JwksUrl, JwtVerifier, KeySource, OidcDiscovery,
};

use super::{kind, unknown};
use crate::canary::Canaries;

/// Keeps what it was asked for.
#[derive(Clone, Debug)]
struct Asked(MockIssuer, Arc<Mutex<Vec<FetchRequest>>>);

impl Fetch for Asked {
    fn fetch(&self, request: FetchRequest) -> FetchFuture {
        self.1.lock().unwrap().push(request.clone());
        self.0.fetch(request)
    }
}

#[tokio::test(start_paused = true)]
async fn no_text_of_the_network_types_shows_a_key_a_query_or_a_token() {
    let issuer = MockIssuer::new();
    let asked = Asked(issuer.clone(), Arc::default());
    let url = format!("{}?key=canary-claim", issuer.jwks_url());
    let by_url = JwksUrl::new_with(&url, asked.clone()).unwrap();
    let discovered = OidcDiscovery::new_with(issuer.issuer(), asked.clone()).unwrap();
    let mut canaries = Canaries::new();
    let set: serde_json::Value = serde_json::from_str(&issuer.jwk_set()).unwrap();
    for key in set["keys"].as_array().unwrap() {
        canaries = canaries.jwk(key);
    }
    let token = unknown(&issuer, "canary-claim");
    let canaries = canaries.token(&token);

    for keys in [Arc::new(by_url) as Arc<dyn KeySource>, Arc::new(discovered)] {
        let verifier =
            JwtVerifier::new(issuer.issuer(), "https://api.test", Arc::clone(&keys)).unwrap();
        for answer in [
            MockAnswer::Good,
            MockAnswer::Status(500),
            MockAnswer::Redirect("https://issuer.test/?canary-claim".into()),
            MockAnswer::Body("application/json", "{\"keys\": \"canary-claim\"}".into()),
            MockAnswer::Body("canary-claim", "{}".into()),
            MockAnswer::Refuse,
        ] {
            issuer.set_answer(answer);
            issuer.rotate();
            if let Err(error) = verifier.refresh().await {
                canaries.error(error);
            }
            assert!(kind(&verifier, &token).await.is_some());
            if let Err(rejection) = verifier.verify(&token).await {
                canaries.error(rejection);
            }
            canaries.debug((&keys, keys.status(), &verifier));
            canaries.display(keys.status().last_error().unwrap_or_default());
        }
        issuer.set_answer(MockAnswer::Good);
    }
    let asked = asked.1.lock().unwrap();
    assert!(asked.iter().any(|request| request.url().contains("canary-claim")));
    canaries.debug(&*asked);
    canaries.error(JwksUrl::new("http://issuer.test/?canary-claim").unwrap_err());
    canaries.error(OidcDiscovery::new("https://canary-claim:p@issuer.test/").unwrap_err());
}
