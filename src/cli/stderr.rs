//! Prints lines for a person to standard error. Standard output is only for data.

use std::error::Error;
use std::io::{self, Write};

use crate::feed::printable;

/// Prints a line. Control characters of the line are replaced, because the text may come from a server or a
/// file.
pub fn print(line: &str) {
    // A failed write is ignored, because there is no other place for the line.
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

/// Returns the texts of an error and of its causes in one line, without repetitions.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
