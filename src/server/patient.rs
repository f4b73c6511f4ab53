//! A socket that does not wait for ever for its client to take what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::hub::Socket;

/// How long a socket waits for its client; not at all while somebody has suspended that.
#[derive(Clone, Debug)]
pub struct Patience {
    limit: Duration,
    suspended: Arc<AtomicBool>,
}

/// Nobody waits for the client until this is dropped.
#[derive(Debug)]
pub struct Suspended(Arc<AtomicBool>);

/// A socket whose writes fail when nothing of them has been taken for a while.
#[derive(Debug)]
pub struct Patient {
    socket: Socket,
    patience: Patience,
    /// Runs while the socket takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Returns a patience of this length.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self { limit, suspended: Arc::default() }
    }

    /// Suspends the limit, for an answer that takes as long as the client stays: its session knows who is slow.
    #[must_use]
    pub fn suspend(&self) -> Suspended {
        self.suspended.store(true, Ordering::Relaxed);
        Suspended(Arc::clone(&self.suspended))
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Patient {
    /// A socket with so much patience.
    #[must_use]
    pub const fn new(socket: Socket, patience: Patience) -> Self {
        Self { socket, patience, stuck: None }
    }

    /// The socket.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        self.socket
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() || self.patience.suspended.load(Ordering::Relaxed) {
            self.stuck = None;
            return outcome;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(self.patience.limit)));
        stuck.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.wait(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.socket).poll_flush(cx);
        this.wait(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.socket).poll_shutdown(cx);
        this.wait(cx, ended)
    }
}
