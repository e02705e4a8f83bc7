//! The route tables beside the descriptions of the APIs that the fuzz run is made from.

use std::collections::BTreeSet;

use countersign::http::{Route, Version, identity_routes, routes};
use serde_json::Value;

const CLIENT: &str = include_str!("../../openapi/client-3pid.openapi.json");
const IDENTITY: &str = include_str!("../../openapi/identity-v2.openapi.json");

/// The operations of a description, each as method and path without prefix.
fn described(schema: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(schema).expect("the description is JSON");
    let paths = schema["paths"].as_object().expect("it has paths").iter();
    let operations = paths.flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("a path has operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations
        .map(|operation| operation.replace("{userId}", "{user_id}").replace("{keyId}", "{key_id}"))
        .collect()
}

/// The routes as the descriptions name them.
fn served(routes: &[Route]) -> BTreeSet<String> {
    let name = |route: &Route| match route.version {
        Version::V3 => format!("{} /client/v3{}", route.method, route.path),
        Version::V1 => format!("{} /client/v1{}", route.method, route.path),
        Version::None => format!("{} {}", route.method, route.path),
    };
    routes.iter().map(name).collect()
}

#[test]
fn every_operation_of_both_apis_is_a_route() {
    for (schema, operations, routes) in [(CLIENT, 26, routes()), (IDENTITY, 23, identity_routes())] {
        let described = described(schema);
        assert_eq!(described.len(), operations, "the description holds the whole API");
        let missing: Vec<_> = described.difference(&served(&routes)).cloned().collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
