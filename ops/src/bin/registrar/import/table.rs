//! CSV files (RFC 4180) as imports read them: the columns by name and in any order, plain or compressed with gzip.
//!
//! A file that is no such table fails the import before anything is posted, and says what is wrong with it. A row that
//! cannot be read is refused alone, with its line.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use csv::{ErrorKind, ReaderBuilder, StringRecord, Terminator};
use flate2::bufread::MultiGzDecoder;

/// Why a file is not the table that it should be.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The folder is not one.
    #[error("{folder} is not a folder: name the one that holds the CSV files", folder = .0.display())]
    NoFolder(PathBuf),
    /// The file is missing.
    #[error("{folder} holds neither {file} nor {file}.gz", folder = .folder.display())]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// Its name.
        file: &'static str,
    },
    /// The file cannot be read.
    #[error("{path} cannot be read", path = .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// There is not even a header.
    #[error("{path} is empty: its first line names the columns", path = .0.display())]
    Empty(PathBuf),
    /// The text is in another encoding.
    #[error("{path} is not UTF-8: save it as CSV in UTF-8", path = .0.display())]
    Encoding(PathBuf),
    /// Another character parts the columns.
    #[error("{path} parts its columns with {found}: save it with commas", path = .path.display())]
    Delimiter {
        /// The file.
        path: PathBuf,
        /// What parts them.
        found: &'static str,
    },
    /// Columns are missing.
    #[error("{path} lacks the column{s} {missing}; it has {found}", path = .path.display(),
        s = if .missing.contains(',') { "s" } else { "" })]
    Columns {
        /// The file.
        path: PathBuf,
        /// Those that are missing.
        missing: String,
        /// Those that are there.
        found: String,
    },
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The file.
    pub file: &'static str,
    /// The line in it, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// One row, its values in the order in which the columns were asked for.
#[derive(Debug)]
pub struct Row {
    /// The line in the file, from 1.
    pub line: u64,
    columns: &'static [&'static str],
    values: Vec<String>,
}

impl Row {
    /// A value; `None` where it is not known: empty or `?`.
    pub fn find(&self, column: &'static str) -> Option<&str> {
        let place = self.columns.iter().position(|name| *name == column)?;
        self.values.get(place).map(String::as_str).filter(|value| !matches!(*value, "" | "?"))
    }

    /// A value that has to be there.
    pub fn text(&self, column: &'static str) -> Result<&str, String> {
        self.find(column).ok_or_else(|| format!("{column} is missing"))
    }

    /// A number that may be unknown.
    pub fn find_number<N: FromStr>(&self, column: &'static str) -> Result<Option<N>, String> {
        let number =
            |value: &str| value.parse().map_err(|_| format!("{column} is {value:?}, which is no whole number"));
        self.find(column).map(number).transpose()
    }

    /// A number that has to be there.
    pub fn number<N: FromStr>(&self, column: &'static str) -> Result<N, String> {
        self.find_number(column)?.ok_or_else(|| format!("{column} is missing"))
    }
}

/// The rows of a file that can be read, and those that cannot.
#[derive(Debug)]
pub struct Table {
    /// Those that can.
    pub rows: Vec<Row>,
    /// Those that cannot.
    pub refused: Vec<Refused>,
}

/// Reads a file, or the same compressed with gzip, out of a folder.
pub fn read(folder: &Path, file: &'static str, columns: &'static [&'static str]) -> Result<Table, TableError> {
    let (path, text) = open(folder, file)?;
    // Lines are counted by their line feeds; a carriage return before one goes with the space around the last value.
    let mut reader = ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(text);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(unreadable(path, error)),
    };
    let places = find_places(&path, &header, columns)?;
    let mut table = Table { rows: Vec::new(), refused: Vec::new() };
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => return Ok(table),
            Ok(true) if record.len() == 1 && record[0].trim().is_empty() => {}
            Ok(true) if record.len() != header.len() => {
                let reason = format!("has {} values where the header names {} columns", record.len(), header.len());
                let line = record.position().map_or(0, csv::Position::line);
                table.refused.push(Refused { file, line, reason });
            }
            Ok(true) => {
                let values = places.iter().map(|place| record.get(*place).unwrap_or_default().trim().to_owned());
                let line = record.position().map_or(0, csv::Position::line);
                table.rows.push(Row { line, columns, values: values.collect() });
            }
            Err(error) if matches!(error.kind(), ErrorKind::Utf8 { .. }) => {
                let line = error.position().map_or(0, csv::Position::line);
                table.refused.push(Refused { file, line, reason: "is not UTF-8".to_owned() });
            }
            Err(error) => return Err(unreadable(path, error)),
        }
    }
}

fn open(folder: &Path, file: &'static str) -> Result<(PathBuf, Box<dyn Read>), TableError> {
    if !folder.is_dir() {
        return Err(TableError::NoFolder(folder.to_owned()));
    }
    let candidates = [folder.join(file), folder.join(format!("{file}.gz"))];
    let missing = || TableError::Missing { folder: folder.to_owned(), file };
    let path = candidates.into_iter().find(|path| path.is_file()).ok_or_else(missing)?;
    let unreadable = |error| TableError::Unreadable(path.clone(), error);
    let mut raw = BufReader::new(File::open(&path).map_err(unreadable)?);
    // By its content, for not everybody names it so.
    let is_compressed = raw.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if is_compressed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
    let mut text = BufReader::new(text);
    let start = text.fill_buf().map_err(unreadable)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(TableError::Encoding(path));
    }
    if start.iter().all(u8::is_ascii_whitespace) {
        return Err(TableError::Empty(path));
    }
    Ok((path, Box::new(text)))
}

fn find_places(path: &Path, header: &StringRecord, columns: &[&str]) -> Result<Vec<usize>, TableError> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
    let place = |column: &&str| names.iter().position(|name| name == column);
    let missing: Vec<&str> = columns.iter().copied().filter(|column| place(column).is_none()).collect();
    if missing.is_empty() {
        return Ok(columns.iter().filter_map(place).collect());
    }
    let parted = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    if let [only] = &*names
        && let Some((_, found)) = parted.into_iter().find(|(delimiter, _)| only.contains(*delimiter))
    {
        return Err(TableError::Delimiter { path: path.to_owned(), found });
    }
    let (missing, found) = (missing.join(", "), names.join(", "));
    Err(TableError::Columns { path: path.to_owned(), missing, found })
}

fn unreadable(path: PathBuf, error: csv::Error) -> TableError {
    match error.into_kind() {
        ErrorKind::Io(source) => TableError::Unreadable(path, source),
        _ => TableError::Encoding(path),
    }
}

#[cfg(test)]
mod tests;
