//! The shape of the workspace: dependencies point one way, and migrations are named so that they only go forward.

use std::{collections::BTreeMap, fs, path::Path};

use super::Error;
use crate::local::{
    cargo::{Metadata, Package},
    files,
    project::Project,
};

/// For each package of ours, those of ours that it may depend on.
const DIRECTION: [(&str, &[&str]); 6] = [
    ("events", &[]),
    ("ops", &[]),
    ("testkit", &[]),
    ("command-api", &["ops", "events"]),
    ("projector", &["ops", "events"]),
    ("query-api", &["ops", "events"]),
];

/// Tests may use it, and nothing else may.
const TESTS_ONLY: &str = "testkit";

/// Refuses a workspace that is not shaped so.
pub fn check(project: &Project, metadata: &Metadata) -> Result<(), Error> {
    let mut faults: Vec<String> = metadata.packages.iter().flat_map(against_the_direction).collect();
    let migrations = project.root().join("migrations");
    faults.extend(misnamed_forward(&names(&migrations.join("log"))?));
    faults.extend(misnamed_pairs(&names(&migrations.join("read"))?));
    if faults.is_empty() { Ok(()) } else { Err(Error::Structure(faults)) }
}

fn against_the_direction(package: &Package) -> Vec<String> {
    let Some((_, allowed)) = DIRECTION.iter().find(|(name, _)| *name == package.name) else {
        return vec![format!("package {} is not in the table of who may depend on whom", package.name)];
    };
    let ours = package.dependencies.iter().filter(|used| DIRECTION.iter().any(|(name, _)| *name == used.name));
    let wrong = ours.filter(|used| {
        let in_tests = used.kind.as_deref() == Some("dev");
        !(allowed.contains(&used.name.as_str()) || (in_tests && used.name == TESTS_ONLY))
    });
    wrong.map(|used| format!("package {} must not depend on {}", package.name, used.name)).collect()
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(files::failed("read", folder))?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(files::failed("read", folder))?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The log's migrations only go forward: `NNNN_name.sql`, numbered without a gap.
fn misnamed_forward(names: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    for (expected, name) in (1..).zip(names) {
        match name.strip_suffix(".sql").and_then(numbered) {
            Some((number, _)) if number == expected => {}
            Some(_) => faults.push(format!("migrations/log/{name} must have the number {expected:04}")),
            None => faults.push(format!("migrations/log/{name} must be named NNNN_name.sql")),
        }
    }
    faults
}

/// The read models' come in pairs: `NNNN_view.up.sql` and `NNNN_view.down.sql`, numbered without a gap.
fn misnamed_pairs(names: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut pairs: BTreeMap<(u32, &str), u32> = BTreeMap::new();
    for name in names {
        let up = name.strip_suffix(".up.sql");
        match up.or_else(|| name.strip_suffix(".down.sql")).and_then(numbered) {
            Some(key) => *pairs.entry(key).or_default() += if up.is_some() { 1 } else { 2 },
            None => faults.push(format!("migrations/read/{name} must be named NNNN_view.up.sql or NNNN_view.down.sql")),
        }
    }
    for (expected, ((number, view), found)) in (1..).zip(pairs) {
        if found != 3 {
            let lacking = if found == 1 { "down" } else { "up" };
            faults.push(format!("migrations/read/{number:04}_{view} lacks its .{lacking}.sql"));
        }
        if number != expected {
            faults.push(format!("migrations/read/{number:04}_{view} must have the number {expected:04}"));
        }
    }
    faults
}

/// `NNNN_some_name`, of small letters, digits and underscores.
fn numbered(stem: &str) -> Option<(u32, &str)> {
    let (number, name) = stem.split_once('_')?;
    let well_formed =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    let valid = number.len() == 4 && !name.is_empty() && name.chars().all(well_formed);
    valid.then(|| number.parse().ok()).flatten().map(|number| (number, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::cargo::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependency = |(name, kind): &(&str, Option<&str>)| Dependency {
            name: (*name).to_owned(),
            kind: kind.map(str::to_owned),
        };
        Package { name: name.to_owned(), dependencies: dependencies.iter().map(dependency).collect() }
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_process_may_use_ops_and_events_and_the_testkit_in_tests() {
        let uses = [("ops", None), ("events", None), ("serde", None), ("testkit", Some("dev"))];
        assert_eq!(against_the_direction(&package("projector", &uses)), Vec::<String>::new());
    }

    #[test]
    fn no_package_depends_against_the_direction() {
        let faults = against_the_direction(&package("query-api", &[("command-api", Some("dev")), ("testkit", None)]));
        assert_eq!(
            faults,
            ["package query-api must not depend on command-api", "package query-api must not depend on testkit"]
        );
        assert_eq!(
            against_the_direction(&package("events", &[("ops", None)])),
            ["package events must not depend on ops"]
        );
    }

    #[test]
    fn migrations_of_the_log_only_go_forward_and_leave_no_number_out() {
        assert_eq!(misnamed_forward(&owned(&["0001_events.sql", "0002_append.sql"])), Vec::<String>::new());
        assert_eq!(
            misnamed_forward(&owned(&["0001_events.sql", "0003_append.sql", "0003_x.down.sql"])),
            [
                "migrations/log/0003_append.sql must have the number 0002",
                "migrations/log/0003_x.down.sql must be named NNNN_name.sql"
            ]
        );
    }

    #[test]
    fn every_read_migration_has_its_way_back() {
        assert_eq!(misnamed_pairs(&owned(&["0001_a.down.sql", "0001_a.up.sql"])), Vec::<String>::new());
        assert_eq!(misnamed_pairs(&owned(&["0001_a.up.sql"])), ["migrations/read/0001_a lacks its .down.sql"]);
    }
}
