//! One payment for one course. A captured payment enrols in the same transaction.

use crate::{
    Aggregate, Event, Money,
    ids::{AccountId, CourseId, EnrollmentId, PaymentId},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What can happen to a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum PaymentEvent {
    /// The money was taken.
    #[serde(rename = "registrar.payment.captured.v1")]
    Captured {
        /// Who paid.
        learner_id: AccountId,
        /// For what.
        course_id: CourseId,
        /// The enrolment that it opened; of an imported payment, the one that it belongs to.
        enrollment_id: EnrollmentId,
        /// How much.
        amount: Money,
        /// The reference that people quote: `TXN-` and twelve upper-case hexadecimal digits, or what another system
        /// called it that it was imported from.
        transaction_id: String,
        /// Who took it.
        provider: Provider,
    },
}

/// Who takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Takes nothing and always succeeds; for organisations that settle elsewhere, and for development.
    Dummy,
    /// The system that it was imported from.
    Import,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The money was taken.
    Completed,
}

impl PaymentStatus {
    /// The name that is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
        }
    }
}

/// A payment as its events leave it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Payment {
    /// Where it stands; `None` until it was made.
    pub status: Option<PaymentStatus>,
}

impl Aggregate for Payment {
    const STREAM_TYPE: &'static str = "payment";
    type Id = PaymentId;
    type Event = PaymentEvent;

    fn evolve(&mut self, event: &PaymentEvent) {
        match event {
            PaymentEvent::Captured { .. } => self.status = Some(PaymentStatus::Completed),
        }
    }

    fn own(event: Event) -> Option<PaymentEvent> {
        if let Event::Payment(event) = event { Some(event) } else { None }
    }
}
