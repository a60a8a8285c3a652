use super::*;

fn with_nonces(clock: &Hand) -> Dpop {
    Dpop::new("https://api.example").unwrap().with_clock(clock.clone()).require_nonce().unwrap()
}

/// The nonce that the server demands for this nonce in a proof.
fn demanded(client: &Client, dpop: &Dpop, nonce: &Value) -> String {
    let proof = client.proof(&json!({}), &json!({"nonce": nonce, "iat": dpop_time(dpop)}));
    let rejection = client.result(dpop, &get("/a", [&*proof])).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::UseDpopNonce);
    assert_eq!(
        (rejection.status().as_u16(), rejection.error_code()),
        (401, Some("use_dpop_nonce"))
    );
    nonce_of(&rejection)
}

fn nonce_of(rejection: &Rejection) -> String {
    let nonce = rejection.headers().unwrap().get("dpop-nonce").unwrap();
    nonce.to_str().unwrap().to_owned()
}

fn dpop_time(dpop: &Dpop) -> i64 {
    dpop.0.clock.now().unix_seconds()
}

#[test]
fn proof_without_a_current_nonce_is_never_accepted() {
    let (client, clock) = (Client::new(), clock());
    let dpop = with_nonces(&clock);
    let foreign = with_nonces(&clock).fresh_nonce().unwrap().to_str().unwrap().to_owned();
    let own = dpop.fresh_nonce().unwrap().to_str().unwrap().to_owned();
    for nonce in [json!("absent"), json!(""), json!("nonce"), json!(foreign)] {
        demanded(&client, &dpop, &nonce);
    }
    clock.set(NOW + 300);
    demanded(&client, &dpop, &json!(own));
}

#[test]
fn demanded_nonce_is_accepted() {
    let (client, clock) = (Client::new(), clock());
    let dpop = with_nonces(&clock);
    let nonce = demanded(&client, &dpop, &json!("absent"));
    let proof = client.proof(&json!({}), &json!({"nonce": nonce}));
    assert_eq!(client.check(&dpop, &proof), Ok(None));
    assert_eq!(client.check(&dpop, &proof), Err("the DPoP proof was used before"));
}

#[test]
fn nonce_near_its_end_is_replaced_with_the_response() {
    let (client, clock) = (Client::new(), clock());
    let dpop = with_nonces(&clock);
    let nonce = demanded(&client, &dpop, &json!("absent"));
    clock.set(NOW + 150);
    let proof = client.proof(&json!({}), &json!({"nonce": nonce, "iat": NOW + 150}));
    let new = client.check(&dpop, &proof).unwrap().unwrap();
    let new = new.to_str().unwrap();
    assert_ne!(new, nonce);
    clock.set(NOW + 310);
    let claims = json!({"nonce": new, "iat": NOW + 310, "jti": "2"});
    assert!(client.check(&dpop, &client.proof(&json!({}), &claims)).unwrap().is_some());
}

#[test]
fn request_without_a_proof_gets_a_nonce_for_the_next_one() {
    let (client, clock) = (Client::new(), clock());
    let dpop = with_nonces(&clock);
    let rejection = client.result(&dpop, &get("/a", [])).unwrap_err();
    assert_eq!(rejection.kind(), RejectionKind::InvalidDpopProof);
    let claims = json!({"nonce": nonce_of(&rejection)});
    assert_eq!(client.check(&dpop, &client.proof(&json!({}), &claims)), Ok(None));
    // Without nonces, there is none to give.
    let rejection = client.result(&super::dpop(), &get("/a", [])).unwrap_err();
    assert!(rejection.headers().is_none());
}

#[test]
fn nonce_does_not_replace_another_check() {
    let (client, clock) = (Client::new(), clock());
    let dpop = with_nonces(&clock);
    let nonce = demanded(&client, &dpop, &json!("absent"));
    for claims in [
        json!({"nonce": nonce, "iat": NOW - 90}),
        json!({"nonce": nonce, "htm": "POST"}),
        json!({"nonce": nonce, "ath": "x"}),
    ] {
        assert!(client.check(&dpop, &client.proof(&json!({}), &claims)).is_err());
    }
    let proof = client.proof(&json!({}), &json!({"nonce": nonce}));
    let (message, _) = proof.rsplit_once('.').unwrap();
    assert!(client.check(&dpop, &format!("{message}.AAAA")).is_err());
    assert_eq!(client.check(&dpop, &proof), Ok(None));
}

#[test]
fn instances_with_one_key_share_their_nonces() {
    let (client, clock) = (Client::new(), clock());
    let instance = |keys: &[[u8; 32]]| {
        let dpop = Dpop::new("https://api.example").unwrap().with_clock(clock.clone());
        let dpop = dpop.with_nonce_key(&keys[0]).unwrap();
        keys[1..].iter().fold(dpop, |dpop, key| dpop.add_previous_nonce_key(key).unwrap())
    };
    let nonce = demanded(&client, &instance(&[[7; 32]]), &json!("absent"));
    let proof = client.proof(&json!({}), &json!({"nonce": nonce}));
    assert_eq!(client.check(&instance(&[[7; 32]]), &proof), Ok(None));
    let rotated = client.check(&instance(&[[8; 32], [7; 32]]), &proof).unwrap();
    assert!(rotated.is_some());
    demanded(&client, &instance(&[[8; 32]]), &json!(nonce));
}

#[test]
fn nonce_is_ignored_where_none_is_required() {
    let (client, dpop) = (Client::new(), dpop());
    assert!(dpop.fresh_nonce().is_none());
    let proof = client.proof(&json!({}), &json!({"nonce": "of another server"}));
    assert_eq!(client.check(&dpop, &proof), Ok(None));
}
