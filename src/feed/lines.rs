//! Lines of text of a bounded length.

use std::io::{self, BufRead, BufReader, Read};

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;

/// So much of a text is shown, in characters.
const SHOWN: usize = 200;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines of an input, one at a time; it never holds more than one of them and a buffer.
pub struct Lines<R> {
    input: BufReader<R>,
    /// The longest line that is read, in bytes; nothing of a longer one is kept.
    limit: usize,
    line: Vec<u8>,
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

impl<R: Read> Lines<R> {
    /// Lines of at most `limit` bytes; 0 for no limit.
    pub fn new(input: R, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX - 1 } else { limit };
        Self { input: BufReader::with_capacity(BUFFER, input), limit, line: Vec::new(), number: 0 }
    }

    /// The number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        if !self.read_part()? {
            return Ok(None);
        }
        self.number += 1;
        if self.line.len() > self.limit && !self.line.ends_with(b"\n") {
            while !self.line.ends_with(b"\n") && self.read_part()? {}
            return Ok(Some(Line::TooLong));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mark = if self.number == 1 { BYTE_ORDER_MARK } else { &[] };
        Ok(Some(Line::Whole(line.strip_prefix(mark).unwrap_or(line))))
    }

    /// Whether the next line has arrived to its end, so that reading it cannot wait.
    pub fn has_next_at_hand(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// Reads to the end of the line, or one byte past the longest; false at the end of the input.
    fn read_part(&mut self) -> io::Result<bool> {
        self.line.clear();
        let limit = self.limit as u64 + 1;
        Ok((&mut self.input).take(limit).read_until(b'\n', &mut self.line)? > 0)
    }
}

/// The start of a text from outside, fit for a log and a terminal: bounded, and without control characters.
pub fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN)]);
    let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().take(SHOWN).map(plain).collect()
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
    fn a_line_of_64_kib_is_read_and_one_byte_more_is_passed_over() {
        let longest = "x".repeat(LIMIT);

        assert_eq!(all(format!("{longest}\nb\n").as_bytes()), [Some(longest.clone()), Some("b".to_owned())]);
        assert_eq!(all(format!("{longest}x\nb\n").as_bytes()), [None, Some("b".to_owned())]);
        assert_eq!(all(format!("a\n{longest}{longest}{longest}").as_bytes()), [Some("a".to_owned()), None]);
    }

    #[test]
    fn what_is_shown_of_a_text_is_bounded_and_cannot_end_a_line() {
        assert_eq!(shown(b"a\n\x1b[31mb"), "a\u{fffd}\u{fffd}[31mb");
        assert_eq!(shown("é".repeat(1000).as_bytes()), "é".repeat(200));
    }
}
