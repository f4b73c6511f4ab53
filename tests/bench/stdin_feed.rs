//! A live feed: this process writes each event to the server's standard input, with the time of the write.
//!
//! A thread of its own writes the events. The thread's timer is exact to some 60 µs. An event gets its time
//! after the thread has woken, so the timer's error does not count as delay.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tickerplant::market::Time;

/// Writes events on a thread. Dropping it stops the thread.
pub struct StdinFeed {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StdinFeed {
    /// Starts to write `rate` events a second, for one symbol after the other.
    pub fn start(input: ChildStdin, names: Vec<String>, rate: u32) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || write(input, &names, rate, |wait| stopped.recv_timeout(wait)));
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for StdinFeed {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // An error says only that the thread has panicked.
            let _ = thread.join();
        }
    }
}

/// Writes events, for one symbol after the other, until the feed is stopped or the server has ended.
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

/// Returns a line with an event of this symbol and the present time.
pub fn line(name: &str) -> String {
    let time = Time::now();
    format!(
        r#"{{"type":"quote","symbol":"{name}","time":"{time}","bid":96.97,"bid_size":800,"ask":96.98,"ask_size":1900}}"#
    ) + "\n"
}
