//! Accounts as a sheet: CSV (RFC 4180, UTF-8) or XLSX (Office Open XML), written row by row.

use super::Account;
use chrono::{DateTime, SecondsFormat, Utc};
use rust_xlsxwriter::{Format as Style, Workbook, Worksheet, XlsxError};
use serde::Deserialize;
use std::{borrow::Cow, io::Write};
use utoipa::ToSchema;

/// Rows of one sheet, its header among them: as many as Excel opens.
const ROWS_PER_SHEET: u32 = 1_048_576;

/// What file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Values separated by commas.
    Csv,
    /// A workbook.
    Xlsx,
}

impl Format {
    /// What its name ends in.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// Why a file is not whole.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The accounts could not be read.
    #[error("the read database failed")]
    Database(#[from] sqlx::Error),
    /// A line could not be written.
    #[error("the CSV cannot be written")]
    Csv(#[from] csv::Error),
    /// The workbook could not be written.
    #[error("the workbook cannot be written")]
    Xlsx(#[from] XlsxError),
    /// Nobody takes what is written.
    #[error("the file cannot be sent")]
    Io(#[from] std::io::Error),
}

/// What stands in a cell.
enum Cell<'a> {
    Text(Cow<'a, str>),
    Flag(bool),
    Time(DateTime<Utc>),
    Nothing,
}

struct Column {
    name: &'static str,
    width: u8,
    cell: for<'a> fn(&'a Account) -> Cell<'a>,
}

const COLUMNS: [Column; 12] = [
    Column { name: "id", width: 38, cell: |account| Cell::Text(account.id.to_string().into()) },
    Column { name: "email", width: 32, cell: |account| text(account.email.as_deref()) },
    Column { name: "username", width: 20, cell: |account| text(account.username.as_deref()) },
    Column { name: "role", width: 12, cell: |account| text(Some(&account.role)) },
    Column { name: "first_name", width: 20, cell: |account| text(account.first_name.as_deref()) },
    Column { name: "last_name", width: 20, cell: |account| text(account.last_name.as_deref()) },
    Column { name: "is_active", width: 10, cell: |account| Cell::Flag(account.is_active) },
    Column { name: "portal_access", width: 14, cell: |account| Cell::Flag(account.portal_access) },
    Column { name: "must_set_password", width: 20, cell: |account| Cell::Flag(account.must_set_password) },
    Column {
        name: "last_login_at",
        width: 20,
        cell: |account| account.last_login_at.map_or(Cell::Nothing, Cell::Time),
    },
    Column { name: "created_at", width: 20, cell: |account| Cell::Time(account.created_at) },
    Column { name: "updated_at", width: 20, cell: |account| Cell::Time(account.updated_at) },
];

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Nothing, |text| Cell::Text(text.into()))
}

/// Writes pages of accounts under one header.
pub(super) fn write(
    format: Format,
    pages: &mut dyn Iterator<Item = Result<Vec<Account>, sqlx::Error>>,
    out: &mut (dyn Write + Send),
) -> Result<(), SheetError> {
    match format {
        Format::Csv => write_csv(pages, out),
        Format::Xlsx => write_xlsx(pages, out, ROWS_PER_SHEET),
    }
}

fn write_csv(
    pages: &mut dyn Iterator<Item = Result<Vec<Account>, sqlx::Error>>,
    out: &mut (dyn Write + Send),
) -> Result<(), SheetError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS.iter().map(|column| column.name))?;
    for page in pages {
        for account in page? {
            for column in &COLUMNS {
                writer.write_field(&*csv_text((column.cell)(&account)))?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
    }
    Ok(writer.flush()?)
}

fn csv_text(cell: Cell<'_>) -> Cow<'_, str> {
    match cell {
        Cell::Text(text) => harmless(text),
        Cell::Flag(flag) => if flag { "true" } else { "false" }.into(),
        Cell::Time(at) => at.to_rfc3339_opts(SecondsFormat::Secs, true).into(),
        Cell::Nothing => "".into(),
    }
}

/// A spreadsheet takes a text that begins like this for a formula, and runs it (OWASP, CSV Injection); the wide forms
/// are those of East Asian keyboards.
fn harmless(text: Cow<'_, str>) -> Cow<'_, str> {
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    // Where the comma is the decimal sign, a cell ends at a semicolon.
    let has_cell = |separator| text.split(separator).skip(1).any(|cell| cell.trim_start().starts_with(FORMULA));
    if text.starts_with(FORMULA) {
        return format!("'{}", text.replace(';', ",")).into();
    }
    if has_cell(';') || has_cell('\t') {
        return text.replace([';', '\t'], ",").into();
    }
    text
}

/// In a workbook a text is a text, whatever it begins with.
fn write_xlsx(
    pages: &mut dyn Iterator<Item = Result<Vec<Account>, sqlx::Error>>,
    out: &mut (dyn Write + Send),
    rows_per_sheet: u32,
) -> Result<(), SheetError> {
    let (bold, time) = (Style::new().set_bold(), Style::new().set_num_format("yyyy-mm-dd hh:mm:ss"));
    let mut workbook = Workbook::new();
    let mut accounts = Accounts { pages, page: Vec::new().into_iter() };
    let mut next = accounts.next()?;
    let mut sheets = 0;
    while sheets == 0 || next.is_some() {
        sheets += 1;
        let name = if sheets == 1 { "Accounts".to_owned() } else { format!("Accounts {sheets}") };
        let sheet = workbook.add_worksheet_with_constant_memory()?.set_name(name)?;
        begin(sheet, &bold)?;
        for row in 1..rows_per_sheet {
            let Some(account) = next.take() else { break };
            write_row(sheet, row, &account, &time)?;
            next = accounts.next()?;
        }
    }
    Ok(workbook.save_to_writer(out)?)
}

/// One account after the other.
struct Accounts<'a> {
    pages: &'a mut dyn Iterator<Item = Result<Vec<Account>, sqlx::Error>>,
    page: std::vec::IntoIter<Account>,
}

impl Accounts<'_> {
    fn next(&mut self) -> Result<Option<Account>, sqlx::Error> {
        loop {
            if let Some(account) = self.page.next() {
                return Ok(Some(account));
            }
            let Some(page) = self.pages.next().transpose()? else { return Ok(None) };
            self.page = page.into_iter();
        }
    }
}

fn begin(sheet: &mut Worksheet, bold: &Style) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 0)?;
    for (number, column) in (0..).zip(&COLUMNS) {
        sheet.set_column_width(number, column.width)?;
    }
    for (number, column) in (0..).zip(&COLUMNS) {
        sheet.write_string_with_format(0, number, column.name, bold)?;
    }
    Ok(())
}

fn write_row(sheet: &mut Worksheet, row: u32, account: &Account, time: &Style) -> Result<(), XlsxError> {
    for (number, column) in (0..).zip(&COLUMNS) {
        match (column.cell)(account) {
            Cell::Text(text) => sheet.write_string(row, number, text)?,
            Cell::Flag(flag) => sheet.write_boolean(row, number, flag)?,
            Cell::Time(at) => sheet.write_datetime_with_format(row, number, at.naive_utc(), time)?,
            Cell::Nothing => continue,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn account(first_name: &str) -> Account {
        Account {
            id: Uuid::from_u128(0xada),
            tenant_id: Uuid::nil(),
            email: Some("ada@example.org".to_owned()),
            username: None,
            role: "learner".to_owned(),
            first_name: Some(first_name.to_owned()),
            last_name: Some("Lovelace, \"Countess\"".to_owned()),
            bio: None,
            avatar_url: None,
            is_active: true,
            portal_access: false,
            must_set_password: false,
            locked_until: None,
            last_login_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            version: 1,
            reflected: None,
        }
    }

    fn csv(pages: Vec<Result<Vec<Account>, sqlx::Error>>) -> Result<String, SheetError> {
        let mut out = Vec::new();
        write(Format::Csv, &mut pages.into_iter(), &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_csv_has_a_header_a_line_an_account_and_quotes_where_they_are_needed() {
        let expected = "id,email,username,role,first_name,last_name,is_active,portal_access,must_set_password,\
                        last_login_at,created_at,updated_at\r\n\
                        00000000-0000-0000-0000-000000000ada,ada@example.org,,learner,Ada,\
                        \"Lovelace, \"\"Countess\"\"\",true,false,false,,1970-01-01T00:00:00Z,1970-01-01T00:00:00Z\r\n";
        assert_eq!(csv(vec![Ok(vec![account("Ada")])]).unwrap(), expected);
        assert_eq!(csv(Vec::new()).unwrap().lines().count(), 1);
    }

    #[test]
    fn no_text_of_a_csv_is_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"] {
            let text = csv(vec![Ok(vec![account(evil)])]).unwrap();
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[4], format!("'{evil}"));
        }
        assert!(csv(vec![Ok(vec![account("Ada=")])]).unwrap().contains(",Ada=,"));
    }

    #[test]
    fn a_failed_page_is_no_end_of_the_list() {
        let failed = csv(vec![Ok(vec![account("Ada")]), Err(sqlx::Error::PoolTimedOut)]);
        assert!(matches!(failed, Err(SheetError::Database(sqlx::Error::PoolTimedOut))));
    }

    #[test]
    fn a_workbook_goes_on_in_another_sheet_when_one_is_full() {
        for (accounts, sheets) in [(0, 1), (2, 1), (3, 2), (5, 3)] {
            let mut pages = std::iter::once(Ok((0..accounts).map(|_| account("Ada")).collect()));
            let mut out = Vec::new();
            write_xlsx(&mut pages, &mut out, 3).unwrap();
            assert_eq!(&out[..4], b"PK\x03\x04", "a ZIP archive");
            // Names of entries stand uncompressed in the archive's directory, once beside each entry.
            let names = |number: u32| {
                let name = format!("xl/worksheets/sheet{number}.xml");
                out.windows(name.len()).filter(|window| *window == name.as_bytes()).count()
            };
            assert_eq!((names(sheets), names(sheets + 1)), (2, 0), "{accounts} accounts");
        }
    }
}
