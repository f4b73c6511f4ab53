//! Splits a line of a file into cells at the delimiter.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// The maximum number of cells that are read from a line; further cells are ignored.
const MAX_CELLS: usize = 1024;

/// Splits lines into cells. A splitter reuses its buffers for each line.
pub struct Splitter {
    delimiter: u8,
    /// Reads lines with quotes. Made at the first such line, because most files have none and making it takes long.
    quoted: Option<Box<Reader>>,
    /// If the current line has quotes, the text of the line without these quotes.
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// The cells of a line. Columns are numbered from 0.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    text: &'a [u8],
    /// For each cell, the position in `text` where the cell ends.
    ends: &'a [usize],
    /// The number of bytes between two cells in `text`: 1 for the delimiter, or 0 if the delimiters were
    /// removed together with the quotes.
    gap: usize,
}

impl Splitter {
    pub fn new(delimiter: u8) -> Self {
        Self { delimiter, quoted: None, text: Vec::new(), ends: vec![0; MAX_CELLS] }
    }

    /// Returns the first `most` cells of a line.
    ///
    /// A quoted cell never continues on the next line, so a missing closing quote spoils only one row.
    pub fn split<'a>(&'a mut self, line: &'a [u8], most: usize) -> Cells<'a> {
        let most = most.min(MAX_CELLS);
        let mut count = 0;
        for (end, byte) in line.iter().enumerate() {
            if *byte == self.delimiter {
                if count == most {
                    return Cells { text: line, ends: &self.ends[..count], gap: 1 };
                }
                self.ends[count] = end;
                count += 1;
            } else if *byte == b'"' {
                return self.split_quoted(line, most);
            }
        }
        if count < most {
            self.ends[count] = line.len();
            count += 1;
        }
        Cells { text: line, ends: &self.ends[..count], gap: 1 }
    }

    fn split_quoted<'a>(&'a mut self, line: &[u8], most: usize) -> Cells<'a> {
        self.text.resize(line.len() + 1, 0);
        let new = || Box::new(ReaderBuilder::new().delimiter(self.delimiter).build());
        let quoted = self.quoted.get_or_insert_with(new);
        quoted.reset();
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            // After the last byte, one more call gets empty input. That call ends the row, even if a quote is
            // open.
            let (result, more_read, more_written, more) =
                quoted.read_record(&line[read..], &mut self.text[written..], &mut self.ends[count..]);
            read += more_read;
            written += more_written;
            count += more;
            if !matches!(result, ReadRecordResult::InputEmpty) {
                break;
            }
        }
        Cells { text: &self.text, ends: &self.ends[..count.min(most)], gap: 0 }
    }
}

impl<'a> Cells<'a> {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns the cell in a column; `None` if the line has too few cells.
    pub fn get(&self, column: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(column)?;
        let start = if column == 0 { 0 } else { self.ends[column - 1] + self.gap };
        Some(&self.text[start..end])
    }

    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> {
        let cells = *self;
        (0..cells.len()).filter_map(move |column| cells.get(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str, delimiter: u8, most: usize) -> Vec<String> {
        let mut splitter = Splitter::new(delimiter);
        let text = |cell: &[u8]| String::from_utf8(cell.to_vec()).unwrap();
        let cells: Vec<_> = splitter.split(line.as_bytes(), most).iter().map(text).collect();
        assert_eq!(splitter.split(line.as_bytes(), most).iter().map(text).collect::<Vec<_>>(), cells);
        cells
    }

    #[test]
    fn a_line_is_split_at_its_delimiter() {
        assert_eq!(split("a,b,,d", b',', 99), ["a", "b", "", "d"]);
        assert_eq!(split("a;b,c;", b';', 99), ["a", "b,c", ""]);
        assert_eq!(split("", b',', 99), [""]);
    }

    #[test]
    fn a_quoted_cell_may_contain_the_delimiter_and_an_open_quote_ends_with_the_line() {
        assert_eq!(split(r#""a,b","c""d",e"#, b',', 99), ["a,b", "c\"d", "e"]);
        assert_eq!(split(r#"a,"b,c"#, b',', 99), ["a", "b,c"]);
        assert_eq!(split(r#""""#, b',', 99), [""]);
        assert_eq!(split(r#""1,5";"2""#, b';', 99), ["1,5", "2"]);
    }

    #[test]
    fn a_line_is_split_into_at_most_the_requested_number_of_cells() {
        assert_eq!(split("a,b,c", b',', 2), ["a", "b"]);
        assert_eq!(split("a,b,c", b',', 3), ["a", "b", "c"]);
        assert_eq!(split(r#""a",b,c"#, b',', 2), ["a", "b"]);
        assert_eq!(split(&",".repeat(5000), b',', usize::MAX).len(), 1024);
        assert!(split(&"\"\",".repeat(5000), b',', usize::MAX).len() <= 1024);
    }
}
