//! Writes events at equal intervals, on a thread of its own.
//!
//! The timer that wakes the thread has an error of about 60 µs. An event gets its time after the thread has
//! woken, so the timer's error does not count as delay. The writer records the lateness of each event. The
//! lateness shows whether the intervals really were equal.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::statistics::histogram;

/// How long the last write may take when the thread is stopped.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// A thread that writes events. Dropping this value stops the thread.
pub struct EventWriter {
    stop: Sender<()>,
    written: Receiver<Written>,
}

/// The number and the lateness of the written events.
pub struct Written {
    pub count: u64,
    /// The lateness of the events, in nanoseconds. An event's lateness is how long after its due time the
    /// event is written.
    pub lateness: Histogram<u64>,
}

impl EventWriter {
    /// Starts to write `rate` events a second. The function `event` gets the number of an event and returns
    /// the event's bytes. The first event has the number 1.
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
            // The send fails if the writer was dropped. The result is then not needed.
            let _ = done.send(written);
        });
        Self { stop, written }
    }

    /// Stops the thread. Returns the number and the lateness of the written events.
    pub fn stop(self) -> io::Result<Written> {
        drop(self.stop);
        let written = self.written.recv_timeout(LAST_WRITE);
        written.map_err(|_| io::Error::other("the server does not read its input"))
    }
}
