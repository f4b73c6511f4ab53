//! Writes events at even times, on a thread of its own.
//!
//! The thread's timer is exact to some 60 µs. An event gets its time after the thread has woken, so the
//! timer's error does not count as delay. The writer records how late each event was written. So a reader of
//! the results sees whether the events really were even.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::statistics::histogram;

/// How long the last write may take.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// A thread that writes events. Dropping this value stops the thread.
pub struct EventWriter {
    stop: Sender<()>,
    written: Receiver<Written>,
}

/// The events that a writer has written.
pub struct Written {
    pub count: u64,
    /// The times by which the writes began too late, in nanoseconds.
    pub lateness: Histogram<u64>,
}

impl EventWriter {
    /// Starts to write `rate` events a second. `event` returns the bytes of the event with this number. The
    /// first event has the number 1.
    pub fn start(
        mut output: impl Write + Send + 'static,
        rate: u32,
        mut event: impl FnMut(u64) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (done, written) = mpsc::channel();
        thread::spawn(move || {
            let mut written = Written { count: 0, lateness: histogram() };
            let start = Instant::now();
            for number in 1_u32.. {
                let due = start + Duration::from_secs_f64(f64::from(number) / f64::from(rate));
                let wait = due.saturating_duration_since(Instant::now());
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let late = due.elapsed().as_nanos();
                if output.write_all(&event(number.into())).is_err() {
                    // The server has ended.
                    break;
                }
                written.lateness.saturating_record(u64::try_from(late).unwrap_or(u64::MAX));
                written.count += 1;
            }
            // Nobody waits for the result of a writer that was dropped.
            let _ = done.send(written);
        });
        Self { stop, written }
    }

    /// Stops the thread. Returns what the thread has written.
    pub fn stop(self) -> io::Result<Written> {
        drop(self.stop);
        let written = self.written.recv_timeout(LAST_WRITE);
        written.map_err(|_| io::Error::other("the server does not read its input"))
    }
}
