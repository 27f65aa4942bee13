//! The log once through, for many views at a time: one task reads pages, one decodes them, and one for each view applies
//! what that view looks at, in large batches. Channels between them are short, so that memory stays the same however
//! long the log is, and the slowest sets the pace.

use super::{
    Progress, RebuildError,
    shadow::{Mark, Shadow},
};
use crate::{
    entry::Entry,
    feed,
    projections::{Interest, Kinds},
};
use events::{Recorded, log::LogReader};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{sync::mpsc, task::JoinSet};

/// Events of a page.
const PAGE: i64 = 4_000;
/// Pages between two tasks.
const AHEAD: usize = 4;
/// Events that a view applies in one transaction, at least, while there are more to come.
const BATCH: usize = 40_000;
/// Positions after which it applies the fewer that it found, so that what waits to be applied is bounded too.
const STRIDE: i64 = 160_000;

/// Part of the log: all events after a position and up to the mark that some view looks at.
struct Page {
    events: Vec<Recorded>,
    after: i64,
    through: Mark,
}

/// The same with its contents open.
struct Opened {
    events: Vec<Arc<Entry>>,
    /// Of which kind each is, so that a view touches those alone that it looks at.
    kinds: Vec<u64>,
    after: i64,
    through: Mark,
}

/// Brings every shadow from where they are, which is the same for all, to where each is to be. The answer is how many
/// positions that were.
pub(super) async fn replay(log: &LogReader, shadows: &mut [Shadow], progress: &Progress) -> Result<i64, RebuildError> {
    let after = shadows.iter().map(Shadow::position).min().unwrap_or(0);
    let until = shadows.iter().map(Shadow::until).max().unwrap_or(0);
    progress.reached(after);
    progress.ends_at(until);

    // They end together: whoever fails closes its channel, which ends the one before it and with it all the others.
    let mut suppliers: JoinSet<Result<(), RebuildError>> = JoinSet::new();
    let (to_decode, raw) = mpsc::channel(AHEAD);
    suppliers.spawn(read(log.clone(), after, until, wanted_streams(shadows), to_decode));
    let mut views = Vec::new();
    let mut fills: JoinSet<Result<(usize, i64), RebuildError>> = JoinSet::new();
    for (number, shadow) in shadows.iter().enumerate() {
        let (view, pages) = mpsc::channel(AHEAD);
        views.push(view);
        let (shadow, progress) = (shadow.clone(), progress.clone());
        fills.spawn(async move { Ok((number, fill(shadow, pages, &progress).await?)) });
    }
    suppliers.spawn(decode(log.clone(), raw, views));

    while let Some(filled) = fills.join_next().await {
        let (number, position) = filled??;
        shadows[number].moved_to(position);
    }
    while let Some(supplied) = suppliers.join_next().await {
        supplied??;
    }
    Ok(until - after)
}

/// The stream types that any of the views looks at; `None` where one looks at all.
fn wanted_streams(shadows: &[Shadow]) -> Option<Vec<String>> {
    let mut wanted = BTreeSet::new();
    for shadow in shadows {
        match shadow.projection().streams {
            Interest::Everything => return None,
            Interest::Streams(types) => wanted.extend(types.iter().map(|name| (*name).to_owned())),
        }
    }
    Some(wanted.into_iter().collect())
}

async fn read(
    log: LogReader,
    mut after: i64,
    until: i64,
    streams: Option<Vec<String>>,
    pages: mpsc::Sender<Page>,
) -> Result<(), RebuildError> {
    while after < until {
        let events = log.read_through(after, until, PAGE, streams.as_deref()).await?;
        let is_last = i64::try_from(events.len()) != Ok(PAGE);
        let mut through = events
            .last()
            .map_or_else(Mark::default, |last| Mark { position: last.position, recorded_at: Some(last.recorded_at) });
        if is_last && through.position < until {
            through = Mark { position: until, recorded_at: log.find_recorded_at(until).await? };
        }
        if pages.send(Page { events, after, through }).await.is_err() {
            break;
        }
        after = through.position;
    }
    Ok(())
}

async fn decode(
    log: LogReader,
    mut raw: mpsc::Receiver<Page>,
    views: Vec<mpsc::Sender<Arc<Opened>>>,
) -> Result<(), RebuildError> {
    let kinds = Kinds::of_all();
    while let Some(Page { events, after, through }) = raw.recv().await {
        let events = feed::decode(&log, events).await?;
        let kinds = events.iter().map(|entry| kinds.find(&entry.recorded().stream.stream_type)).collect();
        let page = Arc::new(Opened { events, kinds, after, through });
        for view in &views {
            if view.send(page.clone()).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Applies all that comes, and tells how far that was.
async fn fill(
    mut shadow: Shadow,
    mut pages: mpsc::Receiver<Arc<Opened>>,
    progress: &Progress,
) -> Result<i64, RebuildError> {
    let (after, until) = (shadow.position(), shadow.until());
    let wanted_kinds = Kinds::of_all().wanted_by(shadow.projection().streams);
    let mut pending = Vec::new();
    let mut through = Mark { position: after, recorded_at: None };
    while let Some(page) = pages.recv().await {
        let wanted = page.events.iter().zip(&page.kinds).filter(|(_, kind)| *kind & wanted_kinds != 0);
        // Most pages lie within, and then no event has to be looked at.
        let lies_within = page.after >= after && page.through.position <= until;
        let is_new = |entry: &Entry| lies_within || (after + 1..=until).contains(&entry.position());
        pending.extend(wanted.map(|(entry, _)| entry).filter(|entry| is_new(entry)).cloned());
        if through.position < until {
            through = within(&page, until);
        }
        if pending.len() >= BATCH || through.position - shadow.position() >= STRIDE {
            shadow.apply(&pending, through).await?;
            pending.clear();
        }
        progress.reached(through.position);
    }
    if through.position > shadow.position() {
        shadow.apply(&pending, through).await?;
    }
    Ok(shadow.position())
}

/// The mark that a page brings a view to that ends at `until`.
fn within(page: &Opened, until: i64) -> Mark {
    if page.through.position <= until {
        return page.through;
    }
    let last = page.events.iter().rev().find(|entry| entry.position() <= until);
    Mark { position: until, recorded_at: last.map(|entry| entry.recorded().recorded_at) }
}
