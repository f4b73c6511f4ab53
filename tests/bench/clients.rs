//! The load: many WebSocket clients on one thread, each as cheap as it can be.
//!
//! A client is a socket, what it has of a frame that is not whole yet, and a few numbers. Together they
//! check what the protocol promises: `seq` only ascends, a heartbeat's `sent` is what the client was sent,
//! and every event reached all clients that subscribed to it. At low rates each event is followed to all its
//! clients; at high ones, where every client takes all, each client counts for itself, and not every time is read.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tickerplant::market::Time;

use crate::arrivals::Arrivals;
use crate::table::{float, histogram};
use crate::update::{self, Times};
use crate::websocket::{CLOSE, TEXT, frame, head_end, kind, number, request, split_frame};

/// What is read from a socket at a time; no frame is longer.
const READ_BYTES: usize = 256 * 1024;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes that are under way at the same time.
const HANDSHAKES: usize = 64;

/// A command that changes nothing; its answer comes behind all that waits, and says up to which event that is.
const SETTLE: &str = r#"{"action":"set","delivery":"every"}"#;

/// All clients and what they have got.
pub struct Clients {
    poll: Poll,
    all: Vec<Client>,
    buffer: Vec<u8>,
    tally: Tally,
}

/// One client.
struct Client {
    socket: TcpStream,
    /// The beginning of a frame whose end has not come.
    begun: Vec<u8>,
    /// Of its newest market frame.
    seq: u64,
    /// Market frames.
    received: u64,
    /// The event after which it gets all, and how many market frames it had by then.
    begins: Option<(u64, u64)>,
    /// The event up to which it has had all, and how many market frames it had by then.
    ends: Option<(u64, u64)>,
    /// Its places among the clients that got an event: their sum, and how many they are.
    places: (u64, u64),
    is_gone: bool,
}

/// How closely the clients look.
#[derive(Clone, Copy)]
pub struct Watch {
    /// Each event is followed to all its clients; otherwise each client counts, for which it must take all events.
    pub each_event: bool,
    /// The time is read of one update in so many.
    pub sample: u64,
}

/// What all clients got together.
pub struct Tally {
    watch: Watch,
    /// Market frames since the last [measurement](Clients::measure) began.
    pub updates: u64,
    /// Reads that brought something, since then.
    pub reads: u64,
    /// Of the sampled market frames since then, how many nanoseconds after its event's own time each was read.
    pub delays: Histogram<u64>,
    /// The newest event.
    pub newest: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Events that have been [checked](Clients::settle) to be whole.
    pub whole: u64,
    /// When each event reached whom, where that is looked at.
    pub arrivals: Arrivals,
    /// What should not have been.
    pub faults: Faults,
    times: Times,
}

/// What should not have been, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Market frames whose `seq` did not ascend.
    pub disorder: u64,
    /// Heartbeats whose `sent` was not what had come.
    pub miscounted: u64,
    /// Market frames that too few or too many clients got.
    pub lost: u64,
    /// Clients that did not stay connected, or gave no answer.
    pub gone: u64,
    /// Frames of other types than expected.
    pub unexpected: u64,
}

impl Faults {
    /// All of them.
    pub fn count(&self) -> u64 {
        let Self { disorder, miscounted, lost, gone, unexpected } = self;
        disorder + miscounted + lost + gone + unexpected
    }
}

impl Clients {
    /// Connects a client for each query, such as `symbols=AAPL&delivery=every`.
    pub fn connect(address: SocketAddr, queries: &[String], watch: Watch) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::new();
        for queries in queries.chunks(HANDSHAKES) {
            let asked: io::Result<Vec<_>> = queries.iter().map(|query| ask(address, query)).collect();
            for socket in asked? {
                let begun = answer(&socket)?;
                socket.set_nonblocking(true)?;
                let mut socket = TcpStream::from_std(socket);
                poll.registry().register(&mut socket, Token(all.len()), Interest::READABLE)?;
                all.push(Client {
                    socket,
                    begun,
                    seq: 0,
                    received: 0,
                    begins: None,
                    ends: None,
                    places: (0, 0),
                    is_gone: false,
                });
            }
        }
        let tally = Tally {
            watch,
            updates: 0,
            reads: 0,
            delays: histogram(),
            newest: 0,
            heartbeats: 0,
            whole: 0,
            arrivals: Arrivals::new(),
            faults: Faults::default(),
            times: Times::default(),
        };
        Ok(Self { poll, all, buffer: vec![0; READ_BYTES], tally })
    }

    /// What the clients have got.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How many clients have lost their connection.
    pub fn gone(&self) -> u64 {
        self.all.iter().filter(|client| client.is_gone).count() as u64
    }

    /// The mean places of the clients among those that got the same events, the least and the greatest: 0 would be
    /// always first, 1 always last.
    pub fn places(&self, takers: usize) -> (f64, f64) {
        let last = takers.saturating_sub(1) as u64;
        let placed = self.all.iter().filter(|client| client.places.1 > 0);
        let mean = |client: &Client| float(client.places.0) / float(client.places.1 * last.max(1));
        let means = placed.map(mean);
        means.fold((f64::INFINITY, 0.0), |(least, most), mean| (mean.min(least), mean.max(most)))
    }

    /// Reads for so long, and counts anew.
    pub fn measure(&mut self, time: Duration) -> io::Result<()> {
        self.tally.updates = 0;
        self.tally.reads = 0;
        self.tally.delays.reset();
        for client in &mut self.all {
            client.places = (0, 0);
        }
        self.read(Instant::now() + time, |_| false)
    }

    /// Reads until every client has had all up to one event, and counts what was lost: each event between the first
    /// and the last that all could get has to have reached `takers` of them.
    pub fn settle(&mut self, takers: usize) -> io::Result<()> {
        for client in &mut self.all {
            client.ends = None;
            // A client that is gone is counted where it is read.
            let _ = client.socket.write_all(&frame(TEXT, SETTLE.as_bytes()));
        }
        let has_all = |client: &Client| !client.is_gone && client.ends.is_some();
        self.read(Instant::now() + PATIENCE, |clients| {
            clients.iter().all(|client| client.is_gone || has_all(client))
        })?;
        let there = || self.all.iter().filter(|client| has_all(client));
        let spans = || there().filter_map(|client| Some((client.begins?, client.ends?)));
        let first = spans().map(|((begin, _), _)| begin).max().unwrap_or(0) + 1;
        let last = spans().map(|(_, (end, _))| end).min().unwrap_or(0);
        self.tally.faults.lost = if self.tally.watch.each_event {
            self.tally.arrivals.missing(first..last + 1, takers)
        } else {
            let missing = |((begin, before), (end, received)): ((u64, u64), (u64, u64))| {
                (received - before).abs_diff(end.saturating_sub(begin))
            };
            spans().map(missing).sum()
        };
        self.tally.whole = (last + 1).saturating_sub(first);
        self.tally.faults.gone = (self.all.len() - there().count()) as u64;
        Ok(())
    }

    /// Reads until a moment, or until it is enough.
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
                self.all[event.token().0].read(&mut self.buffer, &mut self.tally);
            }
        }
        Ok(())
    }
}

impl Client {
    /// Reads all that has come.
    fn read(&mut self, buffer: &mut [u8], tally: &mut Tally) {
        loop {
            let begun = self.begun.len();
            buffer[..begun].copy_from_slice(&self.begun);
            let (count, room) = match self.socket.read(&mut buffer[begun..]) {
                Ok(0) => break self.is_gone = true,
                Ok(count) => (count, buffer.len() - begun),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break self.is_gone = true,
            };
            tally.reads += 1;
            let now = Time::now();
            let mut bytes = &buffer[..begun + count];
            while let Some((opcode, payload, rest)) = split_frame(bytes) {
                self.take(opcode, payload, now, tally);
                bytes = rest;
            }
            self.begun.clear();
            self.begun.extend_from_slice(bytes);
            // A short read has taken all: the poll tells of what comes after it.
            if count < room {
                break;
            }
        }
    }

    fn take(&mut self, opcode: u8, payload: &[u8], now: Time, tally: &mut Tally) {
        match (opcode, update::seq(payload)) {
            (TEXT, Some((seq, rest))) => self.take_update(seq, rest, now, tally),
            (TEXT, None) => self.take_other(&String::from_utf8_lossy(payload), tally),
            (CLOSE, _) => self.is_gone = true,
            _ => tally.faults.unexpected += 1,
        }
    }

    fn take_other(&mut self, text: &str, tally: &mut Tally) {
        match kind(text) {
            Some("heartbeat") => {
                tally.heartbeats += 1;
                tally.faults.miscounted += u64::from(number(text, r#""sent":"#) != Some(self.received));
            }
            // Each snapshot has a position of its own: only after the last one has it all symbols.
            Some("subscribed" | "snapshot") => {
                self.begins = number(text, r#""seq":"#).map(|seq| (seq, self.received));
            }
            Some("set") => self.ends = number(text, r#""seq":"#).map(|seq| (seq, self.received)),
            Some("feed") => {}
            _ => tally.faults.unexpected += 1,
        }
    }

    fn take_update(&mut self, seq: u64, rest: &[u8], now: Time, tally: &mut Tally) {
        tally.faults.disorder += u64::from(seq <= self.seq);
        self.seq = seq;
        self.received += 1;
        tally.updates += 1;
        tally.newest = tally.newest.max(seq);
        if tally.updates.is_multiple_of(tally.watch.sample) {
            match tally.times.read(rest) {
                Some(time) => {
                    let delay = u64::try_from(now.since(time).as_nanos()).unwrap_or(u64::MAX);
                    tally.delays.saturating_record(delay);
                }
                None => tally.faults.unexpected += 1,
            }
        }
        if tally.watch.each_event {
            self.places.0 += u64::from(tally.arrivals.take(seq, now));
            self.places.1 += 1;
        }
    }
}

/// Connects one client that nobody reads for.
pub fn open(address: SocketAddr, query: &str) -> io::Result<net::TcpStream> {
    let socket = ask(address, query)?;
    answer(&socket)?;
    Ok(socket)
}

/// Connects and asks for the upgrade.
fn ask(address: SocketAddr, query: &str) -> io::Result<net::TcpStream> {
    let mut socket = net::TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(request(address, query).as_bytes())?;
    Ok(socket)
}

/// Reads the answer to the handshake, and returns the frames that came with it.
fn answer(mut socket: &net::TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = head_end(&bytes) {
            let frames = bytes.split_off(end);
            let is_upgrade = bytes.starts_with(b"HTTP/1.1 101 ");
            return is_upgrade
                .then_some(frames)
                .ok_or_else(|| io::Error::other(String::from_utf8_lossy(&bytes)));
        }
        match socket.read(&mut buffer)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
