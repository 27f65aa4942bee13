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
    /// Columns are there of which nothing is known.
    #[error("{path} has the column{s} {unknown}, which mean{v} nothing here: take {it} out; the columns are {known}",
        path = .path.display(), s = if *.is_one { "" } else { "s" }, v = if *.is_one { "s" } else { "" },
        it = if *.is_one { "it" } else { "them" })]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Their names.
        unknown: String,
        /// Whether it is one.
        is_one: bool,
        /// Those that it may have.
        known: String,
    },
    /// A column is there twice.
    #[error("{path} names the column {column} twice", path = .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
    },
}

/// The columns of a file.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// Those that it has to have.
    pub required: &'static [&'static str],
    /// Those that it may have.
    pub optional: &'static [&'static str],
}

impl Columns {
    fn all(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }
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
    columns: Columns,
    values: Vec<String>,
}

impl Row {
    /// A value; `None` where it is not known: empty, `?`, or in a column that the file does not have.
    pub fn find(&self, column: &'static str) -> Option<&str> {
        let place = self.columns.all().position(|name| name == column)?;
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

/// Reads these columns of a file, or of the same compressed with gzip, out of a folder.
pub fn read(folder: &Path, file: &'static str, columns: &'static [&'static str]) -> Result<Table, TableError> {
    let missing = || TableError::Missing { folder: folder.to_owned(), file };
    let path = find(folder, file)?.ok_or_else(missing)?;
    let columns = Columns { required: columns, optional: &[] };
    read_rows(path, file, columns, |path, header| find_places(path, header, columns))
}

/// As [`read`], where the file may be missing, and has no other columns than these.
pub fn find_whole(folder: &Path, file: &'static str, columns: Columns) -> Result<Option<Table>, TableError> {
    let Some(path) = find(folder, file)? else { return Ok(None) };
    let places = |path: &Path, header: &StringRecord| {
        let places = find_places(path, header, columns)?;
        refuse_others(path, header, columns)?;
        Ok(places)
    };
    read_rows(path, file, columns, places).map(Some)
}

fn read_rows(
    path: PathBuf,
    file: &'static str,
    columns: Columns,
    find_places: impl Fn(&Path, &StringRecord) -> Result<Vec<Option<usize>>, TableError>,
) -> Result<Table, TableError> {
    let text = open(&path)?;
    // Lines are counted by their line feeds; a carriage return before one goes with the space around the last value.
    let mut reader = ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(text);
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => return Err(unreadable(path, error)),
    };
    let places = find_places(&path, &header)?;
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
                let value =
                    |place: &Option<usize>| place.and_then(|place| record.get(place)).unwrap_or_default().trim();
                let values = places.iter().map(|place| value(place).to_owned());
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

fn find(folder: &Path, file: &str) -> Result<Option<PathBuf>, TableError> {
    if !folder.is_dir() {
        return Err(TableError::NoFolder(folder.to_owned()));
    }
    let candidates = [folder.join(file), folder.join(format!("{file}.gz"))];
    Ok(candidates.into_iter().find(|path| path.is_file()))
}

fn open(path: &Path) -> Result<Box<dyn Read>, TableError> {
    let unreadable = |error| TableError::Unreadable(path.to_owned(), error);
    let mut raw = BufReader::new(File::open(path).map_err(unreadable)?);
    // By its content, for not everybody names it so.
    let is_compressed = raw.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if is_compressed { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };
    let mut text = BufReader::new(text);
    let start = text.fill_buf().map_err(unreadable)?;
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
        return Err(TableError::Encoding(path.to_owned()));
    }
    if start.iter().all(u8::is_ascii_whitespace) {
        return Err(TableError::Empty(path.to_owned()));
    }
    Ok(Box::new(text))
}

fn names_of(header: &StringRecord) -> Vec<String> {
    header.iter().map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn find_places(path: &Path, header: &StringRecord, columns: Columns) -> Result<Vec<Option<usize>>, TableError> {
    let names = names_of(header);
    let place = |column: &str| names.iter().position(|name| name == column);
    let missing: Vec<&str> = columns.required.iter().copied().filter(|column| place(column).is_none()).collect();
    if missing.is_empty() {
        return Ok(columns.all().map(place).collect());
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

fn refuse_others(path: &Path, header: &StringRecord, columns: Columns) -> Result<(), TableError> {
    let (path, names) = (path.to_owned(), names_of(header));
    let unknown: Vec<String> =
        names.iter().filter(|name| columns.all().all(|known| known != *name)).map(|name| format!("{name:?}")).collect();
    if !unknown.is_empty() {
        let known: Vec<&str> = columns.all().collect();
        let (unknown, is_one, known) = (unknown.join(", "), unknown.len() == 1, known.join(", "));
        return Err(TableError::Unknown { path, unknown, is_one, known });
    }
    let twice = (1..).zip(&names).find(|(next, name)| names[*next..].contains(name));
    match twice {
        Some((_, column)) => Err(TableError::Twice { path, column: column.clone() }),
        None => Ok(()),
    }
}

fn unreadable(path: PathBuf, error: csv::Error) -> TableError {
    match error.into_kind() {
        ErrorKind::Io(source) => TableError::Unreadable(path, source),
        _ => TableError::Encoding(path),
    }
}

#[cfg(test)]
mod tests;
