//! `GET /v1/accounts/export`: the list as a file, in constant memory however many accounts there are.
//!
//! Three parts work hand in hand, each waiting for the next: a task that reads page after page in one snapshot, a
//! thread that makes a file of them (`sheet`), and the answer's body, which sends what is made.

use super::{Account, AccountFilter, AccountStatus, READS, select};
use crate::{
    caller::SignedIn,
    snapshot::{Reader, Snapshot},
    views::{
        RoleSchema,
        account_list::sheet::{self, Format},
    },
};
use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use events::Role;
use futures::stream;
use ops::{extract::Query, http::POSITION, problem::Problem};
use serde::Deserialize;
use std::{
    io::{self, BufWriter, Write},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
    task,
};
use utoipa::IntoParams;
use uuid::Uuid;
use validator::Validate;

/// Exports under way at once: each holds a connection for as long as its client reads.
const AT_ONCE: usize = 2;
static EXPORTS: Semaphore = Semaphore::const_new(AT_ONCE);
const RETRY_AFTER_SECONDS: u64 = 5;

/// Accounts that are read at once.
const PAGE: i64 = 1_000;
/// Bytes that are sent at once.
const CHUNK: usize = 32 * 1024;
/// Chunks that may wait for the client.
const CHUNKS_WAITING: usize = 4;
/// How long a client may read nothing: after that it has lost the file.
const STALL: Duration = Duration::from_secs(30);

/// Which accounts, and as what.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// As what; without it, CSV.
    #[param(inline)]
    format: Option<Format>,
    /// Of this role.
    #[param(inline, value_type = Option<RoleSchema>)]
    role: Option<Role>,
    /// Of this status.
    #[param(inline)]
    status: Option<AccountStatus>,
    /// With all of these words somewhere in name, e-mail address or user name; neither case nor accents matter.
    #[validate(length(max = 200))]
    #[param(max_length = 200)]
    search: Option<String>,
}

/// The accounts as a file, newest first. In CSV (RFC 4180) a text that a spreadsheet would take for a formula begins
/// with an apostrophe.
#[utoipa::path(get, path = "/v1/accounts/export", tag = "account", security(("bearer" = [])),
    params(ExportQuery), responses(
        (status = 200, description = "The file", content(
            (String = "text/csv"),
            (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn export(caller: SignedIn, reader: Reader, Query(query): Query<ExportQuery>) -> Result<Response, Problem> {
    caller.require(&[Role::Admin])?;
    let busy = |_| Problem::unavailable("Other exports are under way.", RETRY_AFTER_SECONDS);
    let permit = EXPORTS.try_acquire().map_err(busy)?;
    let snapshot = reader.open(caller.tenant_id, READS).await?;
    let format = query.format.unwrap_or(Format::Csv);
    let filter = AccountFilter { role: query.role, status: query.status, search: query.search };

    let headers = headers(format, snapshot.position());
    let (pages, read) = mpsc::channel(1);
    let (chunks, made) = mpsc::channel(CHUNKS_WAITING);
    tokio::spawn(read_pages(snapshot, filter, pages));
    task::spawn_blocking(move || {
        make(format, read, &chunks);
        drop(permit);
    });
    let body = stream::unfold(made, async |mut made| made.recv().await.map(|chunk| (chunk, made)));
    Ok((headers, Body::from_stream(body)).into_response())
}

fn headers(format: Format, position: i64) -> HeaderMap {
    let name = format!("attachment; filename=\"accounts-{}.{}\"", Utc::now().date_naive(), format.extension());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(POSITION, position.into());
    // Made of a date and an extension: always a valid header value.
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    headers
}

/// A page of accounts, or why there is none.
type Page = Result<Vec<Account>, sqlx::Error>;

/// Reads page after page until there is none, or nobody takes them any more.
async fn read_pages(mut snapshot: Snapshot, filter: AccountFilter, pages: mpsc::Sender<Page>) {
    let mut after: Option<(DateTime<Utc>, Uuid)> = None;
    loop {
        let page = select(&mut snapshot, &filter, after, PAGE).await;
        let last = page.as_ref().ok().and_then(|page| page.last());
        after = last.map(|account| (account.created_at, account.id));
        if pages.send(page).await.is_err() || after.is_none() {
            return;
        }
    }
}

/// Makes the file. A failure ends the body before its time, so that no client takes a part for the whole.
fn make(format: Format, mut pages: mpsc::Receiver<Page>, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    let mut pages = std::iter::from_fn(|| pages.blocking_recv());
    let mut out = BufWriter::with_capacity(CHUNK, Chunks(chunks));
    let made = sheet::write(format, &mut pages, &mut out).and_then(|()| Ok(out.flush()?));
    if let Err(error) = made {
        tracing::warn!(error = ops::config::chain(&error), "an export ended early");
        // Nobody may be left to hear it.
        let _ = chunks.try_send(Err(io::Error::other("the export failed")));
    }
}

/// Sends what is written as chunks of the body.
struct Chunks<'a>(&'a mpsc::Sender<io::Result<Bytes>>);

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = Handle::current().block_on(self.0.send_timeout(Ok(Bytes::copy_from_slice(bytes)), STALL));
        sent.map(|()| bytes.len()).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client reads no more"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
