//! The sockets of a thread's connections.
//!
//! A session reads from its socket, and writes the pending bytes of its outbox to the socket. The shard
//! writes a batch of new events directly to the sockets, without waking the sessions. A session is woken only
//! if its socket did not accept all bytes of the batch.
//!
//! The sockets are contiguous in memory, because a shard writes a batch of new events to one socket after the
//! other.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tcp_info::Acknowledgements;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use super::subscription_index::ConnectionId;

/// A bidirectional stream of bytes to a client.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Debug {
    /// Returns the client's newest TCP acknowledgement; `None` without a TCP connection, or if the operating
    /// system does not report acknowledgements.
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        None
    }
}

impl Duplex for TcpStream {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        tcp_info::acknowledgements(self)
    }
}

impl Duplex for DuplexStream {}

/// A client's socket.
#[derive(Debug)]
pub enum Socket {
    /// A plain TCP connection.
    Tcp(TcpStream),
    /// Any other stream.
    Other(Box<dyn Duplex>),
}

/// The sockets of one thread, indexed by connection number.
#[derive(Debug, Default)]
pub struct Sockets {
    sockets: Vec<Option<Socket>>,
    /// The connections whose sockets still hold accepted bytes that are not sent yet.
    unflushed: Vec<ConnectionId>,
}

impl Socket {
    fn duplex(&mut self) -> Pin<&mut dyn Duplex> {
        match self {
            Self::Tcp(socket) => Pin::new(socket),
            Self::Other(socket) => Pin::new(&mut **socket),
        }
    }
}

impl Duplex for Socket {
    fn acknowledgements(&self) -> Option<Acknowledgements> {
        match self {
            Self::Tcp(socket) => socket.acknowledgements(),
            Self::Other(socket) => socket.acknowledgements(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().duplex().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().duplex().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().duplex().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(socket) => socket.is_write_vectored(),
            Self::Other(socket) => socket.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().duplex().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().duplex().poll_shutdown(cx)
    }
}

impl Sockets {
    /// Adds a connection's socket.
    pub fn insert(&mut self, id: ConnectionId, socket: Socket) {
        if self.sockets.len() <= id {
            self.sockets.resize_with(id + 1, || None);
        }
        self.sockets[id] = Some(socket);
    }

    /// Removes a connection's socket, and so closes the socket.
    pub fn remove(&mut self, id: ConnectionId) {
        self.sockets[id] = None;
    }

    /// Returns a connection's socket.
    ///
    /// # Panics
    ///
    /// Panics if the connection has no socket.
    pub fn get(&mut self, id: ConnectionId) -> Pin<&mut Socket> {
        Pin::new(self.sockets[id].as_mut().expect("a session has a socket"))
    }

    /// Tries once to write bytes to a connection's socket; returns how many bytes the socket accepted.
    ///
    /// If the write fails, returns 0. The connection's session gets the error when the session itself writes
    /// the remaining bytes.
    #[must_use]
    pub fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        let written = match self.sockets[id].as_mut().expect("a connection has a socket") {
            // This write bypasses tokio. Before each write, tokio checks a readiness flag elsewhere in
            // memory. These checks cost more than they save, because only about one write in thousands finds
            // a full socket.
            Socket::Tcp(socket) => SockRef::from(&*socket).send(bytes).ok(),
            Socket::Other(socket) => {
                let mut nobody = Context::from_waker(Waker::noop());
                let written = match Pin::new(&mut **socket).poll_write(&mut nobody, bytes) {
                    Poll::Ready(written) => written.ok(),
                    Poll::Pending => None,
                };
                // Only a flush shows whether TLS still has encrypted bytes that the TCP socket did not
                // accept.
                if Pin::new(&mut **socket).poll_flush(&mut nobody).is_pending() {
                    self.unflushed.push(id);
                }
                written
            }
        };
        written.unwrap_or(0)
    }

    /// Returns the newest TCP acknowledgement from a connection's client, if this acknowledgement is known.
    #[must_use]
    pub fn acknowledgements(&self, id: ConnectionId) -> Option<Acknowledgements> {
        self.sockets.get(id)?.as_ref()?.acknowledgements()
    }

    /// Returns the connections whose sockets still hold accepted bytes that are not sent yet, and clears the
    /// list. The sessions of these connections must flush the sockets.
    pub fn take_unflushed(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.unflushed)
    }
}
