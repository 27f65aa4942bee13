//! The process around the views: its health, its document, its documentation.

use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn the_process_says_that_it_lives_and_what_its_routes_are() {
    let world = World::new().await;
    assert_eq!(world.get_openly("/health").await.ok(), json!({"status": "UP"}));
    assert_eq!(world.get_openly("/health/live").await.ok(), json!({"status": "ALIVE"}));
    assert_eq!(world.get_openly("/health/ready").await.ok()["status"], "READY");
    assert_eq!(world.get_openly("/openapi.json").await.ok()["openapi"], "3.1.0");
    assert_eq!(world.get_openly("/docs/").await.status, 200);
}

#[tokio::test]
async fn nothing_can_be_changed_here() {
    let world = World::new().await;
    for (method, path) in [("POST", "/v1/courses"), ("PATCH", "/v1/me"), ("DELETE", "/v1/categories")] {
        let answer = world.call(method, path).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (405, "method-not-allowed"), "{method} {path}");
    }
    assert_eq!(world.call("HEAD", "/v1/courses").await.status, 200);
    assert_eq!(world.get_openly("/v1/nothing").await.problem(), "not-found");
}
