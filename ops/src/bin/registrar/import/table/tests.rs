//! What is read, and what is said of what cannot be.

use std::{fs, io::Write};

use flate2::{Compression, write::GzEncoder};
use uuid::Uuid;

use super::*;

const FILE: &str = "courses.csv";
const COLUMNS: &[&str] = &["code", "days"];

/// A folder that goes with this value.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("registrar-table-{}", Uuid::now_v7()));
        fs::create_dir(&path).unwrap();
        fs::write(path.join(name), content).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn read_bytes(content: &[u8]) -> Result<Table, TableError> {
    read(&Folder::with(FILE, content).0, FILE, COLUMNS)
}

fn rows(content: &[u8]) -> Vec<(u64, Option<String>, Option<String>)> {
    let known = |row: &Row, column| row.find(column).map(str::to_owned);
    read_bytes(content).unwrap().rows.iter().map(|row| (row.line, known(row, "code"), known(row, "days"))).collect()
}

fn row(line: u64, code: Option<&str>, days: Option<&str>) -> (u64, Option<String>, Option<String>) {
    (line, code.map(str::to_owned), days.map(str::to_owned))
}

/// What is said, without the folder.
fn said(content: &[u8]) -> String {
    let text = read_bytes(content).unwrap_err().to_string();
    let name = text.find(FILE).unwrap();
    text[name..].to_owned()
}

#[test]
fn columns_are_found_by_name_in_any_order_among_others() {
    assert_eq!(rows(b"days,other,code\n268,x,AAA\n"), [row(2, Some("AAA"), Some("268"))]);
    let read = rows(b"\"Code\", Days \r\nAAA, 268\r\n\r\n\"B\",\"2\"\r\n");
    assert_eq!(read, [row(2, Some("AAA"), Some("268")), row(4, Some("B"), Some("2"))]);
}

#[test]
fn quotes_hold_commas_quotes_and_line_breaks() {
    let read = rows(b"code,days\n\"A, \"\"B\"\"\",1\n\"two\nlines\",2\nC,3\n");
    let expected =
        [row(2, Some("A, \"B\""), Some("1")), row(3, Some("two\nlines"), Some("2")), row(5, Some("C"), Some("3"))];
    assert_eq!(read, expected);
}

#[test]
fn a_question_mark_and_nothing_are_not_known() {
    assert_eq!(rows(b"code,days\n?,\n\"?\",\"\"\n"), [row(2, None, None), row(3, None, None)]);
}

#[test]
fn a_byte_order_mark_belongs_to_no_column() {
    assert_eq!(rows(b"\xef\xbb\xbfcode,days\nAAA,1\n"), [row(2, Some("AAA"), Some("1"))]);
}

#[test]
fn a_compressed_file_is_read_whatever_its_name() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"code,days\nAAA,1\n").unwrap();
    let compressed = encoder.finish().unwrap();
    assert_eq!(rows(&compressed), [row(2, Some("AAA"), Some("1"))]);
    let folder = Folder::with("courses.csv.gz", &compressed);
    assert_eq!(read(&folder.0, FILE, COLUMNS).unwrap().rows.len(), 1);
}

#[test]
fn a_row_of_another_length_is_refused_alone() {
    let table = read_bytes(b"code,days\nAAA,1\nBBB\nCCC,3\nDDD,4,5\n").unwrap();
    assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
    let refused: Vec<_> = table.refused.iter().map(|refused| (refused.line, refused.reason.as_str())).collect();
    assert_eq!(
        refused,
        [(3, "has 1 values where the header names 2 columns"), (5, "has 3 values where the header names 2 columns")]
    );
}

#[test]
fn a_row_of_another_encoding_is_refused_alone() {
    let table = read_bytes(b"code,days\ncaf\xe9,1\nBBB,2\n").unwrap();
    assert_eq!((table.rows.len(), table.refused.len()), (1, 1));
    assert_eq!((table.refused[0].line, table.refused[0].reason.as_str()), (2, "is not UTF-8"));
}

#[test]
fn a_value_of_another_kind_is_told_with_its_column() {
    let table = read_bytes(b"code,days\nAAA,soon\n,2\n").unwrap();
    assert_eq!(table.rows[0].number::<i64>("days"), Err("days is \"soon\", which is no whole number".to_owned()));
    assert_eq!(table.rows[1].text("code"), Err("code is missing".to_owned()));
    assert_eq!(table.rows[1].find_number::<i64>("days"), Ok(Some(2)));
}

#[test]
fn a_file_that_is_no_such_table_says_why() {
    assert_eq!(said(b""), "courses.csv is empty: its first line names the columns");
    assert_eq!(said(b"\n \n"), "courses.csv is empty: its first line names the columns");
    assert_eq!(said(b"code;days\nAAA;1\n"), "courses.csv parts its columns with semicolons: save it with commas");
    assert_eq!(said(b"code\tdays\nAAA\t1\n"), "courses.csv parts its columns with tabs: save it with commas");
    assert_eq!(said(b"code,length\nAAA,1\n"), "courses.csv lacks the column days; it has code, length");
    assert_eq!(said(b"a,b\n1,2\n"), "courses.csv lacks the columns code, days; it has a, b");
    assert_eq!(said(b"\xff\xfec\0o\0"), "courses.csv is not UTF-8: save it as CSV in UTF-8");
}

#[test]
fn columns_that_are_not_asked_for_are_refused_where_all_are_known() {
    const KNOWN: Columns = Columns { required: &["code"], optional: &["days"] };
    let read = |content: &str| find_whole(&Folder::with(FILE, content.as_bytes()).0, FILE, KNOWN);
    let said = |content: &str| {
        let text = read(content).unwrap_err().to_string();
        text[text.find(FILE).unwrap()..].to_owned()
    };
    let table = read("code\nAAA\n").unwrap().unwrap();
    assert_eq!((table.rows[0].text("code"), table.rows[0].find("days")), (Ok("AAA"), None));
    assert_eq!(
        said("code,Shoe size\n"),
        "courses.csv has the column \"shoe size\", which means nothing here: take it out; the columns are code, days"
    );
    assert_eq!(
        said("code,,shoe\n"),
        "courses.csv has the columns \"\", \"shoe\", which mean nothing here: take them out; the columns are code, days"
    );
    assert_eq!(said("code,days,Code\n"), "courses.csv names the column code twice");
    assert_eq!(said("days\n"), "courses.csv lacks the column code; it has days");
    assert!(find_whole(&Folder::with("other.csv", b"code\n").0, FILE, KNOWN).unwrap().is_none());
}

#[test]
fn a_folder_without_the_file_or_no_folder_says_so() {
    let folder = Folder::with("other.csv", b"code,days\n");
    let text = read(&folder.0, FILE, COLUMNS).unwrap_err().to_string();
    assert!(text.ends_with("holds neither courses.csv nor courses.csv.gz"), "{text}");
    let text = read(&folder.0.join("other.csv"), FILE, COLUMNS).unwrap_err().to_string();
    assert!(text.ends_with("is not a folder: name the one that holds the CSV files"), "{text}");
}
