//! Fills an empty log with a million mixed events, or as many as asked for, to measure with: sealed, hashed and in order
//! as real ones, but written straight into the tables, past every rule. For a database that is thrown away.
//!
//! ```text
//! DATABASE_URL=postgres://… MASTER_KEY=… cargo run --release -p events --example sample_log -- 1000000
//! ```
//!
//! The same number gives the same events, but for the random keys and nonces that seal what is personal. The user of the
//! database must own it.

#![expect(clippy::expect_used, reason = "what cannot be measured ends at once, and says why")]

mod academy;

use academy::{Academy, Happening};
use chrono::{DateTime, TimeDelta, Utc};
use events::{
    Metadata, Place, Recorded, StreamRef,
    cloud_event::timestamp,
    log::{Keyring, MasterKey},
    personal::DataKey,
    tenant::DEFAULT_TENANT,
};
use sqlx::PgPool;
use std::{collections::HashMap, env, fmt::Write, time::Instant};
use uuid::Uuid;

/// Events that are made, hashed and copied together.
const CHUNK: usize = 10_000;

#[tokio::main]
async fn main() {
    let count: usize = env::args().nth(1).map_or(1_000_000, |words| words.parse().expect("a number of events"));
    let pool = PgPool::connect(&env::var("DATABASE_URL").expect("DATABASE_URL")).await.expect("the log's database");
    let master = MasterKey::from_base64(&env::var("MASTER_KEY").expect("MASTER_KEY")).expect("a master key");
    let head: i64 = sqlx::query_scalar("select position from log.head").fetch_one(&pool).await.expect("a log");
    assert_eq!(head, 0, "the log is not empty");

    let started = Instant::now();
    let mut scribe = Scribe::new(Keyring::new(pool.clone(), &master));
    let mut academy = Academy::new(count);
    loop {
        let happenings: Vec<Happening> = academy.by_ref().take(CHUNK).collect();
        if happenings.is_empty() {
            break;
        }
        let (keys, events) = scribe.record(&happenings);
        copy(&pool, "log.subject_keys (subject_id, tenant_id, wrapped_key)", &keys).await;
        let columns = "position, event_id, tenant_id, stream_type, stream_id, version, type, data, metadata, \
                       recorded_at, leaf_hash";
        copy(&pool, &format!("log.events ({columns})"), &events).await;
        eprint!("\r{} of {count} events", scribe.position);
    }
    sqlx::query("update log.head set position = $1").bind(scribe.position).execute(&pool).await.expect("the head");
    // Several statements at once would be one transaction, in which nothing is vacuumed.
    for vacuum in ["vacuum analyze log.events", "vacuum analyze log.subject_keys"] {
        sqlx::raw_sql(vacuum).execute(&pool).await.expect("vacuum");
    }
    eprintln!("\r{} events in {:.1} s", scribe.position, started.elapsed().as_secs_f64());
}

/// Gives what happens its place in the log, seals and hashes it.
struct Scribe {
    keyring: Keyring,
    position: i64,
    versions: HashMap<Uuid, i64>,
}

impl Scribe {
    fn new(keyring: Keyring) -> Self {
        Self { keyring, position: 0, versions: HashMap::new() }
    }

    /// The rows of both tables, as `copy` takes them.
    fn record(&mut self, happenings: &[Happening]) -> (String, String) {
        let (mut keys, mut events) = (String::new(), String::new());
        let none: [(events::ids::AccountId, DataKey); 0] = [];
        for happening in happenings {
            if let Some(person) = happening.new_person {
                let (key, wrapped) = self.keyring.generate(person).expect("a key");
                self.keyring.remember(person, key);
                let _ = writeln!(keys, "{person}\t{}\t\\\\x{}", DEFAULT_TENANT.as_uuid(), hex(&wrapped));
            }
            self.position += 1;
            let version = self.versions.entry(happening.stream_id).and_modify(|version| *version += 1).or_insert(1);
            let place = Place {
                event_id: Uuid::from_u128(
                    (0x0197_0000_0000_7000_8000 << 64) | u128::from(self.position.unsigned_abs()),
                ),
                tenant_id: DEFAULT_TENANT,
                stream: StreamRef { stream_type: happening.stream_type.into(), id: happening.stream_id },
                version: *version,
                recorded_at: at(self.position),
            };
            let metadata = Metadata {
                actor_id: Some(happening.actor),
                correlation_id: Uuid::from_u128((0xc0 << 64) | u128::from(self.position.unsigned_abs())),
                ..Metadata::default()
            };
            let recorded = place.record(&happening.event, &metadata, |json| self.keyring.seal(json, &none));
            row(&mut events, self.position, &recorded.expect("it can be recorded").recorded);
        }
        (keys, events)
    }
}

/// One event a quarter of a minute.
fn at(position: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000, 0).expect("a time") + TimeDelta::seconds(15 * position)
}

fn row(rows: &mut String, position: i64, event: &Recorded) {
    // Writing to a String cannot fail.
    let _ = writeln!(
        rows,
        "{position}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t\\\\x{}",
        event.event_id,
        event.tenant_id,
        event.stream.stream_type,
        event.stream.id,
        event.version,
        event.event_type,
        escaped(&event.data.to_string()),
        escaped(&event.metadata.to_string()),
        timestamp(event.recorded_at),
        hex(&event.leaf_hash),
    );
}

/// JSON has no raw tabs or line ends; what the text form of COPY reads otherwise is a backslash.
fn escaped(json: &str) -> String {
    json.replace('\\', "\\\\")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn copy(pool: &PgPool, table: &str, rows: &str) {
    if rows.is_empty() {
        return;
    }
    let mut connection = pool.acquire().await.expect("a connection");
    let mut copying = connection.copy_in_raw(&format!("copy {table} from stdin")).await.expect("the table");
    copying.send(rows.as_bytes()).await.expect("rows");
    copying.finish().await.expect("rows that fit");
}
