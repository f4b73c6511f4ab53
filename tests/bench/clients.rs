//! Many clients on one thread, as a load on the server. Each client costs little CPU time.
//!
//! A client is a socket, the beginning of an incomplete frame, and a few numbers. The clients check
//! that `seq` always ascends, and that every event reaches all its subscribers. The clients also check that
//! `sent` in each heartbeat equals the number of received market frames.
//!
//! The clients record the arrival of each event. Clients that subscribe to all symbols can count their events
//! without recording arrivals, which costs less CPU time. At high rates, the clients parse the times of only
//! some of the updates (a sample).

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tickerplant::market::Time;

use crate::arrivals::Arrivals;
use crate::framing::Framing;
use crate::handshake::{PATIENCE, read_answer, send_request};
use crate::market_frame::{self, Times};
use crate::statistics::{float, histogram};
use crate::websocket::{CLOSE, PING, PONG, TEXT, frame, kind, number};

/// The most bytes that one read of a socket returns. The server sends no frame that is longer than this.
const READ_BYTES: usize = 256 * 1024;

/// The number of handshakes that run at the same time.
const HANDSHAKES: usize = 64;

/// A command that changes no setting, and serves only to get an answer. The server's answer arrives after all
/// pending frames, and contains the `seq` of the newest event.
const BARRIER: &str = r#"{"action":"set","delivery":"every"}"#;

pub struct Clients {
    poll: Poll,
    framing: Framing,
    all: Vec<Client>,
    buffer: Vec<u8>,
    results: Results,
}

struct Client {
    socket: TcpStream,
    /// The beginning of a frame whose end has not arrived.
    partial: Vec<u8>,
    /// The `seq` of the newest market frame.
    seq: u64,
    /// The number of market frames that the client has received so far.
    received: u64,
    /// The `seq` after which the client gets all events, and the value of `received` at that point.
    begins: Option<(u64, u64)>,
    /// The `seq` up to which the client has got all events, and the value of `received` at that point.
    ends: Option<(u64, u64)>,
    /// The sum of the client's ranks, and the number of these ranks. A rank is the number of clients that
    /// read an event before this client.
    ranks: (u64, u64),
    is_gone: bool,
}

/// The settings that say which observations the clients record.
#[derive(Clone, Copy)]
pub struct Watch {
    /// Whether the arrival of each event is recorded. If arrivals are not recorded, each client only counts
    /// its events, and must subscribe to all symbols.
    pub each_event: bool,
    /// The clients parse the time of only one update in each group of `sample` updates.
    pub sample: u64,
}

/// The results of all clients together.
pub struct Results {
    watch: Watch,
    /// The number of market frames since the last [measurement](Clients::measure) began.
    pub updates: u64,
    /// The number of reads that returned bytes since the last measurement began.
    pub reads: u64,
    /// The delays of the sampled market frames since the last measurement began, in nanoseconds. A delay
    /// begins at the event's own time and ends when a client has read the event.
    pub delays: Histogram<u64>,
    /// The `seq` of the newest event.
    pub newest: u64,
    pub heartbeats: u64,
    /// The number of events whose delivery was [checked](Clients::check_arrivals).
    pub checked: u64,
    /// The arrivals of each event, if `Watch::each_event` is set.
    pub arrivals: Arrivals,
    pub faults: Faults,
    times: Times,
}

/// The number of faults of each kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Market frames whose `seq` did not ascend.
    pub disorder: u64,
    /// Heartbeats whose `sent` differs from the number of market frames that arrived.
    pub miscounted: u64,
    /// Deliveries that are missing or superfluous.
    pub lost: u64,
    /// Clients that lost their connection or did not answer.
    pub gone: u64,
    /// Frames of an unexpected type.
    pub unexpected: u64,
    /// The difference between the number of events that this process wrote and the number that the server
    /// published.
    pub unpublished: u64,
}

impl Faults {
    /// Returns the number of all faults.
    pub fn count(&self) -> u64 {
        let Self { disorder, miscounted, lost, gone, unexpected, unpublished } = self;
        disorder + miscounted + lost + gone + unexpected + unpublished
    }
}

impl Clients {
    /// Connects a client for each query, such as `symbols=AAPL&delivery=every`.
    pub fn connect(
        address: SocketAddr,
        queries: &[String],
        framing: Framing,
        watch: Watch,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::new();
        for queries in queries.chunks(HANDSHAKES) {
            let asked: io::Result<Vec<_>> =
                queries.iter().map(|query| send_request(address, query, framing)).collect();
            for socket in asked? {
                let partial = read_answer(&socket, framing)?;
                socket.set_nonblocking(true)?;
                let mut socket = TcpStream::from_std(socket);
                poll.registry().register(&mut socket, Token(all.len()), Interest::READABLE)?;
                all.push(Client {
                    socket,
                    partial,
                    seq: 0,
                    received: 0,
                    begins: None,
                    ends: None,
                    ranks: (0, 0),
                    is_gone: false,
                });
            }
        }
        let results = Results {
            watch,
            updates: 0,
            reads: 0,
            delays: histogram(),
            newest: 0,
            heartbeats: 0,
            checked: 0,
            arrivals: Arrivals::new(),
            faults: Faults::default(),
            times: Times::default(),
        };
        Ok(Self { poll, framing, all, buffer: vec![0; READ_BYTES], results })
    }

    pub fn results(&self) -> &Results {
        &self.results
    }

    /// Returns how many clients have lost their connection.
    pub fn gone(&self) -> u64 {
        self.all.iter().filter(|client| client.is_gone).count() as u64
    }

    /// Returns the least and the greatest of the clients' mean ranks, on a scale from 0 to 1. A client with
    /// the mean rank 0 was always the first reader, and a client with the mean rank 1 was always the last
    /// reader.
    pub fn ranks(&self, subscribers: usize) -> (f64, f64) {
        let last = subscribers.saturating_sub(1) as u64;
        let ranked = self.all.iter().filter(|client| client.ranks.1 > 0);
        let mean = |client: &Client| float(client.ranks.0) / float(client.ranks.1 * last.max(1));
        let means = ranked.map(mean);
        means.fold((f64::INFINITY, 0.0), |(least, most), mean| (mean.min(least), mean.max(most)))
    }

    /// Resets the counters of the previous measurement, then lets the clients read for the duration `time`.
    pub fn measure(&mut self, time: Duration) -> io::Result<()> {
        self.results.updates = 0;
        self.results.reads = 0;
        self.results.delays.reset();
        for client in &mut self.all {
            client.ranks = (0, 0);
        }
        self.read(Instant::now() + time, |_| false)
    }

    /// Sends a command from each WebSocket client, and waits until all clients have an answer. A client of a
    /// stream can send no command, and waits for its next heartbeat instead. Then counts the missing and
    /// superfluous deliveries.
    ///
    /// An answer or a heartbeat follows all events up to its `seq`. Only events that all
    /// clients could receive are checked. Each checked event must have reached as many clients as
    /// `subscribers` says. `wrote` is the number of events that this process wrote, or `None` if the server
    /// created the events. The server must have published exactly as many events as `wrote` says.
    pub fn check_arrivals(&mut self, subscribers: usize, wrote: Option<u64>) -> io::Result<()> {
        if let Some(wrote) = wrote {
            self.read(Instant::now() + PATIENCE, |clients| newest(clients) >= wrote)?;
            self.results.faults.unpublished = newest(&self.all).abs_diff(wrote);
        }
        for client in &mut self.all {
            client.ends = None;
            if self.framing == Framing::WebSocket {
                // A write to a closed connection fails. The next read then marks the client as gone.
                let _ = client.socket.write_all(&frame(TEXT, BARRIER.as_bytes()));
            }
        }
        self.read(Instant::now() + PATIENCE, |clients| {
            clients.iter().all(|client| client.is_gone || client.ends.is_some())
        })?;
        self.count_faults(subscribers);
        Ok(())
    }

    /// Waits until every client has received the last message of the relay sender. Then counts the missing
    /// and superfluous deliveries. The sender has sent `sent` messages, and each message must have reached as
    /// many clients as `clients` says.
    pub fn check_messages(&mut self, clients: usize, sent: u64) -> io::Result<()> {
        self.read(Instant::now() + PATIENCE, |clients| {
            clients.iter().all(|client| client.is_gone || client.seq >= sent)
        })?;
        for client in &mut self.all {
            client.ends = (client.seq == sent).then_some((sent, client.received));
        }
        self.count_faults(clients);
        Ok(())
    }

    /// Counts the missing and superfluous deliveries of the events that all clients could receive. Also
    /// counts the clients that lost their connection or did not receive the awaited frame.
    fn count_faults(&mut self, subscribers: usize) {
        let answered = || self.all.iter().filter(|client| !client.is_gone && client.ends.is_some());
        let spans = || answered().filter_map(|client| Some((client.begins?, client.ends?)));
        let first = spans().map(|((begin, _), _)| begin).max().unwrap_or(0) + 1;
        let last = spans().map(|(_, (end, _))| end).min().unwrap_or(0);
        self.results.faults.lost = if self.results.watch.each_event {
            self.results.arrivals.missing(first..last + 1, subscribers)
        } else {
            let missing = |((begin, before), (end, received)): ((u64, u64), (u64, u64))| {
                (received - before).abs_diff(end.saturating_sub(begin))
            };
            spans().map(missing).sum()
        };
        self.results.checked = (last + 1).saturating_sub(first);
        self.results.faults.gone = (self.all.len() - answered().count()) as u64;
    }

    /// Lets all clients read until the time `until`, or until `enough` returns true.
    fn read(&mut self, until: Instant, enough: impl Fn(&[Client]) -> bool) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        while !enough(&self.all) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                self.all[event.token().0].read(self.framing, &mut self.buffer, &mut self.results);
            }
        }
        Ok(())
    }
}

impl Client {
    /// Reads and handles all frames that have arrived at this client's socket.
    fn read(&mut self, framing: Framing, buffer: &mut [u8], results: &mut Results) {
        loop {
            let partial = self.partial.len();
            buffer[..partial].copy_from_slice(&self.partial);
            let (count, room) = match self.socket.read(&mut buffer[partial..]) {
                Ok(0) => break self.is_gone = true,
                Ok(count) => (count, buffer.len() - partial),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break self.is_gone = true,
            };
            results.reads += 1;
            let now = Time::now();
            let on_frame = |opcode, payload: &[u8]| self.on_frame(opcode, payload, framing, now, results);
            let rest = framing.read(&buffer[..partial + count], on_frame);
            self.partial.clear();
            self.partial.extend_from_slice(rest);
            // A read that does not fill the buffer has emptied the socket. The poll reports bytes that arrive
            // later.
            if count < room {
                break;
            }
        }
    }

    fn on_frame(&mut self, opcode: u8, payload: &[u8], framing: Framing, now: Time, results: &mut Results) {
        match (opcode, market_frame::seq(payload)) {
            (TEXT, Some((seq, rest))) => self.on_update(seq, rest, now, results),
            (TEXT, None) => self.on_other_frame(&String::from_utf8_lossy(payload), framing, results),
            (PING, _) => {
                // A write to a closed connection fails. The next read then marks the client as gone.
                let _ = self.socket.write_all(&frame(PONG, payload));
            }
            (CLOSE, _) => self.is_gone = true,
            _ => results.faults.unexpected += 1,
        }
    }

    fn on_other_frame(&mut self, text: &str, framing: Framing, results: &mut Results) {
        let position = number(text, r#""seq":"#).map(|seq| (seq, self.received));
        match kind(text) {
            Some("heartbeat") => {
                results.heartbeats += 1;
                results.faults.miscounted += u64::from(number(text, r#""sent":"#) != Some(self.received));
                if framing != Framing::WebSocket {
                    self.ends = position;
                }
            }
            // Each snapshot has its own position. The client gets all events only after the last snapshot.
            Some("subscribed" | "snapshot") => self.begins = position,
            Some("set") => self.ends = position,
            Some("feed") => {}
            _ => results.faults.unexpected += 1,
        }
    }

    fn on_update(&mut self, seq: u64, rest: &[u8], now: Time, results: &mut Results) {
        results.faults.disorder += u64::from(seq <= self.seq);
        // A client without a subscription gets no reply with its first position. Its first message sets the
        // position.
        self.begins.get_or_insert((seq - 1, self.received));
        self.seq = seq;
        self.received += 1;
        results.updates += 1;
        results.newest = results.newest.max(seq);
        if results.updates.is_multiple_of(results.watch.sample) {
            match results.times.read(rest) {
                Some(time) => {
                    let delay = u64::try_from(now.since(time).as_nanos()).unwrap_or(u64::MAX);
                    results.delays.saturating_record(delay);
                }
                None => results.faults.unexpected += 1,
            }
        }
        if results.watch.each_event {
            self.ranks.0 += u64::from(results.arrivals.record(seq, now));
            self.ranks.1 += 1;
        }
    }
}

/// Returns the `seq` of the newest event that any of the clients has received.
fn newest(clients: &[Client]) -> u64 {
    clients.iter().map(|client| client.seq).max().unwrap_or(0)
}
