//! P10: enrolments while somebody floods the log-in. Each log-in costs an Argon2 hash at production's cost.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    Error, Plan,
    figure::{Figure, Target},
    load::{self, Pace, Requester, histogram, quantile_ms},
    people::People,
    results::Results,
    world::World,
};

/// Enrolments a second.
const RATE: f64 = 200.0;
const WORKERS: usize = 64;
/// Connections that log in one after the other.
const FLOODING: usize = 32;
/// How often calm and flood take turns in a repetition, so that both have their part of the moments in which the disk is
/// slow: of few requests, the slowest hundredth is what came at such a moment.
const TURNS: u32 = 6;
const TARGET: f64 = 2.0;

/// Measures, and adds to the results.
pub async fn measure(plan: &Plan, world: &World<'_>, people: &Arc<People>, results: &mut Results) -> Result<(), Error> {
    let address = world.command_api()?;
    let (enrolling, flooding) = (Arc::clone(people), Arc::clone(people));
    let enrollments = Requester::new(address, 201, move |request| enrolling.write_enrollment(request));
    let log_ins = Requester::new(address, 200, move |request| flooding.write_log_in(request));
    let enroll = || load::run(&enrollments, WORKERS, Pace::Open(RATE), plan.length * 4 / TURNS, &plan.cancel);
    let (mut alone, mut flooded, mut logged_in) = (Vec::new(), Vec::new(), Vec::new());
    let (mut calm, mut rough) = (histogram(), histogram());
    for repetition in 1..=plan.repetitions {
        plan.tell(&format!("enrolments beside a flood of log-ins, repetition {repetition}"));
        let (mut calm_now, mut rough_now) = (histogram(), histogram());
        for _ in 0..TURNS {
            world.projected(world.head().await?).await?;
            let _ = calm_now.add(&enroll().await?.latencies);

            let stop = CancellationToken::new();
            let flood = load::run(&log_ins, FLOODING, Pace::Closed, plan.length * 60, &stop);
            let enroll = async {
                let sample = enroll().await;
                stop.cancel();
                sample
            };
            let (flood, sample) = tokio::join!(flood, enroll);
            let _ = rough_now.add(&sample?.latencies);
            logged_in.push(flood?.rate());
        }
        alone.push(quantile_ms(&calm_now, 0.99));
        flooded.push(quantile_ms(&rough_now, 0.99));
        let _ = calm.add(&calm_now);
        let _ = rough.add(&rough_now);
    }
    let what = format!("p99 of enrolments, {RATE}/s, during a flood of log-ins");
    results.add(
        Figure::value("P10", what, "ms", &flooded)
            .over("ms without it", &alone, &flooded)
            .reach(Target::AtMost(TARGET)),
    );
    results.add(Figure::value("P10", "log-ins meanwhile (Argon2id at production's cost)", "/s", &logged_in));
    results.histograms.push(("enrolments alone".to_owned(), calm));
    results.histograms.push(("enrolments during the flood".to_owned(), rough));
    Ok(())
}
