//! A database that this version cannot bring to today's schema is named, with what to do, and left as it is.

use crate::world::World;

#[tokio::test]
async fn a_database_of_another_version_is_told_of_and_left_alone() {
    let world = World::start().await;
    let (log, url) = (world.log.pool().await, world.log.url());
    let up = || world.registrar(&["migrate", "up", "--database-url", &url]);
    let (done, told) = up();
    assert!(done && told.contains("log: up to date"), "{told}");

    sqlx::query("update log._migrations set checksum = '' where version = 1").execute(&log).await.unwrap();
    let (done, told) = up();
    assert!(
        !done && told.contains("migration 0001 of the log database was applied, and is another one here"),
        "{told}"
    );

    sqlx::query("update log._migrations set version = 9001 where version = 1").execute(&log).await.unwrap();
    let (done, told) = up();
    assert!(!done && told.contains("migration 9001 of the log database is not known here"), "{told}");
}
