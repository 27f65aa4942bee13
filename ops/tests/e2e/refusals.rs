//! Every refusal that the two OpenAPI documents declare is reached over HTTP, with its exact type and status, and no
//! other is met on the way: the documents say neither too little nor too much.
//!
//! `edge` reaches what any operation may be refused with, `faults` what happens when something underneath fails; the
//! other files follow the stems.

mod account;
mod assessment;
mod auth;
mod catalogue;
pub mod edge;
mod enrollment;
mod faults;
mod import;
mod invitation;
mod queries;
mod tenant;

use crate::{
    academy::Academy,
    access,
    client::Call,
    contract::{Operation, declarations, met, operations},
    world::World,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What is declared and not reached here, each with the reason. This list may only shrink.
const NOT_REACHED: &[(&str, &str, &str)] = &[
    ("POST /v1/accounts/{id}/unlock", "conflict", "only a locked account gets so far, and each lock is opened once"),
    ("POST /v1/accounts/{id}/unlock", "version-conflict", "only a locked account gets so far"),
    ("POST /v1/auth/forgot-password", "unavailable", "hundreds of people would have to forget at once"),
];

/// The operation that answers before anything is decided.
const DONE_LATER: &str = "POST /v1/auth/forgot-password";

#[tokio::test]
async fn what_the_contracts_declare_is_what_happens() {
    let world = World::start().await;
    // Before there is a first superadmin.
    auth::bootstrap(&world).await;
    let superadmin = crate::academy::sign_in(&world, "superadmin").await;
    let academy = Academy::fill(&world, &superadmin).await;
    let operations = operations(&world).await;
    faults::reach(&world, &academy, &operations).await;
    edge::reach(&world, &academy, &operations).await;
    // Nothing is for both of them that is not for everyone.
    access::walk(&world, &academy, &operations, &["learner", "auditor"]).await;
    auth::reach(&world).await;
    account::reach(&world).await;
    invitation::reach(&world).await;
    catalogue::reach(&world).await;
    enrollment::reach(&world).await;
    assessment::reach(&world).await;
    import::reach(&world).await;
    tenant::reach(&world).await;
    queries::reach(&world, &operations).await;

    let (declared, met) = (declarations(&operations), met(&operations, &world));
    let excepted: BTreeSet<_> =
        NOT_REACHED.iter().map(|(key, slug, _)| ((*key).to_owned(), (*slug).to_owned())).collect();
    let undeclared: Vec<_> = met.difference(&declared).collect();
    let unreached: Vec<_> = declared.difference(&met).filter(|pair| !excepted.contains(*pair)).collect();
    let needless: Vec<_> = excepted.intersection(&met).chain(excepted.difference(&declared)).collect();
    assert!(undeclared.is_empty(), "answered and not declared: {undeclared:#?}");
    assert!(unreached.is_empty(), "declared and reached by no test: {unreached:#?}");
    assert!(needless.is_empty(), "these exceptions are needed no more: {needless:#?}");
    println!("{} operations, {} refusals declared and reached", operations.len(), declared.len());
}

/// Sends a request and expects it to be refused with this status and type.
#[track_caller]
fn refused(world: &World, call: Call, status: u16, slug: &'static str) -> impl Future<Output = Value> {
    let caller = std::panic::Location::caller();
    let what = format!("{} {} at {caller}", call.method, call.path);
    async move {
        let answer = world.send(call).await;
        assert_eq!((answer.status.as_u16(), answer.slug()), (status, Some(slug)), "{what}: {}", answer.body);
        answer.body
    }
}

/// A command with a JSON body.
fn post(path: impl Into<String>, token: &str, body: &Value) -> Call {
    Call::post(path).token(token).json(body)
}

/// A command without a body.
fn bare(path: impl Into<String>, token: &str) -> Call {
    Call::post(path).token(token)
}

/// The operations that command.
fn commands(operations: &[Operation]) -> impl Iterator<Item = &Operation> {
    operations.iter().filter(|operation| operation.commands())
}
