//! A socket that does not wait for ever for its client to take what it asked for.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tcp_info::Acknowledgements;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::hub::{Duplex, Socket};

/// A [`Patient`] socket, for the sessions that stream over it. It does not keep the socket open.
#[derive(Clone, Debug)]
pub struct Patience {
    socket: Weak<Mutex<Socket>>,
    suspension: Arc<Suspension>,
}

#[derive(Debug, Default)]
struct Suspension {
    is_on: AtomicBool,
    /// Whether the client is known to be gone.
    is_gone: AtomicBool,
    /// The task whose socket takes nothing meanwhile: its time begins when the suspension ends.
    waiting: AtomicWaker,
}

/// The client has as much time as it likes until this is dropped.
#[derive(Debug)]
pub struct Suspended(Arc<Suspension>);

/// A socket whose writes fail when nothing of them has been taken for a while.
#[derive(Debug)]
pub struct Patient {
    /// Nobody else holds the lock while this is polled: all is on one thread.
    socket: Arc<Mutex<Socket>>,
    /// How long it waits for its client; without a limit while somebody has suspended that.
    limit: Duration,
    suspension: Arc<Suspension>,
    /// Runs while the socket takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// Suspends the limit while a session decides who is slow.
    #[must_use]
    pub fn suspend(&self) -> Suspended {
        self.suspension.is_on.store(true, Ordering::Relaxed);
        Suspended(Arc::clone(&self.suspension))
    }

    /// Returns what the client's machine has acknowledged, where that is known.
    #[must_use]
    pub fn acknowledgements(&self) -> Option<Acknowledgements> {
        lock(&*self.socket.upgrade()?).acknowledgements()
    }
}

impl Suspended {
    /// Lets the writes fail at once: the client is gone.
    pub fn give_up(self) {
        self.0.is_gone.store(true, Ordering::Relaxed);
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        self.0.is_on.store(false, Ordering::Relaxed);
        self.0.waiting.wake();
    }
}

impl Patient {
    /// Returns a socket that waits for its client for so long.
    #[must_use]
    pub fn new(socket: Socket, limit: Duration) -> Self {
        let socket = Arc::new(Mutex::new(socket));
        Self { socket, limit, suspension: Arc::default(), stuck: None }
    }

    /// Returns what the sessions that stream over the socket share with it.
    #[must_use]
    pub fn patience(&self) -> Patience {
        Patience { socket: Arc::downgrade(&self.socket), suspension: Arc::clone(&self.suspension) }
    }

    /// The socket.
    ///
    /// # Panics
    ///
    /// Another thread asks just now what its client has acknowledged.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        let socket = Arc::into_inner(self.socket).expect("a socket and its sessions are on one thread");
        socket.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stuck = None;
            return outcome;
        }
        let suspension = &self.suspension;
        suspension.waiting.register(cx.waker());
        if suspension.is_gone.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if suspension.is_on.load(Ordering::Relaxed) {
            self.stuck = None;
            return outcome;
        }
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        stuck.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.socket)).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut *lock(&this.socket)).poll_write(cx, bytes);
        this.wait(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut *lock(&this.socket)).poll_flush(cx);
        this.wait(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut *lock(&this.socket)).poll_shutdown(cx);
        this.wait(cx, ended)
    }
}

fn lock(socket: &Mutex<Socket>) -> MutexGuard<'_, Socket> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}
