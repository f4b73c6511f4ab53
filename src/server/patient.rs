//! A socket that does not wait for ever for its client to take what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::hub::Socket;

/// How long a socket waits for its client; without a limit while somebody has suspended that.
#[derive(Clone, Debug)]
pub struct Patience {
    limit: Duration,
    suspension: Arc<Suspension>,
}

#[derive(Debug, Default)]
struct Suspension {
    is_on: AtomicBool,
    /// The task whose socket takes nothing meanwhile: its time begins when the suspension ends.
    waiting: AtomicWaker,
}

/// The client has as much time as it likes until this is dropped.
#[derive(Debug)]
pub struct Suspended(Arc<Suspension>);

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
        Self { limit, suspension: Arc::default() }
    }

    /// Suspends the limit while a session decides who is slow.
    #[must_use]
    pub fn suspend(&self) -> Suspended {
        self.suspension.is_on.store(true, Ordering::Relaxed);
        Suspended(Arc::clone(&self.suspension))
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.0.is_on.store(false, Ordering::Relaxed);
        self.0.waiting.wake();
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
        if outcome.is_ready() {
            self.stuck = None;
            return outcome;
        }
        let suspension = &self.patience.suspension;
        suspension.waiting.register(cx.waker());
        if suspension.is_on.load(Ordering::Relaxed) {
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
