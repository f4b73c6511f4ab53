//! The feed of the write-only server: simulated events, or lines from standard input.
//!
//! The feed turns a line into a frame by inserting a `seq` after the symbol, without parsing the line as
//! JSON.

use std::io::{self, ErrorKind, Read};
use std::iter::Peekable;
use std::os::fd::AsFd;
use std::time::Duration;

use mio::unix::pipe;
use mio::{Interest, Registry, Token};
use tickerplant::encoding::{Encoding, Value};
use tickerplant::feed::simulated::{Config, Instrument, Profile, Simulation};
use tickerplant::market::{Symbol, Time};
use tickerplant::wire::Message;

/// The length of the text before a line's symbol. The length is the same for trades, because `trade` and
/// `quote` have five letters each.
const BEFORE_SYMBOL: usize = r#"{"type":"quote","symbol":""#.len();

/// The source of the events.
pub enum WriteOnlyFeed {
    Simulated(Box<Peekable<Simulation>>),
    Stdin(Lines),
}

/// A reader of the lines of standard input.
pub struct Lines {
    input: pipe::Receiver,
    /// The bytes that were read from standard input.
    bytes: Vec<u8>,
    /// The position in `bytes` at which the next line begins, after all lines that [`Lines::next`] has
    /// returned.
    taken: usize,
    /// Whether standard input, a pipe, has no bytes at present. The server's poll reports when more bytes
    /// arrive.
    is_empty: bool,
}

impl WriteOnlyFeed {
    pub fn simulated(symbols: Vec<Symbol>, rate: &str) -> io::Result<Self> {
        let config = Config {
            profile: Profile::Gbm,
            rate: rate.parse().map_err(io::Error::other)?,
            symbols: symbols.into_iter().map(Instrument::named).collect(),
            ..Config::default()
        };
        let walk = Simulation::new(&config.resolved()).map_err(io::Error::other)?;
        Ok(Self::Simulated(Box::new(walk.peekable())))
    }

    /// Returns a feed of the lines of standard input. The server's poll uses this token to report new bytes
    /// on standard input.
    pub fn stdin(registry: &Registry, token: Token) -> io::Result<Self> {
        let mut input = pipe::Receiver::from(io::stdin().as_fd().try_clone_to_owned()?);
        input.set_nonblocking(true)?;
        registry.register(&mut input, token, Interest::READABLE)?;
        Ok(Self::Stdin(Lines { input, bytes: Vec::new(), taken: 0, is_empty: false }))
    }

    /// Returns the time until the next event is due. Returns `None` if this time is unknown, because the next
    /// event has not arrived on standard input.
    pub fn wait(&mut self) -> Option<Duration> {
        match self {
            Self::Simulated(walk) => walk.peek().map(|event| event.time.since(Time::now())),
            Self::Stdin(lines) => (!lines.is_empty).then_some(Duration::ZERO),
        }
    }

    /// Notes that standard input has new bytes, as the server's poll has reported.
    pub fn on_readable(&mut self) {
        if let Self::Stdin(lines) = self {
            lines.is_empty = false;
        }
    }

    /// If an event is due, appends it to `frame` as a WebSocket frame with this `seq`. Returns the event's
    /// symbol, or `None` if no event is due.
    pub fn next(&mut self, seq: u64, frame: &mut Vec<u8>) -> io::Result<Option<Symbol>> {
        match self {
            Self::Simulated(walk) => {
                let now = Time::now();
                let Some(event) = walk.next_if(|event| event.time <= now) else { return Ok(None) };
                Encoding::WebSocket.write(frame, &Value::Event(seq, &event));
                Ok(Some(event.symbol))
            }
            Self::Stdin(lines) => {
                let Some(line) = lines.next()? else { return Ok(None) };
                let bad = || io::Error::other(format!("no symbol in the line `{line}`"));
                let (head, rest) = line.split_at_checked(BEFORE_SYMBOL).ok_or_else(bad)?;
                let (symbol, rest) = rest.split_once('"').ok_or_else(bad)?;
                let text = format!(r#"{head}{symbol}","seq":{seq}{rest}"#);
                Encoding::WebSocket.write(frame, &Value::Message(&Message::Text(text)));
                Ok(Some(symbol.parse().map_err(io::Error::other)?))
            }
        }
    }
}

impl Lines {
    /// Returns the next line without its line feed, or `None` if no whole line has arrived.
    fn next(&mut self) -> io::Result<Option<&str>> {
        let mut searched = self.taken;
        loop {
            if let Some(len) = self.bytes[searched..].iter().position(|byte| *byte == b'\n') {
                let (start, end) = (self.taken, searched + len);
                self.taken = end + 1;
                return str::from_utf8(&self.bytes[start..end]).map(Some).map_err(io::Error::other);
            }
            if self.is_empty {
                return Ok(None);
            }
            self.bytes.drain(..self.taken);
            self.taken = 0;
            searched = self.bytes.len();
            self.read()?;
        }
    }

    /// Reads bytes that have arrived on standard input.
    fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 8 * 1024];
        match self.input.read(&mut buffer) {
            // The input has ended.
            Ok(0) => self.is_empty = true,
            Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_empty = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
