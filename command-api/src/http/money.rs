//! Money in a body.

use events::{Currency, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

/// An amount of money: `{"amount_minor": 4999, "currency": "EUR"}` is 49.99 euro.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Money")]
pub struct Amount {
    /// Count of the currency's minor unit, at most 100,000,000.
    #[validate(range(min = 0, max = 100_000_000))]
    #[schema(minimum = 0, maximum = 100_000_000, example = 4999)]
    amount_minor: i64,
    /// ISO 4217 alphabetic code.
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Currency,
}

impl From<Amount> for Money {
    fn from(Amount { amount_minor, currency }: Amount) -> Self {
        Self { amount_minor, currency }
    }
}
