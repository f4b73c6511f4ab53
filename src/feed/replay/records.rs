//! The rows of a text, split into cells.

use super::cells::{Cells, Splitter};
use super::container::{Damage, Part};
use super::row::{Reason, RejectedRow};
use super::settings::Settings;
use super::sniff::Sniffed;
use super::text_lines::{TextLines, is_no_row};
use crate::feed::error::FeedError;
use crate::feed::lines::Length;

/// The rows of a text. Headers, comments and blank lines are left out.
pub struct Records {
    lines: TextLines,
    splitter: Splitter,
    header: Vec<u8>,
    width: usize,
    delimiter: u8,
    begins_with_symbol: bool,
}

impl Records {
    /// Opens the rows of a text that has been sniffed.
    pub fn open(part: &Part, settings: &Settings, sniffed: &Sniffed) -> Result<Self, FeedError> {
        let mut lines = TextLines::open(part, sniffed.beside.as_ref(), settings)?;
        while lines.number() < sniffed.lines_before && lines.advance()?.is_some() {}
        let (splitter, header) = (Splitter::new(sniffed.delimiter), sniffed.header.clone());
        let begins_with_symbol = sniffed.layout.symbol.is_some_and(|symbol| symbol.name == 0);
        Ok(Self {
            lines,
            splitter,
            header,
            width: usize::MAX,
            delimiter: sniffed.delimiter,
            begins_with_symbol,
        })
    }

    /// Limits the cells of each row to the first `width`.
    pub fn cut_at(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Returns the number of the current line, from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// Returns the damage that has been found so far.
    pub fn damage(&self) -> &Damage {
        self.lines.damage()
    }

    /// Returns the next row, or the reason why its line is rejected; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Result<Cells<'_>, RejectedRow>>, FeedError> {
        loop {
            match self.lines.advance()? {
                None => return Ok(None),
                Some(Length::TooLong) => return Ok(Some(Err(RejectedRow::new(Reason::TooLong, b"")))),
                Some(Length::Whole) if self.is_row() => break,
                Some(Length::Whole) => {}
            }
        }
        Ok(Some(Ok(self.splitter.split(self.lines.line(), self.width))))
    }

    fn is_row(&self) -> bool {
        let line = self.lines.line();
        // The symbols of some brokers begin with `#`, as comments do.
        let is_symbol = || self.begins_with_symbol && line.contains(&self.delimiter);
        line != self.header && (!is_no_row(line) || line.starts_with(b"#") && is_symbol())
    }
}
