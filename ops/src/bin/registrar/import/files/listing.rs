//! The four files, read and put together: the facts that they tell, and the rows that are not taken, each with its reason.
//!
//! A row is refused that cannot be read, or that says again what a row before it said. Whether what it names is there,
//! the command API knows: it may have come with an earlier import.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    path::Path,
};

use chrono::{DateTime, Utc};
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::{
    super::{
        ImportError,
        send::Line,
        table::{self, Refused, Row},
    },
    facts,
};

pub const ACCOUNTS: &str = "accounts.csv";
pub const COURSES: &str = "courses.csv";
pub const PAYMENTS: &str = "payments.csv";
pub const ENROLMENTS: &str = "enrolments.csv";
const ALL: [&str; 4] = [ACCOUNTS, COURSES, PAYMENTS, ENROLMENTS];

/// All that is taken from the files, in their order.
#[derive(Debug, Default)]
pub struct Listing {
    categories: Vec<Line>,
    accounts: Vec<Line>,
    courses: Vec<Line>,
    payments: Vec<Line>,
    enrolments: Vec<Line>,
    /// The rows that are not taken.
    pub refused: Vec<Refused>,
    /// Files of the folder that look as if they were meant to be read.
    pub unread: Vec<String>,
}

impl Listing {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, ImportError> {
        let mut reader = Reader::default();
        let mut found = 0;
        let mut take = |file, columns, take: fn(&mut Reader, &Row) -> Result<(), String>| {
            if let Some(table) = table::find_whole(folder, file, columns)? {
                reader.take(file, table, take);
                found += 1;
            }
            Ok::<_, ImportError>(())
        };
        take(ACCOUNTS, facts::ACCOUNTS, Reader::account)?;
        take(COURSES, facts::COURSES, Reader::course)?;
        // Before payments, which open enrolments at the time that is told of these.
        take(ENROLMENTS, facts::ENROLMENTS, Reader::enrolment)?;
        take(PAYMENTS, facts::PAYMENTS, Reader::payment)?;
        if found == 0 {
            return Err(ImportError::Nothing { folder: folder.to_owned(), files: ALL.join(", ") });
        }
        let mut listing = reader.finish();
        listing.unread = find_unread(folder);
        Ok(listing)
    }

    /// The stages of the import by name, each with its facts: what a fact names is in a stage before it, and a payment
    /// comes before the enrolment that it opens.
    pub fn stages(&self) -> [(&'static str, &[Line]); 5] {
        [
            ("accounts", &self.accounts),
            ("categories", &self.categories),
            ("courses", &self.courses),
            ("payments", &self.payments),
            ("enrolments", &self.enrolments),
        ]
    }

    /// How many rows are taken and refused.
    pub fn rows(&self) -> u64 {
        let taken = [&self.accounts, &self.courses, &self.payments, &self.enrolments].map(Vec::len);
        (taken.into_iter().sum::<usize>() + self.refused.len()) as u64
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |lines: &[Line]| HumanCount(lines.len() as u64);
        write!(
            f,
            "{} accounts, {} courses, {} payments, {} enrolments",
            count(&self.accounts),
            count(&self.courses),
            count(&self.payments),
            count(&self.enrolments),
        )
    }
}

/// Whose name differs from the four is left alone, and told of.
fn find_unread(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let plain = |name: &str| name.strip_suffix(".gz").unwrap_or(name).to_owned();
    let mut unread: Vec<String> = names
        .filter(|name| plain(name).to_ascii_lowercase().ends_with(".csv") && !ALL.contains(&&*plain(name)))
        .collect();
    unread.sort();
    unread
}

/// What is known while the files are read.
#[derive(Default)]
struct Reader {
    listing: Listing,
    /// The line that first told of something, by its file and key.
    told: HashMap<(&'static str, String), u64>,
    /// Line and first day of each category, in the order of the file.
    categories: Vec<(String, u64, DateTime<Utc>)>,
    category_places: HashMap<String, usize>,
    /// When whom entered which course.
    enrolled: HashMap<(String, String), DateTime<Utc>>,
}

impl Reader {
    fn take(&mut self, file: &'static str, table: table::Table, take: fn(&mut Self, &Row) -> Result<(), String>) {
        let mut refused = table.refused;
        for row in table.rows {
            if let Err(reason) = take(self, &row) {
                refused.push(Refused { file, line: row.line, reason });
            }
        }
        refused.sort_by_key(|refused| refused.line);
        self.listing.refused.extend(refused);
    }

    /// Refuses what was told before.
    fn tell(&mut self, file: &'static str, row: &Row, key: &str) -> Result<(), String> {
        match self.told.entry((file, key.to_owned())) {
            Entry::Occupied(before) => Err(format!("{key} was told before, in line {}", before.get())),
            Entry::Vacant(place) => {
                place.insert(row.line);
                Ok(())
            }
        }
    }

    fn account(&mut self, row: &Row) -> Result<(), String> {
        let (key, fact) = facts::account(row)?;
        self.tell(ACCOUNTS, row, &key)?;
        self.listing.accounts.push(Line::new(&fact, ACCOUNTS, row.line));
        Ok(())
    }

    fn course(&mut self, row: &Row) -> Result<(), String> {
        let (key, fact) = facts::course(row)?;
        self.tell(COURSES, row, &key)?;
        if let Some(name) = row.find("category") {
            self.categorise(name, row.line, facts::time(row, "created_at")?);
        }
        self.listing.courses.push(Line::new(&fact, COURSES, row.line));
        Ok(())
    }

    /// A category is as old as its first course.
    fn categorise(&mut self, name: &str, line: u64, since: DateTime<Utc>) {
        if let Some(place) = self.category_places.get(name) {
            let known = &mut self.categories[*place].2;
            *known = since.min(*known);
            return;
        }
        self.category_places.insert(name.to_owned(), self.categories.len());
        self.categories.push((name.to_owned(), line, since));
    }

    fn enrolment(&mut self, row: &Row) -> Result<(), String> {
        let (of, fact) = facts::enrolment(row)?;
        self.tell(ENROLMENTS, row, &format!("{} in {}", of.0, of.1))?;
        self.enrolled.insert(of, facts::time(row, "enrolled_at")?);
        self.listing.enrolments.push(Line::new(&fact, ENROLMENTS, row.line));
        Ok(())
    }

    fn payment(&mut self, row: &Row) -> Result<(), String> {
        let (key, of, mut fact) = facts::payment(row)?;
        self.tell(PAYMENTS, row, &key)?;
        if let Some(at) = self.enrolled.get(&of) {
            fact["payment"]["enrolled_at"] = Value::from(at.to_rfc3339());
        }
        self.listing.payments.push(Line::new(&fact, PAYMENTS, row.line));
        Ok(())
    }

    fn finish(mut self) -> Listing {
        let categories = self.categories.into_iter().map(|(name, line, since)| {
            Line::new(&json!({"key": name, "occurred_at": since, "category": {"name": name}}), COURSES, line)
        });
        self.listing.categories = categories.collect();
        self.listing
    }
}
