//! Every event as it stands in the log, personal data sealed: `/v1/audit/events`.

use crate::{
    caller::SignedIn,
    period,
    snapshot::{Answer, Reader},
};
use chrono::{DateTime, Utc};
use events::{Json, Recorded, Role, StreamRef, ids::TenantId};
use ops::{
    page::{Page, PageParams, PageQuery},
    problem::Problem,
    validate::refusal,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::{Validate, ValidationError};

const READS: &[&str] = &["audit_trail"];

/// An event as CloudEvents JSON (CloudEvents 1.0), with its place in the log beside. Without `position` and `leaf_hash`
/// it is what was hashed.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    /// Its place in the log: 1, 2, 3, …
    pub position: i64,
    /// SHA-256 of a zero byte and the event in canonical JSON (RFC 6962, RFC 8785), in hexadecimal.
    #[schema(example = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")]
    pub leaf_hash: String,
    /// The event's attributes and `data`.
    #[serde(flatten)]
    #[schema(value_type = CloudEventSchema)]
    pub event: Value,
}

#[derive(ToSchema)]
#[schema(as = CloudEvent)]
#[expect(dead_code, reason = "it only describes events::Recorded::cloud_event, whose crate knows no OpenAPI")]
struct CloudEventSchema {
    /// Always `1.0`.
    #[schema(example = "1.0")]
    specversion: String,
    /// The event.
    id: Uuid,
    /// `/tenants/<tenant>`.
    source: String,
    /// The type, with its version.
    #[schema(example = "registrar.account.registered.v1")]
    r#type: String,
    /// The stream: `<type>/<id>`.
    subject: String,
    /// When it happened.
    time: DateTime<Utc>,
    /// When it was recorded.
    recordedtime: DateTime<Utc>,
    /// Always `application/json`.
    datacontenttype: String,
    /// The organisation.
    tenantid: Uuid,
    /// The stream's type.
    streamtype: String,
    /// The stream.
    streamid: Uuid,
    /// Its place in its stream.
    streamversion: i64,
    /// Who caused it.
    actorid: Option<Uuid>,
    /// In what role.
    actorrole: Option<String>,
    /// In which session.
    sessionid: Option<Uuid>,
    /// One for all that followed from one request.
    correlationid: Uuid,
    /// What led to it.
    causationid: Option<Uuid>,
    /// W3C Trace Context of the request.
    traceparent: Option<String>,
    /// The source that it was imported from.
    imported: Option<String>,
    /// What happened; of persons only what is sealed.
    data: Map<String, Value>,
}

struct Row {
    position: i64,
    event_id: Uuid,
    tenant_id: Uuid,
    stream_type: String,
    stream_id: Uuid,
    version: i64,
    r#type: String,
    data: String,
    metadata: String,
    recorded_at: DateTime<Utc>,
    leaf_hash: Vec<u8>,
}

impl TryFrom<Row> for AuditEvent {
    type Error = Problem;

    fn try_from(row: Row) -> Result<Self, Problem> {
        let json = |text| Json::parse(text).map_err(|error| Problem::internal(&error));
        let recorded = Recorded {
            position: row.position,
            event_id: row.event_id,
            tenant_id: TenantId::new(row.tenant_id),
            stream: StreamRef { stream_type: row.stream_type.into(), id: row.stream_id },
            version: row.version,
            event_type: row.r#type,
            data: json(row.data)?,
            metadata: json(row.metadata)?,
            recorded_at: row.recorded_at,
            // A check constraint of the log keeps the length.
            leaf_hash: row.leaf_hash.try_into().unwrap_or_default(),
        };
        Ok(Self { position: row.position, leaf_hash: recorded.leaf_hash_hex(), event: recorded.cloud_event() })
    }
}

/// `$from` is where the search begins, and where `position` is taken from; $2 is the subject, or null.
/// The planner is not to take a type and its hash for independent: of what `coalesce` answers it knows nothing, and so it
/// reads the index in order instead of sorting all that there is of a type.
macro_rules! select_events {
    ($snapshot:ident, $filter:ident, $after:ident, $page:ident, $subject:expr, $from:literal) => {{
        let (stream_type, stream_id) = $filter.stream();
        sqlx::query_as!(
            Row,
            "select a.position, a.event_id, a.tenant_id, a.stream_type, a.stream_id, a.version, a.type, a.data,
                    a.metadata, a.recorded_at, a.leaf_hash "
                + $from
                + r#" and a.tenant_id = $1
                 and ($3::uuid is null or a.actor_id = $3)
                 and ($4::text is null or a.stream_type = $4)
                 and ($5::uuid is null or a.stream_id = $5)
                 and ($6::text is null or a.type_hash = hashtext($6) and coalesce(a.type = $6, false))
                 and ($7::timestamptz is null or a.recorded_at >= $7)
                 and ($8::timestamptz is null or a.recorded_at < $8)
                 and a.position > $9
               order by position
               limit $10"#,
            $snapshot.tenant_id(),
            $subject,
            $filter.actor,
            stream_type,
            stream_id,
            $filter.r#type,
            $filter.from,
            $filter.to,
            $after,
            $page.fetch(),
        )
        .fetch_all($snapshot.connection())
        .await?
    }};
}

/// Which events.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventFilter {
    /// Caused by this account.
    actor: Option<Uuid>,
    /// Concerning this account.
    subject: Option<Uuid>,
    /// Of this stream: `<type>/<id>`, or its id alone.
    #[validate(custom(function = is_stream))]
    #[param(example = "course/0193b3f0-0000-7000-8000-000000000001")]
    stream: Option<String>,
    /// Of this type, as it is stored.
    #[validate(length(max = 200))]
    #[param(example = "registrar.account.registered.v1")]
    r#type: Option<String>,
    /// Recorded at this time or later: RFC 3339, or a date that begins at midnight in UTC.
    #[serde(default, deserialize_with = "period::since")]
    #[param(value_type = Option<String>, example = "2026-11-21T00:00:00Z")]
    from: Option<DateTime<Utc>>,
    /// Recorded before this time: RFC 3339, or a date, which is included.
    #[serde(default, deserialize_with = "period::until")]
    #[param(value_type = Option<String>, example = "2026-11-22")]
    to: Option<DateTime<Utc>>,
    /// Behind this position.
    #[validate(range(min = 0))]
    #[param(minimum = 0)]
    after: Option<i64>,
}

impl EventFilter {
    fn stream(&self) -> (Option<&str>, Option<Uuid>) {
        let (stream_type, stream_id) = self.stream.as_deref().and_then(parse_stream).unzip();
        (stream_type.flatten(), stream_id)
    }
}

fn parse_stream(text: &str) -> Option<(Option<&str>, Uuid)> {
    let (stream_type, id) = text.rsplit_once('/').map_or((None, text), |(stream_type, id)| (Some(stream_type), id));
    Some((stream_type, id.parse().ok()?))
}

fn is_stream(text: &str) -> Result<(), ValidationError> {
    parse_stream(text).map(drop).ok_or_else(|| refusal("invalid", "must be <type>/<id>, or the id of a stream"))
}

/// The events, in the order of the log.
#[utoipa::path(get, path = "/v1/audit/events", tag = "audit", security(("bearer" = [])),
    params(PageParams, EventFilter), responses(
        (status = 200, description = "A page of events", body = Page<AuditEvent>),
        (status = 403, description = "`forbidden`"),
    ))]
pub async fn list(
    caller: SignedIn,
    reader: Reader,
    PageQuery { page, filter }: PageQuery<EventFilter>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Auditor, Role::Admin])?;
    let after = page.after::<i64>()?.max(filter.after).unwrap_or_default();
    let mut snapshot = reader.open(caller.tenant_id, READS).await?;
    let rows = if let Some(subject) = filter.subject {
        select_events!(
            snapshot,
            filter,
            after,
            page,
            subject,
            "from read.audit_trail_subjects s
             join read.audit_trail a using (position)
             where s.tenant_id = $1 and s.subject_id = $2"
        )
    } else {
        select_events!(
            snapshot,
            filter,
            after,
            page,
            None::<Uuid>,
            "from read.audit_trail a
             where $2::uuid is null"
        )
    };
    let events = rows.into_iter().map(AuditEvent::try_from).collect::<Result<Vec<_>, _>>()?;
    snapshot.answer(page.page(events, |event| event.position)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_with_or_without_its_type() {
        let id = Uuid::from_u128(7);
        assert_eq!(parse_stream(&format!("course/{id}")), Some((Some("course"), id)));
        assert_eq!(parse_stream(&id.to_string()), Some((None, id)));
        for bad in ["", "course", "course/", &format!("{id}/course")] {
            assert!(is_stream(bad).is_err(), "{bad}");
        }
    }
}
