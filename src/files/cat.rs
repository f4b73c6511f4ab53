//! The command `cat`: prints the events of files as JSON lines, in the form that `--feed stdin` reads.

use std::io::Write;

use super::FilesError;
use crate::encoding;
use crate::feed::replay::{self, Replay};
use crate::feed::{LineSettings, RejectCounters};

/// The output buffer is written when it contains at least this many bytes.
const BUFFER: usize = 64 * 1024;

/// Prints the events of all files, merged by time.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or if the output cannot be written.
pub fn cat(config: &replay::Config, line_bytes: usize, out: &mut impl Write) -> Result<(), FilesError> {
    let replay =
        Replay::open(config, &LineSettings { line_bytes, reject_counters: RejectCounters::default() })?;
    let mut buffer = Vec::with_capacity(BUFFER + 1024);
    for event in replay.events()? {
        encoding::event_without_seq(&mut buffer, &event?);
        buffer.push(b'\n');
        if buffer.len() >= BUFFER {
            out.write_all(&buffer).map_err(FilesError::Output)?;
            buffer.clear();
        }
    }
    out.write_all(&buffer).and_then(|()| out.flush()).map_err(FilesError::Output)
}
