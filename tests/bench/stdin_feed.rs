//! A live feed: this process writes events to the server's standard input. The time of each event is the
//! moment when this process writes it.

use std::process::ChildStdin;

use crate::event_writer::EventWriter;
use crate::market_frame::quote;

/// Starts to write `rate` events a second. The events belong to the symbols in `names` in turn.
pub fn start(input: ChildStdin, names: Vec<String>, rate: u32) -> EventWriter {
    let mut next = 0;
    EventWriter::start(input, rate, move |_| {
        let name = &names[next];
        next = (next + 1) % names.len();
        line(name).into_bytes()
    })
}

/// Returns a line of the feed: an event of this symbol at the present time.
pub fn line(name: &str) -> String {
    quote(name, None) + "\n"
}
