//! One row of the table: what was measured, against what, and whether that is enough.

use serde::Serialize;

/// What is to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// So much or more.
    AtLeast(f64),
    /// So much or less.
    AtMost(f64),
}

/// What is compared with the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judged {
    /// The value over its reference.
    Ratio,
    /// The value itself.
    Value,
}

/// A median of repetitions, with the least and the greatest of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of these repetitions; zero where there are none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.as_slice() {
            [] => 0.0,
            values if values.len().is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
            values => values[middle],
        };
        Self {
            median,
            least: sorted.first().copied().unwrap_or_default(),
            greatest: sorted.last().copied().unwrap_or_default(),
        }
    }

    /// Of the ratios of each repetition to its own reference, which was taken right beside it.
    pub fn of_ratios(values: &[f64], references: &[f64]) -> Self {
        let ratios: Vec<f64> = values.iter().zip(references).map(|(value, reference)| value / reference).collect();
        Self::of(&ratios)
    }
}

/// One row.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The measure, for example `P1`.
    pub id: &'static str,
    /// What was measured.
    pub what: String,
    /// Its unit.
    pub unit: &'static str,
    /// The value.
    pub value: Spread,
    /// The reference, and what it is.
    pub reference: Option<Spread>,
    /// Of what the reference is.
    pub reference_of: Option<&'static str>,
    /// Value over reference, by repetition.
    pub ratio: Option<Spread>,
    /// What is to be reached; `None` where the row only tells.
    pub target: Option<Target>,
    /// What of the row is compared with it.
    pub judged: Judged,
}

impl Figure {
    /// A row that tells a value.
    pub fn value(id: &'static str, what: impl Into<String>, unit: &'static str, values: &[f64]) -> Self {
        Self {
            id,
            what: what.into(),
            unit,
            value: Spread::of(values),
            reference: None,
            reference_of: None,
            ratio: None,
            target: None,
            judged: Judged::Value,
        }
    }

    /// Set beside a reference that was measured as often.
    #[must_use]
    pub fn over(self, of: &'static str, references: &[f64], values: &[f64]) -> Self {
        Self {
            reference: Some(Spread::of(references)),
            reference_of: Some(of),
            ratio: Some(Spread::of_ratios(values, references)),
            judged: Judged::Ratio,
            ..self
        }
    }

    /// With what is to be reached.
    #[must_use]
    pub fn reach(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// Whether that is reached; `None` where nothing is asked.
    pub fn is_met(&self) -> Option<bool> {
        let judged = match self.judged {
            Judged::Ratio => self.ratio?.median,
            Judged::Value => self.value.median,
        };
        Some(match self.target? {
            Target::AtLeast(least) => judged >= least,
            Target::AtMost(most) => judged <= most,
        })
    }

    /// The row in words: value, reference, ratio, target, met.
    pub fn cells(&self) -> [String; 5] {
        let reference = match (self.reference, self.reference_of) {
            (Some(reference), Some(of)) => format!("{} {of}", number(reference.median)),
            _ => "–".to_owned(),
        };
        let ratio = self.ratio.map_or_else(
            || "–".to_owned(),
            |ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.greatest),
        );
        let target = match self.target {
            Some(Target::AtLeast(least)) => format!("≥ {}", number(least)),
            Some(Target::AtMost(most)) => format!("≤ {}", number(most)),
            None => "–".to_owned(),
        };
        let met = match self.is_met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "–",
        };
        [format!("{} {}", number(self.value.median), self.unit), reference, ratio, target, met.to_owned()]
    }
}

/// A number with as many digits as tell something, thousands apart.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        return format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_their_thousands_apart() {
        for (value, text) in [(0.7, "0.7"), (4.0, "4"), (99.996, "100"), (1234.6, "1,235"), (1_000_000.0, "1,000,000")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_median_is_the_middle_and_a_ratio_that_of_each_repetition() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        let even = Spread { median: 1.5, least: 1.0, greatest: 2.0 };
        assert_eq!(Spread::of(&[1.0, 2.0]), even);
        assert_eq!(Spread::of_ratios(&[3.0, 3.0], &[2.0, 3.0]), Spread { median: 1.25, least: 1.0, greatest: 1.5 });
    }

    #[test]
    fn a_row_is_met_by_its_ratio_where_it_has_one() {
        let figure = Figure::value("P1", "x", "/s", &[70.0]).over("y", &[100.0], &[70.0]);
        assert_eq!(figure.clone().reach(Target::AtLeast(0.7)).is_met(), Some(true));
        assert_eq!(figure.clone().reach(Target::AtMost(0.6)).is_met(), Some(false));
        assert_eq!(figure.is_met(), None);
    }
}
