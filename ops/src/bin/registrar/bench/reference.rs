//! What results are measured against: pgbench on the same PostgreSQL, in the same run. One row of the same payload into
//! a table with the same keys as the log's, a transaction each; and one row by its key.

use std::{path::PathBuf, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection};
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::local::{files, job, keys, project::Instance, servers::postgres::Postgres};

/// The database of the reference tables, and who owns it.
const NAME: &str = "reference";
/// Rows that can be selected.
const ROWS: u32 = 100_000;

const TABLES: &str = "
create table events (
    position bigint generated always as identity primary key,
    event_id uuid not null,
    tenant_id uuid not null,
    stream_type text not null,
    stream_id uuid not null,
    version bigint not null,
    type text not null,
    data json not null,
    metadata json not null,
    recorded_at timestamptz not null,
    leaf_hash bytea not null,
    unique (stream_id, version)
);
create table accounts (
    id integer primary key,
    tenant_id uuid not null,
    email text not null,
    role text not null,
    first_name text not null,
    last_name text not null,
    bio text,
    is_active boolean not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    version bigint not null
);";

const INSERT: &str = "insert into events (event_id, tenant_id, stream_type, stream_id, version, type, data, metadata, \
     recorded_at, leaf_hash) values (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'payment', \
     gen_random_uuid(), 1, 'registrar.payment.captured.v1', :data::json, :metadata::json, now(), \
     decode('5c0a4e1f5c0a4e1f5c0a4e1f5c0a4e1f5c0a4e1f5c0a4e1f5c0a4e1f5c0a4e1f', 'hex'));\n";
const SELECT: &str = "select id, tenant_id, email, role, first_name, last_name, bio, is_active, created_at, \
     updated_at, version from accounts where id = :id;\n";

/// What pgbench does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// One row in.
    Insert,
    /// One row by its key.
    Select,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Transactions a second, without the time to connect.
    pub rate: f64,
    /// Their mean latency, in milliseconds.
    pub latency_ms: f64,
}

/// pgbench, with its tables.
#[derive(Debug)]
pub struct Reference {
    program: PathBuf,
    password: String,
    port: u16,
    folder: PathBuf,
    data: String,
    metadata: String,
}

impl Reference {
    /// Makes the tables. `data` and `metadata` are those of an event as the log has them.
    pub async fn prepare(
        instance: &Instance,
        postgres: &Postgres,
        data: String,
        metadata: String,
    ) -> Result<Self, Error> {
        let mut connection = super::world::connect(&postgres.url("postgres")).await?;
        // Hundreds of clients log in at once; how long that takes is not what is measured.
        let password = keys::password();
        for statement in [
            "set scram_iterations = 1".to_owned(),
            format!("create role {NAME} login password '{password}'"),
            format!("create database {NAME} owner {NAME}"),
        ] {
            execute(&mut connection, statement).await?;
        }
        let mut connection = super::world::connect(&postgres.url_of(NAME, &password, NAME)).await?;
        execute(&mut connection, TABLES.to_owned()).await?;
        let rows = format!(
            "insert into accounts select n, gen_random_uuid(), 'learner' || n || '@example.org', 'learner', \
             'Given name ' || n, 'Family name ' || n, null, true, now(), now(), 1 from generate_series(1, {ROWS}) n;
             vacuum analyze accounts"
        );
        for statement in rows.split(';') {
            execute(&mut connection, statement.to_owned()).await?;
        }
        let folder = instance.path("pgbench");
        files::folder(&folder, 0o755)?;
        let select = format!("\\set id random(1, {ROWS})\n{SELECT}");
        for (name, script) in [("insert.sql", INSERT), ("select.sql", &select)] {
            let path = folder.join(name);
            std::fs::write(&path, script).map_err(files::failed("write", &path))?;
        }
        Ok(Self { program: postgres.program("pgbench"), password, port: postgres.port, folder, data, metadata })
    }

    /// Runs a script with so many clients, prepared statements, and as many threads as there are processors.
    pub async fn run(
        &self,
        script: Script,
        clients: usize,
        length: Duration,
        cancel: &CancellationToken,
    ) -> Result<Measured, Error> {
        let file = match script {
            Script::Insert => "insert.sql",
            Script::Select => "select.sql",
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(clients);
        let mut pgbench = job::command(&self.program);
        pgbench
            .args(["--no-vacuum", "--protocol=prepared", "--host=127.0.0.1", "--username", NAME])
            .arg(format!("--port={}", self.port))
            .arg(format!("--client={clients}"))
            .arg(format!("--jobs={threads}"))
            .arg(format!("--time={}", length.as_secs().max(1)))
            .arg("--file")
            .arg(self.folder.join(file))
            .env("PGPASSWORD", &self.password)
            .env("LC_ALL", "C");
        if script == Script::Insert {
            pgbench.arg("-D").arg(format!("data={}", self.data));
            pgbench.arg("-D").arg(format!("metadata={}", self.metadata));
        }
        pgbench.arg(NAME);
        let answer = cancel.run_until_cancelled(job::answer("pgbench", &mut pgbench)).await;
        let answer = answer.unwrap_or(Err(crate::local::Error::Interrupted))?;
        parse(&answer).ok_or(Error::Pgbench(answer))
    }
}

fn parse(answer: &str) -> Option<Measured> {
    let number = |prefix: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(prefix))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Measured { rate: number("tps = ")?, latency_ms: number("latency average = ")? })
}

async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pgbench_prints_is_read() {
        let answer = "number of transactions actually processed: 10\nlatency average = 0.062 ms\n\
                      initial connection time = 5.5 ms\ntps = 16129.032258 (without initial connection time)\n";
        let measured = parse(answer).unwrap();
        assert!((measured.rate - 16129.03).abs() < 0.01 && (measured.latency_ms - 0.062).abs() < 1e-9);
        assert!(parse("pgbench: error").is_none());
    }
}
