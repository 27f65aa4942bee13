//! What the two OpenAPI documents say: every operation, and the refusals that it declares.

use crate::world::World;
use serde_json::Value;
use std::collections::BTreeSet;

/// One operation of one of the APIs.
#[derive(Debug, Clone)]
pub struct Operation {
    pub method: String,
    /// With the names of parameters in braces.
    pub path: String,
    /// The names of the problems that its document says it may be refused with.
    pub declared: BTreeSet<String>,
}

impl Operation {
    /// Its name in the tables of these tests: `POST /v1/payments`.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it changes something.
    pub fn commands(&self) -> bool {
        self.method != "GET"
    }

    /// Whether a request's path is one of this operation's.
    fn matches(&self, method: &str, path: &str) -> bool {
        let (own, other) = (self.path.split('/'), path.split('/'));
        self.method == method
            && own.clone().count() == other.clone().count()
            && own.zip(other).all(|(own, other)| own.starts_with('{') || own == other)
    }
}

/// Every operation under `/v1` of both APIs.
pub async fn operations(world: &World) -> Vec<Operation> {
    let mut operations = Vec::new();
    for base in [&world.command_api, &world.query_api] {
        let document = world.client.send(base, crate::client::Call::get("/openapi.json")).await.expect(200);
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if path.starts_with("/v1/") {
                    let method = method.to_uppercase();
                    operations.push(Operation { method, path: path.clone(), declared: declared(operation) });
                }
            }
        }
    }
    assert!(operations.len() > 40, "both documents were read");
    operations
}

/// The names in backquotes in the descriptions of a refusal's statuses.
fn declared(operation: &Value) -> BTreeSet<String> {
    let responses = operation["responses"].as_object().unwrap().iter();
    let refusals = responses.filter(|(status, _)| status.starts_with(['4', '5']));
    let descriptions = refusals.map(|(_, response)| response["description"].as_str().unwrap());
    descriptions.flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Every pair of an operation and a problem that the documents declare.
pub fn declarations(operations: &[Operation]) -> BTreeSet<(String, String)> {
    let pairs = operations.iter().flat_map(|it| it.declared.iter().map(|slug| (it.key(), slug.clone())));
    pairs.collect()
}

/// Every such pair that the world's client met.
pub fn met(operations: &[Operation], world: &World) -> BTreeSet<(String, String)> {
    let refused = world.refused().into_iter().filter_map(|refused| {
        // A path that is written out comes before one with a parameter in its place.
        let mut found: Vec<_> = operations.iter().filter(|it| it.matches(&refused.method, &refused.path)).collect();
        found.sort_by_key(|it| it.path.matches('{').count());
        Some((found.first()?.key(), refused.slug))
    });
    refused.collect()
}
