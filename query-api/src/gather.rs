//! Reading single things together: whoever asks for one while such a read is under way is read together with all others
//! who wait, in one snapshot and one statement. It is to queries what group commit is to commands: alone a query waits
//! for nobody, and under load a transaction serves many.
//!
//! A snapshot is of one tenant, so only those who ask within the same tenant share one.

use crate::{
    consistency::behind,
    session::{Plans, Session},
    snapshot::{Reader, answer_version},
};
use axum::response::Response;
use futures::future::BoxFuture;
use ops::{
    database::{Kept, RESTS_AFTER, bounded},
    problem::Problem,
};
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

/// Those who may wait to be read; beyond that, callers wait to be allowed to wait.
const QUEUE: usize = 4_096;
/// Those who are read at once.
const MAX_BATCH: usize = 256;
/// Those who read, each with a connection of its own: one batch is read while the next is gathered.
const READERS: usize = 2;

/// Things under way, each with its id.
pub type Loading<'a, V> = BoxFuture<'a, Result<Vec<(Uuid, V)>, sqlx::Error>>;

/// What can be read together.
pub trait Kind: 'static {
    /// One of them.
    type Value: Clone + Send + Sync + 'static;
    /// The projections that it is read from.
    const READS: &'static [&'static str];

    /// Those of the ids that the tenant has. The transaction is bound to it.
    fn load<'a>(connection: &'a mut PgConnection, tenant_id: Uuid, ids: &'a [Uuid]) -> Loading<'a, Self::Value>;
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
    /// Starts the tasks that read. They end with the last clone.
    pub fn start(pool: &PgPool) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let asked = Arc::new(Mutex::new(asked));
        for _ in 0..READERS {
            tokio::spawn(run::<K>(pool.clone(), Arc::clone(&asked)));
        }
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

async fn run<K: Kind>(pool: PgPool, queue: Arc<Mutex<mpsc::Receiver<Ask<K>>>>) {
    let mut kept = Kept::new(pool);
    let mut asked = Vec::with_capacity(MAX_BATCH);
    loop {
        let gathered = async { queue.lock().await.recv_many(&mut asked, MAX_BATCH).await };
        match timeout(RESTS_AFTER, gathered).await {
            Ok(0) => return,
            Ok(_) => {}
            Err(_) => {
                kept.release();
                continue;
            }
        }
        let mut tenants: HashMap<Uuid, Vec<Ask<K>>> = HashMap::new();
        for ask in asked.drain(..) {
            tenants.entry(ask.tenant_id).or_default().push(ask);
        }
        for (tenant_id, asked) in tenants {
            serve(&mut kept, tenant_id, asked).await;
        }
    }
}

async fn serve<K: Kind>(kept: &mut Kept, tenant_id: Uuid, asked: Vec<Ask<K>>) {
    let ids: HashSet<Uuid> = asked.iter().map(|ask| ask.id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let was_kept = kept.is_kept();
    let mut loaded = load::<K>(kept, tenant_id, &ids).await;
    // Its server may have gone meanwhile, and come back; another connection knows.
    if was_kept && loaded.as_ref().is_err_and(ops::database::is_unavailable) {
        loaded = load::<K>(kept, tenant_id, &ids).await;
    }
    match loaded {
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

/// The connection stays where all went well; else the pool finds out what is left of it. A batch that never ended would
/// keep its reader for ever, so it is bounded.
async fn load<K: Kind>(
    kept: &mut Kept,
    tenant_id: Uuid,
    ids: &[Uuid],
) -> Result<(HashMap<Uuid, K::Value>, i64), sqlx::Error> {
    let (connection, loaded) = bounded(async {
        let mut session = Session::begin(kept.take().await?, tenant_id, K::READS, Plans::Once).await?;
        let found = K::load(session.connection(), tenant_id, ids).await?;
        let position = session.position();
        Ok((session.end().await?, (found.into_iter().collect(), position)))
    })
    .await?;
    kept.keep(connection);
    Ok(loaded)
}
