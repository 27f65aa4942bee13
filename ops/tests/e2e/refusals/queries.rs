//! What is not there, or not the asker's to know of; parameters that are wrong.

use super::{account::NOBODY, refused};
use crate::{academy::sign_in, client::Call, contract::Operation, gates::someone_for, world::World};
use ops::tokens::TokenScope;

const DEFAULT_TENANT: uuid::Uuid = uuid::Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001);

pub async fn reach(world: &World, operations: &[Operation]) {
    for operation in operations.iter().filter(|it| !it.commands() && it.path.contains('{')) {
        let token = match someone_for(operation) {
            // An admin is told of their own organisation only.
            Some("admin") if operation.path.starts_with("/v1/tenants") => sign_in(world, "superadmin").await,
            Some(role) => sign_in(world, role).await,
            None => String::new(),
        };
        for nothing in [NOBODY, "not-an-id"] {
            let path = operation.path.replace("{id}", nothing);
            refused(world, Call::get(path).token(&token), 404, "not-found").await;
        }
    }
    // An account that the view does not know.
    let stranger = world.forge(DEFAULT_TENANT, "learner", TokenScope::Full);
    refused(world, Call::get("/v1/me").token(&stranger), 404, "not-found").await;

    let admin = sign_in(world, "admin").await;
    for (query, pointer) in [("limit=201", "limit"), ("colour=red", "colour"), ("cursor=x", "cursor")] {
        let call = Call::get(format!("/v1/accounts?{query}")).token(&admin);
        let wrong = refused(world, call, 422, "invalid-request").await;
        assert_eq!(wrong["errors"][0]["pointer"], format!("/query/{pointer}"));
    }
}
