//! P1, P2 and P8: commands over HTTP, durable and published while the projector runs, beside single-row INSERTs. The
//! reference runs while Registrar's own processes stand still, so that it has the machine to itself.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use hdrhistogram::Histogram;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Plan,
    figure::{Figure, Target},
    load::{self, Pace, Requester},
    people::People,
    reference::{Reference, Script},
    results::Results,
    usage::{self, Halted},
    world::{self, World, find_metric},
};

/// Connections at once.
pub const LEVELS: [usize; 4] = [1, 16, 64, 256];
/// Where P1 is judged.
const JUDGED: [usize; 2] = [64, 256];
const TARGET: f64 = 0.7;
const LATENCY_TARGET: f64 = 4.0;
const MEMORY_TARGET_MB: f64 = 250.0;

/// Everything that is taken at one number of connections.
#[derive(Debug, Default)]
struct Level {
    rates: Vec<f64>,
    reference_rates: Vec<f64>,
    latencies_ms: Vec<f64>,
    reference_latencies_ms: Vec<f64>,
    histogram: Option<Histogram<u64>>,
    processors: BTreeMap<String, Vec<f64>>,
}

/// Measures, and adds to the results.
pub async fn measure(
    plan: &Plan,
    world: &World<'_>,
    people: &Arc<People>,
    reference: &Reference,
    results: &mut Results,
) -> Result<(), Error> {
    let mut levels: BTreeMap<usize, Level> = plan.connections.iter().map(|level| (*level, Level::default())).collect();
    let watch = Watch::start(world)?;
    for repetition in 1..=plan.repetitions {
        for (connections, level) in &mut levels {
            plan.tell(&format!("commands, {connections} connections, repetition {repetition}"));
            let measured = {
                let _halted = Halted::new(&world.own_pids()?);
                reference.run(Script::Insert, *connections, plan.length, &plan.cancel).await?
            };
            level.reference_rates.push(measured.rate);
            level.reference_latencies_ms.push(measured.latency_ms);
            stretch(plan, world, people, *connections, level, results).await?;
        }
    }
    let watched = watch.end().await;
    tell(levels, results);
    let memory = watched.iter().map(|seen| seen.memory_mb).fold(0.0, f64::max);
    results.add(
        Figure::value("P8", "memory of the three processes during P1, at most", "MB", &[memory])
            .reach(Target::AtMost(MEMORY_TARGET_MB)),
    );
    results.lag = watched.iter().map(|seen| (seen.seconds, seen.lag)).collect();
    Ok(())
}

/// What sends commands that touch no stream that is there, as long as there are enough of them.
pub fn commands(world: &World<'_>, people: &Arc<People>, connections: usize) -> Result<Requester, Error> {
    if people.commands_left() < connections * 100 {
        return Err(Error::UsedUp);
    }
    let asking = Arc::clone(people);
    let write = move |request: &mut Vec<u8>| {
        asking.write_command(request);
    };
    Ok(Requester::new(world.command_api()?, 201, write))
}

/// One stretch of commands, to when the last of them was published.
async fn stretch(
    plan: &Plan,
    world: &World<'_>,
    people: &Arc<People>,
    connections: usize,
    level: &mut Level,
    results: &mut Results,
) -> Result<(), Error> {
    let requester = commands(world, people, connections)?;
    let pids = world.pids()?;
    let (metrics, used, begun) = (world.metrics().await?, usage::processor_seconds(&pids), Instant::now());
    let sample = load::run(&requester, connections, Pace::Closed, plan.length, &plan.cancel).await?;
    let reached = requester.reached.load(std::sync::atomic::Ordering::Relaxed);
    world.published(reached).await?;
    let elapsed = begun.elapsed();
    let processors = usage::processors(&used, &usage::processor_seconds(&pids), elapsed);
    #[expect(clippy::cast_precision_loss, reason = "counts of a few minutes stay far below 2^52")]
    let commands = sample.latencies.len() as f64;
    // Up to when the last was published, which is later than its answer.
    level.rates.push(commands / elapsed.as_secs_f64());
    level.latencies_ms.push(sample.mean_ms());
    for (name, share) in processors {
        level.processors.entry(name).or_default().push(share);
    }
    let generator = sample.generator.as_secs_f64() / elapsed.as_secs_f64();
    level.processors.entry("load generator".to_owned()).or_default().push(generator);
    match &mut level.histogram {
        Some(histogram) => {
            // Both have the same bounds.
            let _ = histogram.add(&sample.latencies);
        }
        empty => *empty = Some(sample.latencies),
    }
    append_cost(connections, &metrics, &world.metrics().await?, reached, results);
    Ok(())
}

/// What a command cost in `log.append`, at this size of the log.
fn append_cost(connections: usize, before: &str, after: &str, position: i64, results: &mut Results) {
    let difference = |name: &str| Some(find_metric(after, name)? - find_metric(before, name).unwrap_or_default());
    let seconds = difference("registrar_append_duration_seconds_sum");
    let commands = difference("registrar_append_batch_size_sum");
    if let (Some(seconds), Some(commands)) = (seconds, commands)
        && commands > 0.0
        && connections == JUDGED[0]
    {
        results.append_cost.push((position, seconds * 1e6 / commands));
    }
}

fn tell(levels: BTreeMap<usize, Level>, results: &mut Results) {
    for (connections, level) in levels {
        let Level { rates, reference_rates, latencies_ms, reference_latencies_ms, histogram, processors } = level;
        let what = format!("commands/s over HTTP, durable and published, {connections} connections");
        let figure = Figure::value("P1", what, "/s", &rates).over("INSERT/s", &reference_rates, &rates);
        let judged = JUDGED.contains(&connections);
        results.add(if judged { figure.reach(Target::AtLeast(TARGET)) } else { figure });
        results.throughput.push((connections, figure_pair(&rates, &reference_rates)));
        if connections == 1 {
            let figure = Figure::value("P2", "latency of one command, 1 connection, mean", "ms", &latencies_ms);
            let figure = figure.over("ms INSERT", &reference_latencies_ms, &latencies_ms);
            results.add(figure.reach(Target::AtMost(LATENCY_TARGET)));
        }
        results.histograms.extend(histogram.map(|all| (format!("commands, {connections} connections"), all)));
        let medians = processors.into_iter().map(|(name, all)| (name, super::figure::Spread::of(&all).median));
        results.processors.push((format!("commands, {connections} connections"), medians.collect()));
    }
}

fn figure_pair(rates: &[f64], references: &[f64]) -> (f64, f64) {
    (super::figure::Spread::of(rates).median, super::figure::Spread::of(references).median)
}

/// One look at the running system.
#[derive(Debug, Clone, Copy)]
struct Seen {
    seconds: f64,
    memory_mb: f64,
    lag: i64,
}

/// Looks a few times a second.
struct Watch {
    stop: CancellationToken,
    task: JoinHandle<Vec<Seen>>,
}

impl Watch {
    fn start(world: &World<'_>) -> Result<Self, Error> {
        let stop = CancellationToken::new();
        let (pids, log, read) = (world.own_pids()?, world.log_url(), world.read_url());
        let task = tokio::spawn(watch(pids, log, read, stop.clone()));
        Ok(Self { stop, task })
    }

    async fn end(self) -> Vec<Seen> {
        self.stop.cancel();
        self.task.await.unwrap_or_default()
    }
}

async fn watch(pids: Vec<(String, u32)>, log: String, read: String, stop: CancellationToken) -> Vec<Seen> {
    let mut seen = Vec::new();
    let begun = Instant::now();
    let (Ok(mut log), Ok(mut read)) = (world::connect(&log).await, world::connect(&read).await) else { return seen };
    let pause = || tokio::time::sleep(std::time::Duration::from_millis(250));
    while stop.run_until_cancelled(pause()).await.is_some() {
        let head: Result<i64, _> = sqlx::query_scalar("select position from log.head").fetch_one(&mut log).await;
        let (Ok(head), Ok(lowest)) = (head, world::lowest_position(&mut read).await) else { continue };
        seen.push(Seen {
            seconds: begun.elapsed().as_secs_f64(),
            memory_mb: pids.iter().filter_map(|(_, pid)| usage::resident_mb(*pid)).sum(),
            lag: (head - lowest).max(0),
        });
    }
    seen
}
