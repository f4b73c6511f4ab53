//! Clients that read lines, and count or time the events.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use hdrhistogram::Histogram;
use tickerplant::market::Time;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::statistics;

/// What the clients of one node have got.
pub struct Counts {
    begin: Instant,
    /// The number of lines.
    pub lines: AtomicU64,
    /// Whether a client has read that the feed has ended.
    pub has_ended: AtomicBool,
    /// The longest time between two reads since the newest reset, in nanoseconds, and when the newest read was.
    longest: AtomicU64,
    newest: AtomicU64,
    /// The times from the time of an event until a client has read it, in nanoseconds.
    delays: Mutex<Histogram<u64>>,
}

/// Clients that read from one node.
pub struct Readers {
    pub counts: Arc<Counts>,
    tasks: JoinSet<io::Result<()>>,
}

impl Counts {
    fn nanos(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn on_read(&self, bytes: &[u8]) {
        let now = self.nanos();
        self.longest.fetch_max(now - self.newest.swap(now, Relaxed).min(now), Relaxed);
        self.lines.fetch_add(memchr::memchr_iter(b'\n', bytes).count() as u64, Relaxed);
    }

    /// Begins to look for the longest time between two reads.
    pub fn reset_silence(&self) {
        self.longest.store(0, Relaxed);
    }

    /// Returns the longest time without a read since the reset, in seconds.
    pub fn silence(&self) -> f64 {
        let now = self.nanos();
        let longest = self.longest.load(Relaxed).max(now - self.newest.load(Relaxed).min(now));
        statistics::float(longest) / 1e9
    }

    /// Returns the delays so far, and begins anew.
    pub fn take_delays(&self) -> Histogram<u64> {
        std::mem::replace(&mut self.delays.lock().expect("no holder panics"), statistics::histogram())
    }
}

impl Readers {
    /// Connects clients to a node, and waits until all have subscribed. `is_timed` says whether they time each
    /// event.
    pub async fn connect(node: SocketAddr, query: &str, count: usize, is_timed: bool) -> io::Result<Self> {
        let counts = Arc::new(Counts {
            begin: Instant::now(),
            lines: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            longest: AtomicU64::new(0),
            newest: AtomicU64::new(0),
            delays: Mutex::new(statistics::histogram()),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let mut socket = TcpStream::connect(node).await?;
            // An answer of HTTP/1.0 has no chunks.
            let request = format!("GET /ndjson?{query} HTTP/1.0\r\nHost: {node}\r\n\r\n");
            socket.write_all(request.as_bytes()).await?;
            let mut head = vec![0; 16 * 1024];
            let length = socket.read(&mut head).await?;
            if !head.starts_with(b"HTTP/1.1 200") && !head.starts_with(b"HTTP/1.0 200") {
                return Err(io::Error::other(String::from_utf8_lossy(&head[..length]).into_owned()));
            }
            tasks.spawn(read(socket, Arc::clone(&counts), is_timed));
        }
        Ok(Self { counts, tasks })
    }

    /// Returns an error if a client has failed.
    pub fn check(&mut self) -> io::Result<()> {
        match self.tasks.try_join_next() {
            Some(Ok(Err(error))) => Err(error),
            Some(_) => Err(io::Error::other("a connection has ended")),
            None => Ok(()),
        }
    }
}

async fn read(mut socket: TcpStream, counts: Arc<Counts>, is_timed: bool) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(256 * 1024);
    loop {
        let before = bytes.len();
        if socket.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        counts.on_read(&bytes[before..]);
        let end = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        if is_timed {
            let now = Time::now();
            let mut delays = counts.delays.lock().expect("no holder panics");
            for line in bytes[..end].split(|byte| *byte == b'\n') {
                if let Some(time) = event_time(line) {
                    let delay = u64::try_from(now.as_nanos() - time.as_nanos()).unwrap_or(0);
                    delays.saturating_record(delay);
                }
            }
        }
        if memchr::memmem::find(&bytes[..end], br#""state":"ended""#).is_some() {
            counts.has_ended.store(true, Relaxed);
        }
        bytes.drain(..end);
    }
}

/// Returns the time of an event; `None` if the line is no event.
fn event_time(line: &[u8]) -> Option<Time> {
    let is_event = line.starts_with(br#"{"type":"trade""#) || line.starts_with(br#"{"type":"quote""#);
    let at = is_event.then(|| memchr::memmem::find(line, br#""time":""#)).flatten()? + 8;
    let end = at + memchr::memchr(b'"', &line[at..])?;
    std::str::from_utf8(&line[at..end]).ok()?.parse().ok()
}
