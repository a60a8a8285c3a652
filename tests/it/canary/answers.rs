//! What the answers to refused requests show.

use http::header::AUTHORIZATION;
use tower_jwt_auth::Algorithm;

use super::{CLAIM, answers, canaries_of, layer, refused};
use crate::support::requests::{bearer, reached, refusal, send};
use crate::support::{claims_with, key};

#[test]
fn no_answer_shows_a_token_a_claim_or_a_key() {
    for algorithm in [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let key = key(algorithm);
        for (token, request) in refused(key) {
            let canaries = canaries_of(key).token(&token);
            for response in answers(&layer(key), &request) {
                assert!(refusal(&response).is_some(), "accepted: {request:?}");
                canaries.response(&response);
            }
        }
    }
}

#[test]
fn a_head_that_an_inner_service_prints_shows_no_token() {
    let key = key(Algorithm::HS256);
    let token = key.token(&claims_with("sub", CLAIM));
    let response = send(&layer(key), bearer(&token));
    let head = reached(&response).unwrap();
    assert!(head.headers[AUTHORIZATION].to_str().unwrap().contains(&token), "it is there");
    canaries_of(key).token(&token).debug(head);
}
