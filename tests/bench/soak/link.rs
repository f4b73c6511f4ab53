//! One connection that never waits: from the connect to the end, whoever ends it.
//!
//! Pings are answered here. What a client says lies in a buffer until the socket takes it.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::websocket::{CLOSE, TEXT, frame, head_end, split_frame};

/// What is read from a socket at a time; no frame is longer.
pub const READ_BYTES: usize = 256 * 1024;

/// Asks for a pong: RFC 6455, section 5.5.2.
pub const PING: u8 = 9;
const PONG: u8 = 10;

/// What Linux says of a connect that does not wait.
const EINPROGRESS: i32 = 115;

/// A connection.
#[derive(Debug)]
pub struct Link {
    socket: TcpStream,
    stage: Stage,
    /// The beginning of an answer or a frame whose end has not come.
    begun: Vec<u8>,
    /// What the socket has not taken.
    waits: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The answer to the handshake has not come.
    Asked,
    Open,
    /// Not spoken at all: whatever comes is read away.
    Raw,
}

/// What comes over a connection.
#[derive(Debug)]
pub enum Came<'a> {
    /// The answer to the handshake.
    Open,
    /// A text.
    Text(&'a [u8]),
    /// A ping, which has been answered.
    Ping,
    /// Anything else.
    Other,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The server closed with this code and reason.
    Closed(u16, String),
    /// The handshake was answered with this status.
    Refused(u16),
    /// The stream ended without a word.
    Eof,
    /// The connection broke.
    Broken(ErrorKind),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(code, _) => write!(f, "close {code}"),
            Self::Refused(status) => write!(f, "HTTP {status}"),
            Self::Eof => f.write_str("end of stream"),
            Self::Broken(kind) => write!(f, "{kind}"),
        }
    }
}

impl Link {
    /// Begins to connect; `room` is for how many bytes the kernel may keep for a reader that is slow.
    pub fn open(
        address: SocketAddr,
        room: Option<usize>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(room) = room {
            socket.set_recv_buffer_size(room)?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { socket, stage: Stage::Asked, begun: Vec::new(), waits: Vec::new() })
    }

    /// Whatever comes is read away, and is not understood.
    pub fn ignore_answers(&mut self) {
        self.stage = Stage::Raw;
    }

    /// Whether frames may be sent.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// How many bytes the socket has not taken.
    pub fn waiting(&self) -> usize {
        self.waits.len()
    }

    /// Sends bytes, or keeps what the socket does not take.
    pub fn say(&mut self, bytes: &[u8]) {
        self.waits.extend_from_slice(bytes);
        self.flush();
    }

    /// Sends what waits. A connection that is broken says so when it is read.
    pub fn flush(&mut self) {
        while !self.waits.is_empty() {
            match self.socket.write(&self.waits) {
                Ok(count) => drop(self.waits.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_under_way(&error) => return,
                Err(_) => self.waits.clear(),
            }
        }
    }

    /// Reads what has come, up to so many bytes; returns how the connection ended, where it has.
    pub fn read(&mut self, buffer: &mut [u8], most: usize, mut take: impl FnMut(Came<'_>)) -> Option<End> {
        let mut left = most;
        while left > 0 {
            let begun = self.begun.len();
            buffer[..begun].copy_from_slice(&self.begun);
            let room = left.min(buffer.len() - begun);
            let count = match self.socket.read(&mut buffer[begun..begun + room]) {
                Ok(0) => return Some(End::Eof),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_under_way(&error) => return None,
                Err(error) => return Some(End::Broken(error.kind())),
            };
            left -= count;
            if let Some(end) = self.take_bytes(&buffer[..begun + count], &mut take) {
                return Some(end);
            }
            // A short read has taken all: the poll tells of what comes after it.
            if count < room {
                return None;
            }
        }
        None
    }

    /// Ends the connection as a cable does that is pulled: the other end gets a reset.
    pub fn cut(self) {
        // Where it cannot be set the connection ends in order, which is as good.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    fn take_bytes(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Came<'_>)) -> Option<End> {
        let mut is_answered = self.waits.is_empty();
        if self.stage == Stage::Raw {
            return None;
        }
        if self.stage == Stage::Asked
            && let Some(end) = head_end(bytes)
        {
            let status = status(bytes);
            if status != 101 {
                return Some(End::Refused(status));
            }
            self.stage = Stage::Open;
            take(Came::Open);
            bytes = &bytes[end..];
        }
        if self.stage == Stage::Open {
            while let Some((opcode, payload, rest)) = split_frame(bytes) {
                match opcode {
                    TEXT => take(Came::Text(payload)),
                    PING => {
                        self.waits.extend_from_slice(&frame(PONG, payload));
                        is_answered = false;
                        take(Came::Ping);
                    }
                    CLOSE => return Some(self.answer_close(payload)),
                    _ => take(Came::Other),
                }
                bytes = rest;
            }
        }
        self.begun.clear();
        self.begun.extend_from_slice(bytes);
        if !is_answered {
            self.flush();
        }
        None
    }

    fn answer_close(&mut self, payload: &[u8]) -> End {
        self.say(&frame(CLOSE, &payload[..payload.len().min(2)]));
        let (code, reason) = payload.split_first_chunk().unwrap_or((&[0, 0], &[]));
        End::Closed(u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
    }
}

fn is_under_way(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
        || error.raw_os_error() == Some(EINPROGRESS)
}

/// The status of an answer; 0 where it has none.
fn status(answer: &[u8]) -> u16 {
    let text = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    text.and_then(|text| str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0)
}
