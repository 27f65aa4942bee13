//! Every view, and what a view is: tables, and a function that carries a batch of events into them.
//!
//! One file a view. A view writes its own tables only, and reads no others, so that it can be rebuilt alone. Its SQL
//! names tables without a schema, which the caller chooses by `search_path`. Whether a batch is the right one, and what
//! becomes of one that fails, is `run`'s affair.

mod account_import_list;
mod account_list;
mod admin_dashboard;
mod analytics;
mod assessment_list;
mod audit_trail;
mod category_list;
mod course_catalogue;
mod course_detail;
mod ended_sessions;
mod enrollment_progress;
mod instructor_dashboard;
mod invitation_list;
mod learner_dashboard;
mod payment_list;
mod session_trail;
mod submission_list;
mod tenant_list;

use crate::entry::Batch;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use std::{collections::BTreeSet, num::TryFromIntError};

/// All views, in the order of their migrations.
pub const ALL: &[Projection] = &[
    account_list::PROJECTION,
    session_trail::PROJECTION,
    category_list::PROJECTION,
    course_catalogue::PROJECTION,
    course_detail::PROJECTION,
    enrollment_progress::PROJECTION,
    payment_list::PROJECTION,
    assessment_list::PROJECTION,
    submission_list::PROJECTION,
    learner_dashboard::PROJECTION,
    instructor_dashboard::PROJECTION,
    admin_dashboard::PROJECTION,
    analytics::PROJECTION,
    audit_trail::PROJECTION,
    ended_sessions::PROJECTION,
    invitation_list::PROJECTION,
    account_import_list::PROJECTION,
    tenant_list::PROJECTION,
];

/// One view.
#[derive(Debug, Clone, Copy)]
pub struct Projection {
    /// Its name: that of its file, its migration and its checkpoint.
    pub name: &'static str,
    /// The tables that it writes.
    pub tables: &'static [&'static str],
    /// Those of them that it only appends to, and never looks anything up in: a rebuild makes their keys when they are full.
    pub appended: &'static [&'static str],
    /// What it looks at; it is given no other events.
    pub streams: Interest,
    /// Whether it needs events to be readable; one that does not is given the others too.
    pub needs_content: bool,
    /// Carries a batch into the tables. The batch is contiguous and comes once; the caller's transaction sees to it.
    pub apply: for<'a> fn(&'a mut PgConnection, Batch<'a>) -> BoxFuture<'a, Result<(), ApplyError>>,
}

/// Which events a view looks at.
#[derive(Debug, Clone, Copy)]
pub enum Interest {
    /// All there are.
    Everything,
    /// Those of streams of these types.
    Streams(&'static [&'static str]),
}

impl Interest {
    /// Whether an event of a stream of this type is looked at.
    pub fn includes(self, stream_type: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Streams(types) => types.contains(&stream_type),
        }
    }
}

/// The stream types that views name, a bit for each, and one for all others.
#[derive(Debug)]
pub(crate) struct Kinds(Vec<&'static str>);

impl Kinds {
    const OTHERS: u64 = 1 << 63;

    /// Of all views.
    pub(crate) fn of_all() -> Self {
        let named = ALL.iter().filter_map(|projection| match projection.streams {
            Interest::Everything => None,
            Interest::Streams(types) => Some(types),
        });
        let types: BTreeSet<&'static str> = named.flatten().copied().collect();
        Self(types.into_iter().collect())
    }

    /// The bit of a stream type.
    pub(crate) fn find(&self, stream_type: &str) -> u64 {
        self.0.iter().position(|known| *known == stream_type).map_or(Self::OTHERS, |place| 1 << place)
    }

    /// The bits of all that a view looks at.
    pub(crate) fn wanted_by(&self, interest: Interest) -> u64 {
        match interest {
            Interest::Everything => u64::MAX,
            Interest::Streams(types) => types.iter().map(|stream_type| self.find(stream_type)).sum(),
        }
    }
}

/// The view of this name.
pub fn find(name: &str) -> Option<&'static Projection> {
    ALL.iter().find(|projection| projection.name == name)
}

/// Why a batch could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The read database said no, or nothing.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
    /// A number does not fit its column.
    #[error("a number does not fit its column")]
    OutOfRange(#[from] TryFromIntError),
    /// A value has no JSON.
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl ApplyError {
    /// Whether an event is at fault, so that trying the same again would fail the same. Everything else — a lost
    /// connection, a lock, a missing table or right — is the surroundings' fault and passes.
    pub fn is_of_the_data(&self) -> bool {
        match self {
            // Classes of SQLSTATE (PostgreSQL manual, appendix A): 22 data exception, 23 integrity constraint
            // violation, 54 program limit exceeded, such as a value too long for an index.
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
            }
            Self::Database(sqlx::Error::Encode(_)) | Self::OutOfRange(_) | Self::Json(_) => true,
            Self::Database(_) => false,
        }
    }

    /// Whether nothing more can be said on this connection, whatever the view: the database has gone, or is going.
    pub fn is_of_the_connection(&self) -> bool {
        match self {
            // Classes 08 (connection) and 57P (an operator stepped in: it stops, starts, or ended the session).
            Self::Database(sqlx::Error::Database(error)) => {
                error.code().is_some_and(|code| ["08", "57P"].iter().any(|class| code.starts_with(class)))
            }
            Self::Database(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            Self::OutOfRange(_) | Self::Json(_) => false,
        }
    }
}

/// One column of many rows, to be bound as an array.
macro_rules! column {
    ($rows:expr, $($field:tt)+) => {
        $rows.iter().map(|row| row.$($field)+.clone()).collect::<Vec<_>>()
    };
}
use column;
