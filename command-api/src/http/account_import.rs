//! `POST /v1/account-imports`: a list of people is taken in, and becomes accounts while its sender does something else.
//! How far it has come is a view (`GET /v1/account-imports/{id}`).
//!
//! The body is taken in as it comes and never held whole, so its bound is its own (`MAX_BYTES`).

use crate::{
    domain::account_import::{self, Command, Refusal},
    execute::{Answer, Context, Executor, Reply},
    imports::{Imports, StoreError, Upload, read_header},
    openapi::Done,
};
use axum::{
    body::{BodyDataStream, Bytes},
    extract::{Request, State},
    http::header::CONTENT_TYPE,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use events::{account_import::AccountImport, ids::AccountImportId, log::Keyring};
use futures::StreamExt;
use multer::{Constraints, Field, Multipart, SizeLimit};
use ops::{
    extract::Query,
    problem::{PAYLOAD_TOO_LARGE, Problem, UNSUPPORTED_MEDIA_TYPE},
};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use uuid::Uuid;
use validator::Validate;

/// The largest list, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The largest body: a list, and what a form puts around it.
pub const MAX_BODY_BYTES: usize = MAX_BYTES + 64 * 1024;
/// The most lines of a list.
const MAX_LINES: usize = 100_000;
/// The longest first line, in bytes.
const MAX_HEADER_BYTES: usize = 4 * 1024;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotAdmin => Self::forbidden(detail),
            Refusal::NotRunning => Self::internal(&refusal),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Database(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

/// How a list is taken.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Only look the list through: no account is made.
    #[param(default = false)]
    dry_run: Option<bool>,
}

/// Takes a list in: CSV (RFC 4180) in UTF-8, of at most 16 MiB and 100,000 lines, as `text/csv` or as the field `file`
/// of a form. Its first line names the columns: `email`, `role`, `first_name`, `last_name`, and where wanted `username`,
/// `portal_access` and `password_hash` (bcrypt, `$2b$`, of cost 4 to 14). Who comes without a hash has no password: they
/// say that they forgot it, or an admin resets it.
#[utoipa::path(post, path = "/v1/account-imports", tag = "account", security(("bearer" = [])), params(ImportQuery),
    request_body(content((String = "text/csv"), (String = "multipart/form-data")), description = "The list"),
    responses(
        (status = 202, description = "Taken in; Location tells how far it has come", body = Done),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn start(
    State(imports): State<Imports>,
    State(executor): State<Executor>,
    State(keyring): State<Keyring>,
    mut context: Context,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Answer, Problem> {
    let id = AccountImportId::new(Uuid::now_v7());
    let dry_run = query.dry_run.unwrap_or(false);
    // Before anything is read: who may not import sends nothing.
    account_import::decide(&AccountImport::default(), &context, Command::Start { bytes: 0, dry_run })?;
    let actor = context.actor.ok_or_else(Problem::unauthenticated)?;
    let mut upload = imports.store().upload(id, &context, actor).await?;
    let taken = take(request, &mut upload).await;
    let job = upload.job().clone();
    let (bytes, digest) = match taken {
        Ok(taken) => taken,
        Err(problem) => {
            imports.store().clear(&job).await?;
            return Err(problem);
        }
    };
    upload.finish().await?;
    if let Some(key) = &mut context.idempotency {
        let request = format!("account-import {dry_run} {digest}");
        key.request_hash = keyring.request_digest(&[request.as_bytes()]);
    }
    let answered = record(&executor, &context, id, Command::Start { bytes, dry_run }).await;
    match &answered {
        Ok(answer) if !answer.is_replayed() => imports.begin(&job).await?,
        // Refused, or handed in before: this copy is of no use.
        _ => imports.store().clear(&job).await?,
    }
    answered
}

async fn record(
    executor: &Executor,
    context: &Context,
    id: AccountImportId,
    command: Command,
) -> Result<Answer, Problem> {
    let events = &account_import::decide(&AccountImport::default(), context, command)?;
    executor
        .execute(context, "account_import.start", |work| {
            Box::pin(async move {
                work.append::<AccountImport>(id, events.clone());
                Ok(Reply::accepted(id, format!("/v1/account-imports/{id}")))
            })
        })
        .await
}

/// Takes the list in; answers its size and its digest.
async fn take(request: Request, upload: &mut Upload<'_>) -> Result<(u64, String), Problem> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mut taking = Taking::default();
    match essence.as_str() {
        "text/csv" => {
            let mut list = request.into_body().into_data_stream();
            while let Some(bytes) = next_of_body(&mut list).await? {
                taking.take(&bytes, upload).await?;
            }
        }
        "multipart/form-data" => {
            let boundary = multer::parse_boundary(content_type).map_err(|error| unreadable(&error))?;
            let size = SizeLimit::new().whole_stream(u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX));
            let bounds = Constraints::new().size_limit(size);
            let mut form = Multipart::with_constraints(request.into_body().into_data_stream(), boundary, bounds);
            let mut file = loop {
                match form.next_field().await.map_err(|error| unreadable(&error))? {
                    Some(field) if field.name() == Some("file") => break field,
                    Some(_) => {}
                    None => return Err(Problem::invalid_field("/file", "missing", "is required")),
                }
            };
            while let Some(bytes) = next_of_field(&mut file).await? {
                taking.take(&bytes, upload).await?;
            }
        }
        _ => {
            let detail = "Send the list with Content-Type: text/csv, or as the field `file` of multipart/form-data.";
            return Err(Problem::new(UNSUPPORTED_MEDIA_TYPE).detail(detail));
        }
    }
    taking.finish()
}

async fn next_of_body(list: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
    let next = list.next().await.transpose();
    next.map_err(|_| Problem::invalid_field("/file", "incomplete", "the body ended before it was complete"))
}

async fn next_of_field(file: &mut Field<'_>) -> Result<Option<Bytes>, Problem> {
    file.chunk().await.map_err(|error| unreadable(&error))
}

fn unreadable(error: &multer::Error) -> Problem {
    match error {
        multer::Error::StreamSizeExceeded { .. } => too_large("bytes", MAX_BYTES),
        error => Problem::invalid_field("/file", "form", format!("the form cannot be read: {error}")),
    }
}

/// What is known of a list while it comes.
#[derive(Default)]
struct Taking {
    bytes: usize,
    lines: usize,
    digest: Sha256,
    /// The first line, until it is whole.
    header: Option<Vec<u8>>,
    has_header: bool,
}

impl Taking {
    async fn take(&mut self, bytes: &[u8], upload: &mut Upload<'_>) -> Result<(), Problem> {
        self.bytes += bytes.len();
        self.lines += bytes.split(|byte| *byte == b'\n').count() - 1;
        if self.bytes > MAX_BYTES {
            return Err(too_large("bytes", MAX_BYTES));
        }
        if self.lines > MAX_LINES {
            return Err(too_large("lines", MAX_LINES));
        }
        self.digest.update(bytes);
        if !self.has_header {
            let header = self.header.get_or_insert_default();
            header.extend_from_slice(&bytes[..bytes.len().min(MAX_HEADER_BYTES)]);
            if header.contains(&b'\n') || header.len() >= MAX_HEADER_BYTES {
                self.check_header()?;
            }
        }
        Ok(upload.push(bytes).await?)
    }

    fn check_header(&mut self) -> Result<(), Problem> {
        let header = self.header.take().unwrap_or_default();
        read_header(&header).map_err(|error| Problem::invalid_field("/header", "header", error.to_string()))?;
        self.has_header = true;
        Ok(())
    }

    fn finish(mut self) -> Result<(u64, String), Problem> {
        if !self.has_header {
            self.check_header()?;
        }
        Ok((u64::try_from(self.bytes).unwrap_or(u64::MAX), BASE64_URL_SAFE_NO_PAD.encode(self.digest.finalize())))
    }
}

fn too_large(what: &str, most: usize) -> Problem {
    Problem::new(PAYLOAD_TOO_LARGE).detail(format!("A list has at most {most} {what}: send it in parts."))
}
