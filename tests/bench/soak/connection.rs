//! A non-blocking WebSocket connection of a client, including the TCP connect and the handshake.
//!
//! The connection answers pings itself.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::websocket::{CLOSE, PING, PONG, TEXT, frame, head_end, split_frame};

/// The most bytes that one read of a socket returns. No WebSocket frame that the server sends is longer than
/// this.
pub const READ_BYTES: usize = 256 * 1024;

/// The error code of Linux for a connect that is in progress.
const EINPROGRESS: i32 = 115;

#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    stage: Stage,
    /// The beginning of an incomplete HTTP response or WebSocket frame.
    partial: Vec<u8>,
    /// The bytes to send that the socket has not accepted yet.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client waits for the answer to its handshake.
    Asked,
    Open,
    /// The client discards all bytes that arrive.
    Raw,
}

/// What has arrived: the answer to the handshake, or a WebSocket frame.
#[derive(Debug)]
pub enum Received<'a> {
    /// The server's answer that accepts the handshake.
    Open,
    /// A text message.
    Text(&'a [u8]),
    /// A ping, which the connection has answered.
    Ping,
    /// Any other WebSocket frame.
    Other,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// The server sent a close frame with this code and reason.
    Closed(u16, String),
    /// The server answered the handshake with this HTTP status.
    Refused(u16),
    /// The stream ended without a close frame.
    Eof,
    /// The connection failed with this error.
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

impl Connection {
    /// Begins to connect. `receive_buffer` limits how many received bytes the kernel stores until the client
    /// reads them.
    pub fn open(
        address: SocketAddr,
        receive_buffer: Option<usize>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_under_way(&error) => return Err(error),
            _ => {}
        }
        let mut socket = TcpStream::from_std(socket.into());
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self { socket, stage: Stage::Asked, partial: Vec::new(), unsent: Vec::new() })
    }

    /// Discards all bytes that arrive from now on.
    pub fn ignore_answers(&mut self) {
        self.stage = Stage::Raw;
    }

    /// Returns whether the handshake is complete, so that messages can be sent.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Returns how many bytes the socket has not accepted.
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Sends bytes. Bytes that the socket does not accept stay in a buffer.
    pub fn send(&mut self, bytes: &[u8]) {
        self.unsent.extend_from_slice(bytes);
        self.flush();
    }

    /// Sends the unsent bytes. If the connection is broken, the next read returns the error.
    pub fn flush(&mut self) {
        while !self.unsent.is_empty() {
            match self.socket.write(&self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_under_way(&error) => return,
                Err(_) => self.unsent.clear(),
            }
        }
    }

    /// Reads at most `most` bytes. Calls `take` with the answer to the handshake, and with each WebSocket
    /// frame. Returns how the connection ended, or `None` if the connection is still open.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        most: usize,
        mut take: impl FnMut(Received<'_>),
    ) -> Option<End> {
        let mut left = most;
        while left > 0 {
            let partial = self.partial.len();
            buffer[..partial].copy_from_slice(&self.partial);
            let room = left.min(buffer.len() - partial);
            let count = match self.socket.read(&mut buffer[partial..partial + room]) {
                Ok(0) => return Some(End::Eof),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if is_under_way(&error) => return None,
                Err(error) => return Some(End::Broken(error.kind())),
            };
            left -= count;
            if let Some(end) = self.take_bytes(&buffer[..partial + count], &mut take) {
                return Some(end);
            }
            // A read that does not fill the buffer has emptied the socket. The poll reports bytes that arrive
            // later.
            if count < room {
                return None;
            }
        }
        None
    }

    /// Resets the connection, as if the client had crashed.
    pub fn cut(self) {
        // If the option cannot be set, the socket closes in order, which is good enough.
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }

    fn take_bytes(&mut self, mut bytes: &[u8], take: &mut impl FnMut(Received<'_>)) -> Option<End> {
        let mut is_answered = self.unsent.is_empty();
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
            take(Received::Open);
            bytes = &bytes[end..];
        }
        if self.stage == Stage::Open {
            while let Some((opcode, payload, rest)) = split_frame(bytes) {
                match opcode {
                    TEXT => take(Received::Text(payload)),
                    PING => {
                        self.unsent.extend_from_slice(&frame(PONG, payload));
                        is_answered = false;
                        take(Received::Ping);
                    }
                    CLOSE => return Some(self.answer_close(payload)),
                    _ => take(Received::Other),
                }
                bytes = rest;
            }
        }
        self.partial.clear();
        self.partial.extend_from_slice(bytes);
        if !is_answered {
            self.flush();
        }
        None
    }

    fn answer_close(&mut self, payload: &[u8]) -> End {
        self.send(&frame(CLOSE, &payload[..payload.len().min(2)]));
        let (code, reason) = payload.split_first_chunk().unwrap_or((&[0, 0], &[]));
        End::Closed(u16::from_be_bytes(*code), String::from_utf8_lossy(reason).into_owned())
    }
}

fn is_under_way(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
        || error.raw_os_error() == Some(EINPROGRESS)
}

/// Returns the status of an HTTP response, or 0 if the response has no status.
fn status(answer: &[u8]) -> u16 {
    let text = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    text.and_then(|text| str::from_utf8(text).ok()?.parse().ok()).unwrap_or(0)
}
