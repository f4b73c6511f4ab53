//! The clients' sockets, as far as the hub writes to them.
//!
//! A session owns its socket and reads from it. What a batch brings goes straight to the socket, on
//! the same thread, without waking the session: it is woken for what its socket did not take.

use std::cell::RefCell;
use std::fmt::Debug;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::io::AsyncWrite;

use super::subscriptions::ConnectionId;

/// What a session's socket has to be.
pub trait Write: AsyncWrite + Unpin + Debug {}

impl<S: AsyncWrite + Unpin + Debug> Write for S {}

/// A socket that is its session's and the hub's.
pub type Socket = Rc<RefCell<dyn Write>>;

/// The sockets of one thread, by the numbers of their connections.
#[derive(Debug, Default)]
pub struct Sockets(Vec<Option<Socket>>);

impl Sockets {
    /// Adds a connection's socket.
    pub fn insert(&mut self, id: ConnectionId, socket: Socket) {
        if self.0.len() <= id {
            self.0.resize(id + 1, None);
        }
        self.0[id] = Some(socket);
    }

    /// Forgets a connection's socket.
    pub fn remove(&mut self, id: ConnectionId) {
        self.0[id] = None;
    }

    /// Writes once and returns how many bytes the socket took; a failure shows when the session tries again.
    #[must_use]
    pub fn write(&self, id: ConnectionId, bytes: &[u8]) -> usize {
        let Some(socket) = &self.0[id] else { return 0 };
        let mut nobody = Context::from_waker(Waker::noop());
        match Pin::new(&mut *socket.borrow_mut()).poll_write(&mut nobody, bytes) {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        }
    }
}
