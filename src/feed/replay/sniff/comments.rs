//! Tells comments from a header that begins like a comment, such as `#RIC,Domain,Date-Time,…`.

use super::super::cells::Splitter;
use super::super::layout::{Record, Role, normal};
use super::super::text_lines::is_no_row;
use super::{Seen, split};

/// Returns the header and the rows among the first lines, without the comments.
///
/// A comment before all rows is the header if it has as many cells as the first row, and if it has more names
/// of columns.
pub fn without_comments<'a>(lines: &'a [Seen], splitter: &mut Splitter) -> Vec<&'a Seen> {
    let is_comment = |seen: &&Seen| is_no_row(&seen.text);
    let first = lines.iter().position(|seen| !is_comment(&seen)).unwrap_or(lines.len());
    let row = lines.get(first).map(|seen| split(&seen.text, splitter)).unwrap_or_default();
    let mut is_header = |seen: &&Seen| {
        let header = split(&seen.text, splitter);
        header.len() > 1 && header.len() == row.len() && names(&header) > names(&row)
    };
    let header = lines[..first].iter().rfind(&mut is_header);
    header.into_iter().chain(lines[first..].iter().filter(|seen| !is_comment(seen))).collect()
}

/// Returns how many cells are names of columns.
fn names(record: &Record) -> usize {
    let is_name = |cell: &&Vec<u8>| {
        let name = normal(cell);
        Role::all().any(|role| role.names().any(|known| known == name))
    };
    record.iter().filter(is_name).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Vec<u64> {
        let seen = |(number, line): (u64, &str)| Seen { number, text: line.as_bytes().to_vec() };
        let lines: Vec<Seen> = (1..).zip(text.lines()).map(seen).collect();
        without_comments(&lines, &mut Splitter::new(b',')).iter().map(|seen| seen.number).collect()
    }

    #[test]
    fn a_comment_with_names_of_columns_is_the_header() {
        assert_eq!(kept("#RIC,Date-Time,Price\nA,2024-01-03,1\n# end\nA,2024-01-04,1"), [1, 2, 4]);
        assert_eq!(kept("# made by X\n# time,price\n2024-01-03,1"), [2, 3]);
    }

    #[test]
    fn other_comments_are_left_out() {
        assert_eq!(kept("# made in Ulm, Zug\n2024-01-03,1"), [2]);
        assert_eq!(kept("# date, price, volume\n2024-01-03,1"), [2]);
        assert_eq!(kept("# time, of Ulm\ntime,price\n2024-01-03,1"), [2, 3]);
        assert_eq!(kept("time,price\n# time,bid\n2024-01-03,1"), [1, 3]);
        assert_eq!(kept("# time,price"), Vec::<u64>::new());
    }
}
