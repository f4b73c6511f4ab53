//! A socket whose writes fail when the client accepts no bytes for too long.
//!
//! The timeout is paused while a session streams over the socket, because the session itself handles a slow
//! client.

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

/// Lets a session that streams over a [`WriteTimeoutSocket`] pause the write timeout. The handle does not
/// keep the socket open.
#[derive(Clone, Debug)]
pub struct WriteTimeoutHandle {
    socket: Weak<Mutex<Socket>>,
    pause: Arc<Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    is_active: AtomicBool,
    /// Whether the session has found that the client is gone.
    is_gone: AtomicBool,
    /// The task that waits until the socket accepts bytes. The end of a pause wakes this task, so that the
    /// task starts the timer of the write timeout.
    waiting: AtomicWaker,
}

/// A pause of the write timeout. Dropping this value ends the pause.
#[derive(Debug)]
pub struct PausedWriteTimeout(Arc<Pause>);

/// A socket whose writes fail when the client accepts no bytes for `limit`.
#[derive(Debug)]
pub struct WriteTimeoutSocket {
    /// The inner socket. The lock of this socket is never contended, because one thread uses the socket and
    /// its handles.
    socket: Arc<Mutex<Socket>>,
    /// How long a write may wait until the client accepts bytes.
    limit: Duration,
    pause: Arc<Pause>,
    /// The timer of the write timeout. The timer runs while the socket accepts no bytes and the timeout is
    /// not paused.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeoutHandle {
    /// Pauses the write timeout until the returned value is dropped.
    #[must_use]
    pub fn pause(&self) -> PausedWriteTimeout {
        self.pause.is_active.store(true, Ordering::Relaxed);
        PausedWriteTimeout(Arc::clone(&self.pause))
    }

    /// Returns the state of the TCP acknowledgements from the client's machine, or `None` if the state is
    /// unknown.
    #[must_use]
    pub fn acknowledgements(&self) -> Option<Acknowledgements> {
        lock(&*self.socket.upgrade()?).acknowledgements()
    }
}

impl PausedWriteTimeout {
    /// Makes pending and later writes fail at once, because the client is gone.
    pub fn fail_writes(self) {
        self.0.is_gone.store(true, Ordering::Relaxed);
    }
}

impl Drop for PausedWriteTimeout {
    fn drop(&mut self) {
        self.0.is_active.store(false, Ordering::Relaxed);
        self.0.waiting.wake();
    }
}

impl WriteTimeoutSocket {
    /// Adds a write timeout of `limit` to a socket.
    #[must_use]
    pub fn new(socket: Socket, limit: Duration) -> Self {
        let socket = Arc::new(Mutex::new(socket));
        Self { socket, limit, pause: Arc::default(), timer: None }
    }

    /// Returns a handle for the sessions that stream over the socket.
    #[must_use]
    pub fn handle(&self) -> WriteTimeoutHandle {
        WriteTimeoutHandle { socket: Arc::downgrade(&self.socket), pause: Arc::clone(&self.pause) }
    }

    /// Returns the socket without the timeout.
    ///
    /// # Panics
    ///
    /// Panics if another thread reads the acknowledgements at the same time.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        let socket = Arc::into_inner(self.socket).expect("a socket and its sessions are on one thread");
        socket.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_timeout<T>(
        &mut self,
        cx: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let pause = &self.pause;
        pause.waiting.register(cx.waker());
        if pause.is_gone.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if pause.is_active.load(Ordering::Relaxed) {
            self.timer = None;
            return outcome;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for WriteTimeoutSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.socket)).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteTimeoutSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut *lock(&this.socket)).poll_write(cx, bytes);
        this.check_timeout(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut *lock(&this.socket)).poll_flush(cx);
        this.check_timeout(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut *lock(&this.socket)).poll_shutdown(cx);
        this.check_timeout(cx, ended)
    }
}

fn lock(socket: &Mutex<Socket>) -> MutexGuard<'_, Socket> {
    socket.lock().unwrap_or_else(PoisonError::into_inner)
}
