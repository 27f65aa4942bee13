//! Compares the query data in `.sqlx/` with what the queries and the migrations give today.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use serde_json::Value;

use super::Error;
use crate::local::{self, files};

/// The data of each query by the name of its file.
type Queries = BTreeMap<String, Value>;

/// Refuses if a query is missing, left over or described otherwise.
pub fn compare(fresh: &Path, checked_in: &Path) -> Result<(), Error> {
    let differences = differences(&read(fresh)?, &read(checked_in)?);
    if differences.is_empty() { Ok(()) } else { Err(Error::Queries(differences)) }
}

/// Makes the data that is checked in that of today.
pub fn update(fresh: &Path, checked_in: &Path) -> Result<(), Error> {
    let (today, before) = (read(fresh)?, read(checked_in)?);
    files::folder(checked_in, 0o755)?;
    for name in before.keys().filter(|name| !today.contains_key(*name)) {
        files::remove(&checked_in.join(name))?;
    }
    for name in today.keys().filter(|name| today.get(*name) != before.get(*name)) {
        let target = checked_in.join(name);
        fs::copy(fresh.join(name), &target).map_err(files::failed("write", &target))?;
    }
    Ok(())
}

fn read(folder: &Path) -> Result<Queries, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Queries::new()),
        entries => entries.map_err(files::failed("read", folder))?,
    };
    let mut queries = Queries::new();
    for entry in entries {
        let path = entry.map_err(files::failed("read", folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("query-") && path.extension().is_some_and(|extension| extension == "json") {
            let content = fs::read(&path).map_err(files::failed("read", &path))?;
            let query = serde_json::from_slice(&content).map_err(|source| local::Error::Json { path, source })?;
            queries.insert(name, query);
        }
    }
    Ok(queries)
}

fn differences(today: &Queries, checked_in: &Queries) -> Vec<String> {
    let names: BTreeSet<&String> = today.keys().chain(checked_in.keys()).collect();
    let told = names.into_iter().filter_map(|name| match (today.get(name), checked_in.get(name)) {
        (Some(query), None) => Some(format!(".sqlx/ lacks a query: {}", sql(query))),
        (None, Some(query)) => Some(format!(".sqlx/ holds a query that is in no crate: {}", sql(query))),
        (Some(today), Some(before)) if today != before => {
            Some(format!(".sqlx/ describes a query otherwise than the migrations do: {}", sql(today)))
        }
        _ => None,
    });
    told.collect()
}

/// The beginning of a query's text, on one line.
fn sql(query: &Value) -> String {
    const ENOUGH: usize = 100;
    let words: Vec<&str> = query["query"].as_str().unwrap_or_default().split_whitespace().collect();
    let text = words.join(" ");
    if text.chars().count() > ENOUGH { format!("{}…", text.chars().take(ENOUGH).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn queries(of: &[(&str, Value)]) -> Queries {
        of.iter().map(|(name, query)| ((*name).to_owned(), query.clone())).collect()
    }

    #[test]
    fn equal_data_differs_in_nothing() {
        let both = queries(&[("query-1.json", json!({"query": "select 1"}))]);
        assert_eq!(differences(&both, &both), Vec::<String>::new());
    }

    #[test]
    fn a_missing_a_left_over_and_a_changed_query_are_told_apart() {
        let today = queries(&[
            ("query-1.json", json!({"query": "select\n  1", "describe": 1})),
            ("query-2.json", json!({"query": "select 2"})),
        ]);
        let checked_in = queries(&[
            ("query-1.json", json!({"query": "select\n  1", "describe": 2})),
            ("query-3.json", json!({"query": "select 3"})),
        ]);
        assert_eq!(
            differences(&today, &checked_in),
            [
                ".sqlx/ describes a query otherwise than the migrations do: select 1",
                ".sqlx/ lacks a query: select 2",
                ".sqlx/ holds a query that is in no crate: select 3",
            ]
        );
    }
}
