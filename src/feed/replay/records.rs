//! Records: the lines of a text, without those that are no rows, cut into cells.

use std::io::Read;

use encoding_rs::Encoding;

use super::cells::{Cells, Splitter};
use super::container::{Damage, Opened, Part};
use super::reading::Reading;
use super::row::{Reason, Skip};
use super::survey::Survey;
use super::text;
use crate::feed::FeedError;
use crate::feed::lines::{Length, Lines};

/// The lines of a part of a file.
///
/// Of a text whose times stand in another file, each line has the other's time in front of it.
pub struct TextLines {
    part: Part,
    lines: Lines<Box<dyn Read + Send>>,
    beside: Option<Lines<Box<dyn Read + Send>>>,
    joined: Vec<u8>,
    encoding: &'static Encoding,
    damage: Damage,
}

/// The rows of a text: no header, comment or blank line is one.
pub struct Records {
    lines: TextLines,
    splitter: Splitter,
    header: Vec<u8>,
    width: usize,
    delimiter: u8,
    begins_with_symbol: bool,
}

impl TextLines {
    /// The lines of a text, with the times of another where its own rows have none.
    pub fn open(part: &Part, beside: Option<&Part>, reading: &Reading) -> Result<Self, FeedError> {
        let open = |part: &Part| {
            let Opened { input, damage } = part.open(&reading.bounds)?;
            let decoded = text::decoded(input, reading.encoding);
            let (text, encoding) = decoded.map_err(|source| FeedError::reading(&part.path, source))?;
            Ok::<_, FeedError>((Lines::new(text, reading.line_bytes), encoding, damage))
        };
        let beside = beside.map(open).transpose()?.map(|(lines, ..)| lines);
        let (lines, encoding, damage) = open(part)?;
        Ok(Self { part: part.clone(), lines, beside, joined: Vec::new(), encoding, damage })
    }

    /// The number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.lines.number()
    }

    /// How its characters are coded.
    pub fn encoding(&self) -> &'static Encoding {
        self.encoding
    }

    /// What is wrong with what it is packed in, as far as it has been read.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Goes to the next line; `None` at the end of the text, or of the one beside it.
    pub fn advance(&mut self) -> Result<Option<Length>, FeedError> {
        let cannot_read = |source| FeedError::reading(&self.part.path, source);
        let mut length = self.lines.advance().map_err(cannot_read)?;
        if self.lines.is_unended() && self.damage.found().is_some() {
            // Where a packed text is cut short, its last number may be too.
            length = None;
        }
        let Some(beside) = &mut self.beside else { return Ok(length) };
        match (beside.advance().map_err(cannot_read)?, length) {
            (None, None) => Ok(None),
            (None, _) | (_, None) => {
                self.damage.set("of it and the file with its times, one is shorter");
                Ok(None)
            }
            (Some(Length::Whole), Some(Length::Whole)) => {
                self.joined.clear();
                self.joined.extend(beside.line().iter().take_while(|byte| **byte != b','));
                self.joined.push(b',');
                self.joined.extend_from_slice(self.lines.line());
                Ok(Some(Length::Whole))
            }
            (Some(_), Some(_)) => Ok(Some(Length::TooLong)),
        }
    }

    /// The line that was gone to last, where it was whole.
    pub fn line(&self) -> &[u8] {
        if self.beside.is_some() { &self.joined } else { self.lines.line() }
    }
}

impl Records {
    /// The rows of a text that has been surveyed.
    pub fn open(part: &Part, reading: &Reading, survey: &Survey) -> Result<Self, FeedError> {
        let mut lines = TextLines::open(part, survey.beside.as_ref(), reading)?;
        while lines.number() < survey.lines_before && lines.advance()?.is_some() {}
        let (splitter, header) = (Splitter::new(survey.delimiter), survey.header.clone());
        let begins_with_symbol = survey.layout.symbol.is_some_and(|symbol| symbol.name == 0);
        Ok(Self {
            lines,
            splitter,
            header,
            width: usize::MAX,
            delimiter: survey.delimiter,
            begins_with_symbol,
        })
    }

    /// The same, each cut into its first cells only.
    pub fn cut_at(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// The number of the line read last, from 1.
    pub fn line(&self) -> u64 {
        self.lines.number()
    }

    /// What is wrong with what the text is packed in, as far as it has been read.
    pub fn damage(&self) -> &Damage {
        self.lines.damage()
    }

    /// The next row, or why its line is none; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Result<Cells<'_>, Skip>>, FeedError> {
        loop {
            match self.lines.advance()? {
                None => return Ok(None),
                Some(Length::TooLong) => return Ok(Some(Err(Skip::new(Reason::TooLong, b"")))),
                Some(Length::Whole) if self.is_row() => break,
                Some(Length::Whole) => {}
            }
        }
        Ok(Some(Ok(self.splitter.split(self.lines.line(), self.width))))
    }

    fn is_row(&self) -> bool {
        let line = self.lines.line();
        // Some brokers' symbols begin as comments do.
        let is_symbol = || self.begins_with_symbol && line.contains(&self.delimiter);
        line != self.header && (!is_no_row(line) || line.starts_with(b"#") && is_symbol())
    }
}

/// A blank line or a comment.
pub fn is_no_row(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start().first(), None | Some(b'#'))
}
