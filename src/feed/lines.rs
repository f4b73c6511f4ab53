//! Reads the lines of an input, up to a maximum length.

use std::io::{self, Read};
use std::ops::Range;

/// The initial size of the read buffer, in bytes.
const BUFFER: usize = 64 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads an input line by line. Each line is returned as a slice of the read buffer.
///
/// The read buffer doubles its size when a line does not fit into it. A line longer than the limit is
/// discarded, so the buffer cannot grow without bound.
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The position in the buffer where the next line begins.
    start: usize,
    /// The position in the buffer just after the last byte from the input.
    end: usize,
    is_at_end: bool,
    /// The range of the current line in the buffer.
    line: Range<usize>,
    /// The maximum length of a line, in bytes.
    limit: usize,
    number: u64,
}

/// Whether a line was read as a whole, or discarded because of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// The whole line was read.
    Whole,
    /// The line was longer than the limit, and was discarded.
    TooLong,
}

impl<R: Read> Lines<R> {
    /// Creates a reader of lines of at most `limit` bytes; 0 means no limit.
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

    /// Returns the number of the current line, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Moves to the next line, and returns whether that line was read or discarded. Returns `None` at the end
    /// of the input.
    pub fn advance(&mut self) -> io::Result<Option<Length>> {
        let mut searched = 0;
        let (line, next) = loop {
            let buffered = &self.buffer[self.start..self.end];
            if let Some(length) = memchr::memchr(b'\n', &buffered[searched..]) {
                let end = self.start + searched + length;
                break (self.start..end, end + 1);
            }
            searched = buffered.len();
            if searched > self.limit {
                self.discard_line()?;
                return Ok(Some(Length::TooLong));
            }
            if self.is_at_end {
                if buffered.is_empty() {
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

    /// Returns the current line, without its line end. If the input begins with a byte order mark, the first
    /// line is returned without this mark.
    ///
    /// Callers must not call this function for a line that was discarded as [too long](Length::TooLong).
    pub fn line(&self) -> &[u8] {
        let line = &self.buffer[self.line.clone()];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if self.number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line }
    }

    /// Returns whether the current line is the last line of the input, and has no line end.
    pub fn is_unended(&self) -> bool {
        self.is_at_end && self.line.end == self.end && self.start == self.end
    }

    /// Returns whether the read buffer already contains the whole next line. If the buffer contains that
    /// line, the next call of [`advance`](Self::advance) does not block.
    pub fn has_next_at_hand(&self) -> bool {
        memchr::memchr(b'\n', &self.buffer[self.start..self.end]).is_some()
    }

    /// Discards the current line, which is too long: both the bytes in the buffer, and the rest that is not
    /// read yet.
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

    /// Reads from the input once, and appends the new bytes to the buffer.
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
        while let Some(length) = lines.advance().unwrap() {
            found.push(match length {
                Length::Whole => Some(String::from_utf8(lines.line().to_vec()).unwrap()),
                Length::TooLong => None,
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
            while lines.advance().unwrap().is_some() {
                found.push(lines.is_unended());
            }
            found
        };

        assert_eq!(unended(b"a\nb"), [false, true]);
        assert_eq!(unended(b"a\nb\n"), [false, false]);
    }

    #[test]
    fn a_line_of_64_kib_is_read_and_one_byte_more_is_discarded() {
        let longest = "x".repeat(LIMIT);

        assert_eq!(all(format!("{longest}\nb\n").as_bytes()), [Some(longest.clone()), Some("b".to_owned())]);
        assert_eq!(all(format!("{longest}x\nb\n").as_bytes()), [None, Some("b".to_owned())]);
        assert_eq!(all(format!("a\n{longest}{longest}{longest}").as_bytes()), [Some("a".to_owned()), None]);
    }
}
