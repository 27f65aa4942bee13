//! Logs that are filled with sample events, in databases of their own.

use std::path::Path;

use super::{Error, Plan, world::World};
use crate::{
    local::{self, cluster, job},
    migrate,
};

/// Makes a log of so many mixed events; the answer is its URL.
pub async fn fill(
    plan: &Plan,
    world: &World<'_>,
    binaries: &Path,
    database: &str,
    events: u32,
) -> Result<String, Error> {
    cluster::create_databases(&world.postgres, &[database]).await?;
    let url = world.postgres.url(database);
    migrate::up(ops::migrate::Database::Log, &ops::config::Secret::new(&url)).await?;
    let path = &world.keys.master_key;
    let master_key = std::fs::read_to_string(path).map_err(local::files::failed("read", path))?;
    let mut sample = job::command(binaries.join("examples/sample_log"));
    sample.arg(events.to_string()).env("DATABASE_URL", &url).env("MASTER_KEY", master_key.trim());
    let filled = plan.cancel.run_until_cancelled(job::answer("sample_log", &mut sample)).await;
    filled.unwrap_or(Err(local::Error::Interrupted))?;
    Ok(url)
}
