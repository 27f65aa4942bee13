//! Rows for `COPY … FROM STDIN (FORMAT binary)` (PostgreSQL manual, COPY, "Binary Format"): the cheapest way in for the
//! many rows of a replay. A table with row-level security takes none, so live tables are filled by `insert`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The signature, no flags, no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// From 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: TimeDelta = TimeDelta::seconds(946_684_800);
/// Bytes sent at a time.
const CHUNK: usize = 1 << 20;

/// One value of a row, as PostgreSQL's binary format has it.
pub(crate) trait Field {
    /// Appends the length in bytes, or -1 for null, and the value.
    fn write(&self, buffer: &mut Vec<u8>);
}

fn write_bytes(buffer: &mut Vec<u8>, bytes: &[u8]) {
    // PostgreSQL refuses what is longer; so does the log, long before.
    buffer.extend_from_slice(&i32::try_from(bytes.len()).unwrap_or(i32::MAX).to_be_bytes());
    buffer.extend_from_slice(bytes);
}

impl Field for Uuid {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, self.as_bytes());
    }
}

impl Field for i64 {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, &self.to_be_bytes());
    }
}

impl Field for bool {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, &[u8::from(*self)]);
    }
}

impl Field for str {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, self.as_bytes());
    }
}

impl Field for [u8] {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, self);
    }
}

impl Field for DateTime<Utc> {
    fn write(&self, buffer: &mut Vec<u8>) {
        // As sqlx writes it: what is less than a microsecond is left out. No time that there is overflows.
        (*self - DateTime::UNIX_EPOCH - EPOCH).num_microseconds().unwrap_or(i64::MAX).write(buffer);
    }
}

/// `jsonb`: its version, 1, and the text of JSON.
pub(crate) struct Jsonb<'a>(pub(crate) &'a str);

impl Field for Jsonb<'_> {
    fn write(&self, buffer: &mut Vec<u8>) {
        write_bytes(buffer, &[b"\x01", self.0.as_bytes()].concat());
    }
}

impl<T: Field> Field for Option<T> {
    fn write(&self, buffer: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(buffer),
            None => buffer.extend_from_slice(&NULL),
        }
    }
}

/// Copies rows into a table. `into` is the table and its columns, `table (one, other)`; `fields` the values of a row in
/// their order.
pub(crate) async fn copy<R>(
    connection: &mut PgConnection,
    into: &'static str,
    rows: impl IntoIterator<Item = R>,
    fields: impl Fn(&R, &mut Row<'_>),
) -> Result<(), sqlx::Error> {
    let mut rows = rows.into_iter().peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    let mut buffer = Vec::with_capacity(CHUNK + CHUNK / 4);
    buffer.extend_from_slice(HEADER);
    let mut copying = connection.copy_in_raw(&format!("copy {into} from stdin (format binary)")).await?;
    for row in rows {
        write_row(&mut buffer, |values| fields(&row, values));
        if buffer.len() >= CHUNK {
            copying.send(&*buffer).await?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER);
    copying.send(&*buffer).await?;
    copying.finish().await?;
    Ok(())
}

/// A row as its values come.
pub(crate) struct Row<'b> {
    buffer: &'b mut Vec<u8>,
    fields: i16,
}

impl Row<'_> {
    /// The next value.
    pub(crate) fn add(&mut self, field: &(impl Field + ?Sized)) -> &mut Self {
        field.write(self.buffer);
        self.fields += 1;
        self
    }
}

fn write_row(buffer: &mut Vec<u8>, fields: impl FnOnce(&mut Row<'_>)) {
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 2]);
    let mut row = Row { buffer, fields: 0 };
    fields(&mut row);
    let count = row.fields.to_be_bytes();
    buffer[at..at + 2].copy_from_slice(&count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_how_many_values_it_has_and_how_long_each_is() {
        let mut buffer = Vec::new();
        write_row(&mut buffer, |row| {
            row.add("ab").add(&7_i64).add(&None::<Uuid>).add(&true).add(&Jsonb("[1]"));
        });
        let expected: &[&[u8]] = &[
            &[0, 5],
            &[0, 0, 0, 2, b'a', b'b'],
            &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7],
            &[255, 255, 255, 255],
            &[0, 0, 0, 1, 1],
            &[0, 0, 0, 4, 1, b'[', b'1', b']'],
        ];
        assert_eq!(buffer, expected.concat());
    }

    #[test]
    fn time_is_counted_from_2000() {
        let mut buffer = Vec::new();
        let from_2000 = |nanoseconds| DateTime::UNIX_EPOCH + EPOCH + TimeDelta::nanoseconds(nanoseconds);
        from_2000(258_900).write(&mut buffer);
        from_2000(-1_900).write(&mut buffer);
        assert_eq!(buffer[..12], [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(buffer[12..], [0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 255]);
    }
}
