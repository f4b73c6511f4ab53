//! Lines of text of a bounded length.

use std::io::{self, Read};
use std::ops::Range;

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of an input, one at a time, each a slice of the buffer that it was read into.
///
/// It never holds more than the longest line and a buffer.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer has been read and not yet been given out: from here
    start: usize,
    /// to here.
    end: usize,
    is_at_end: bool,
    /// Where the line read last lies.
    line: Range<usize>,
    /// The longest line that is read, in bytes; nothing of a longer one is kept.
    limit: usize,
    number: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it; of the first line, all but a byte order mark.
    Whole(&'a [u8]),
    /// It has more bytes than are read, and has been passed over.
    TooLong,
}

/// Whether a line was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// It was.
    Whole,
    /// It has more bytes than are read, and has been passed over.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// Lines of at most `limit` bytes; 0 for no limit.
    pub fn new(input: R, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        Self {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            is_at_end: false,
            line: 0..0,
            limit,
            number: 0,
        }
    }

    /// The number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let length = self.advance()?;
        Ok(length
            .map(|length| if length == Length::Whole { Line::Whole(self.line()) } else { Line::TooLong }))
    }

    /// Goes to the next line; `None` at the end.
    pub fn advance(&mut self) -> io::Result<Option<Length>> {
        let mut searched = 0;
        let (line, next) = loop {
            let held = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(b'\n', &held[searched..]) {
                let end = self.start + searched + length;
                break (self.start..end, end + 1);
            }
            searched = held.len();
            if searched > self.limit {
                self.discard_line()?;
                return Ok(Some(Length::TooLong));
            }
            if self.is_at_end {
                if held.is_empty() {
                    return Ok(None);
                }
                break (self.start..self.end, self.end);
            }
            self.read_more()?;
        };
        self.start = next;
        self.number += 1;
        let is_whole = line.len() <= self.limit;
        self.line = line;
        Ok(Some(if is_whole { Length::Whole } else { Length::TooLong }))
    }

    /// The line that was gone to last, where it was whole.
    pub fn line(&self) -> &[u8] {
        let line = &self.buffer[self.line.clone()];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mark = if self.number == 1 { BYTE_ORDER_MARK } else { &[] };
        line.strip_prefix(mark).unwrap_or(line)
    }

    /// Whether the line that was gone to last has no end: the input ends with it.
    pub fn is_unended(&self) -> bool {
        self.is_at_end && self.line.end == self.end && self.start == self.end
    }

    /// Whether the next line has arrived to its end, so that reading it cannot wait.
    pub fn has_next_at_hand(&self) -> bool {
        memchr::memchr(b'\n', &self.buffer[self.start..self.end]).is_some()
    }

    /// Passes over what is held of a line, and over the rest of it.
    fn discard_line(&mut self) -> io::Result<()> {
        self.number += 1;
        loop {
            self.start = self.end;
            self.read_more()?;
            match memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
                Some(length) => {
                    self.start += length + 1;
                    break;
                }
                None if self.is_at_end => {
                    self.start = self.end;
                    break;
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Reads once, behind what is held.
    fn read_more(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let count = loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += count;
        self.is_at_end = count == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64 * 1024;

    fn all(input: &[u8]) -> Vec<Option<String>> {
        let mut lines = Lines::new(input, LIMIT);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            found.push(match line {
                Line::Whole(line) => Some(String::from_utf8(line.to_vec()).unwrap()),
                Line::TooLong => None,
            });
        }
        assert_eq!(lines.number(), found.len() as u64);
        found
    }

    #[test]
    fn lines_lose_their_ends_and_the_first_its_byte_order_mark() {
        let lines = all(b"\xef\xbb\xbfa,b\r\n\n1,2\n3");

        assert_eq!(lines, ["a,b", "", "1,2", "3"].map(|line| Some(line.to_owned())));
    }

    #[test]
    fn the_last_line_may_have_no_end() {
        let unended = |input: &[u8]| {
            let mut lines = Lines::new(input, LIMIT);
            let mut found = Vec::new();
            while lines.next().unwrap().is_some() {
                found.push(lines.is_unended());
            }
            found
        };

        assert_eq!(unended(b"a\nb"), [false, true]);
        assert_eq!(unended(b"a\nb\n"), [false, false]);
    }

    #[test]
    fn a_line_of_64_kib_is_read_and_one_byte_more_is_passed_over() {
        let longest = "x".repeat(LIMIT);

        assert_eq!(all(format!("{longest}\nb\n").as_bytes()), [Some(longest.clone()), Some("b".to_owned())]);
        assert_eq!(all(format!("{longest}x\nb\n").as_bytes()), [None, Some("b".to_owned())]);
        assert_eq!(all(format!("a\n{longest}{longest}{longest}").as_bytes()), [Some("a".to_owned()), None]);
    }
}
