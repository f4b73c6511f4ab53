//! A live feed: this process writes each event to the server's standard input and stamps it with that moment.
//!
//! It has a thread of its own, which waits to within some 60 µs; a delay is counted from when it has woken.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tickerplant::market::Time;

/// Writes until it is dropped.
pub struct Writer {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Begins to write events of these symbols in turn, so many a second.
    pub fn start(input: ChildStdin, names: Vec<String>, rate: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || write(input, &names, rate, |wait| stopped.recv_timeout(wait)));
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// Writes events in turn of their symbols, until told to stop or the server is gone.
fn write(
    mut input: ChildStdin,
    names: &[String],
    rate: u32,
    wait: impl Fn(Duration) -> Result<(), RecvTimeoutError>,
) {
    let start = Instant::now();
    for (count, name) in (1_u32..).zip(names.iter().cycle()) {
        let due = start + Duration::from_secs_f64(f64::from(count) / f64::from(rate));
        if wait(due.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        if input.write_all(line(name).as_bytes()).is_err() {
            return;
        }
    }
}

/// An event of a symbol, of this moment, as a line.
pub fn line(name: &str) -> String {
    let time = Time::now();
    format!(
        r#"{{"type":"quote","symbol":"{name}","time":"{time}","bid":96.97,"bid_size":800,"ask":96.98,"ask_size":1900}}"#
    ) + "\n"
}
