//! Who is kept out: every operation of both APIs without a token, in every role, and with a temporary password. What is
//! kept from other organisations stands in `tenants`.

use crate::{
    academy::{Academy, ROLES, newcomer, sign_in},
    contract::{Operation, operations},
    gates::{GATES, Gate, gate_of, sample, unique},
    world::World,
};
use ops::tokens::TokenScope;
use std::collections::BTreeSet;
use uuid::Uuid;

#[tokio::test]
async fn every_operation_says_whom_it_is_for() {
    let world = World::start().await;
    let documented: BTreeSet<_> = operations(&world).await.iter().map(Operation::key).collect();
    let listed: BTreeSet<_> = GATES.iter().map(|(key, _)| (*key).to_owned()).collect();
    assert_eq!(listed, documented);
    assert_eq!(listed.len(), GATES.len(), "each is listed once");
    for (key, gate) in GATES {
        if let Gate::Open(reason) | Gate::AnyScope(reason) = gate {
            assert!(reason.len() > 10, "{key} says why it is an exception");
        }
    }
}

#[tokio::test]
async fn every_operation_keeps_out_whom_it_is_not_for() {
    let world = World::start().await;
    let academy = Academy::open(&world).await;
    let operations = operations(&world).await;
    walk(&world, &academy, &operations, &ROLES).await;
}

/// Tries every operation without a token, with a forged one, with one of a temporary password, and in these roles.
pub async fn walk(world: &World, academy: &Academy, operations: &[Operation], roles: &[&str]) {
    let admin = sign_in(world, "admin").await;
    let narrow = newcomer(world, &admin, &unique()).await;
    let mut tried = 0;
    for operation in operations {
        let (key, gate) = (operation.key(), gate_of(operation));
        let ask = async |token: &str| world.send(sample(world, academy, operation).await.token(token)).await;
        let openly = ask("").await;
        if matches!(gate, Gate::Open(_)) {
            assert!(!is_kept_out(openly.slug()), "{key} is open: {}", openly.body);
        } else {
            assert_eq!(openly.headers["www-authenticate"], "Bearer", "{key}");
            assert_eq!(openly.problem(401), "unauthenticated", "{key}");
        }
        // An open command looks at no token: whoever logs in may still have an old one.
        if !(operation.commands() && matches!(gate, Gate::Open(_))) {
            assert_eq!(ask("forged").await.problem(401), "invalid-token", "{key}");
            let foreign_role = world.forge(Uuid::now_v7(), "headmaster", TokenScope::Full);
            assert_eq!(ask(&foreign_role).await.problem(401), "invalid-token", "{key} in a role that nobody has");
            // Where such a token is let in it is tried at the end, since it may end its session.
            if !matches!(gate, Gate::AnyScope(_)) {
                assert_eq!(ask(&narrow).await.problem(403), "password-change-required", "{key}");
            }
        }
        for role in roles {
            let answer = ask(&sign_in(world, role).await).await;
            tried += 1;
            if gate.admits(role) {
                assert!(!is_kept_out(answer.slug()), "{key} is for {role}: {}", answer.body);
            } else {
                assert_eq!(answer.problem(403), "forbidden", "{key} is not for {role}");
            }
        }
    }
    for operation in operations.iter().filter(|it| matches!(gate_of(it), Gate::AnyScope(_))) {
        let narrow = newcomer(world, &sign_in(world, "admin").await, &unique()).await;
        let answer = world.send(sample(world, academy, operation).await.token(&narrow)).await;
        assert!(!is_kept_out(answer.slug()), "{} with a temporary password: {}", operation.key(), answer.body);
    }
    assert_eq!(tried, operations.len() * roles.len());
}

/// Whether the answer is that of a gate, rather than of what lies behind it.
fn is_kept_out(slug: Option<&str>) -> bool {
    matches!(slug, Some("unauthenticated" | "invalid-token" | "forbidden" | "password-change-required"))
}
