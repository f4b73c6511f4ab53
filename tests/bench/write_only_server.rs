//! A server that only writes updates, called `bare` in the benchmark's tables. Its results show the least
//! possible cost of an update.
//!
//! The server has one thread with epoll, and the same feeds and frames as Tickerplant. The server writes a
//! simulated update as soon as the update is due, and an update from standard input at once. With the flag
//! `--window`, the server collects a client's updates for the given time and writes them together. If a
//! socket is full, the server writes the remaining bytes when the socket accepts them. No update is lost, and
//! no buffer has a limit.
//!
//! The server is the benchmark's own executable, with the command line `server bare --symbols A,B --rate 100`
//! or `server bare --feed stdin`.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::SignedDuration;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use tickerplant::encoding::{Encoding, Value};
use tickerplant::market::Symbol;
use tickerplant::wire::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::write_only_feed::WriteOnlyFeed;

/// The token with which the server's poll reports new connections.
const LISTENER: Token = Token(usize::MAX);

/// The token with which the server's poll reports new bytes on standard input.
const INPUT: Token = Token(usize::MAX - 1);

/// The most events that are published before the sockets are polled again.
const BATCH: usize = 1024;

/// The arguments of the server.
#[derive(Parser)]
struct Args {
    /// The symbols of the simulated feed.
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<Symbol>,
    /// The rate of the simulated feed.
    #[arg(long, required_unless_present = "feed")]
    rate: Option<String>,
    /// The feed, if it is not simulated.
    #[arg(long, value_parser = ["stdin"])]
    feed: Option<String>,
    /// How long the server collects updates before it writes them. Without this flag, the server writes each
    /// update at once.
    #[arg(long)]
    window: Option<SignedDuration>,
}

struct WriteOnlyServer {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    /// For each symbol, the clients that subscribe to it.
    subscribers: HashMap<Symbol, Vec<usize>>,
    feed: WriteOnlyFeed,
    /// The `seq` of the newest event.
    seq: u64,
    window: Option<Duration>,
    flushed: Instant,
    /// The clients with collected updates that the server has not written yet.
    dirty: Vec<usize>,
}

struct Client {
    socket: TcpStream,
    /// The bytes of the upgrade request that have arrived so far, or `None` if the request is complete.
    request: Option<Vec<u8>>,
    /// The bytes that the socket has not accepted yet.
    unsent: Vec<u8>,
    /// Whether the socket accepts no more bytes at present. The server's poll reports when the socket accepts
    /// bytes again.
    is_full: bool,
    is_dirty: bool,
    is_gone: bool,
}

/// Runs the server until the process is killed.
pub fn main() -> io::Result<()> {
    let args = Args::parse_from(std::env::args().skip(1));
    let mut server = WriteOnlyServer::new(args)?;
    eprintln!("address={}", server.listener.local_addr()?);
    server.run()
}

impl WriteOnlyServer {
    fn new(args: Args) -> io::Result<Self> {
        let poll = Poll::new()?;
        // mio uses the longest accept queue that the system allows.
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let feed = match args.rate {
            Some(rate) => WriteOnlyFeed::simulated(args.symbols, &rate)?,
            None => WriteOnlyFeed::stdin(poll.registry(), INPUT)?,
        };
        Ok(Self {
            poll,
            listener,
            clients: Slab::new(),
            subscribers: HashMap::new(),
            feed,
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
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    INPUT => self.feed.on_readable(),
                    Token(id) => self.serve(id, event.is_readable(), event.is_writable()),
                }
            }
            self.publish()?;
            if self.window.is_none_or(|window| self.flushed.elapsed() >= window) {
                self.flush();
            }
        }
    }

    /// Returns the time until the next event or flush is due, or `None` if neither time is known. The
    /// server's poll rounds the returned time up to a millisecond.
    fn wait(&mut self) -> Option<Duration> {
        let is_dirty = !self.dirty.is_empty();
        let flush = self.window.filter(|_| is_dirty).map(|window| self.flushed + window);
        let flush = flush.map(|due| due.saturating_duration_since(Instant::now()));
        [self.feed.wait(), flush].into_iter().flatten().min()
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
                unsent: Vec::new(),
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
            self.subscribers
                .values_mut()
                .for_each(|subscribers| subscribers.retain(|subscriber| *subscriber != id));
            self.dirty.retain(|dirty| *dirty != id);
            self.clients.remove(id);
        }
    }

    fn read(&mut self, id: usize) {
        let mut buffer = [0; 4096];
        let client = &mut self.clients[id];
        while let Some(bytes) = client.read(&mut buffer) {
            let Some(request) = &mut client.request else {
                // A client sends only one short command, so one read returns the whole command.
                client.send("set", self.seq);
                continue;
            };
            request.extend_from_slice(bytes);
            if !request.ends_with(b"\r\n\r\n") {
                continue;
            }
            let request = String::from_utf8_lossy(&client.request.take().unwrap_or_default()).into_owned();
            let Some((key, symbols)) = parse_request(&request) else { return client.is_gone = true };
            let accept = derive_accept_key(key.as_bytes());
            client.unsent.extend_from_slice(
                format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )
                .as_bytes(),
            );
            client.send("subscribed", self.seq);
            for symbol in symbols {
                self.subscribers.entry(symbol).or_default().push(id);
            }
        }
    }

    /// Publishes the events that are due.
    fn publish(&mut self) -> io::Result<()> {
        let mut frame = Vec::new();
        for _ in 0..BATCH {
            frame.clear();
            let Some(symbol) = self.feed.next(self.seq + 1, &mut frame)? else { break };
            self.seq += 1;
            let Some(subscribers) = self.subscribers.get(&symbol) else { continue };
            for id in subscribers {
                let client = &mut self.clients[*id];
                client.unsent.extend_from_slice(&frame);
                if self.window.is_none() {
                    client.flush();
                } else if !client.is_dirty {
                    client.is_dirty = true;
                    self.dirty.push(*id);
                }
            }
        }
        Ok(())
    }

    /// Writes the collected updates of all clients.
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
    /// Reads the bytes that have arrived. Returns `None` if no bytes have arrived or the connection has
    /// ended.
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

    /// Sends an answer of the type `kind`. The argument `seq` is the `seq` of the newest event.
    fn send(&mut self, kind: &str, seq: u64) {
        let answer = format!(r#"{{"type":"{kind}","seq":{seq}}}"#);
        Encoding::WebSocket.write(&mut self.unsent, &Value::Message(&Message::Text(answer)));
        self.flush();
    }

    /// Writes the unsent bytes until the socket accepts no more bytes.
    fn flush(&mut self) {
        while !self.is_full && !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) if count == self.unsent.len() => self.unsent.clear(),
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_full = true,
                Err(_) => {
                    // The poll reports the end of the connection.
                    self.unsent.clear();
                }
            }
        }
    }
}

/// Returns the handshake key of a request, and the symbols in its URL.
fn parse_request(request: &str) -> Option<(&str, Vec<Symbol>)> {
    let (_, rest) = request.split_once("Sec-WebSocket-Key: ")?;
    let (_, query) = request.lines().next()?.split_once("symbols=")?;
    let symbols = query.split(['&', ' ']).next()?.split(',').map(str::parse);
    Some((rest.lines().next()?, symbols.collect::<Result<_, _>>().ok()?))
}
