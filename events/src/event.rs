//! Every event there is, and the way between it and the two columns it is stored in: `type` and `data`.

use crate::{
    account::AccountEvent, account_import::AccountImportEvent, assessment::AssessmentEvent,
    auth_session::AuthSessionEvent, category::CategoryEvent, course::CourseEvent, enrollment::EnrollmentEvent,
    invitation::InvitationEvent, payment::PaymentEvent, refusal::RefusalEvent, submission::SubmissionEvent,
    tenant::TenantEvent, upcast,
};
use serde::{Deserialize, Serialize, de::value::MapDeserializer, ser::Error as _};
use serde_json::{Error, Value};
use std::borrow::Cow;

/// Any event of any aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of an account.
    Account(AccountEvent),
    /// Of an import of accounts.
    AccountImport(AccountImportEvent),
    /// Of an invitation.
    Invitation(InvitationEvent),
    /// Of a session.
    AuthSession(AuthSessionEvent),
    /// Of a category.
    Category(CategoryEvent),
    /// Of a course.
    Course(CourseEvent),
    /// Of an enrolment.
    Enrollment(EnrollmentEvent),
    /// Of a payment.
    Payment(PaymentEvent),
    /// Of an assessment.
    Assessment(AssessmentEvent),
    /// Of a learner's attempts.
    Submission(SubmissionEvent),
    /// Of refusals.
    Refusal(RefusalEvent),
    /// Of a tenant.
    Tenant(TenantEvent),
}

macro_rules! from {
    ($($variant:ident($event:ty)),* $(,)?) => {
        $(impl From<$event> for Event {
            fn from(event: $event) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

from! {
    Account(AccountEvent),
    AccountImport(AccountImportEvent),
    Invitation(InvitationEvent),
    AuthSession(AuthSessionEvent),
    Category(CategoryEvent),
    Course(CourseEvent),
    Enrollment(EnrollmentEvent),
    Payment(PaymentEvent),
    Assessment(AssessmentEvent),
    Submission(SubmissionEvent),
    Refusal(RefusalEvent),
    Tenant(TenantEvent),
}

/// Why a stored event could not be read, or an event not be written.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The stem in the type name belongs to no aggregate: the log is newer than this program.
    #[error("event type {0} is not known to this version")]
    UnknownType(String),
    /// The data do not have the shape that the type promises.
    #[error("data of {event_type} do not have their shape")]
    Shape {
        /// The stored type name.
        event_type: String,
        /// What is wrong with them.
        source: serde_json::Error,
    },
}

/// An event as it is stored: personal data still in the clear until [`crate::personal::seal`] was run over `data`, which
/// are JSON as `serde_json` writes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) event_type: String,
    pub(crate) data: String,
}

/// What reads the events of the stem that a type name is of.
macro_rules! by_stem {
    ($event_type:expr, $read:ident) => {
        match $event_type.split('.').nth(1) {
            Some("account") => $read::<AccountEvent>,
            Some("account_import") => $read::<AccountImportEvent>,
            Some("invitation") => $read::<InvitationEvent>,
            Some("auth_session") => $read::<AuthSessionEvent>,
            Some("category") => $read::<CategoryEvent>,
            Some("course") => $read::<CourseEvent>,
            Some("enrollment") => $read::<EnrollmentEvent>,
            Some("payment") => $read::<PaymentEvent>,
            Some("assessment") => $read::<AssessmentEvent>,
            Some("submission") => $read::<SubmissionEvent>,
            Some("refusal") => $read::<RefusalEvent>,
            Some("tenant") => $read::<TenantEvent>,
            _ => return Err(CodecError::UnknownType($event_type.to_string())),
        }
    };
}

impl Event {
    /// The two columns that the event is stored in.
    pub(crate) fn encode(&self) -> Result<Encoded, CodecError> {
        let failed = |source| CodecError::Shape { event_type: format!("{self:?}"), source };
        let written = serde_json::to_string(self).map_err(failed)?;
        // Which is `{"type":"…","data":…}`, and there are no quotes in a name.
        let split = || written.strip_prefix(r#"{"type":""#)?.strip_suffix('}')?.split_once(r#"","data":"#);
        let (event_type, data) = split().ok_or_else(|| failed(Error::custom("an event has no type and data")))?;
        Ok(Encoded { event_type: event_type.to_owned(), data: data.to_owned() })
    }

    /// Reads a stored event, of whatever version, as today's.
    pub fn decode(event_type: &str, data: Cow<'_, Value>) -> Result<Self, CodecError> {
        fn read<'de, E: Deserialize<'de> + Into<Event>>(tag: &'de Value, data: &'de Value) -> Result<Event, Error> {
            // The tag stands first, so that the data are read once, as what they are.
            E::deserialize(MapDeserializer::new([("type", tag), ("data", data)].into_iter())).map(Into::into)
        }

        let (event_type, data) = upcast::to_current(event_type, data);
        let read = by_stem!(&event_type, read);
        let tag = Value::from(event_type.as_ref());
        read(&tag, &data).map_err(|source| CodecError::Shape { event_type: event_type.into_owned(), source })
    }

    /// Reads a stored event of today's shape in which nothing is sealed.
    pub(crate) fn decode_text(event_type: &str, data: &str) -> Result<Self, CodecError> {
        fn read<'de, E: Deserialize<'de> + Into<Event>>(tagged: &'de str) -> Result<Event, Error> {
            serde_json::from_str::<E>(tagged).map(Into::into)
        }

        let read = by_stem!(event_type, read);
        // So that the name needs no escapes.
        if !event_type.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.')) {
            return Err(CodecError::UnknownType(event_type.to_owned()));
        }
        let tagged = [r#"{"type":""#, event_type, r#"","data":"#, data, "}"].concat();
        read(&tagged).map_err(|source| CodecError::Shape { event_type: event_type.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_end_its_own_text_is_of_no_event() {
        let name = r#"registrar.category.created.v1","data":{"name":"x"},"type":"y"#;
        let read = Event::decode_text(name, r#"{"name":"Law"}"#);
        assert!(matches!(read, Err(CodecError::UnknownType(unknown)) if unknown == name));
        assert!(Event::decode_text("registrar.category.created.v1", r#"{"name":"Law"}"#).is_ok());
    }
}
