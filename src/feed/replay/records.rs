//! Records: the lines of a comma-separated file, cut into cells.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

use super::layout::{Lacks, Layout};
use super::number::Numbers;
use super::row::{Reason, Skip};
use super::time::{DateOrder, stamp};
use crate::feed::FeedError;
use crate::feed::error::{GZIP, PIPE, ZIP, ZSTD};
use crate::feed::lines::{Line, Lines, shown};

/// The records of a file: its lines cut into cells.
///
/// The header, its repetitions, comments and blank lines are none.
pub struct Records {
    path: PathBuf,
    lines: Lines<File>,
    header: Vec<u8>,
    delimiter: u8,
    record: ByteRecord,
}

impl Records {
    /// Opens a file and understands its header; of lines longer than `line_bytes` no more is read, unless it is 0.
    pub fn open(path: &Path, line_bytes: usize) -> Result<(Self, Layout), FeedError> {
        let cannot_open = |source| FeedError::Open { path: path.to_owned(), source };
        let not_market_data = |looks_like| FeedError::NotMarketData { path: path.to_owned(), looks_like };
        let kind = fs::metadata(path).map_err(cannot_open)?;
        if kind.is_dir() {
            return Err(not_market_data("a folder"));
        }
        if !kind.is_file() {
            return Err(not_market_data(PIPE));
        }
        let mut lines = Lines::new(File::open(path).map_err(cannot_open)?, line_bytes);
        let header = loop {
            match lines.next().map_err(|source| FeedError::Read { path: path.to_owned(), source })? {
                None => return Err(not_market_data("an empty file")),
                Some(Line::TooLong) => return Err(not_market_data("one endless line")),
                Some(Line::Whole(line)) if is_no_row(line) => {}
                Some(Line::Whole(line)) => break line.to_vec(),
            }
        };
        if let Some(looks_like) = other_than_text(&header) {
            return Err(not_market_data(looks_like));
        }
        let delimiter = delimiter_of(&header);
        let mut record = ByteRecord::new();
        split(&header, delimiter, &mut record);
        let found = || shown(&header);
        let layout = Layout::of(&record).map_err(|lacks| match lacks {
            Lacks::Both if is_data(&record) => not_market_data("rows without a header line"),
            Lacks::Time | Lacks::Both => FeedError::NoTimeColumn { path: path.to_owned(), found: found() },
            Lacks::Price => FeedError::NoPriceColumn { path: path.to_owned(), found: found() },
        })?;
        Ok((Self { path: path.to_owned(), lines, header, delimiter, record }, layout))
    }

    /// The number of the line read last, from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next record, or why its line is none; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Result<&ByteRecord, Skip>>, FeedError> {
        loop {
            let line = self.lines.next();
            match line.map_err(|source| FeedError::Read { path: self.path.clone(), source })? {
                None => return Ok(None),
                Some(Line::TooLong) => return Ok(Some(Err(Skip::new(Reason::TooLong, b"")))),
                Some(Line::Whole(line)) if is_no_row(line) || line == self.header => {}
                Some(Line::Whole(line)) => {
                    split(line, self.delimiter, &mut self.record);
                    return Ok(Some(Ok(&self.record)));
                }
            }
        }
    }
}

/// A blank line or a comment.
fn is_no_row(line: &[u8]) -> bool {
    matches!(line.trim_ascii().first(), None | Some(b'#'))
}

/// Cuts a line into its cells. A quoted cell ends with its line at the latest, so that an open quote costs one row.
fn split(line: &[u8], delimiter: u8, record: &mut ByteRecord) {
    record.clear();
    if line.contains(&b'"') {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(line.len())
            .from_reader(line);
        reader.read_byte_record(record).expect("bytes in memory can be read");
    } else {
        for cell in line.split(|byte| *byte == delimiter) {
            record.push_field(cell);
        }
    }
}

/// The delimiter that a header has most of; a comma where it has none.
fn delimiter_of(header: &[u8]) -> u8 {
    let cells = |delimiter: u8| header.split(|byte| *byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| cells(*delimiter)).unwrap_or(b',')
}

/// Whether what should be a header is a row: one of its cells is a number or a time.
fn is_data(record: &ByteRecord) -> bool {
    let numbers = Numbers::default();
    record
        .iter()
        .any(|cell| matches!(numbers.price(cell), Ok(Some(_))) || stamp(cell, DateOrder::Ymd).is_some())
}

/// What a file is, by its first line, where it is no comma-separated text.
fn other_than_text(line: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 10] = [
        (b"\x1f\x8b", GZIP),
        (b"PK\x03\x04", ZIP),
        (b"\x28\xb5\x2f\xfd", ZSTD),
        (b"\xff\xfe", "UTF-16 text"),
        (b"\xfe\xff", "UTF-16 text"),
        (b"<!doctype", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"<?xml", "XML"),
        (b"{", "JSON"),
        (b"[", "JSON"),
    ];
    let begins =
        |beginning: &[u8]| line.get(..beginning.len()).is_some_and(|b| b.eq_ignore_ascii_case(beginning));
    let known = BEGINNINGS.iter().find(|(beginning, _)| begins(beginning));
    known
        .map(|(_, looks_like)| *looks_like)
        .or_else(|| line.contains(&0).then_some("binary data"))
        .or_else(|| std::str::from_utf8(line).is_err().then_some("binary data, or text that is not UTF-8"))
}
