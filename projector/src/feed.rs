//! Events for all projections of a process: decoded once, held in a window at the end of the log, read from the log
//! where a projection is behind the window.
//!
//! `follow` moves the window on. A projection asks for what comes `after` its position; where that comes from it need
//! not know.

use crate::entry::Entry;
use chrono::{DateTime, Utc};
use events::{
    Recorded,
    log::{LogError, LogReader},
};
use quick_cache::sync::Cache;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tokio::sync::watch;

/// Entries that the window holds.
pub(crate) const WINDOW: u16 = 8_192;
/// Entries of a page that is read for those behind the window.
const PAGE: i64 = 512;
/// Pages that are kept, so that projections which are behind together read and decode them once.
const PAGES: usize = 16;

type Page = Arc<[Arc<Entry>]>;

/// The events of a process; clones share them.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    log: LogReader,
    window: RwLock<VecDeque<Arc<Entry>>>,
    /// The position up to which the log has been followed; `None` while nobody follows it.
    end: watch::Sender<Option<i64>>,
    pages: Cache<i64, Page>,
    /// Where each projection that this process applies has come.
    reached: Mutex<BTreeMap<&'static str, i64>>,
    moved: tokio::sync::Notify,
}

impl Feed {
    /// A feed from this log.
    pub fn new(log: LogReader) -> Self {
        Self {
            shared: Arc::new(Shared {
                log,
                window: RwLock::default(),
                end: watch::Sender::new(None),
                pages: Cache::new(PAGES),
                reached: Mutex::default(),
                moved: tokio::sync::Notify::new(),
            }),
        }
    }

    /// The log behind it.
    pub fn log(&self) -> &LogReader {
        &self.shared.log
    }

    /// At most `max` entries after the position, in order and without a gap; none at the end of the log.
    pub async fn after(&self, position: i64, max: usize) -> Result<Vec<Arc<Entry>>, LogError> {
        if let Some(entries) = self.find_in_window(position, max) {
            return Ok(entries);
        }
        if self.end().is_some_and(|end| end <= position) {
            return Ok(Vec::new());
        }
        let page = self.page(position / PAGE).await?;
        Ok(page.iter().filter(|entry| entry.position() > position).take(max).cloned().collect())
    }

    /// Returns once there are events after the position.
    pub(crate) async fn wait_past(&self, position: i64) {
        // The sender lives as long as `self`, so the wait cannot fail.
        let _ = self.shared.end.subscribe().wait_for(|end| end.is_some_and(|end| end > position)).await;
    }

    /// When the event at the position was recorded, where the window has it.
    pub(crate) fn find_recorded_at(&self, position: i64) -> Option<DateTime<Utc>> {
        let entries = self.find_in_window(position - 1, 1)?;
        entries.first().map(|entry| entry.recorded().recorded_at)
    }

    /// The position up to which the log has been followed; `None` while nobody follows it.
    pub(crate) fn end(&self) -> Option<i64> {
        *self.shared.end.borrow()
    }

    /// Begins the window anew behind the position.
    pub(crate) fn start_at(&self, position: i64) {
        self.clear();
        self.shared.end.send_replace(Some(position));
    }

    /// Lets go of the window: nobody follows the log any more.
    pub(crate) fn rest(&self) {
        self.shared.end.send_replace(None);
        self.clear();
    }

    fn clear(&self) {
        self.shared.window.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes what follows the window's end out of what arrived, and says how much that was. What is known is passed
    /// over; behind a gap nothing is taken, since the log has that too.
    pub(crate) async fn admit(&self, arrived: Vec<Recorded>) -> Result<usize, LogError> {
        let Some(mut end) = self.end() else { return Ok(0) };
        let follows = arrived.into_iter().filter(|event| {
            let follows = event.position == end + 1;
            end += i64::from(follows);
            follows
        });
        let entries = decode(&self.shared.log, follows.collect()).await?;
        let Some(last) = entries.last().map(|entry| entry.position()) else { return Ok(0) };
        let admitted = entries.len();
        {
            let mut window = self.shared.window.write().unwrap_or_else(PoisonError::into_inner);
            window.extend(entries);
            let surplus = window.len().saturating_sub(WINDOW.into());
            window.drain(..surplus);
        }
        self.shared.end.send_replace(Some(last));
        Ok(admitted)
    }

    /// A projection of this process has come to the position.
    pub(crate) fn reached(&self, projection: &'static str, position: i64) {
        self.positions().insert(projection, position);
        self.shared.moved.notify_one();
    }

    /// A projection is not applied by this process any more.
    pub(crate) fn forget(&self, projection: &'static str) {
        self.positions().remove(projection);
        self.shared.moved.notify_one();
    }

    /// Returns once a projection has moved, come or gone.
    pub(crate) async fn moved(&self) {
        self.shared.moved.notified().await;
    }

    /// Where the foremost of this process's projections is; `None` where it applies none.
    pub(crate) fn foremost(&self) -> Option<i64> {
        self.positions().values().copied().max()
    }

    /// Up to where no projection of this process needs events to be delivered: all have them, or will read the log.
    pub(crate) fn settled(&self) -> i64 {
        let hindmost = self.positions().values().copied().min().unwrap_or(0);
        let window = self.shared.window.read().unwrap_or_else(PoisonError::into_inner);
        window.front().map_or(hindmost, |first| hindmost.max(first.position() - 1))
    }

    fn positions(&self) -> MutexGuard<'_, BTreeMap<&'static str, i64>> {
        self.shared.reached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find_in_window(&self, position: i64, max: usize) -> Option<Vec<Arc<Entry>>> {
        let window = self.shared.window.read().unwrap_or_else(PoisonError::into_inner);
        let offset = usize::try_from(position + 1 - window.front()?.position()).ok()?;
        if offset >= window.len() {
            return None;
        }
        Some(window.iter().skip(offset).take(max).cloned().collect())
    }

    /// The entries of one page. Only a full one is kept: the last page of the log still grows.
    async fn page(&self, number: i64) -> Result<Page, LogError> {
        let guard = match self.shared.pages.get_value_or_guard_async(&number).await {
            Ok(page) => return Ok(page),
            Err(guard) => guard,
        };
        let events = self.shared.log.read(number * PAGE, PAGE).await?;
        let is_full = i64::try_from(events.len()) == Ok(PAGE);
        let page: Page = decode(&self.shared.log, events).await?.into();
        if is_full {
            // It fails only when the page was dropped meanwhile, which costs another read.
            let _ = guard.insert(page.clone());
        }
        Ok(page)
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("end", &self.end()).finish_non_exhaustive()
    }
}

/// Reads events' contents, with the keys of all the people in them fetched at once.
pub(crate) async fn decode(log: &LogReader, events: Vec<Recorded>) -> Result<Vec<Arc<Entry>>, LogError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let decoded = log.decode(events).await?;
    let entries = decoded.into_iter().map(|decoded| match decoded {
        Ok(decoded) => Entry::Readable(decoded),
        Err((recorded, error)) => {
            Entry::Unreadable { recorded: Box::new(recorded), reason: ops::config::chain(&error) }
        }
    });
    Ok(entries.map(Arc::new).collect())
}
