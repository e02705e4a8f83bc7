//! The route table beside the description of the API that the fuzz run is made from.

use std::collections::BTreeSet;

use countersign::http::{Version, routes};
use serde_json::Value;

const SCHEMA: &str = include_str!("../../openapi/client-3pid.openapi.json");

/// What the description has and this node has not.
const NOT_HERE: [&str; 2] = ["POST /client/v3/account/3pid/bind", "POST /client/v3/account/3pid/unbind"];

/// The operations of the description, each as method and path without prefix.
fn described() -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the description is JSON");
    let paths = schema["paths"].as_object().expect("it has paths").iter();
    let operations = paths.flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("a path has operations").keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.map(|operation| operation.replace("{userId}", "{user_id}")).collect()
}

#[test]
fn every_operation_that_the_description_has_is_a_route_but_for_binding() {
    let routes: BTreeSet<_> = routes()
        .iter()
        .map(|route| match route.version {
            Version::V3 => format!("{} /client/v3{}", route.method, route.path),
            Version::V1 => format!("{} /client/v1{}", route.method, route.path),
            Version::None => format!("{} {}", route.method, route.path),
        })
        .collect();
    let described = described();
    assert_eq!(described.len(), 26, "the description holds the client API");
    let missing: Vec<_> = described.difference(&routes).map(String::as_str).collect();
    assert_eq!(missing, NOT_HERE);
}
