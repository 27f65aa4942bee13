//! Keys that change while a process runs: the files that hold them are looked at every second.

use std::{convert::Infallible, error::Error, path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Calls `reload` whenever one of the files holds something else than before, until the stop. When it fails, what was
/// loaded before stays, and the error is logged; the next change is the next attempt.
pub async fn watch_files<E: Error + 'static>(
    files: Vec<PathBuf>,
    stop: CancellationToken,
    reload: impl Fn() -> Result<(), E>,
) -> Result<(), Infallible> {
    let mut known = read(&files).await;
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let now = read(&files).await;
        // A file that is not there is one that is being replaced.
        if now != known && now.iter().all(Option::is_some) {
            known = now;
            match reload() {
                Ok(()) => tracing::info!("the keys were read again"),
                Err(error) => crate::telemetry::error(&error, "the changed keys cannot be used; those before stay"),
            }
        }
    }
    Ok(())
}

async fn read(files: &[PathBuf]) -> Vec<Option<Vec<u8>>> {
    let mut contents = Vec::with_capacity(files.len());
    for file in files {
        contents.push(tokio::fs::read(file).await.ok());
    }
    contents
}
