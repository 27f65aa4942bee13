//! Reading small things together: whoever asks for one while such a read is under way is read together with all others
//! who wait, in one statement, which also says what position it reflects. It is to queries what group commit is to
//! commands: alone a query waits for nobody, and under load a round trip serves many.
//!
//! A connection is bound to one tenant at a time, so only those who ask within the same tenant share a statement.

use crate::{
    consistency::behind,
    session::{self, Plans, Session},
    snapshot::{Reader, answer_version},
};
use axum::response::Response;
use futures::future::BoxFuture;
use ops::{
    database::{Kept, RESTS_AFTER, bounded},
    problem::Problem,
};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};
use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc, oneshot},
    time::timeout,
};
use uuid::Uuid;

/// Those who may wait to be read; beyond that, callers wait to be allowed to wait.
const QUEUE: usize = 4_096;
/// Those who are read at once.
const MAX_BATCH: usize = 256;
/// Those who read, each with a connection of its own. They take turns, since one large batch costs less than two small
/// ones; but none waits for another's turn for long.
const READERS: u32 = 2;
const PATIENCE: Duration = Duration::from_millis(2);

/// Connections of such readers alone: one stays bound to the tenant that it was used for last.
#[derive(Debug, Clone)]
pub struct Pool(PgPool);

impl Pool {
    /// How many the readers of so many kinds need: one each, and another while what became of it is found out.
    pub const fn size(kinds: u32) -> u32 {
        2 * kinds * READERS
    }

    /// A pool that nobody else uses, nor will. One that comes back has to be proved within bounds.
    pub const fn alone(pool: PgPool) -> Self {
        Self(pool)
    }
}

/// What is under way: see [`Kind::load`].
pub type Loading<'a, K> = BoxFuture<'a, Result<Vec<Loaded<K>>, sqlx::Error>>;

/// A thing that was asked for.
#[derive(Debug)]
pub struct Loaded<K: Kind + ?Sized> {
    /// By what it was asked for.
    pub key: K::Key,
    /// The thing.
    pub value: K::Value,
    /// The lowest position of the kind's projections, as the same statement saw it.
    pub position: i64,
}

/// What can be read together.
pub trait Kind: 'static {
    /// What names one of them.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    /// One of them.
    type Value: Clone + Send + Sync + 'static;
    /// The projections that it is read from.
    const READS: &'static [&'static str];

    /// Those that the tenant has, in one statement. The connection is bound to the tenant.
    fn load<'a>(connection: &'a mut PgConnection, tenant_id: Uuid, keys: &'a [Self::Key]) -> Loading<'a, Self>;
}

/// Reads things of one kind; clones share the queue.
pub struct Gathered<K: Kind>(mpsc::Sender<Ask<K>>);

struct Ask<K: Kind> {
    tenant_id: Uuid,
    key: K::Key,
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
    pub fn start(pool: &Pool) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE);
        let (asked, turn) = (Arc::new(Mutex::new(asked)), Arc::new(Semaphore::new(1)));
        for _ in 0..READERS {
            tokio::spawn(run::<K>(pool.0.clone(), Arc::clone(&asked), Arc::clone(&turn)));
        }
        Self(queue)
    }

    /// Reads one thing of a tenant, at the position that the request asks for, or later.
    pub async fn find(&self, reader: &Reader, tenant_id: Uuid, key: K::Key) -> Result<Found<K::Value>, Problem> {
        let wanted = reader.reach(K::READS).await?;
        let (answer, answered) = oneshot::channel();
        let stopping = || Problem::unavailable("This process is stopping.", 1);
        self.0.send(Ask { tenant_id, key, answer }).await.map_err(|_| stopping())?;
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

/// A connection, and the tenant that it is bound to, for as long as it is kept.
struct Bound {
    kept: Kept,
    tenant_id: Option<Uuid>,
}

impl Bound {
    async fn take(&mut self, tenant_id: Uuid) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let kept = self.kept.find();
        let bound_to = self.tenant_id.take().filter(|_| kept.is_some());
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.kept.take().await?,
        };
        if bound_to != Some(tenant_id) {
            session::bind(&mut connection, tenant_id).await?;
        }
        Ok(connection)
    }

    fn keep(&mut self, connection: PoolConnection<Postgres>, tenant_id: Uuid) {
        self.kept.keep(connection);
        self.tenant_id = Some(tenant_id);
    }
}

async fn run<K: Kind>(pool: PgPool, queue: Arc<Mutex<mpsc::Receiver<Ask<K>>>>, turn: Arc<Semaphore>) {
    let mut bound = Bound { kept: Kept::alone(pool), tenant_id: None };
    let mut asked = Vec::with_capacity(MAX_BATCH);
    loop {
        let first = async {
            let mut queue = queue.lock().await;
            let count = queue.recv_many(&mut asked, MAX_BATCH).await;
            (count, queue)
        };
        let Ok((count, mut queue)) = timeout(RESTS_AFTER, first).await else {
            bound.kept.release();
            continue;
        };
        if count == 0 {
            return;
        }
        // Nobody closes it; without a turn is as good as with one, but for what it costs.
        let _turn = timeout(PATIENCE, turn.acquire()).await;
        while asked.len() < MAX_BATCH
            && let Ok(more) = queue.try_recv()
        {
            asked.push(more);
        }
        drop(queue);
        let mut tenants: HashMap<Uuid, Vec<Ask<K>>> = HashMap::new();
        for ask in asked.drain(..) {
            tenants.entry(ask.tenant_id).or_default().push(ask);
        }
        for (tenant_id, asked) in tenants {
            serve(&mut bound, tenant_id, asked).await;
        }
    }
}

async fn serve<K: Kind>(bound: &mut Bound, tenant_id: Uuid, asked: Vec<Ask<K>>) {
    let keys: HashSet<K::Key> = asked.iter().map(|ask| ask.key.clone()).collect();
    let keys: Vec<K::Key> = keys.into_iter().collect();
    let was_kept = bound.kept.is_kept();
    let mut read = bounded(read::<K>(bound, tenant_id, &keys)).await;
    // Its server may have gone meanwhile, and come back; another connection knows.
    if was_kept && read.as_ref().is_err_and(ops::database::is_unavailable) {
        read = bounded(self::read::<K>(bound, tenant_id, &keys)).await;
    }
    match read {
        Ok((found, position)) => {
            for ask in asked {
                // Whoever asked may have gone.
                let _ = ask.answer.send(Ok(Found { value: found.get(&ask.key).cloned(), position }));
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
/// keep its reader for ever, so its caller bounds it.
async fn read<K: Kind>(
    bound: &mut Bound,
    tenant_id: Uuid,
    keys: &[K::Key],
) -> Result<(HashMap<K::Key, K::Value>, i64), sqlx::Error> {
    let mut connection = bound.take(tenant_id).await?;
    let mut loaded = K::load(&mut connection, tenant_id, keys).await?;
    let position = if let Some(first) = loaded.first() {
        first.position
    } else {
        // Nothing says as of which position there is nothing: a transaction does.
        let mut session = Session::begin(connection, tenant_id, K::READS, Plans::Once).await?;
        loaded = K::load(session.connection(), tenant_id, keys).await?;
        let position = session.position();
        connection = session.end().await?;
        position
    };
    bound.keep(connection, tenant_id);
    Ok((loaded.into_iter().map(|loaded| (loaded.key, loaded.value)).collect(), position))
}
