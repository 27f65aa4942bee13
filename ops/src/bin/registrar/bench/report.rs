//! `report.html`: the table, the plots and what they were measured on, in one file that needs nothing else.

use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;

use super::{
    Error,
    flame::{self, Profile},
    plot::{Plot, Scale},
    results::Results,
};
use crate::local::files;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;color:#1b1f24}\
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dee4;\
font-variant-numeric:tabular-nums}.yes{color:#0a6640;font-weight:600}.no{color:#b3261e;font-weight:600}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(460px,1fr));gap:1.5rem}figure{margin:0}figcaption{font-weight:600}\
svg{width:100%;height:auto;font-size:11px}polyline{fill:none;stroke-width:1.8}.grid{stroke:#d8dee4}\
.key{margin-right:1rem}.key i{display:inline-block;width:.8em;height:.8em;margin-right:.3em;border-radius:2px}";

/// Writes `report.html` and `report.json` into the folder, and the flame graph if there is one; the answer is where the first is.
pub fn write(folder: &Path, results: &Results) -> Result<PathBuf, Error> {
    files::folder(folder, 0o755)?;
    files::write_json(&folder.join("report.json"), &results.json())?;
    let path = folder.join("report.html");
    flame::write(folder, results.profile.as_ref())?;
    std::fs::write(&path, html(results)).map_err(files::failed("write", &path))?;
    Ok(path)
}

fn html(results: &Results) -> String {
    let head = format!(
        "<!doctype html><html lang=\"en-GB\"><meta charset=\"utf-8\"><title>Registrar: benchmark</title><style>{STYLE}</style>"
    );
    [
        head,
        "<h1>Registrar: benchmark</h1>".to_owned(),
        table(&Results::headings().map(str::to_owned), results.rows().iter().map(<[String; 7]>::as_slice)),
        "<p>Medians of the repetitions, with the least and the greatest ratio. A ratio compares with a reference that was \
         taken right before, on the same server, while Registrar's own processes stood still.</p>"
            .to_owned(),
        format!("<div class=\"plots\">{}</div>", plots(results)),
        "<h2>Processors used</h2>".to_owned(),
        processors(results),
        results.profile.as_ref().map(profile).unwrap_or_default(),
        "<h2>Measured on</h2>".to_owned(),
        pairs(&results.machine),
        "<h2>PostgreSQL</h2>".to_owned(),
        pairs(&results.settings),
        "</html>".to_owned(),
    ]
    .join("\n")
}

fn plots(results: &Results) -> String {
    let number = |connections: usize| f64::from(u32::try_from(connections).unwrap_or(u32::MAX));
    #[expect(clippy::cast_precision_loss, reason = "positions stay far below 2^52")]
    let events = |count: i64| count as f64;
    let lines = |pick: fn(&(f64, f64)) -> f64| -> Vec<(f64, f64)> {
        results.throughput.iter().map(|(at, rates)| (number(*at), pick(rates))).collect()
    };
    let throughput = Plot {
        x: "connections",
        y: "a second",
        x_scale: Scale::Logarithmic,
        lines: vec![
            ("commands over HTTP".to_owned(), lines(|rates| rates.0)),
            ("pgbench INSERT".to_owned(), lines(|rates| rates.1)),
        ],
    };
    let lag = Plot {
        x: "seconds",
        y: "events",
        x_scale: Scale::Linear,
        lines: vec![(
            "events that the hindmost projection has yet to apply".to_owned(),
            results.lag.iter().map(|(at, lag)| (*at, events(*lag))).collect(),
        )],
    };
    let append = Plot {
        x: "events in the log",
        y: "µs a command",
        x_scale: Scale::Linear,
        lines: vec![(
            "in log.append, 64 connections".to_owned(),
            results.append_cost.iter().map(|(position, cost)| (events(*position), *cost)).collect(),
        )],
    };
    let mut all = vec![
        ("Throughput over concurrency", throughput),
        ("Lag of the projector over time, commands as fast as they go", lag),
        ("Cost of an append over the size of the log", append),
    ];
    for (name, histogram) in &results.histograms {
        let lines = vec![(name.clone(), distribution(histogram))];
        all.push(("Latency", Plot { x: "ms", y: "% of requests", x_scale: Scale::Logarithmic, lines }));
    }
    let figures = all.iter().filter(|(_, plot)| plot.lines.iter().any(|(_, points)| !points.is_empty()));
    figures
        .map(|(title, plot)| {
            format!("<figure><figcaption>{title}</figcaption>{}<p>{}</p></figure>", plot.svg(), plot.legend())
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The share of each class of latencies, classes growing by a quarter.
#[expect(clippy::cast_precision_loss, reason = "counts of a few minutes stay far below 2^52")]
fn distribution(histogram: &Histogram<u64>) -> Vec<(f64, f64)> {
    let total = histogram.len().max(1) as f64;
    histogram
        .iter_log(histogram.min().max(8), 1.25)
        .map(|class| {
            (class.value_iterated_to() as f64 / 1000.0, class.count_since_last_iteration() as f64 * 100.0 / total)
        })
        .collect()
}

fn processors(results: &Results) -> String {
    let mut names: Vec<&String> =
        results.processors.iter().flat_map(|(_, shares)| shares).map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    let headings: Vec<String> =
        ["during".to_owned()].into_iter().chain(names.iter().map(|name| (*name).clone())).collect();
    let rows: Vec<Vec<String>> = results
        .processors
        .iter()
        .map(|(what, shares)| {
            let share =
                |wanted: &String| shares.iter().find(|(name, _)| name == wanted).map_or(0.0, |(_, share)| *share);
            [what.clone()].into_iter().chain(names.iter().map(|name| format!("{:.2}", share(name)))).collect()
        })
        .collect();
    table(&headings, rows.iter().map(Vec::as_slice))
}

fn profile(profile: &Profile) -> String {
    let headings = ["process", "share", "of which in the kernel"].map(str::to_owned);
    let shares = table(&headings, profile.rows().iter().map(<[String; 3]>::as_slice));
    let (what, page) = (escape(&profile.described()), flame::PAGE);
    format!("<h2>Where the time goes</h2><p>{what}. <a href=\"{page}\">The flame graph</a></p>{shares}")
}

fn pairs(pairs: &[(String, String)]) -> String {
    let rows: Vec<[String; 2]> = pairs.iter().map(|(name, value)| [name.clone(), value.clone()]).collect();
    table(&[String::new(), String::new()], rows.iter().map(<[String; 2]>::as_slice))
}

fn table<'a>(headings: &[String], rows: impl Iterator<Item = &'a [String]>) -> String {
    let cells = |row: &[String], tag: &str| -> String {
        let cell = |cell: &String| {
            let class = match cell.as_str() {
                "NO" => "no",
                "yes" => "yes",
                _ => "",
            };
            format!("<{tag} class=\"{class}\">{}</{tag}>", escape(cell))
        };
        row.iter().map(cell).collect::<String>()
    };
    let body: Vec<String> = rows.map(|row| format!("<tr>{}</tr>", cells(row, "td"))).collect();
    format!("<table><tr>{}</tr>{}</table>", cells(headings, "th"), body.join("\n"))
}

/// Text as HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
