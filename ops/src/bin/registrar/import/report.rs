//! The rows that were not taken: the first on the screen, all of them in a file where one is named.

use std::{collections::BTreeMap, path::Path};

use super::{ImportError, table::Refused};
use crate::local::console;

/// As many rows as are shown.
const SHOWN: usize = 20;

/// Shows the rows that were refused, and writes them all as CSV where a file is named.
pub fn refused(refused: &[Refused], file: Option<&Path>) -> Result<(), ImportError> {
    if let Some(path) = file {
        write(refused, path).map_err(|error| ImportError::Report(path.to_owned(), error))?;
    }
    if refused.is_empty() {
        console::plain("no row was refused");
        return Ok(());
    }
    let mut by_file: BTreeMap<&str, usize> = BTreeMap::new();
    for row in refused {
        *by_file.entry(row.file).or_default() += 1;
    }
    let counts: Vec<String> = by_file.iter().map(|(file, count)| format!("{count} of {file}")).collect();
    console::plain(&format!("{} rows were refused ({}):", refused.len(), counts.join(", ")));
    for Refused { file, line, reason } in refused.iter().take(SHOWN) {
        console::plain(&format!("  {file}:{line}: {reason}"));
    }
    if refused.len() > SHOWN {
        let rest = refused.len() - SHOWN;
        let all = if file.is_some() { "" } else { "; --refused <FILE> writes all of them" };
        console::plain(&format!("  … and {rest} more{all}"));
    }
    Ok(())
}

fn write(refused: &[Refused], path: &Path) -> std::io::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["file", "line", "reason"])?;
    for Refused { file, line, reason } in refused {
        writer.write_record([*file, &line.to_string(), reason])?;
    }
    writer.flush()
}
