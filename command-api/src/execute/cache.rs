//! The folded streams that this process remembers.

use events::ids::TenantId;
use quick_cache::sync::Cache as Lru;
use std::{any::Any, sync::Arc};
use uuid::Uuid;

/// Streams remembered at once; the least used give way.
const CAPACITY: usize = 100_000;

/// A stream folded up to a version. It is only ever written anew, never changed.
#[derive(Clone)]
pub(super) struct Folded {
    pub(super) tenant_id: TenantId,
    pub(super) version: i64,
    pub(super) state: Arc<dyn Any + Send + Sync>,
}

#[derive(Clone)]
pub(super) struct Cache(Arc<Lru<Uuid, Folded>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Arc::new(Lru::new(CAPACITY)))
    }
}

impl Cache {
    pub(super) fn find(&self, stream: Uuid) -> Option<Folded> {
        self.0.get(&stream)
    }

    pub(super) fn insert(&self, stream: Uuid, folded: Folded) {
        self.0.insert(stream, folded);
    }

    pub(super) fn extend(&self, folded: impl IntoIterator<Item = (Uuid, Folded)>) {
        for (stream, folded) in folded {
            self.insert(stream, folded);
        }
    }
}
