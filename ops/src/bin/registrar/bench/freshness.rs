//! P3: how long after a command's answer a query that asks for its position shows it, while commands come at a fixed
//! rate whatever the answers do.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;

use super::{
    Error, Plan,
    figure::{Figure, Target},
    http::{CallError, Connection},
    load::{self, Pace, Work, check, histogram},
    people::People,
    results::Results,
    world::World,
};

/// Commands a second.
const RATE: f64 = 500.0;
/// Commands with their queries that can be under way at once.
const WORKERS: usize = 128;
const TARGET_MS: f64 = 25.0;
const WARM_UP: Duration = Duration::from_millis(500);

/// Pays, and looks for the payment.
struct PayAndLook {
    people: Arc<People>,
    commands: Connection,
    queries: Connection,
    request: Vec<u8>,
}

impl PayAndLook {
    async fn open(people: Arc<People>, commands: SocketAddr, queries: SocketAddr) -> Result<Self, CallError> {
        let (commands, queries) = (Connection::open(commands).await?, Connection::open(queries).await?);
        Ok(Self { people, commands, queries, request: Vec::with_capacity(2048) })
    }
}

impl Work for PayAndLook {
    fn turn(&mut self) -> BoxFuture<'_, Result<Option<Instant>, CallError>> {
        Box::pin(async {
            self.request.clear();
            let learner = self.people.write_next_payment(&mut self.request);
            let reply = self.commands.call(&self.request).await?;
            check(&reply, 201)?;
            let (answered, position) = (Instant::now(), reply.position);
            self.request.clear();
            self.people.write_query(&mut self.request, learner, "/v1/me/payments?limit=1", position);
            check(&self.queries.call(&self.request).await?, 200)?;
            Ok(Some(answered))
        })
    }
}

/// Measures, and adds to the results.
pub async fn measure(plan: &Plan, world: &World<'_>, people: &Arc<People>, results: &mut Results) -> Result<(), Error> {
    let (commands, queries) = (world.command_api()?, world.query_api()?);
    let load = async |length| {
        world.projected(world.head().await?).await?;
        let people = Arc::clone(people);
        let make = move || -> BoxFuture<'static, Result<PayAndLook, CallError>> {
            Box::pin(PayAndLook::open(Arc::clone(&people), commands, queries))
        };
        load::run_with(WORKERS, Pace::Open(RATE), length, &plan.cancel, make).await
    };
    // Connections are opened and statements planned before anything is counted.
    load(WARM_UP).await?;
    let (mut middles, mut tails, mut all) = (Vec::new(), Vec::new(), histogram());
    for repetition in 1..=plan.repetitions {
        plan.tell(&format!("visible after the answer, {RATE} commands/s, repetition {repetition}"));
        let sample = load(plan.length * 2).await?;
        middles.push(load::quantile_ms(&sample.latencies, 0.5));
        tails.push(load::quantile_ms(&sample.latencies, 0.99));
        // Both have the same bounds.
        let _ = all.add(&sample.latencies);
    }
    let what = |quantile| format!("answered → visible by Registrar-Min-Position, {RATE} commands/s, {quantile}");
    results.add(Figure::value("P3", what("p50"), "ms", &middles));
    results.add(Figure::value("P3", what("p99"), "ms", &tails).reach(Target::AtMost(TARGET_MS)));
    results.histograms.push(("answered → visible".to_owned(), all));
    Ok(())
}
