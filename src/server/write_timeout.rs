//! A socket whose writes fail when the client accepts no bytes for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::hub::Socket;

/// A socket whose writes fail when the client accepts no bytes for `limit`.
#[derive(Debug)]
pub struct WriteTimeoutSocket {
    socket: Socket,
    /// How long a write may wait until the client accepts bytes.
    limit: Duration,
    /// The timer of the write timeout. The timer runs while the client accepts no bytes.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeoutSocket {
    /// Adds a write timeout of `limit` to a socket.
    #[must_use]
    pub fn new(socket: Socket, limit: Duration) -> Self {
        Self { socket, limit, timer: None }
    }

    /// Returns the socket without the timeout.
    #[must_use]
    pub fn into_inner(self) -> Socket {
        self.socket
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
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WriteTimeoutSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.check_timeout(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.socket).poll_flush(cx);
        this.check_timeout(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.socket).poll_shutdown(cx);
        this.check_timeout(cx, ended)
    }
}
