//! Categories, courses and their lessons.

use super::{account::NOBODY, bare, post, refused};
use crate::{academy::sign_in, client::Call, world::World};
use serde_json::json;

/// As many lessons as a course may have.
const FULL: usize = 500;

pub async fn reach(world: &World) {
    let (admin, instructor) = (sign_in(world, "admin").await, sign_in(world, "instructor").await);
    let name = json!({"name": "Taken"});
    world.post("/v1/categories", &admin, name.clone()).await.expect(201);
    refused(world, post("/v1/categories", &admin, &name), 409, "category-name-taken").await;

    let wrong = json!({"title": "", "category_id": NOBODY, "price": {"amount_minor": -1, "currency": "EUR"}});
    let wrong = world.send(post("/v1/courses", &instructor, &wrong)).await;
    assert_eq!(wrong.fields(), [("/price/amount_minor", "range"), ("/title", "blank")], "{}", wrong.body);
    let unknown = post("/v1/courses", &instructor, &json!({"title": "Lost", "category_id": NOBODY}));
    let unknown = refused(world, unknown, 422, "invalid-request").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/category_id");

    let lesson = json!({"title": "One more", "content_type": "text", "content": "More."});
    let title = json!({"title": "Renamed"});
    for (path, body) in [("", Some(&title)), ("/lessons", Some(&lesson)), ("/publish", None), ("/archive", None)] {
        let path = format!("/v1/courses/{NOBODY}{path}");
        let call = if body == Some(&title) { Call::patch(&path) } else { Call::post(&path) };
        let call = body.into_iter().fold(call.token(&admin), Call::json);
        refused(world, call, 404, "not-found").await;
    }

    let (course, _) = world.draft(&instructor, None).await;
    let path = |rest: &str| format!("/v1/courses/{course}{rest}");
    let stale = |call: Call| refused(world, call.header("if-match", "\"99\""), 412, "version-conflict");
    stale(Call::patch(path("")).token(&admin).json(&title)).await;
    stale(post(path("/lessons"), &admin, &lesson)).await;
    stale(bare(path("/publish"), &admin)).await;
    stale(bare(path("/archive"), &admin)).await;
    world.send(bare(path("/publish"), &admin)).await.expect(200);
    refused(world, bare(path("/publish"), &admin), 409, "course-already-published").await;
    world.send(bare(path("/archive"), &admin)).await.expect(200);
    refused(world, bare(path("/archive"), &admin), 409, "course-already-archived").await;
    refused(world, bare(path("/publish"), &admin), 409, "course-archived").await;
    refused(world, Call::patch(path("")).token(&admin).json(&title), 409, "course-archived").await;
    refused(world, post(path("/lessons"), &admin, &lesson), 409, "course-archived").await;

    let empty = world.post("/v1/courses", &instructor, json!({"title": "Empty"})).await.expect(201);
    let empty = crate::world::id_of(&empty);
    refused(world, bare(format!("/v1/courses/{empty}/publish"), &admin), 409, "course-has-no-lessons").await;
    let lessons = format!("/v1/courses/{empty}/lessons");
    for _ in 0..FULL {
        world.send(post(&lessons, &instructor, &lesson)).await.expect(201);
    }
    refused(world, post(&lessons, &instructor, &lesson), 409, "course-full").await;
}
