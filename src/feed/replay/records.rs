//! Reads the rows of a file, and splits each row into cells.

use super::cells::{Cells, Splitter};
use super::container::{Damage, Part};
use super::reason::{Reason, RejectedRow};
use super::settings::Settings;
use super::sniff::Dialect;
use super::text_lines::{TextLines, is_no_row};
use crate::feed::error::FeedError;
use crate::feed::lines::Length;

/// Reads the rows of a file or archive member, one after the other. Headers, comments and blank lines are
/// left out.
pub struct Records {
    lines: TextLines,
    splitter: Splitter,
    header: Vec<u8>,
    width: usize,
    delimiter: u8,
    begins_with_symbol: bool,
}

/// The number of a line, with its row or the reason why the line is rejected.
type NumberedRow<'a> = (u64, Result<Cells<'a>, RejectedRow>);

impl Records {
    /// Opens a file whose dialect is known, and skips the lines before the first row.
    pub fn open(part: &Part, settings: &Settings, dialect: &Dialect) -> Result<Self, FeedError> {
        let mut lines = TextLines::open(part, dialect.beside.as_ref(), settings)?;
        while lines.number() < dialect.lines_before && lines.advance()?.is_some() {}
        Ok(Self {
            lines,
            splitter: Splitter::new(dialect.delimiter),
            header: dialect.header.clone(),
            width: usize::MAX,
            delimiter: dialect.delimiter,
            begins_with_symbol: dialect.begins_with_symbol,
        })
    }

    /// Limits each of the following rows to its first `width` cells.
    pub fn cut_at(&mut self, width: usize) {
        self.width = width;
    }

    /// Returns the number of the current line, counted from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Returns a record of the damage that was found in the packed file so far.
    pub fn damage(&self) -> &Damage {
        self.lines.damage()
    }

    /// Returns the next row, or the reason why its line is rejected; `None` at the end of the file.
    pub fn next(&mut self) -> Result<Option<Result<Cells<'_>, RejectedRow>>, FeedError> {
        Ok(self.next_with_line()?.map(|(_, row)| row))
    }

    /// Returns the next row as [`Records::next`] does, with its line number, counted from 1.
    pub fn next_with_line(&mut self) -> Result<Option<NumberedRow<'_>>, FeedError> {
        loop {
            let length = self.lines.advance()?;
            let line = self.lines.number();
            match length {
                None => return Ok(None),
                Some(Length::TooLong) => {
                    return Ok(Some((line, Err(RejectedRow::new(Reason::TooLong, b"")))));
                }
                Some(Length::Whole) if self.is_row() => break,
                Some(Length::Whole) => {}
            }
        }
        Ok(Some((self.lines.number(), Ok(self.splitter.split(self.lines.line(), self.width)))))
    }

    fn is_row(&self) -> bool {
        let line = self.lines.line();
        // Some brokers' symbols begin with `#`, like a comment. So a line that begins with `#` is a row if
        // the first column has the symbols.
        let is_symbol = || self.begins_with_symbol && line.contains(&self.delimiter);
        line != self.header && (!is_no_row(line) || line.starts_with(b"#") && is_symbol())
    }
}
