//! The clients' sockets.
//!
//! A session reads from its socket and writes what waits in its outbox. What a batch brings is tried at
//! once, on the same thread, without waking the session: it is woken for what its socket did not take. The
//! sockets lie side by side because a batch goes from one to the next.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tcp_info::Acknowledgements;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;

use super::subscription_index::ConnectionId;

/// What a session speaks through.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send + Debug {
    /// Returns what the client's machine has acknowledged; `None` where there is no TCP beneath, or the system does not say.
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
    /// A TCP connection with nothing around it.
    Tcp(TcpStream),
    /// Anything else.
    Other(Box<dyn Duplex>),
}

/// The sockets of one thread, by the numbers of their connections.
#[derive(Debug, Default)]
pub struct Sockets {
    sockets: Vec<Option<Socket>>,
    /// Connections whose sockets have taken bytes that are not under way yet.
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

    /// Forgets a connection's socket, which closes it.
    pub fn remove(&mut self, id: ConnectionId) {
        self.sockets[id] = None;
    }

    /// A connection's socket, to read from it and to wait for it.
    ///
    /// # Panics
    ///
    /// It has been removed.
    pub fn get(&mut self, id: ConnectionId) -> Pin<&mut Socket> {
        Pin::new(self.sockets[id].as_mut().expect("a session has a socket"))
    }

    /// Tries to write once and returns how many bytes the socket took; why it did not take all shows when its session
    /// tries again.
    #[must_use]
    pub fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> usize {
        let taken = match self.sockets[id].as_mut().expect("a connection has a socket") {
            // Past tokio, whose notes on whether it can be written lie somewhere else for every socket: a look at
            // them costs more than the one try in thousands that finds it full.
            Socket::Tcp(socket) => SockRef::from(&*socket).send(bytes).ok(),
            Socket::Other(socket) => {
                let mut nobody = Context::from_waker(Waker::noop());
                let written = match Pin::new(&mut **socket).poll_write(&mut nobody, bytes) {
                    Poll::Ready(written) => written.ok(),
                    Poll::Pending => None,
                };
                // What TLS has encrypted and the network has not taken is in nobody's sight but its own.
                if Pin::new(&mut **socket).poll_flush(&mut nobody).is_pending() {
                    self.unflushed.push(id);
                }
                written
            }
        };
        taken.unwrap_or(0)
    }

    /// Returns what a client's machine has acknowledged, where that is known.
    #[must_use]
    pub fn acknowledgements(&self, id: ConnectionId) -> Option<Acknowledgements> {
        self.sockets.get(id)?.as_ref()?.acknowledgements()
    }

    /// The connections that have taken bytes since this was asked which are not under way yet: their sessions see to it.
    pub fn take_unflushed(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.unflushed)
    }
}
