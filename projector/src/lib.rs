//! What it adds up to: the log's events become the rows that readers want.
//!
//! `projections` holds one file a view. `run` applies one batch to one of them, exactly once, `lockstep` one to many;
//! `pace` calls them, while `lease` says that this process may. `feed` has the events at hand, which `follow` brings.
//! `parked` is what could not be applied. `observe` tells how far everything is. `rebuild` builds views anew beside the
//! live ones, and `operate` is what an operator asks for by subcommand.

mod checkpoint;
pub mod config;
mod copy;
pub mod entry;
pub mod feed;
mod follow;
mod lease;
pub mod lockstep;
mod metrics;
pub mod observe;
pub mod operate;
mod pace;
pub mod parked;
mod pressure;
pub mod projections;
pub mod rebuild;
pub mod run;

use crate::{feed::Feed, lockstep::Lockstep, observe::Observations, run::Runner};
use events::bus::Bus;
use ops::shutdown::Shutdown;
use pace::Turns;
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::convert::Infallible;
use tokio::sync::watch;

/// What the projector works on.
#[derive(Clone)]
pub struct Parts {
    /// The views.
    pub read: PgPool,
    /// How the connection that holds the leases is made.
    pub lease: PgConnectOptions,
    /// The events.
    pub feed: Feed,
    /// What tells that there are more.
    pub bus: Bus,
    /// Events of a batch, at most.
    pub batch_size: usize,
}

/// Starts all that the projector does; it runs until the stop.
pub fn start(parts: &Parts, shutdown: &Shutdown) -> Observations {
    metrics::describe();
    let held = watch::Sender::new(lease::Held::new());
    let (read, feed, batch_size) = (&parts.read, &parts.feed, parts.batch_size);
    let runner = |projection| Runner::new(projection, read.clone(), feed.clone(), batch_size);
    let turns = Turns::new(held.subscribe(), shutdown.token());
    let runners = projections::ALL.iter().copied().map(runner).collect();
    let lockstep = Lockstep::new(read.clone(), feed.clone(), batch_size);
    spawn(shutdown, "project", pace::drive(runners, feed.clone(), lockstep, turns));
    let names: Vec<&'static str> = projections::ALL.iter().map(|projection| projection.name).collect();
    let (lease, stop) = (parts.lease.clone(), shutdown.token());
    spawn(shutdown, "leases", async move { lease::hold(lease, &names, held, stop).await });
    spawn(shutdown, "follow the log", follow::follow(parts.feed.clone(), parts.bus.clone(), shutdown.token()));

    let observations = Observations::default();
    let observing = observe::observe(parts.read.clone(), parts.feed.clone(), observations.clone(), shutdown.token());
    spawn(shutdown, "observe the projections", observing);
    observations
}

fn spawn(shutdown: &Shutdown, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    shutdown.spawn(name, async move {
        task.await;
        Ok::<_, Infallible>(())
    });
}
