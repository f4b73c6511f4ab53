//! `cat`: the events of files, one JSON object a line, as standard input takes them.

use std::io::Write;

use super::FilesError;
use crate::encoding;
use crate::feed::replay::{self, Replay};
use crate::feed::{LineSettings, RejectCounters};

/// So much is written at a time.
const BUFFER: usize = 64 * 1024;

/// Prints the events of all files, merged by time.
///
/// # Errors
///
/// A file cannot be read, or the output takes no more.
pub fn cat(config: &replay::Config, line_bytes: usize, out: &mut impl Write) -> Result<(), FilesError> {
    let replay =
        Replay::open(config, &LineSettings { line_bytes, reject_counters: RejectCounters::default() })?;
    let mut buffer = Vec::with_capacity(BUFFER + 1024);
    for event in replay.events()? {
        encoding::line(&mut buffer, &event?);
        buffer.push(b'\n');
        if buffer.len() >= BUFFER {
            out.write_all(&buffer).map_err(FilesError::Output)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer).and_then(|()| out.flush()).map_err(FilesError::Output)
}
