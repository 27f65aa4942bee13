//! The idle half of P8.

use std::time::Duration;

use super::{
    Error, Plan,
    figure::{Figure, Target},
    results::Results,
    usage,
    world::World,
};

const SETTLE: Duration = Duration::from_secs(2);
const TARGET_MB: f64 = 60.0;

/// Measures the processes that have done nothing yet, and adds to the results.
pub async fn measure(plan: &Plan, world: &World<'_>, results: &mut Results) -> Result<(), Error> {
    plan.tell("memory of the idle processes");
    plan.cancel.run_until_cancelled(tokio::time::sleep(SETTLE)).await;
    let sizes: Vec<(String, f64)> = world
        .own_pids()?
        .into_iter()
        .filter_map(|(name, pid)| usage::resident_mb(pid).map(|size| (name, size)))
        .collect();
    let words: Vec<String> = sizes.iter().map(|(name, size)| format!("{name} {size:.0}")).collect();
    let sum: f64 = sizes.iter().map(|(_, size)| size).sum();
    let what = format!("memory of the three processes, idle ({})", words.join(", "));
    results.add(Figure::value("P8", what, "MB", &[sum]).reach(Target::AtMost(TARGET_MB)));
    Ok(())
}
