//! How far an import is: on a terminal a bar with rate and time left, elsewhere a line for each stage.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{ImportError, Importer};
use crate::local::console;

/// As long as a projection may stand still while it is behind.
pub const STANDSTILL: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(100);

/// One stage of an import.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    bar: ProgressBar,
    began: Instant,
}

impl Stage {
    /// Begins a stage of so many steps.
    pub fn begin(name: &'static str, steps: u64) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(steps) } else { ProgressBar::hidden() };
        let template = "{msg:12} [{bar:32}] {human_pos}/{human_len}  {per_sec}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name);
        Self { name, bar, began: Instant::now() }
    }

    /// So many steps are done.
    pub fn advance(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// So many are done in all.
    fn reach(&self, steps: u64) {
        self.bar.set_position(steps);
    }

    /// The stage is done with so many steps; `done` says what there is now.
    pub fn end(self, steps: u64, done: &str) {
        self.bar.finish_and_clear();
        let took = self.began.elapsed();
        let rate = (u128::from(steps) * 1_000).checked_div(took.as_millis()).unwrap_or_default();
        let rate = HumanCount(u64::try_from(rate).unwrap_or(u64::MAX));
        console::plain(&format!("{:14} {done} in {:.1} s ({rate}/s)", self.name, took.as_secs_f64()));
    }
}

/// Waits until every projection has reached the position.
pub async fn wait_for_views(importer: &Importer, cancel: &CancellationToken) -> Result<(), ImportError> {
    let session = importer.log_in().await?;
    let target = importer.client.reached();
    let (mut stage, mut first, mut hindmost, mut moved) = (None, 0, -1, Instant::now());
    loop {
        let projections = importer.client.projections(&session).await?;
        let (position, name) = find_hindmost(&projections);
        if position > hindmost {
            (hindmost, moved) = (position, Instant::now());
        }
        let stage = stage.get_or_insert_with(|| {
            first = position;
            Stage::begin("views", u64::try_from(target - position).unwrap_or_default())
        });
        stage.reach(u64::try_from(position - first).unwrap_or_default());
        if position >= target {
            break;
        }
        if moved.elapsed() > STANDSTILL {
            return Err(ImportError::Behind(name));
        }
        if cancel.run_until_cancelled(tokio::time::sleep(POLL)).await.is_none() {
            return Err(ImportError::Interrupted);
        }
    }
    if let Some(stage) = stage {
        let steps = u64::try_from(target - first).unwrap_or_default();
        stage.end(
            steps,
            &format!("all at position {}, the last {} events", HumanCount(position(target)), HumanCount(steps)),
        );
    }
    Ok(())
}

fn position(position: i64) -> u64 {
    u64::try_from(position).unwrap_or_default()
}

/// The position of the projection that is furthest behind, and its name.
fn find_hindmost(projections: &Value) -> (i64, String) {
    let items = projections["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let each = items
        .iter()
        .map(|item| (item["position"].as_i64().unwrap_or(0), item["name"].as_str().unwrap_or("?").to_owned()));
    each.min().unwrap_or_else(|| (0, "none is there".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_projection_that_is_furthest_behind_is_waited_for() {
        let projections = json!({ "items": [{ "name": "a", "position": 7 }, { "name": "b", "position": 6 }] });
        assert_eq!(find_hindmost(&projections), (6, "b".to_owned()));
        assert_eq!(find_hindmost(&json!({})).0, 0);
    }
}
