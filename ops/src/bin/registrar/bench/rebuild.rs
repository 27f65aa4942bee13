//! P4: rebuilding every view from a log of a million mixed events, while the query API goes on answering. The log is a
//! sample, in databases of its own on the same server.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Plan,
    figure::{Figure, Target},
    load::{self, Pace, Requester},
    people::People,
    results::Results,
    sample,
    usage::Halted,
    world::{self, World},
};
use crate::local::{self, cluster, job};

const LOG: &str = "rebuild_log";
const READ: &str = "rebuild_read";
const EVENTS: u32 = 1_000_000;
/// Queries a second meanwhile.
const RATE: f64 = 200.0;
const WORKERS: usize = 16;
/// No rebuild takes as long.
const LONGEST: Duration = Duration::from_mins(30);
const TARGET: f64 = 50_000.0;

/// Measures, and adds to the results.
pub async fn measure(
    plan: &Plan,
    world: &World<'_>,
    people: &Arc<People>,
    binaries: &Path,
    results: &mut Results,
) -> Result<(), Error> {
    plan.tell(&format!("filling a log with {EVENTS} events"));
    let log = sample::fill(plan, world, binaries, LOG, EVENTS).await?;
    cluster::create_databases(&world.postgres, &[READ]).await?;
    let read = world.postgres.url(READ);
    crate::migrate::up(ops::migrate::Database::Read, &ops::config::Secret::new(&read)).await?;

    // As after a quiet hour: what was just written is on the disk, and files for new WAL are there.
    sqlx::raw_sql("checkpoint").execute(&mut world::connect(&read).await?).await?;

    plan.tell("rebuilding every view from it");
    // What is still to be projected of the load before is another matter; queries go on.
    let others = world.own_pids()?.into_iter().filter(|(name, _)| name != "query-api").collect::<Vec<_>>();
    let _halted = Halted::new(&others);
    let mut projector = job::command(binaries.join("projector"));
    projector
        .args(["rebuild", "--all", "--json"])
        .env("DATABASE_URL", log)
        .env("READ_DATABASE_URL", read)
        .env("DATABASE_ROLE", "")
        .env("MASTER_KEY_FILE", &world.keys.master_key);
    let asking = Arc::clone(people);
    let queries = Requester::new(world.query_api()?, 200, move |request| {
        asking.write_query(request, rand::random::<u32>() as usize, "/v1/me", None);
    });
    let stop = CancellationToken::new();
    let reading = load::run(&queries, WORKERS, Pace::Open(RATE), LONGEST, &stop);
    let rebuilding = async {
        let answer = plan.cancel.run_until_cancelled(job::answer("projector rebuild", &mut projector)).await;
        stop.cancel();
        answer.unwrap_or(Err(local::Error::Interrupted))
    };
    let (read, answer) = tokio::join!(reading, rebuilding);
    let rate = find_rate(&answer?).ok_or(Error::Rebuild)?;
    let what = format!("all views rebuilt from {EVENTS} mixed events, while reads go on");
    results.add(Figure::value("P4", what, "events/s", &[rate]).reach(Target::AtLeast(TARGET)));
    let meanwhile = read?;
    results.add(Figure::value(
        "P4",
        format!("p99 of GET /v1/me meanwhile, {RATE}/s"),
        "ms",
        &[load::quantile_ms(&meanwhile.latencies, 0.99)],
    ));
    results.histograms.push(("GET /v1/me during a rebuild".to_owned(), meanwhile.latencies));
    Ok(())
}

fn find_rate(answer: &str) -> Option<f64> {
    serde_json::from_str::<Value>(answer).ok()?.get("events_per_second")?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_stands_in_the_projectors_report() {
        assert_eq!(find_rate("{\"events\": 3, \"events_per_second\": 61000.0}"), Some(61_000.0));
        assert_eq!(find_rate("no report"), None);
    }
}
