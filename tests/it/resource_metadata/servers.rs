//! The authorization servers of the document: which ones, in which order, and when there is none.

use serde_json::json;
use tower_jwt_auth::{
    Algorithm, ConfigErrorKind, IssuerSet, IssuerTemplate, JwtAuthLayer, JwtVerifier,
    RegisteredClaims,
};

use super::{document, metadata, of, servers, verifier};
use crate::support::{AUDIENCE, ISSUER, key};

#[test]
fn issuers_of_a_set_are_named_once_in_the_order_of_adding() {
    let issuers = IssuerSet::new();
    let names: Vec<String> = (0..40).map(|n| format!("https://{}.example", 97 * n % 41)).collect();
    for name in &names {
        issuers.add(of(vec![name.clone(), format!("{name}/"), format!("other {name}")])).unwrap();
    }
    assert_eq!(servers(&issuers), names);
    assert!(issuers.remove(&names[0]));
    issuers.add(of(names[0].clone())).unwrap();
    assert_eq!(servers(&issuers), [&names[1..], &names[..1]].concat());
}

#[test]
fn set_that_is_filled_later_has_no_document_until_then() {
    let issuers = IssuerSet::new();
    let layer: JwtAuthLayer =
        JwtAuthLayer::new(issuers.clone()).with_resource_metadata(metadata()).unwrap();
    let served = layer.resource_metadata_layer().unwrap();
    assert_eq!(served.document(), None);
    issuers.add(of(ISSUER)).unwrap();
    assert!(served.document().is_some());
    issuers.remove(ISSUER);
    assert_eq!(served.document(), None);
    // An added server is always there.
    let metadata = metadata().add_authorization_server("https://other.example").unwrap();
    let layer: JwtAuthLayer = JwtAuthLayer::new(issuers).with_resource_metadata(metadata).unwrap();
    assert_eq!(document(&layer)["authorization_servers"], json!(["https://other.example"]));
}

#[test]
fn set_whose_tenants_a_predicate_allows_needs_a_server_by_name() {
    let issuers: IssuerSet = IssuerSet::new();
    let template = IssuerTemplate::new("https://issuer.example/{tenant}", |found| {
        JwtVerifier::new(found.issuer(), AUDIENCE, key(Algorithm::HS256).verification_key())
    });
    issuers.add_template(template.unwrap().allow_if(|_| true));
    let error = JwtAuthLayer::new(issuers).with_resource_metadata(metadata()).unwrap_err();
    assert!(error.to_string().contains("add_authorization_server"), "{error}");
}

#[test]
fn application_selects_and_orders_the_authorization_servers() {
    let [a, b, c] = ["https://a.example", "https://b.example", "https://c.example"];
    let issuers = IssuerSet::new();
    for issuer in [a, b] {
        issuers.add(of(issuer)).unwrap();
    }
    let select = |selected: &[&str]| {
        let metadata = metadata().add_authorization_server(c)?;
        let metadata = metadata.with_authorization_servers(selected)?;
        JwtAuthLayer::<RegisteredClaims>::new(issuers.clone()).with_resource_metadata(metadata)
    };
    let layer = select(&[c, b, c]).unwrap();
    assert_eq!(document(&layer)["authorization_servers"], json!([c, b]));
    // One that is removed is not named, and one that is added later is.
    issuers.remove(b);
    assert_eq!(document(&layer)["authorization_servers"], json!([c]));
    let later = select(&["https://d.example", a]).unwrap();
    assert_eq!(document(&later)["authorization_servers"], json!([a]));
    issuers.add(of("https://d.example")).unwrap();
    assert_eq!(document(&later)["authorization_servers"], json!(["https://d.example", a]));
}

#[test]
fn selected_server_that_the_verifier_does_not_name_is_an_error() {
    for other in ["https://issuer.example/", "https://ISSUER.example", "https://evil.example"] {
        let metadata = metadata().with_authorization_servers([ISSUER, other]).unwrap();
        let error = JwtAuthLayer::new(verifier()).with_resource_metadata(metadata).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::ResourceMetadata);
        assert!(error.to_string().contains(other), "{error}");
    }
}

#[test]
fn expected_name_that_no_client_may_use_as_an_issuer_is_not_listed() {
    for name in
        ["http://issuer.example", "https://issuer.example?a=b", "https://user@issuer.example"]
    {
        let error = JwtAuthLayer::new(of(name)).with_resource_metadata(metadata()).unwrap_err();
        assert!(error.to_string().contains("https"), "{error}");
        let issuers = IssuerSet::new();
        issuers.add(of(name)).unwrap();
        issuers.add(of(ISSUER)).unwrap();
        let layer: JwtAuthLayer =
            JwtAuthLayer::new(issuers).with_resource_metadata(metadata()).unwrap();
        assert_eq!(document(&layer)["authorization_servers"], json!([ISSUER]), "{name}");
    }
    let loopback = of("http://127.0.0.1:8080");
    assert!(JwtAuthLayer::new(loopback).with_resource_metadata(metadata()).is_ok());
    assert_eq!(servers(&of(["http://a.example", "https://b.example"])), ["https://b.example"]);
}

#[test]
fn list_of_ten_thousand_tenants_is_made_once_in_linear_space() {
    const TENANTS: u64 = 10_000;
    let issuers = IssuerSet::new();
    let key = key(Algorithm::HS256).verification_key();
    for tenant in 0..TENANTS {
        let issuer = format!("https://issuer.example/{tenant}");
        issuers.add(JwtVerifier::new(issuer, AUDIENCE, key.clone()).unwrap()).unwrap();
    }
    let layer: JwtAuthLayer =
        JwtAuthLayer::new(issuers.clone()).with_resource_metadata(metadata()).unwrap();
    let served = layer.resource_metadata_layer().unwrap();
    let cost = || {
        let cost = allocation_counter::measure(|| drop(served.document()));
        (cost.count_total, cost.bytes_total)
    };
    issuers.remove("https://issuer.example/0");
    let (allocations, bytes) = cost();
    assert!(allocations < 30 * TENANTS && bytes < 3000 * TENANTS, "{allocations}, {bytes}");
    // A request for the same document copies nothing.
    assert_eq!(cost(), (0, 0));
    issuers.remove("https://issuer.example/1");
    assert!(cost().0 > 0);
}
