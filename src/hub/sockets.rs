//! The sockets of a thread's connections.
//!
//! A session reads from its socket, and writes what is pending in its outbox. A batch is written to the
//! sockets directly, without waking the sessions. A session is woken only if its socket did not take
//! everything.
//!
//! The sockets lie side by side in memory, because a batch goes from one to the next.

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
    /// Returns what the client's machine has acknowledged; `None` if there is no TCP connection, or if the
    /// system does not tell.
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

/// The sockets of one thread, by connection number.
#[derive(Debug, Default)]
pub struct Sockets {
    sockets: Vec<Option<Socket>>,
    /// Connections whose sockets took bytes and have not sent all of them.
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

    /// Removes a connection's socket, which closes it.
    pub fn remove(&mut self, id: ConnectionId) {
        self.sockets[id] = None;
    }

    /// Returns a connection's socket.
    ///
    /// # Panics
    ///
    /// The socket was removed.
    pub fn get(&mut self, id: ConnectionId) -> Pin<&mut Socket> {
        Pin::new(self.sockets[id].as_mut().expect("a session has a socket"))
    }

    /// Tries to write once; returns how many bytes the socket took.
    ///
    /// An error counts as 0 bytes. The session finds it when it writes the rest.
    #[must_use]
    pub fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        let written = match self.sockets[id].as_mut().expect("a connection has a socket") {
            // This bypasses tokio, which keeps the socket's readiness elsewhere in memory. Reading that for
            // each write would cost more than the one write in thousands that finds the socket full.
            Socket::Tcp(socket) => SockRef::from(&*socket).send(bytes).ok(),
            Socket::Other(socket) => {
                let mut nobody = Context::from_waker(Waker::noop());
                let written = match Pin::new(&mut **socket).poll_write(&mut nobody, bytes) {
                    Poll::Ready(written) => written.ok(),
                    Poll::Pending => None,
                };
                // Only a flush shows whether TLS has encrypted bytes that the network has not taken.
                if Pin::new(&mut **socket).poll_flush(&mut nobody).is_pending() {
                    self.unflushed.push(id);
                }
                written
            }
        };
        written.unwrap_or(0)
    }

    /// Returns what a client's machine has acknowledged, if that is known.
    #[must_use]
    pub fn acknowledgements(&self, id: ConnectionId) -> Option<Acknowledgements> {
        self.sockets.get(id)?.as_ref()?.acknowledgements()
    }

    /// Returns the connections whose sockets have not sent all bytes that they took, since the last call.
    /// Their sessions flush them.
    pub fn take_unflushed(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.unflushed)
    }
}
