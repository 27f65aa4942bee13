//! Views are built anew beside the live ones: the same rows, the same tables, and no reader notices.

use crate::{
    story::{self, ADA, BOB, BOOKKEEPING, profile},
    world::World,
};
use events::{Role, StreamRef, account::AccountEvent, ids::AccountId};
use projector::{
    parked::{self, Released},
    projections::{self, ApplyError, Projection},
    rebuild::{Progress, Purpose, RebuildError, Rebuilder, Report},
};
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use testkit::eventually;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);
const LEFTOVERS: &str = "select count(*) from pg_namespace where nspname like 'rebuild%'";
const STATES: &str = "select jsonb_agg(distinct state) from read.projections";

pub(crate) fn rebuilder(world: &World) -> Rebuilder {
    Rebuilder {
        read: world.read.clone(),
        lock: world.read_database.options().options([("role", "registrar_projector")]),
        log: world.log.clone(),
        progress: Progress::default(),
    }
}

pub(crate) async fn run(world: &World, projections: &[Projection], purpose: Purpose) -> Report {
    rebuilder(world).run(projections, purpose).await.unwrap()
}

fn view(name: &str) -> [Projection; 1] {
    [*projections::find(name).unwrap()]
}

async fn all_rows(world: &World) -> BTreeMap<&'static str, Vec<Value>> {
    let mut rows = BTreeMap::new();
    for table in projections::ALL.iter().flat_map(|projection| projection.tables) {
        rows.insert(*table, world.rows(table).await);
    }
    rows
}

/// All that the catalogue knows of the tables, but for their numbers.
async fn shapes(world: &World) -> Vec<Value> {
    sqlx::query_scalar(
        r"select jsonb_build_object(
                     'table', c.relname, 'owner', c.relowner::regrole, 'options', c.reloptions,
                     'rls', c.relrowsecurity, 'forced', c.relforcerowsecurity,
                     'rights', (select jsonb_agg(to_jsonb(a) order by to_jsonb(a)) from aclexplode(c.relacl) a),
                     'columns', (select jsonb_agg(jsonb_build_array(attname, format_type(atttypid, atttypmod), attnotnull,
                                                  attgenerated, pg_get_expr(adbin, adrelid)) order by attnum)
                                 from pg_attribute
                                 left join pg_attrdef on adrelid = attrelid and adnum = attnum
                                 where attrelid = c.oid and attnum > 0 and not attisdropped),
                     'indexes', (select jsonb_agg(pg_get_indexdef(indexrelid) order by indexrelid::regclass::text)
                                 from pg_index where indrelid = c.oid),
                     'constraints', (select jsonb_agg(jsonb_build_array(conname, pg_get_constraintdef(oid)) order by conname)
                                     from pg_constraint where conrelid = c.oid),
                     'policies', (select jsonb_agg(to_jsonb(p) order by policyname)
                                  from pg_policies p where schemaname = 'read' and tablename = c.relname))
            from pg_class c
            where relnamespace = 'read'::regnamespace
              and relkind = 'r'
            order by relname",
    )
    .fetch_all(&world.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_rebuilt_view_equals_the_live_one_and_takes_its_place() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let (rows, shape) = (all_rows(&world).await, shapes(&world).await);

    let report = run(&world, projections::ALL, Purpose::Swap).await;
    let head = world.log.head().await.unwrap();
    assert_eq!((report.events, report.equal), (head, true), "{report:#?}");
    for outcome in &report.projections {
        assert!(outcome.comparison.as_ref().is_some_and(|found| found.equal), "{outcome:?}");
        assert!(outcome.swap_seconds.is_some() && outcome.position == head, "{outcome:?}");
    }
    assert_eq!(all_rows(&world).await, rows);
    assert_eq!(shapes(&world).await, shape, "keys, indexes, rights and policies are as the migrations make them");
    assert_eq!(world.value::<i64>(LEFTOVERS).await, 0);
    assert_eq!(world.value::<Value>(STATES).await, json!(["running"]));

    // It goes on from there as if nothing had been.
    let (id, event) = story::enrolled(story::INES, BOOKKEEPING);
    world.append(id, event).await;
    world.drain_all(500).await;
    assert!(run(&world, projections::ALL, Purpose::Verify).await.equal);
}

#[tokio::test]
async fn a_view_that_is_empty_is_built_to_the_end_of_the_log() {
    let world = World::new().await;
    story::tell(&world).await;
    let report = run(&world, projections::ALL, Purpose::Swap).await;
    assert!(report.projections.iter().all(|outcome| outcome.comparison.is_none()), "{report:#?}");
    let rebuilt = all_rows(&world).await;
    let least: i64 = world.value("select min(position) from read.projections").await;
    assert_eq!(least, world.log.head().await.unwrap());
    world.forget_all().await;
    world.drain_all(500).await;
    assert_eq!(all_rows(&world).await, rebuilt);
}

#[tokio::test]
async fn a_difference_is_reported_and_only_a_rebuild_mends_it() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    world.execute("update read.account_list set role = 'auditor' where role = 'instructor'").await;
    let report = run(&world, projections::ALL, Purpose::Verify).await;
    assert!(!report.equal);
    let different: Vec<_> = report
        .projections
        .iter()
        .flat_map(|outcome| &outcome.comparison.as_ref().unwrap().tables)
        .filter(|table| !table.equal)
        .map(|table| (table.table, table.live.rows, table.rebuilt.rows))
        .collect();
    assert_eq!(different, [("account_list", 3, 3)]);
    let instructors = "select count(*) from read.account_list where role = 'instructor'";
    assert_eq!(world.value::<i64>(instructors).await, 0, "to verify changes nothing");
    assert_eq!(world.value::<i64>(LEFTOVERS).await, 0);

    assert!(!run(&world, &view("account_list"), Purpose::Swap).await.equal);
    assert_eq!(world.value::<i64>(instructors).await, 1);
    assert!(run(&world, projections::ALL, Purpose::Verify).await.equal);
}

#[tokio::test]
async fn a_row_too_many_is_a_difference() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    world.execute("insert into read.course_catalogue_students select tenant_id, gen_random_uuid(), 1 from read.course_catalogue_students").await;
    assert!(!run(&world, &view("course_catalogue"), Purpose::Verify).await.equal);
}

#[tokio::test]
async fn a_paused_view_is_rebuilt_where_it_stands_and_stays_paused() {
    let world = World::new().await;
    story::tell(&world).await;
    world.drain("course_catalogue").await;
    let stands: i64 = world.value("select position from read.projections where name = 'course_catalogue'").await;
    world.execute("update read.projections set state = 'paused' where name = 'course_catalogue'").await;
    let (id, event) = story::enrolled(story::INES, BOOKKEEPING);
    world.append(id, event).await;
    let report = run(&world, &view("course_catalogue"), Purpose::Swap).await;
    assert_eq!((report.equal, report.projections[0].position), (true, stands));
    let state: String = world.value("select state from read.projections where name = 'course_catalogue'").await;
    assert_eq!(state, "paused");
}

/// Ada's second event cannot be applied to the list of accounts.
async fn poisoned() -> World {
    let world = World::new().await;
    story::register(&world, ADA, "Ada", Role::Learner).await;
    world.append(ADA, profile(ADA, "Ada", "bro\0ken")).await;
    world.append(ADA, AccountEvent::Deactivated {}).await;
    story::register(&world, BOB, "Bob", Role::Learner).await;
    world
}

#[tokio::test]
async fn what_is_parked_is_parked_in_a_rebuilt_view_too_and_what_was_skipped_stays_skipped() {
    let world = poisoned().await;
    world.drain("account_list").await;
    let parked = "select jsonb_agg(jsonb_build_array(projection, position) order by position) from read.parked_events";
    assert_eq!(world.value::<Value>(parked).await, json!([["account_list", 2], ["account_list", 3]]));
    assert!(run(&world, &view("account_list"), Purpose::Swap).await.equal);
    assert_eq!(world.value::<Value>(parked).await, json!([["account_list", 2], ["account_list", 3]]));

    let stream = StreamRef { stream_type: "account".into(), id: ADA.as_uuid() };
    let released = parked::skip(&world.read, &world.log, &view("account_list")[0], &stream).await.unwrap();
    assert_eq!(released, Released::Flowing { events: 1 });
    let report = run(&world, &view("account_list"), Purpose::Swap).await;
    assert!(report.equal, "{report:#?}");
    let active =
        "select jsonb_agg(jsonb_build_array(first_name, is_active) order by first_name) from read.account_list";
    assert_eq!(world.value::<Value>(active).await, json!([["Ada", false], ["Bob", true]]));
    assert_eq!(world.value::<i64>("select count(*) from read.parked_streams").await, 0);
}

#[tokio::test]
async fn two_rebuilds_of_one_view_do_not_run_together() {
    let world = World::new().await;
    story::tell(&world).await;
    let rebuilder = rebuilder(&world);
    let mut other = world.read.acquire().await.unwrap();
    sqlx::query("select pg_advisory_lock(hashtextextended('registrar rebuild payment_list', 0))")
        .execute(&mut *other)
        .await
        .unwrap();
    let refused = rebuilder.run(projections::ALL, Purpose::Swap).await;
    assert!(matches!(refused, Err(RebuildError::Busy(name)) if name == "payment_list"));
    rebuilder.run(&view("account_list"), Purpose::Swap).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_was_broken_off_is_begun_anew() {
    static HANGS: AtomicBool = AtomicBool::new(true);
    let hanging = Projection {
        apply: |connection, batch| {
            Box::pin(async move {
                (projections::find("course_catalogue").unwrap().apply)(connection, batch).await?;
                if HANGS.load(SeqCst) {
                    std::future::pending::<()>().await;
                }
                Ok::<(), ApplyError>(())
            })
        },
        ..view("course_catalogue")[0]
    };
    let world = World::new().await;
    story::tell(&world).await;
    world.drain_all(500).await;
    let rows = all_rows(&world).await;
    let broken_off = tokio::spawn({
        let rebuilder = rebuilder(&world);
        async move { rebuilder.run(&[hanging], Purpose::Swap).await.map(|_| ()) }
    });
    eventually("the rebuild has begun", SOON, async || (world.value::<i64>(LEFTOVERS).await == 1).then_some(())).await;
    assert_eq!(world.value::<Value>(STATES).await, json!(["rebuilding", "running"]));
    // As with the process, everything goes but what is in the database.
    broken_off.abort();
    assert!(broken_off.await.unwrap_err().is_cancelled());
    eventually("nobody is at it any more", SOON, async || {
        projector::observe::look(&world.read, &world.feed()).await.unwrap();
        (world.value::<Value>(STATES).await == json!(["running"])).then_some(())
    })
    .await;
    assert_eq!(all_rows(&world).await, rows, "the live view is as it was");

    HANGS.store(false, SeqCst);
    assert!(run(&world, &[hanging], Purpose::Swap).await.equal);
    assert_eq!(world.value::<i64>(LEFTOVERS).await, 0);
    assert_eq!(all_rows(&world).await, rows);
}

/// What one reader sees in one snapshot, as the query API does: how far the view is, and what it adds up to.
async fn read_once(pool: &PgPool) -> Result<(i64, i64), sqlx::Error> {
    let mut snapshot = pool.begin_with("begin isolation level repeatable read read only").await?;
    sqlx::query("select set_config('registrar.tenant_id', '00000000-0000-7000-8000-000000000001', true)")
        .execute(&mut *snapshot)
        .await?;
    let position: i64 = sqlx::query_scalar("select position from read.projections where name = 'course_catalogue'")
        .fetch_one(&mut *snapshot)
        .await?;
    // A moment in which a swap may come between what was read and what will be.
    tokio::task::yield_now().await;
    let row = sqlx::query("select sum(total_students)::bigint, count(*) from read.course_catalogue_students")
        .fetch_one(&mut *snapshot)
        .await?;
    snapshot.commit().await?;
    Ok((position, row.try_get::<Option<i64>, _>(0)?.unwrap_or(0)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_never_see_an_empty_table_or_an_error_while_views_are_swapped() {
    let world = Arc::new(World::new().await);
    for learner in 1..=200_u128 {
        let (id, event) = story::enrolled(AccountId::new(Uuid::from_u128(learner)), BOOKKEEPING);
        world.append(id, event).await;
    }
    world.drain("course_catalogue").await;
    let (done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut readers = tokio::task::JoinSet::new();
    let pool = world.read_database.pool_as("registrar_query").await;
    for _ in 0..6 {
        let (pool, done, reads) = (pool.clone(), done.clone(), reads.clone());
        readers.spawn(async move {
            while !done.load(SeqCst) {
                let (position, students) = read_once(&pool).await.unwrap();
                assert!(position >= 200 && students == position, "{students} students at {position}");
                reads.fetch_add(1, SeqCst);
            }
        });
    }
    // Meanwhile the live view goes on: every event is one enrolment.
    let appending = tokio::spawn({
        let (world, done) = (world.clone(), done.clone());
        async move {
            let mut runner = world.runner("course_catalogue");
            let mut learner = 1_000_u128;
            while !done.load(SeqCst) {
                let (id, event) = story::enrolled(AccountId::new(Uuid::from_u128(learner)), BOOKKEEPING);
                world.append(id, event).await;
                runner.step().await.unwrap();
                learner += 1;
            }
        }
    });
    for _ in 0..8 {
        let before = reads.load(SeqCst);
        let report = run(&world, &view("course_catalogue"), Purpose::Swap).await;
        assert!(report.equal, "{report:#?}");
        eventually("readers go on", SOON, async || (reads.load(SeqCst) > before + 20).then_some(())).await;
    }
    done.store(true, SeqCst);
    appending.await.unwrap();
    readers.join_all().await;
}

#[tokio::test]
async fn a_snapshot_from_before_the_rebuild_sees_the_view_as_it_was() {
    let world = Arc::new(World::new().await);
    story::tell(&world).await;
    world.drain("course_catalogue").await;
    let pool = world.read_database.pool_as("registrar_query").await;
    let mut old = pool.begin_with("begin isolation level repeatable read read only").await.unwrap();
    sqlx::query("select position from read.projections").fetch_all(&mut *old).await.unwrap();
    let rebuilding = tokio::spawn({
        let world = world.clone();
        async move { run(&world, &view("course_catalogue"), Purpose::Swap).await }
    });
    let waits = "select count(*) from pg_class where relname = 'course_catalogue_by_title'";
    eventually("the fresh tables stand beside the live ones", SOON, async || {
        (world.value::<i64>(waits).await == 2).then_some(())
    })
    .await;
    sqlx::query("select set_config('registrar.tenant_id', '00000000-0000-7000-8000-000000000001', true)")
        .execute(&mut *old)
        .await
        .unwrap();
    let students: i64 = sqlx::query_scalar("select sum(total_students)::bigint from read.course_catalogue_students")
        .fetch_one(&mut *old)
        .await
        .unwrap();
    assert_eq!(students, 2);
    old.commit().await.unwrap();
    assert!(rebuilding.await.unwrap().equal);
}
