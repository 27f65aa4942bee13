//! Days to look at, and how they are put together: the `from`, `to` and `bucket` of a series. Days are days in UTC.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Utc};
use ops::problem::Problem;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

/// As many days as a period may have: ten years.
pub const MAX_DAYS: u64 = 3660;
/// As many days as a period has where nothing is asked for.
pub const DEFAULT_DAYS: u64 = 30;

/// Which days, and in what pieces.
#[derive(Debug, Clone, Copy, Default, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PeriodParams {
    /// The first day; without it, the thirtieth day up to `to`.
    pub from: Option<NaiveDate>,
    /// The last day, at most 3,660 days in all; without it, today in UTC.
    pub to: Option<NaiveDate>,
    /// What one point of the series covers; without it, a day.
    #[param(inline)]
    pub bucket: Option<Bucket>,
}

/// What one point of a series covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// A day.
    #[default]
    Day,
    /// A week from Monday on (ISO 8601).
    Week,
    /// A calendar month.
    Month,
}

/// Days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// What one point of a series covers.
    pub bucket: Bucket,
}

impl PeriodParams {
    /// The period that is meant; 422 where it ends before it begins or has too many days.
    pub fn resolve(self, today: NaiveDate) -> Result<Period, Problem> {
        let to = self.to.unwrap_or(today);
        let from = self.from.unwrap_or(to - Days::new(DEFAULT_DAYS - 1));
        if from > to {
            return Err(Problem::invalid_field("/query/from", "range", "must not be after `to`"));
        }
        if to - Days::new(MAX_DAYS) >= from {
            return Err(Problem::invalid_field("/query/from", "range", "must be within 3,660 days up to `to`"));
        }
        Ok(Period { from, to, bucket: self.bucket.unwrap_or_default() })
    }
}

impl Period {
    /// The last thirty days, a point each.
    pub fn recent(today: NaiveDate) -> Self {
        Self { from: today - Days::new(DEFAULT_DAYS - 1), to: today, bucket: Bucket::Day }
    }

    /// The first day of each piece, in order. The first piece may begin before the period does, the last end after it;
    /// what they count is what falls into the period.
    pub fn starts(self) -> impl Iterator<Item = NaiveDate> {
        let Self { from, to, bucket } = self;
        std::iter::successors(Some(bucket.start_of(from)), move |start| bucket.after(*start))
            .take_while(move |start| *start <= to)
    }
}

impl Bucket {
    /// The first day of the piece that a day falls into.
    pub fn start_of(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::Day => day,
            Self::Week => day - Days::new(day.weekday().num_days_from_monday().into()),
            Self::Month => day - Days::new(day.day0().into()),
        }
    }

    fn after(self, start: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Day => start.succ_opt(),
            Self::Week => start.checked_add_days(Days::new(7)),
            Self::Month => start.checked_add_months(Months::new(1)),
        }
    }
}

/// Today in UTC.
pub fn today() -> NaiveDate {
    Utc::now().date_naive()
}

/// A date (`2026-11-21`), read as the midnight in UTC that it begins with, or a time (RFC 3339).
pub fn since<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    moment(deserializer, 0)
}

/// A date, read as the midnight in UTC that it ends with, or a time (RFC 3339).
pub fn until<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    moment(deserializer, 1)
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D, days_after: u64) -> Result<Option<DateTime<Utc>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let of_date = || {
        let day: NaiveDate = text.parse().ok()?;
        Some(day.checked_add_days(Days::new(days_after))?.and_time(NaiveTime::MIN).and_utc())
    };
    let of_time = || DateTime::parse_from_rfc3339(&text).ok().map(|time| time.to_utc());
    of_date()
        .or_else(of_time)
        .map(Some)
        .ok_or_else(|| de::Error::custom("must be a date such as 2026-11-21, or a time such as 2026-11-21T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn period(from: Option<&str>, to: Option<&str>, bucket: Bucket) -> Result<Period, Problem> {
        let params = PeriodParams { from: from.map(day), to: to.map(day), bucket: Some(bucket) };
        params.resolve(day("2026-11-21"))
    }

    fn starts(from: &str, to: &str, bucket: Bucket) -> Vec<String> {
        period(Some(from), Some(to), bucket).unwrap().starts().map(|start| start.to_string()).collect()
    }

    #[test]
    fn a_period_is_the_last_thirty_days_where_nothing_is_asked_for() {
        let last = PeriodParams::default().resolve(day("2026-11-21")).unwrap();
        assert_eq!((last.from, last.to, last.bucket), (day("2026-10-23"), day("2026-11-21"), Bucket::Day));
        assert_eq!(last.starts().count(), 30);
        assert_eq!(last, Period::recent(day("2026-11-21")));
        assert_eq!(period(None, Some("2026-01-30"), Bucket::Day).unwrap().from, day("2026-01-01"));
    }

    #[test]
    fn a_period_has_an_order_and_a_bound() {
        assert!(period(Some("2016-11-14"), Some("2026-11-21"), Bucket::Day).is_ok());
        for (from, to) in [("2026-11-22", "2026-11-21"), ("2016-11-13", "2026-11-21")] {
            let problem = period(Some(from), Some(to), Bucket::Day).unwrap_err();
            assert_eq!(problem.document().errors[0].pointer, "/query/from", "{from}");
        }
    }

    #[test]
    fn pieces_are_whole_days_weeks_and_months() {
        assert_eq!(starts("2026-02-27", "2026-03-01", Bucket::Day), ["2026-02-27", "2026-02-28", "2026-03-01"]);
        assert_eq!(starts("2026-11-21", "2026-11-23", Bucket::Week), ["2026-11-16", "2026-11-23"]);
        assert_eq!(starts("2026-01-31", "2026-03-01", Bucket::Month), ["2026-01-01", "2026-02-01", "2026-03-01"]);
    }

    #[test]
    fn a_date_stands_for_the_whole_day() {
        let read = |text: &str, end: u64| moment(serde_json::Value::from(text), end);
        let midnight = |text: &str| Some(day(text).and_time(NaiveTime::MIN).and_utc());
        assert_eq!(read("2026-11-21", 0).unwrap(), midnight("2026-11-21"));
        assert_eq!(read("2026-11-21", 1).unwrap(), midnight("2026-11-22"));
        assert_eq!(read("2026-11-21T02:00:00+02:00", 1).unwrap(), midnight("2026-11-21"));
        assert!(read("yesterday", 0).is_err());
    }
}
