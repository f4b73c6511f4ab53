//! The bare limit: what serving the same updates costs where nothing is done but to write them.
//!
//! One thread around epoll, the same simulated feed and the same frames. Every update is written to every client
//! that takes it from the moment it is due, one write each, or, with a window, collected and written once in it. A
//! client that does not take all gets the rest when it can: nothing is lost, and nothing is bounded.
//!
//! It is the benchmark's own executable, called as `server bare --symbols A,B --rate 100`.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::iter::Peekable;
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::SignedDuration;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tickerplant::encoding::{Encoding, Value};
use tickerplant::feed::simulated::{Config, Instrument, Walk};
use tickerplant::market::{Symbol, Time};
use tickerplant::wire::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The listener among the clients.
const LISTENER: Token = Token(usize::MAX);

/// Events that are published before clients are looked at again.
const TURN: usize = 1024;

/// What to serve.
#[derive(Parser)]
struct Args {
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<Symbol>,
    #[arg(long)]
    rate: String,
    /// How long updates are collected; without it each is written at once.
    #[arg(long)]
    window: Option<SignedDuration>,
}

struct Bare {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    /// Who takes each symbol.
    takers: HashMap<Symbol, Vec<usize>>,
    walk: Peekable<Walk>,
    /// Of the newest event.
    seq: u64,
    window: Option<Duration>,
    flushed: Instant,
    /// Clients for which something was collected.
    dirty: Vec<usize>,
}

struct Client {
    socket: TcpStream,
    /// The beginning of its request, until that has been answered.
    request: Option<Vec<u8>>,
    /// What it has not taken yet.
    waits: Vec<u8>,
    /// Its socket is full: the poll says when there is room.
    is_full: bool,
    is_dirty: bool,
    is_gone: bool,
}

/// Serves until it is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(std::env::args().skip(1));
    let mut bare = Bare::new(args)?;
    eprintln!("address={}", bare.listener.local_addr()?);
    bare.run()
}

impl Bare {
    fn new(args: Args) -> io::Result<Self> {
        let config = Config {
            rate: args.rate.parse().map_err(io::Error::other)?,
            symbols: args.symbols.into_iter().map(Instrument::named).collect(),
            ..Config::default()
        };
        let poll = Poll::new()?;
        // Its queue is as long as the system allows.
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: Slab::new(),
            takers: HashMap::new(),
            walk: Walk::new(&config).map_err(io::Error::other)?.peekable(),
            seq: 0,
            window: args.window.map(SignedDuration::unsigned_abs),
            flushed: Instant::now(),
            dirty: Vec::new(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            let wait = self.wait();
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(id) => self.serve(id, event.is_readable(), event.is_writable()),
                }
            }
            self.publish();
            if self.window.is_none_or(|window| self.flushed.elapsed() >= window) {
                self.flush();
            }
        }
    }

    /// Until the next event is due, or what was collected; the poll rounds it up to a millisecond.
    fn wait(&mut self) -> Duration {
        let due = self.walk.peek().map_or(Duration::MAX, |event| event.time.since(Time::now()));
        match self.window {
            Some(window) if !self.dirty.is_empty() => {
                due.min((self.flushed + window).saturating_duration_since(Instant::now()))
            }
            _ => due,
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            let entry = self.clients.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(entry.key()), interest)?;
            entry.insert(Client {
                socket,
                request: Some(Vec::new()),
                waits: Vec::new(),
                is_full: false,
                is_dirty: false,
                is_gone: false,
            });
        }
    }

    fn serve(&mut self, id: usize, is_readable: bool, is_writable: bool) {
        let Some(client) = self.clients.get_mut(id) else { return };
        if is_writable {
            client.is_full = false;
            client.flush();
        }
        if is_readable {
            self.read(id);
        }
        if self.clients[id].is_gone {
            self.takers.values_mut().for_each(|takers| takers.retain(|taker| *taker != id));
            self.dirty.retain(|dirty| *dirty != id);
            self.clients.remove(id);
        }
    }

    fn read(&mut self, id: usize) {
        let mut buffer = [0; 4096];
        let client = &mut self.clients[id];
        while let Some(bytes) = client.read(&mut buffer) {
            let Some(request) = &mut client.request else {
                // The clients send nothing but one short command, a whole frame at a time.
                client.say("set", self.seq);
                continue;
            };
            request.extend_from_slice(bytes);
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let request = String::from_utf8_lossy(&client.request.take().unwrap_or_default()).into_owned();
            let Some((key, symbols)) = understand(&request) else { return client.is_gone = true };
            let accept = derive_accept_key(key.as_bytes());
            client.waits.extend_from_slice(
                format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )
                .as_bytes(),
            );
            client.say("subscribed", self.seq);
            for symbol in symbols {
                self.takers.entry(symbol).or_default().push(id);
            }
        }
    }

    /// Publishes what is due.
    fn publish(&mut self) {
        let now = Time::now();
        let mut frame = Vec::new();
        for _ in 0..TURN {
            let Some(event) = self.walk.next_if(|event| event.time <= now) else { break };
            self.seq += 1;
            let Some(takers) = self.takers.get(&event.symbol) else { continue };
            frame.clear();
            Encoding::WebSocket.write(&mut frame, &Value::Event(self.seq, &event));
            for id in takers {
                let client = &mut self.clients[*id];
                client.waits.extend_from_slice(&frame);
                if self.window.is_none() {
                    client.flush();
                } else if !client.is_dirty {
                    client.is_dirty = true;
                    self.dirty.push(*id);
                }
            }
        }
    }

    /// Writes what was collected.
    fn flush(&mut self) {
        for id in self.dirty.drain(..) {
            let client = &mut self.clients[id];
            client.is_dirty = false;
            client.flush();
        }
        self.flushed = Instant::now();
    }
}

impl Client {
    /// What has come; `None` where that is nothing.
    fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        match self.socket.read(buffer) {
            Ok(count) if count > 0 => Some(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            _ => {
                self.is_gone = true;
                None
            }
        }
    }

    /// Answers with what the client has by now.
    fn say(&mut self, kind: &str, seq: u64) {
        let answer = format!(r#"{{"type":"{kind}","seq":{seq}}}"#);
        Encoding::WebSocket.write(&mut self.waits, &Value::Message(&Message::Text(answer)));
        self.flush();
    }

    /// Writes what waits, as far as the socket takes it.
    fn flush(&mut self) {
        while !self.is_full && !self.waits.is_empty() {
            match self.socket.write(&self.waits) {
                Ok(count) if count == self.waits.len() => self.waits.clear(),
                Ok(count) => drop(self.waits.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
                Err(_) => {
                    // The poll tells of its end.
                    self.waits.clear();
                }
            }
        }
    }
}

/// The key of a handshake, and the symbols that its URL names.
fn understand(request: &str) -> Option<(&str, Vec<Symbol>)> {
    let (_, rest) = request.split_once("Sec-WebSocket-Key: ")?;
    let (_, query) = request.lines().next()?.split_once("symbols=")?;
    let symbols = query.split(['&', ' ']).next()?.split(',').map(str::parse);
    Some((rest.lines().next()?, symbols.collect::<Result<_, _>>().ok()?))
}
