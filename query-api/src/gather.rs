//! Reading single things together: whoever asks for one while such a read is under way is read together with all others
//! who wait, in one snapshot and one statement. It is to queries what group commit is to commands: alone a query waits
//! for nobody, and under load a transaction serves many.
//!
//! A snapshot is of one tenant, so only those who ask within the same tenant share one.

use crate::{
    consistency::behind,
    snapshot::{Reader, Snapshot, answer_version},
};
use axum::response::Response;
use futures::future::BoxFuture;
use ops::{database::bounded, problem::Problem};
use serde::Serialize;
use sqlx::PgPool;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use uuid::Uuid;

/// Those who may wait to be read; beyond that, callers wait to be allowed to wait.
const QUEUE: usize = 4_096;
/// Those who are read at once.
const MAX_BATCH: usize = 256;
/// Batches under way at once: one is read while the next is begun.
const BATCHES: usize = 2;

/// Things under way, each with its id.
pub type Loading<'a, V> = BoxFuture<'a, Result<Vec<(Uuid, V)>, sqlx::Error>>;

/// What can be read together.
pub trait Kind: 'static {
    /// One of them.
    type Value: Clone + Send + Sync + 'static;
    /// The projections that it is read from.
    const READS: &'static [&'static str];

    /// Those of the ids that the snapshot's tenant has.
    fn load<'a>(snapshot: &'a mut Snapshot, ids: &'a [Uuid]) -> Loading<'a, Self::Value>;
}

/// Reads things of one kind; clones share the queue.
pub struct Gathered<K: Kind>(mpsc::Sender<Ask<K>>);

struct Ask<K: Kind> {
    tenant_id: Uuid,
    id: Uuid,
    answer: oneshot::Sender<Result<Found<K::Value>, Problem>>,
}

/// What was found, and the position that it reflects.
#[derive(Debug, Clone)]
pub struct Found<V> {
    /// The thing, where there is one.
    pub value: Option<V>,
    /// The position.
    pub position: i64,
}

impl<K: Kind> Clone for Gathered<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Kind> std::fmt::Debug for Gathered<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gathered").field(&K::READS).finish()
    }
}

impl<K: Kind> Gathered<K> {
    /// Starts the task that reads. It ends with the last clone.
    pub fn start(pool: PgPool) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        tokio::spawn(run::<K>(pool, asked));
        Self(queue)
    }

    /// Reads one thing of a tenant, at the position that the request asks for, or later.
    pub async fn find(&self, reader: &Reader, tenant_id: Uuid, id: Uuid) -> Result<Found<K::Value>, Problem> {
        let wanted = reader.reach(K::READS).await?;
        let (answer, answered) = oneshot::channel();
        let stopping = || Problem::unavailable("This process is stopping.", 1);
        self.0.send(Ask { tenant_id, id, answer }).await.map_err(|_| stopping())?;
        let found = answered.await.map_err(|_| stopping())??;
        match wanted {
            Some(wanted) if found.position < wanted => Err(behind(wanted, found.position)),
            _ => Ok(found),
        }
    }
}

impl<V> Found<V> {
    /// The thing with its version in `ETag`; 404 where there is none.
    pub fn answer(self, version: impl FnOnce(&V) -> i64) -> Result<Response, Problem>
    where
        V: Serialize,
    {
        let Some(value) = self.value else {
            return Err(Problem::not_found().header(ops::http::POSITION, self.position.into()));
        };
        let version = version(&value);
        Ok(answer_version(value, version, self.position))
    }
}

async fn run<K: Kind>(pool: PgPool, mut queue: mpsc::Receiver<Ask<K>>) {
    let under_way = Arc::new(Semaphore::new(BATCHES));
    let mut asked = Vec::with_capacity(MAX_BATCH);
    while queue.recv_many(&mut asked, MAX_BATCH).await > 0 {
        let Ok(permit) = Arc::clone(&under_way).acquire_owned().await else { return };
        // Who came while the others were read comes along.
        while asked.len() < MAX_BATCH
            && let Ok(more) = queue.try_recv()
        {
            asked.push(more);
        }
        let mut tenants: HashMap<Uuid, Vec<Ask<K>>> = HashMap::new();
        for ask in asked.drain(..) {
            tenants.entry(ask.tenant_id).or_default().push(ask);
        }
        let pool = pool.clone();
        tokio::spawn(async move {
            for (tenant_id, asked) in tenants {
                serve(&pool, tenant_id, asked).await;
            }
            drop(permit);
        });
    }
}

async fn serve<K: Kind>(pool: &PgPool, tenant_id: Uuid, asked: Vec<Ask<K>>) {
    let ids: HashSet<Uuid> = asked.iter().map(|ask| ask.id).collect();
    // A batch that never ended would be one of the few that may be under way.
    match bounded(load::<K>(pool, tenant_id, &ids.into_iter().collect::<Vec<_>>())).await {
        Ok((found, position)) => {
            for ask in asked {
                // Whoever asked may have gone.
                let _ = ask.answer.send(Ok(Found { value: found.get(&ask.id).cloned(), position }));
            }
        }
        Err(error) => {
            let problem = Problem::from(error);
            for ask in asked {
                let _ = ask.answer.send(Err(problem.clone()));
            }
        }
    }
}

async fn load<K: Kind>(
    pool: &PgPool,
    tenant_id: Uuid,
    ids: &[Uuid],
) -> Result<(HashMap<Uuid, K::Value>, i64), sqlx::Error> {
    let mut snapshot = Snapshot::begin(pool, tenant_id, K::READS).await?;
    let found = K::load(&mut snapshot, ids).await?;
    let position = snapshot.end().await?;
    Ok((found.into_iter().collect(), position))
}
