//! P7: what an append costs in a log of ten million events, and in one of a hundred thousand. It is what PostgreSQL
//! takes for `log.append` of a batch, in turn on one log and on the other; the commit, which knows no size, is left out.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::PgConnection;

use super::{
    Error, Plan,
    figure::{Figure, Spread, Target},
    results::Results,
    sample, usage,
    world::{self, World},
};

const SMALL: u32 = 100_000;
const LARGE: u32 = 10_000_000;
/// Commands in one call, as under load.
const BATCH: i32 = 64;
const TARGET: f64 = 1.2;
/// Appends `commands` payments to streams of their own; answers how long `log.append` took, in microseconds a command.
const APPEND: &str = include_str!("append_sample.sql");

/// Measures, and adds to the results.
pub async fn measure(plan: &Plan, world: &World<'_>, binaries: &Path, results: &mut Results) -> Result<(), Error> {
    let mut small = prepare(plan, world, binaries, "small_log", SMALL).await?;
    let mut large = prepare(plan, world, binaries, "large_log", LARGE).await?;
    let (mut on_small, mut on_large) = (Vec::new(), Vec::new());
    let _halted = usage::Halted::new(&world.own_pids()?);
    for repetition in 1..=plan.repetitions {
        plan.tell(&format!("appending to a small and to a large log, repetition {repetition}"));
        on_small.push(append(&mut small, plan.length).await?);
        on_large.push(append(&mut large, plan.length).await?);
    }
    results.append_cost =
        vec![(SMALL.into(), Spread::of(&on_small).median), (LARGE.into(), Spread::of(&on_large).median)];
    let what = format!("cost of a command in log.append at {LARGE} events");
    let figure = Figure::value("P7", what, "µs", &on_large).over("µs at 100,000", &on_small, &on_large);
    results.add(figure.reach(Target::AtMost(TARGET)));
    Ok(())
}

async fn prepare(
    plan: &Plan,
    world: &World<'_>,
    binaries: &Path,
    database: &str,
    events: u32,
) -> Result<PgConnection, Error> {
    plan.tell(&format!("filling a log with {events} events"));
    let url = sample::fill(plan, world, binaries, database, events).await?;
    let mut connection = world::connect(&url).await?;
    sqlx::raw_sql(APPEND).execute(&mut connection).await?;
    Ok(connection)
}

/// The median of as many calls as the time allows, after a few that fill the caches.
async fn append(connection: &mut PgConnection, length: Duration) -> Result<f64, Error> {
    let mut costs = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < length {
        let cost: f64 =
            sqlx::query_scalar("select pg_temp.append_sample($1)").bind(BATCH).fetch_one(&mut *connection).await?;
        costs.push(cost);
    }
    let warm = costs.len() / 10;
    Ok(Spread::of(&costs[warm..]).median)
}
