//! The table by gRPC path.

use serde_json::json;
use tower_jwt_auth::{
    Authorize, AuthorizeLayer, ConfigErrorKind, GrpcRules, JwtAuthLayer, RejectionKind, Rule,
};

use super::{bearer_at, scope, send, token_with, verified, verifier, was_reached};
use crate::support::requests::refusal;

fn rules() -> GrpcRules {
    GrpcRules::new()
        .add_service("shop.v1.Orders", scope("read"))
        .unwrap()
        .add_method("/shop.v1.Orders/Cancel", scope("write"))
        .unwrap()
        .add_method("/shop.v1.Invoices/Get", Rule::any_scope(["read", "audit"]).unwrap())
        .unwrap()
        .open_health_and_reflection()
}

fn layers() -> (JwtAuthLayer, AuthorizeLayer) {
    let rules = rules();
    (JwtAuthLayer::new(verifier()).exempt(rules.open_methods()), AuthorizeLayer::new(rules))
}

/// The statuses of a call without a token, and with `read`, `write` and `audit`.
fn statuses(path: &str) -> [u16; 4] {
    let (outer, inner) = layers();
    [None, Some("read"), Some("write"), Some("audit")].map(|granted| {
        let token = granted.map(|granted| token_with(&json!({"scope": granted})));
        let response = send(&outer, &inner, bearer_at(path, token.as_deref()));
        assert_eq!(was_reached(&response), response.status() == 200);
        response.status().as_u16()
    })
}

#[test]
fn method_has_its_own_rule_or_that_of_its_service() {
    assert_eq!(statuses("/shop.v1.Orders/List"), [401, 200, 403, 403]);
    assert_eq!(statuses("/shop.v1.Orders/Cancel"), [401, 403, 200, 403]);
    assert_eq!(statuses("/shop.v1.Invoices/Get"), [401, 200, 403, 200]);
}

#[test]
fn call_that_is_not_listed_is_refused() {
    for path in [
        "/",
        "/shop.v1.Invoices/List",
        "/shop.v1.Parcels/Get",
        "/shop.v1.Orders",
        "/shop.v1.Orders/",
        "/shop.v1.Orders/List/",
        "/shop.v1.Orders/List/x",
        "/shop.v1.Orders//List",
        "//shop.v1.Orders/List",
        "/shop.v1.Orders/List%2f..",
        "/shop.v1.Orders/..",
        "/shop.v1.Orders/%4cist",
        "/shop.v1.Orders;x=y/List",
        "/x/shop.v1.Orders/List",
        "/shop.v1.OrdersX/List",
        "/xshop.v1.Orders/List",
        "/Orders/List",
        "/SHOP.v1.Orders/List",
        "/shop.v1.Invoices/get",
        "/shop.v1.Invoices/GetX",
        "/shop.v1.Invoices/Get/",
        "/grpc.health.v1.Health/Other",
        "/grpc.health.v1.Health/Check/",
        "/grpc.health.v1.Health/Check/x",
        "/x/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Checked",
        "//grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/%43heck",
        "/grpc.health.v1.Health",
    ] {
        assert_eq!(statuses(path), [401, 403, 403, 403], "{path}");
    }
}

#[test]
fn health_and_reflection_are_open_with_a_token_and_without() {
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/Check?x=y",
    ] {
        assert_eq!(statuses(path), [200; 4], "{path}");
    }
}

#[test]
fn refused_call_is_permission_denied() {
    let (outer, inner) = layers();
    let token = token_with(&json!({"scope": "read"}));
    let response = send(&outer, &inner, bearer_at("/shop.v1.Parcels/Get", Some(&token)));
    assert_eq!(refusal(&response), Some(RejectionKind::InsufficientScope));
    let rejection = response.extensions().get::<tower_jwt_auth::Rejection>().unwrap();
    assert_eq!(rejection.grpc_status(), 7);
}

#[test]
fn open_method_with_a_rule_is_decided_by_the_rule() {
    let path = "/grpc.health.v1.Health/Watch";
    let rules = GrpcRules::new().add_method(path, scope("read")).unwrap();
    let rules = rules.open_health_and_reflection();
    let outer = JwtAuthLayer::new(verifier()).exempt(rules.open_methods());
    let inner = AuthorizeLayer::new(rules);
    assert_eq!(send(&outer, &inner, bearer_at(path, None)).status(), 401);
    let token = token_with(&json!({}));
    assert_eq!(send(&outer, &inner, bearer_at(path, Some(&token))).status(), 403);
}

#[test]
fn mistakes_are_errors_when_the_table_is_made() {
    let table = || GrpcRules::new().add_service("a.B", scope("x")).unwrap();
    let error = |result: Result<GrpcRules, tower_jwt_auth::ConfigError>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Rule, "{error}");
    };
    for service in ["", "/a.B", "a.B/", "a..B", ".B", "a.B/C", "a.*", "a b"] {
        error(table().add_service(service, scope("x")));
    }
    for path in
        ["", "/", "a.B/C", "/a.B", "/a.B/", "/a.B/C/", "/a.B/*", "/a.B/C?x", "/a..B/C", "//a.B/C"]
    {
        error(table().add_method(path, scope("x")));
        error(table().add_open_method(path));
    }
    error(table().add_service("a.B", scope("y")));
    error(table().add_method("/a.B/C", scope("x")).unwrap().add_method("/a.B/C", scope("y")));
    error(table().add_method("/a.B/C", scope("x")).unwrap().add_open_method("/a.B/C"));
    error(table().add_open_method("/a.B/C").unwrap().add_method("/a.B/C", scope("y")));
}

#[test]
fn method_that_the_application_opens_needs_no_token() {
    let rules = GrpcRules::new().add_open_method("/a.B/Login").unwrap();
    let outer = JwtAuthLayer::new(verifier()).exempt(rules.open_methods());
    let inner = AuthorizeLayer::new(rules);
    assert_eq!(send(&outer, &inner, bearer_at("/a.B/Login", None)).status(), 200);
    assert_eq!(send(&outer, &inner, bearer_at("/a.B/Logout", None)).status(), 401);
}

#[tokio::test]
async fn server_of_tonic_refuses_by_method_and_answers_health_checks_without_a_token() {
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::Code;
    use tonic::transport::{Channel, Server};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let serve = async |rules: GrpcRules| {
        let (_reporter, health) = tonic_health::server::health_reporter();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let auth = JwtAuthLayer::new(verifier()).exempt(rules.open_methods());
        let server = Server::builder()
            .layer(auth)
            .layer(AuthorizeLayer::new(rules))
            .add_service(health)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        HealthClient::new(channel.connect().await.unwrap())
    };
    let code = async |client: &mut HealthClient<Channel>, scope: Option<&str>| {
        let mut request = tonic::Request::new(HealthCheckRequest::default());
        if let Some(scope) = scope {
            let value = format!("Bearer {}", token_with(&json!({"scope": scope})));
            request.metadata_mut().insert("authorization", value.parse().unwrap());
        }
        client.check(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
    };

    let rules = GrpcRules::new().add_service("grpc.health.v1.Health", scope("check")).unwrap();
    let mut client = serve(rules).await;
    assert_eq!(code(&mut client, None).await, Code::Unauthenticated);
    assert_eq!(code(&mut client, Some("read")).await, Code::PermissionDenied);
    assert_eq!(code(&mut client, Some("check")).await, Code::Ok);

    let mut client = serve(GrpcRules::new()).await;
    assert_eq!(code(&mut client, Some("check")).await, Code::PermissionDenied);

    let mut client = serve(GrpcRules::new().open_health_and_reflection()).await;
    assert_eq!(code(&mut client, None).await, Code::Ok);
}

#[test]
fn rule_of_a_service_outranks_the_opening_of_health_and_reflection_in_any_order() {
    const HEALTH: &str = "/grpc.health.v1.Health/Check";
    const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let rule = || scope("dev");
    let add = |rules: GrpcRules| {
        rules.add_service("grpc.reflection.v1.ServerReflection", rule()).unwrap()
    };
    for rules in [
        add(GrpcRules::new()).open_health_and_reflection(),
        add(GrpcRules::new().open_health_and_reflection()),
    ] {
        let is_open = rules.open_methods();
        let head = |path: &str| http::Request::post(path).body(()).unwrap().into_parts().0;
        assert!(is_open(&head(HEALTH)));
        assert!(!is_open(&head(REFLECTION)));
        let token = verified(&json!({"scope": "read"}));
        assert!(rules.authorize(&token, &head(HEALTH)).is_ok());
        assert!(rules.authorize(&token, &head(REFLECTION)).is_err());
    }
}

#[test]
fn open_method_accepts_any_token() {
    let rules = GrpcRules::new()
        .add_service("shop.v1.Orders", scope("read"))
        .unwrap()
        .add_open_method("/shop.v1.Orders/Login")
        .unwrap();
    let head = |path: &str| http::Request::post(path).body(()).unwrap().into_parts().0;
    let token = verified(&json!({"scope": "other"}));
    assert!(rules.authorize(&token, &head("/shop.v1.Orders/Login")).is_ok());
    assert!(rules.authorize(&token, &head("/shop.v1.Orders/List")).is_err());
}

#[test]
fn method_of_health_that_was_opened_by_name_stays_open_in_any_order() {
    let path = "/grpc.health.v1.Health/Check";
    let open = |rules: GrpcRules| rules.add_open_method(path).unwrap();
    let service =
        |rules: GrpcRules| rules.add_service("grpc.health.v1.Health", scope("x")).unwrap();
    let together = GrpcRules::open_health_and_reflection;
    for rules in [
        service(open(GrpcRules::new())),
        open(service(GrpcRules::new())),
        together(service(open(GrpcRules::new()))),
        open(service(together(GrpcRules::new()))),
        service(open(together(GrpcRules::new()))),
    ] {
        let outer = JwtAuthLayer::new(verifier()).exempt(rules.open_methods());
        let inner = AuthorizeLayer::new(rules);
        assert_eq!(send(&outer, &inner, bearer_at(path, None)).status(), 200);
        let watch = "/grpc.health.v1.Health/Watch";
        assert_eq!(send(&outer, &inner, bearer_at(watch, None)).status(), 401);
    }
}

#[test]
fn method_of_health_may_be_given_a_rule_after_all_were_opened() {
    let path = "/grpc.health.v1.Health/Check";
    let rules = GrpcRules::new().open_health_and_reflection();
    let rules = rules.add_method(path, scope("x")).unwrap();
    let outer = JwtAuthLayer::new(verifier()).exempt(rules.open_methods());
    let inner = AuthorizeLayer::new(rules);
    assert_eq!(send(&outer, &inner, bearer_at(path, None)).status(), 401);
    let watch = "/grpc.health.v1.Health/Watch";
    assert_eq!(send(&outer, &inner, bearer_at(watch, None)).status(), 200);
}
