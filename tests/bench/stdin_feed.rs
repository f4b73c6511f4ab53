//! A live feed: this process writes events to the server's standard input. Each event has the time of its
//! write.

use std::process::ChildStdin;

use crate::event_writer::EventWriter;
use crate::market_frame::quote;

/// Starts to write `rate` events a second. The events cycle through the symbols.
pub fn start(input: ChildStdin, names: Vec<String>, rate: u32) -> EventWriter {
    let mut next = 0;
    EventWriter::start(input, rate, move |_| {
        let name = &names[next];
        next = (next + 1) % names.len();
        line(name).into_bytes()
    })
}

/// Returns a line with an event of this symbol and the present time.
pub fn line(name: &str) -> String {
    quote(name, None) + "\n"
}
