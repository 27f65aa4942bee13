//! Ctrl-C and SIGTERM, as a token that everything which waits also waits for.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::local::{Error, console, files};

/// A token that the first SIGINT, SIGTERM or SIGHUP cancels. Further ones change nothing: each stop is bounded.
pub fn cancellation() -> Result<CancellationToken, Error> {
    let cancel = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).map_err(files::failed("wait for", "signals"))?;
        let cancel = cancel.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if cancel.is_cancelled() {
                    console::say("stopping already; please wait");
                }
                cancel.cancel();
            }
        });
    }
    Ok(cancel)
}
