//! P5: queries of one thing over HTTP beside single-row SELECTs by key.

use std::sync::Arc;

use super::{
    Error, Plan,
    figure::{Figure, Spread, Target},
    load::{self, Pace, Requester, histogram},
    people::People,
    reference::{Reference, Script},
    results::Results,
    usage::{self, Halted},
    world::World,
};

const CONNECTIONS: usize = 64;
const TARGET: f64 = 0.5;

/// Measures, and adds to the results.
pub async fn measure(
    plan: &Plan,
    world: &World<'_>,
    people: &Arc<People>,
    reference: &Reference,
    results: &mut Results,
) -> Result<(), Error> {
    let (account, course) = (Arc::clone(people), Arc::clone(people));
    let address = world.query_api()?;
    let queries = [
        (
            "GET /v1/me",
            Requester::new(address, 200, move |request| {
                account.write_query(request, rand::random::<u32>() as usize, "/v1/me", None);
            }),
        ),
        ("GET /v1/courses/{id}", Requester::new(address, 200, move |request| course.write_course_query(request))),
    ];
    world.projected(world.head().await?).await?;
    let mut references = Vec::new();
    let mut rates = [Vec::new(), Vec::new()];
    let mut histograms = [histogram(), histogram()];
    let mut processors: Vec<Vec<(String, f64)>> = vec![Vec::new(); queries.len()];
    for repetition in 1..=plan.repetitions {
        plan.tell(&format!("queries, {CONNECTIONS} connections, repetition {repetition}"));
        {
            let _halted = Halted::new(&world.own_pids()?);
            references.push(reference.run(Script::Select, CONNECTIONS, plan.length, &plan.cancel).await?.rate);
        }
        for (index, (_, requester)) in queries.iter().enumerate() {
            let pids = world.pids()?;
            let used = usage::processor_seconds(&pids);
            let sample = load::run(requester, CONNECTIONS, Pace::Closed, plan.length, &plan.cancel).await?;
            rates[index].push(sample.rate());
            let mut shares = usage::processors(&used, &usage::processor_seconds(&pids), sample.elapsed);
            shares.push(("load generator".to_owned(), sample.generator.as_secs_f64() / sample.elapsed.as_secs_f64()));
            processors[index] = shares;
            // Both have the same bounds.
            let _ = histograms[index].add(&sample.latencies);
        }
    }
    for ((((name, _), rates), all), shares) in queries.into_iter().zip(rates).zip(histograms).zip(processors) {
        let what = format!("{name}, requests/s, {CONNECTIONS} connections");
        let figure = Figure::value("P5", what, "/s", &rates).over("SELECT/s", &references, &rates);
        results.add(figure.reach(Target::AtLeast(TARGET)));
        results.histograms.push((name.to_owned(), all));
        results.processors.push((name.to_owned(), shares));
        plan.tell(&format!("{name}: {:.0}/s", Spread::of(&rates).median));
    }
    Ok(())
}
