//! A live feed: the benchmark writes events to the server's standard input. The time of each event is the
//! moment when the benchmark writes the event.

use std::process::ChildStdin;

use crate::event_writer::EventWriter;
use crate::market_frame::quote;

/// The distance, in the list of names, from the symbol of one event to the symbol of the next event.
///
/// A client subscribes to neighbouring symbols. With this distance, successive events go to different
/// clients, as in a market of independent symbols. The distance has no common factor with the number of
/// symbols of any scenario, so every symbol gets events.
const STEP: usize = 61;

/// Starts to write `rate` events a second. Each symbol in `names` gets the same number of events.
pub fn start(input: ChildStdin, names: Vec<String>, rate: u32) -> EventWriter {
    let mut next = 0;
    EventWriter::start(input, rate, move |_| {
        let name = &names[next];
        next = (next + STEP) % names.len();
        line(name).into_bytes()
    })
}

/// Returns a line of the feed: an event of this symbol at the present time.
pub fn line(name: &str) -> String {
    quote(name, None) + "\n"
}
