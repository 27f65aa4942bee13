//! What a run has found: the table on the terminal, and `report.json`.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{figure::Figure, flame::Profile};

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Results {
    /// What it ran on, by name.
    pub machine: Vec<(String, String)>,
    /// PostgreSQL's settings.
    pub settings: Vec<(String, String)>,
    /// The rows of the table.
    pub figures: Vec<Figure>,
    /// Latencies in microseconds.
    pub histograms: Vec<(String, Histogram<u64>)>,
    /// Commands a second and INSERTs a second, by connections.
    pub throughput: Vec<(usize, (f64, f64))>,
    /// Events between the end of the log and the hindmost projection, by seconds.
    pub lag: Vec<(f64, i64)>,
    /// Microseconds that a command takes in `log.append`, by the size of the log.
    pub append_cost: Vec<(i64, f64)>,
    /// Processors that each process used, by what was measured.
    pub processors: Vec<(String, Shares)>,
    /// Where the time went, if that was asked for.
    pub profile: Option<Profile>,
}

/// Names and numbers in their order.
pub type Shares = Vec<(String, f64)>;

const HEADINGS: [&str; 7] = ["id", "what", "value", "reference", "ratio", "target", "met"];

impl Results {
    /// Adds a row.
    pub fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// In the order of their names, not of the run.
    pub fn sort(&mut self) {
        let place = |figure: &Figure| figure.id[1..].parse::<u32>().unwrap_or_default();
        self.figures.sort_by_key(place);
    }

    /// The table, for a terminal.
    pub fn table(&self) -> String {
        let mut rows = vec![HEADINGS.map(str::to_owned)];
        rows.extend(self.rows());
        let widths: Vec<usize> = (0..HEADINGS.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let line = |row: &[String; 7]| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}", width = *width)).collect();
            cells.join("  ").trim_end().to_owned()
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The rows, without headings.
    pub fn rows(&self) -> Vec<[String; 7]> {
        let rows = self.figures.iter().map(|figure| {
            let [value, reference, ratio, target, met] = figure.cells();
            [figure.id.to_owned(), figure.what.clone(), value, reference, ratio, target, met]
        });
        rows.collect()
    }

    /// The headings of [`Results::rows`].
    pub const fn headings() -> [&'static str; 7] {
        HEADINGS
    }

    /// All of it as JSON.
    pub fn json(&self) -> Value {
        let figures = self.figures.iter().map(|figure| {
            let mut value = json!(figure);
            value["met"] = json!(figure.is_met());
            value
        });
        let quantiles = |histogram: &Histogram<u64>| {
            let of = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];
            of.map(|(name, quantile)| (name, histogram.value_at_quantile(quantile)))
                .into_iter()
                .collect::<BTreeMap<_, _>>()
        };
        let named = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        json!({
            "machine": named(&self.machine),
            "postgresql": named(&self.settings),
            "figures": figures.collect::<Vec<_>>(),
            "latencies_microseconds": self
                .histograms
                .iter()
                .map(|(name, all)| json!({ "of": name, "count": all.len(), "quantiles": quantiles(all) }))
                .collect::<Vec<_>>(),
            "throughput": self
                .throughput
                .iter()
                .map(|(connections, (ours, inserts))| {
                    json!({ "connections": connections, "commands_per_second": ours, "inserts_per_second": inserts })
                })
                .collect::<Vec<_>>(),
            "lag_events": self.lag.iter().map(|(at, lag)| json!({ "seconds": at, "events": lag })).collect::<Vec<_>>(),
            "append_cost": self
                .append_cost
                .iter()
                .map(|(position, cost)| json!({ "log_events": position, "microseconds_per_command": cost }))
                .collect::<Vec<_>>(),
            "processors": self
                .processors
                .iter()
                .map(|(what, shares)| json!({ "during": what, "used": shares.iter().cloned().collect::<BTreeMap<_, _>>() }))
                .collect::<Vec<_>>(),
            "profile": self.profile.as_ref().map(Profile::json),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_measures_and_aligned() {
        let mut results = Results::default();
        for id in ["P10", "P2"] {
            results.add(Figure::value(id, "something", "ms", &[1.0]));
        }
        results.sort();
        let table = results.table();
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].starts_with("P2   something") && lines[2].starts_with("P10  something"), "{table}");
        assert_eq!(results.json()["figures"][0]["id"], "P2");
    }
}
