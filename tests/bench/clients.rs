//! The load: many WebSocket clients on one thread, each as cheap as it can be.
//!
//! A client is a socket, what it has of a frame that is not whole yet, and a few numbers. Together they
//! check what the protocol promises: `seq` only ascends, a heartbeat's `sent` is what the client was sent,
//! and every event reached all clients that subscribed to it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use tickerplant::market::Time;

/// What is read from a socket at a time; no frame is longer.
const READ_BYTES: usize = 256 * 1024;

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes that are under way at the same time.
const HANDSHAKES: usize = 64;

/// The mask of what the clients send: all zeros leave the text as it is.
const MASK: [u8; 4] = [0; 4];

/// What a frame is: RFC 6455, section 5.2.
const TEXT: u8 = 1;
/// What a frame is, where it ends the connection.
const CLOSE: u8 = 8;

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
    /// From its answers: the event after which it gets all, and the one up to which it has had all.
    whole: (Option<u64>, Option<u64>),
    is_gone: bool,
}

/// What all clients got together.
#[derive(Default)]
pub struct Tally {
    /// Market frames since the last [measurement](Clients::measure) began.
    pub updates: u32,
    /// Reads that brought something, since then.
    pub reads: u32,
    /// For each market frame since then, how long after its event's own time it was read.
    pub delays: Vec<Duration>,
    /// The newest event.
    pub newest: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// Events that have been [checked](Clients::settle) to be whole.
    pub whole: u64,
    /// How many clients got each event; the index is its `seq`.
    takers: Vec<u16>,
    /// What should not have been.
    pub faults: Faults,
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

impl Clients {
    /// Connects a client for each query, such as `symbols=AAPL&delivery=every`.
    pub fn connect(address: SocketAddr, queries: &[String]) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut all = Vec::new();
        for queries in queries.chunks(HANDSHAKES) {
            let asked: io::Result<Vec<_>> = queries.iter().map(|query| ask(address, query)).collect();
            for socket in asked? {
                let begun = answer(&socket)?;
                socket.set_nonblocking(true)?;
                let mut socket = TcpStream::from_std(socket);
                poll.registry().register(&mut socket, Token(all.len()), Interest::READABLE)?;
                all.push(Client { socket, begun, seq: 0, received: 0, whole: (None, None), is_gone: false });
            }
        }
        Ok(Self { poll, all, buffer: vec![0; READ_BYTES], tally: Tally::default() })
    }

    /// What the clients have got.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Reads for so long, and counts anew.
    pub fn measure(&mut self, time: Duration) -> io::Result<()> {
        self.tally.updates = 0;
        self.tally.reads = 0;
        self.tally.delays.clear();
        self.read(Instant::now() + time, |_| false)
    }

    /// Reads until every client has had all up to one event, and counts what was lost: each event between the first
    /// and the last that all could get has to have reached `takers` of them.
    pub fn settle(&mut self, takers: usize) -> io::Result<()> {
        for client in &mut self.all {
            client.whole.1 = None;
            // A client that is gone is counted where it is read.
            let _ = client.socket.write_all(&frame(SETTLE));
        }
        let has_all = |client: &Client| !client.is_gone && client.whole.1.is_some();
        self.read(Instant::now() + PATIENCE, |clients| {
            clients.iter().all(|client| client.is_gone || has_all(client))
        })?;
        let index = |seq: Option<u64>| usize::try_from(seq.unwrap_or(0)).expect("a seq fits in memory");
        let there = || self.all.iter().filter(|client| has_all(client));
        let first = there().map(|client| index(client.whole.0)).max().unwrap_or(0) + 1;
        let last = there().map(|client| index(client.whole.1)).min().unwrap_or(0);
        let counts = &mut self.tally.takers;
        counts.resize(counts.len().max(last + 1), 0);
        let missing = |count: &u16| usize::from(*count).abs_diff(takers) as u64;
        self.tally.faults.lost = counts.iter().take(last + 1).skip(first).map(missing).sum();
        self.tally.whole = (last + 1).saturating_sub(first) as u64;
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
        let text = match (opcode, str::from_utf8(payload)) {
            (TEXT, Ok(text)) => text,
            (CLOSE, _) => return self.is_gone = true,
            _ => return tally.faults.unexpected += 1,
        };
        let kind = text.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next());
        match kind {
            Some("quote" | "trade") => self.take_update(text, now, tally),
            Some("heartbeat") => {
                tally.heartbeats += 1;
                tally.faults.miscounted += u64::from(number(text, r#""sent":"#) != Some(self.received));
            }
            Some("subscribed") => self.whole.0 = number(text, r#""seq":"#),
            Some("set") => self.whole.1 = number(text, r#""seq":"#),
            Some("snapshot" | "feed") => {}
            _ => tally.faults.unexpected += 1,
        }
    }

    fn take_update(&mut self, text: &str, now: Time, tally: &mut Tally) {
        let time = text.split_once(r#""time":""#).and_then(|(_, rest)| rest.split_once('"')?.0.parse().ok());
        let (Some(seq), Some(time)) = (number(text, r#""seq":"#), time) else {
            return tally.faults.unexpected += 1;
        };
        tally.faults.disorder += u64::from(seq <= self.seq);
        self.seq = seq;
        self.received += 1;
        tally.updates += 1;
        tally.newest = tally.newest.max(seq);
        tally.delays.push(now.since(time));
        let index = usize::try_from(seq).expect("a seq fits in memory");
        if tally.takers.len() <= index {
            tally.takers.resize(index + 1, 0);
        }
        tally.takers[index] += 1;
    }
}

/// Connects and asks for the upgrade.
fn ask(address: SocketAddr, query: &str) -> io::Result<net::TcpStream> {
    let mut socket = net::TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    write!(
        socket,
        "GET /ws?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )?;
    Ok(socket)
}

/// Reads the answer to the handshake, and returns the frames that came with it.
fn answer(mut socket: &net::TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let frames = bytes.split_off(end + 4);
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

/// A short text as a client's frame: RFC 6455, section 5.2.
fn frame(text: &str) -> Vec<u8> {
    let len = u8::try_from(text.len()).ok().filter(|len| *len < 126).expect("the text is short");
    [&[0x81, 0x80 | len], &MASK[..], text.as_bytes()].concat()
}

/// The first frame of a server's bytes: its opcode, its payload, and what follows it; `None` where it is not whole.
fn split_frame(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([first, second], rest) = bytes.split_first_chunk()?;
    let (len, rest) = match second {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u16::from_be_bytes(*len).into(), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        short => ((*short).into(), rest),
    };
    let (payload, rest) = rest.split_at_checked(len)?;
    Some((first & 0x0f, payload, rest))
}

/// The whole number after a name in a JSON text.
fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let end = rest.find(|character: char| !character.is_ascii_digit())?;
    rest[..end].parse().ok()
}
