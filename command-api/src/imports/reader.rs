//! A list, read: chunks become rows on a thread of their own, since CSV is read where reading may block.

use super::store::{Job, Store, StoreError};
use crate::domain::account_import::row::{Header, HeaderError};
use std::io::{self, Read};
use tokio::{runtime::Handle, sync::mpsc, task};

/// Rows that are carried out together.
pub(super) const BATCH: usize = 250;
/// The mark that Windows puts before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One row: the line that it begins in, and its fields unless they are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) fields: Option<csv::StringRecord>,
}

/// How a list is laid out: what stands between fields, and which columns there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    separator: u8,
    /// Which column stands where.
    pub header: Header,
}

/// Why a list cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the list is not CSV")]
    Csv(#[from] csv::Error),
    #[error("the list's first line is no header")]
    Header(#[from] HeaderError),
    #[error("nobody takes the rows any more")]
    Halted,
}

/// Reads the first line from the beginning of a list, which must hold all of it.
pub fn read_header(beginning: &[u8]) -> Result<Layout, HeaderError> {
    let beginning = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning);
    let line = beginning.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    // What spreadsheets write where the comma is the decimal sign.
    let separator = if line.contains(&b';') && !line.contains(&b',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(separator).from_reader(line);
    let mut record = csv::ByteRecord::new();
    // A line that is no CSV has no columns, which is refused below.
    let _ = reader.read_byte_record(&mut record);
    let names: Vec<_> = record.iter().map(String::from_utf8_lossy).collect();
    Ok(Layout { separator, header: Header::try_new(names.iter().map(AsRef::as_ref))? })
}

/// The rows of a list, batch by batch.
pub(super) struct Rows(mpsc::Receiver<Result<Batch, ReadError>>);

/// Rows with the header that they stand under.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) header: Header,
    pub(super) rows: Vec<Row>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl Rows {
    /// Begins to read.
    pub(super) fn begin(store: Store, job: Job) -> Self {
        let (batches, taken) = mpsc::channel(2);
        task::spawn_blocking(move || {
            if let Err(error) = read(&store, &job, &batches) {
                // Whoever does not listen any more needs no reason.
                let _ = batches.blocking_send(Err(error));
            }
        });
        Self(taken)
    }

    /// The next rows; `None` behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, ReadError> {
        self.0.recv().await.transpose()
    }
}

fn read(store: &Store, job: &Job, batches: &mpsc::Sender<Result<Batch, ReadError>>) -> Result<(), ReadError> {
    let mut chunks = Chunks { store, job, number: 0, chunk: Vec::new(), read: 0 };
    let first = chunks.fetch().map_err(ReadError::Store)?;
    if !first {
        return Err(ReadError::Header(HeaderError::Missing(crate::domain::account_import::row::Column::Email)));
    }
    let Layout { separator, header } = read_header(&chunks.chunk)?;
    let send = |rows: Vec<Row>| {
        let batch = Batch { header: header.clone(), rows };
        batches.blocking_send(Ok(batch)).map_err(|_| ReadError::Halted)
    };
    each_row(&mut chunks, separator, send)
}

/// Reads rows and gives them away in batches.
fn each_row(
    input: &mut dyn Read,
    separator: u8,
    mut give: impl FnMut(Vec<Row>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    // The reader takes the first line for the header, and a byte order mark away.
    let mut reader = csv::ReaderBuilder::new().delimiter(separator).flexible(true).from_reader(Lines::new(input));
    let mut rows = Vec::with_capacity(BATCH);
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(stored)? {
        let within: usize = record.iter().map(|field| field.split(|byte| *byte == b'\n').count() - 1).sum();
        // Behind the record, its line's end included.
        let behind = reader.position().line();
        let line = behind.saturating_sub(1 + u64::try_from(within).unwrap_or_default());
        let record = std::mem::take(&mut record);
        rows.push(Row { line, fields: csv::StringRecord::from_byte_record(record).ok() });
        if rows.len() == BATCH {
            give(std::mem::replace(&mut rows, Vec::with_capacity(BATCH)))?;
        }
    }
    if rows.is_empty() { Ok(()) } else { give(rows) }
}

/// A chunk that could not be fetched comes out of the CSV reader as an error of reading.
fn stored(error: csv::Error) -> ReadError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.downcast::<StoreError>() {
            Ok(error) => error.into(),
            Err(error) => ReadError::Csv(error.into()),
        },
        kind => ReadError::Csv(io::Error::other(format!("{kind:?}")).into()),
    }
}

/// A text whose lines all end in a line feed alone, the last one too: so that lines can be counted.
struct Lines<'a> {
    input: &'a mut dyn Read,
    /// A carriage return that was read and may be half of a line's end.
    held: bool,
    begins_a_line: bool,
    ended: bool,
}

impl<'a> Lines<'a> {
    fn new(input: &'a mut dyn Read) -> Self {
        Self { input, held: false, begins_a_line: true, ended: false }
    }

    /// What is left at the end: at most two bytes.
    fn finish(&mut self, into: &mut [u8]) -> usize {
        let rest: &[u8] = match (std::mem::replace(&mut self.ended, true), self.held, self.begins_a_line) {
            (true, ..) | (false, false, true) => b"",
            (false, true, _) => b"\r\n",
            (false, false, false) => b"\n",
        };
        into[..rest.len()].copy_from_slice(rest);
        rest.len()
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // Room for what is held.
        let mut raw = vec![0; into.len().saturating_sub(2).max(1)];
        loop {
            let count = self.input.read(&mut raw)?;
            if count == 0 {
                return Ok(self.finish(into));
            }
            let mut written = 0;
            let mut write = |byte: u8| {
                into[written] = byte;
                written += 1;
            };
            for &byte in &raw[..count] {
                if self.held && byte != b'\n' {
                    write(b'\r');
                }
                self.held = byte == b'\r';
                if !self.held {
                    write(byte);
                    self.begins_a_line = byte == b'\n';
                }
            }
            if written > 0 {
                return Ok(written);
            }
        }
    }
}

/// The chunks as one text.
struct Chunks<'a> {
    store: &'a Store,
    job: &'a Job,
    number: i32,
    chunk: Vec<u8>,
    read: usize,
}

impl Chunks<'_> {
    /// Fetches the next chunk; whether there is one.
    fn fetch(&mut self) -> Result<bool, StoreError> {
        let next = Handle::current().block_on(self.store.chunk(self.job, self.number))?;
        self.number += 1;
        self.read = 0;
        let is_there = next.is_some();
        self.chunk = next.unwrap_or_default();
        Ok(is_there)
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.chunk.len() && !self.fetch().map_err(io::Error::other)? {
            return Ok(0);
        }
        let count = into.len().min(self.chunk.len() - self.read);
        into[..count].copy_from_slice(&self.chunk[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Vec<(u64, Option<Vec<String>>)> {
        let mut all = Vec::new();
        let mut input = text;
        each_row(&mut input, b',', |rows| {
            assert!(rows.len() <= BATCH);
            all.extend(
                rows.into_iter().map(|Row { line, fields }| {
                    (line, fields.map(|fields| fields.iter().map(str::to_owned).collect()))
                }),
            );
            Ok(())
        })
        .unwrap();
        all
    }

    fn texts(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|&field| field.to_owned()).collect()
    }

    #[test]
    fn a_row_is_known_by_the_line_that_it_begins_in() {
        let read = rows(b"\xef\xbb\xbfa,b\r\n1,\"two\nlines\"\r\n\r\n3,4\n5,6,7\n\xff,8");
        let expected = [
            (2, Some(texts(&["1", "two\nlines"]))),
            (5, Some(texts(&["3", "4"]))),
            (6, Some(texts(&["5", "6", "7"]))),
            (7, None),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn rows_come_in_batches_and_none_is_lost() {
        let text: String =
            std::iter::once("a\n".to_owned()).chain((0..=BATCH * 2).map(|row| format!("{row}\n"))).collect();
        let read = rows(text.as_bytes());
        assert_eq!(read.len(), BATCH * 2 + 1);
        assert_eq!(read.last().unwrap().1, Some(texts(&["500"])));
    }

    #[test]
    fn a_list_may_come_from_a_spreadsheet_where_the_comma_is_the_decimal_sign() {
        let layout =
            read_header(b"\xef\xbb\xbfemail;role;first_name;last_name\r\na@b.example;learner;A;B\r\n").unwrap();
        assert_eq!(layout.separator, b';');
        let comma = read_header(b"\"email\",role,first_name,last_name").unwrap();
        assert_eq!((comma.separator, comma.header), (b',', layout.header));
        assert!(read_header(b"").is_err());
    }
}
