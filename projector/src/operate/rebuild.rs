//! `rebuild` and `verify`: a bar while they work, and what they found.

use super::{Chosen, OperateError, Operator, say};
use crate::rebuild::{Outcome, Progress, Purpose, Rebuilder, Report};
use indicatif::{ProgressBar, ProgressStyle};
use ops::shutdown::Shutdown;
use std::{io::IsTerminal, process::ExitCode, time::Duration};

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);
/// How long removing what was built may take after an interruption.
const CLEAN_UP: Duration = Duration::from_secs(20);

impl Operator {
    pub(super) async fn rebuild(&self, chosen: &Chosen) -> Result<ExitCode, OperateError> {
        let report = self.build(chosen, Purpose::Swap).await?;
        tell(chosen, &report)?;
        Ok(ExitCode::SUCCESS)
    }

    pub(super) async fn verify(&self, chosen: &Chosen) -> Result<ExitCode, OperateError> {
        let report = self.build(chosen, Purpose::Verify).await?;
        tell(chosen, &report)?;
        Ok(if report.equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    async fn build(&self, chosen: &Chosen, purpose: Purpose) -> Result<Report, OperateError> {
        let progress = Progress::default();
        let rebuilder = Rebuilder {
            read: self.read.clone(),
            lock: self.lock.clone(),
            log: self.log.clone(),
            progress: progress.clone(),
        };
        let projections = chosen.names.chosen();
        let shutdown = Shutdown::on_signals(CLEAN_UP)?;
        let bar = bar();
        let showing = tokio::spawn(show(bar.clone(), progress));
        let built = shutdown.token().run_until_cancelled_owned(rebuilder.run(&projections, purpose)).await;
        showing.abort();
        bar.finish_and_clear();
        let Some(built) = built else {
            // A statement that runs still holds what is to be removed; the next rebuild removes it, if need be.
            let _ = tokio::time::timeout(CLEAN_UP, rebuilder.clean_up(&projections)).await;
            return Err(OperateError::Interrupted);
        };
        Ok(built?)
    }
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{msg:32} [{bar:32}] {human_pos}/{human_len} events, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

async fn show(bar: ProgressBar, progress: Progress) {
    loop {
        let (position, end) = progress.positions();
        bar.set_length(end.unsigned_abs());
        bar.set_position(position.unsigned_abs());
        bar.set_message(progress.stage());
        tokio::time::sleep(TICK).await;
    }
}

fn tell(chosen: &Chosen, report: &Report) -> Result<(), OperateError> {
    if chosen.form.json {
        say(&serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for outcome in &report.projections {
        say(&line(outcome));
        for table in outcome.comparison.iter().flat_map(|found| &found.tables).filter(|table| !table.equal) {
            let (live, rebuilt) = (&table.live, &table.rebuilt);
            say(&format!(
                "  {}: {} rows live, {} rebuilt; checksums {} and {}",
                table.table, live.rows, rebuilt.rows, live.checksum, rebuilt.checksum
            ));
        }
    }
    say(&format!(
        "{} events in {:.1} s, {:.0}/s (replay {:.1} s, indexes {:.1} s)",
        report.events,
        report.replay_seconds + report.index_seconds,
        report.events_per_second,
        report.replay_seconds,
        report.index_seconds,
    ));
    Ok(())
}

fn line(outcome: &Outcome) -> String {
    let found = match &outcome.comparison {
        None => "there was nothing to compare".to_owned(),
        Some(found) if found.equal => "equal to the live tables".to_owned(),
        Some(found) if found.parked_streams[0] != found.parked_streams[1] => {
            format!("DIFFERENT: {} streams parked live, {} rebuilt", found.parked_streams[0], found.parked_streams[1])
        }
        Some(_) => "DIFFERENT from the live tables".to_owned(),
    };
    let swapped = if outcome.swap_seconds.is_some() { ", swapped in" } else { "" };
    format!("{:22} at {:>10}: {found}{swapped}", outcome.projection, outcome.position)
}
