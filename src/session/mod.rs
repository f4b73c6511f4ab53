//! A session serves one client's WebSocket or NDJSON stream until the connection closes.
//!
//! The session passes the client's commands to the shard, and the client's messages to the relay. The session
//! also writes the bytes in the client's outbox to the socket. For a client that keeps up, the shard's runner
//! writes events directly to the socket, without the session.

mod config;
mod message_handler;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{self, Instant, Sleep};

use crate::auth::{self, Access};
use crate::counters::Limit;
use crate::encoding::Encoding;
use crate::hub::{ConnectionId, Relay, ShardRunner, Socket};
use crate::wire::{self, CloseCode, CloseReason, DecodeError, Decoder, UrlParameters};

use message_handler::MessageHandler;

pub use config::{Config, Limits, unless_zero};

/// The maximum number of bytes that one read from a socket returns. The read buffer is on the stack, so that
/// an idle session uses little memory.
const READ_BYTES: usize = 4096;

/// After this many bytes from one client, the session yields to the thread's other tasks. Otherwise a client
/// that sends fast would block the other tasks.
const TURN_BYTES: usize = 2 * READ_BYTES;

/// The fixed cost of handling a message, expressed in bytes. Each message adds this cost to `Inbound::turn`.
const MESSAGE_BYTES: usize = 128;

/// The state that all sessions of a thread share.
#[derive(Debug)]
pub struct Context {
    /// The runner of the thread's shard.
    pub runner: Rc<ShardRunner>,
    /// Relays messages to the clients of all shards.
    pub relay: Arc<Relay>,
    /// The settings of the sessions.
    pub config: Config,
    /// The limits of the clients.
    pub limits: Limits,
    /// The configured tokens, which may change while the server runs.
    pub auth: watch::Receiver<auth::Config>,
    /// The permissions of each client, indexed by connection number. A number without a client counts as
    /// unauthenticated.
    permissions: RefCell<Vec<Access>>,
    /// Whether all sessions must close, because the server shuts down.
    is_stopping: Cell<bool>,
}

impl Context {
    /// Returns the state of a thread that has no sessions yet.
    #[must_use]
    pub fn new(
        runner: Rc<ShardRunner>,
        relay: Arc<Relay>,
        config: Config,
        limits: Limits,
        auth: watch::Receiver<auth::Config>,
    ) -> Self {
        let (permissions, is_stopping) = (RefCell::default(), Cell::new(false));
        Self { runner, relay, config, limits, auth, permissions, is_stopping }
    }

    /// Closes each client whose permissions are no longer valid, because the tokens have changed.
    pub fn close_revoked(&self) {
        let auth = self.auth.borrow();
        let mut shard = self.runner.shard.borrow_mut();
        for (id, _) in
            self.permissions.borrow().iter().enumerate().filter(|(_, access)| !auth.is_current(access))
        {
            let reason = "the tokens of the server have changed; connect again with a valid token";
            shard.ask_to_close(id, CloseReason::Server(CloseCode::Policy, reason.into()));
        }
    }

    /// Closes all sessions, and each session that starts later, because the server shuts down.
    pub fn stop(&self) {
        self.is_stopping.set(true);
        self.runner.shard.borrow_mut().wake_all();
    }

    /// Returns the permissions of a client.
    fn access(&self, id: ConnectionId) -> Access {
        self.permissions.borrow().get(id).cloned().unwrap_or(Access::Unauthenticated)
    }

    /// Sets the permissions of a client; returns its former permissions.
    fn set_access(&self, id: ConnectionId, access: Access) -> Access {
        let mut permissions = self.permissions.borrow_mut();
        if permissions.len() <= id {
            permissions.resize(id + 1, Access::Unauthenticated);
        }
        std::mem::replace(&mut permissions[id], access)
    }
}

/// What a request asks for when it begins a session.
#[derive(Clone, Debug)]
pub struct Start {
    /// The encoding of what the client gets.
    pub encoding: Encoding,
    /// The parameters of the URL.
    pub parameters: UrlParameters,
    /// The client's permissions.
    pub access: Access,
}

/// One client's connection.
///
/// An idle session must be small. So what only an active client needs is boxed. The session waits in functions
/// that poll, because such functions need no state of their own.
#[derive(Debug)]
pub struct Session {
    handler: MessageHandler,
    /// Decodes the client's bytes; `None` for a stream, because its client only receives.
    decoder: Option<Decoder>,
    /// Whether the client of a stream has closed its sending half. The stream goes on until a write fails.
    is_half_closed: bool,
    /// The incomplete message that the session has reported to the shard: the message's number from
    /// [`Decoder::partial`], or `None` if the shard knows of no incomplete message.
    partial: Option<u64>,
    /// How many bytes the session has read since it last yielded to other tasks of the thread, plus
    /// `MESSAGE_BYTES` for each message.
    turn: usize,
    /// Whether the session has yielded, and has not continued since.
    has_yielded: bool,
    /// The timer for the next flush of conflated events; `None` if no flush is pending.
    flush_timer: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// Starts a session over this socket. The session first writes `head`, the head of the response that begins
    /// the session. `read` contains the client's first bytes, which arrived together with the request.
    #[must_use]
    pub fn new(start: Start, socket: Socket, head: &[u8], read: &[u8], context: Rc<Context>) -> Self {
        let decoder = (start.encoding == Encoding::WebSocket).then(|| {
            let mut decoder = Decoder::new(context.limits.inbound());
            decoder.feed(read);
            decoder
        });
        let handler = MessageHandler::new(context, start, head, socket);
        Self {
            handler,
            decoder,
            is_half_closed: false,
            partial: None,
            turn: 0,
            has_yielded: false,
            flush_timer: None,
        }
    }

    /// Runs the session until the client leaves, violates the protocol or reads too slowly, or until the
    /// server closes the connection. Returns the close reason.
    pub async fn run(&mut self) -> CloseReason {
        let reason = loop {
            let outcome = match poll_fn(|cx| self.poll_next(cx)).await {
                Ok(message) => Box::pin(self.handler.on_message(message)).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = outcome {
                break reason;
            }
        };
        Box::pin(self.close(reason)).await
    }

    /// Returns the client's next message. Until the message has arrived, writes what is pending for the
    /// client.
    fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<wire::Incoming, CloseReason>> {
        loop {
            if self.context().is_stopping.get() {
                let reason = CloseReason::Server(CloseCode::GoingAway, "the server shuts down".into());
                return Poll::Ready(Err(reason));
            }
            if let Poll::Ready(message) = self.poll_message(cx) {
                return Poll::Ready(message);
            }
            ready!(self.poll_write(cx))?;
            // The other tasks of the thread have not run since the session last yielded.
            self.has_yielded = false;
        }
    }

    /// Closes the connection. Writes the pending bytes and the close frame, then shuts down the writing side
    /// of the socket. Returns `reason`.
    async fn close(&mut self, reason: CloseReason) -> CloseReason {
        let Some((code, text)) = reason.frame() else { return reason };
        self.context().runner.shard.borrow_mut().close(self.handler.id, code, text);
        let timeout = unless_zero(self.context().config.close_timeout);
        let closing = async {
            while self.handler.has_bytes() {
                poll_fn(|cx| self.poll_write(cx)).await?;
            }
            poll_fn(|cx| self.poll_shut_down(cx)).await?;
            // Incoming bytes are read and dropped. If bytes stayed unread, the operating system would reset
            // the connection. The client might then not get the close frame.
            while poll_fn(|cx| self.poll_last_read(cx)).await? > 0 {
                self.decoder.iter_mut().for_each(Decoder::forget);
            }
            Ok::<(), CloseReason>(())
        };
        // The inner result says only whether the client has closed its side or is lost.
        if time::timeout(timeout, closing).await.is_err() {
            self.handler.counters().increment(Limit::CloseTimeout);
        }
        reason
    }

    /// Waits until the shard allows reading, then returns the client's next message.
    ///
    /// While reading is not allowed, no waker is registered. Reading is allowed again only after a write to
    /// the client, and that write wakes the session.
    fn poll_message(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<wire::Incoming, CloseReason>> {
        loop {
            if self.is_half_closed || !self.context().runner.shard.borrow().may_read(self.handler.id) {
                return Poll::Pending;
            }
            if self.turn >= TURN_BYTES {
                if !self.has_yielded {
                    self.has_yielded = true;
                    // Tokio wakes the session again after the other tasks have run.
                    let _ = pin!(yield_now()).poll(cx);
                    return Poll::Pending;
                }
                self.has_yielded = false;
                self.turn = 0;
            }
            if let Some(message) = self.decoded()? {
                return Poll::Ready(Ok(message));
            }
            if ready!(self.poll_read(cx))? == 0 {
                if self.decoder.is_some() {
                    return Poll::Ready(Err(CloseReason::Lost(io::ErrorKind::UnexpectedEof.into())));
                }
                self.is_half_closed = true;
            }
        }
    }

    /// Returns the next message, if the bytes that have been read contain a complete message.
    fn decoded(&mut self) -> Result<Option<wire::Incoming>, CloseReason> {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let outcome = decoder.message();
        let partial = decoder.partial();
        let message = outcome.inspect_err(|error| self.count(error))?;
        if message.is_some() {
            self.turn += MESSAGE_BYTES;
            // If the next message has begun, its time limit starts when the session waits for its remaining
            // bytes.
            self.note(partial.filter(|_| partial == self.partial));
        } else {
            self.note(partial);
        }
        Ok(message)
    }

    /// If the error means that a limit was exceeded, increments the counter of that limit.
    fn count(&self, error: &DecodeError) {
        let limit = match error {
            DecodeError::TooLong { .. } => Limit::MessageBytes,
            DecodeError::TooManyFragments { .. } => Limit::Fragments,
            DecodeError::Protocol(_) | DecodeError::Utf8 => return,
        };
        self.handler.counters().increment(limit);
    }

    /// Tells the shard whether a message is incomplete, because the shard enforces the message timeout.
    fn note(&mut self, partial: Option<u64>) {
        if std::mem::replace(&mut self.partial, partial) != partial {
            let mut shard = self.handler.context.runner.shard.borrow_mut();
            shard.set_message_partial(self.handler.id, Instant::now(), partial.is_some());
        }
    }

    /// Reads once from the socket, and passes the bytes to the decoder. Returns the number of bytes, which is 0
    /// if the client has closed its sending half.
    fn poll_read(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<usize, CloseReason>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        let ShardRunner { shard, sockets, .. } = &*self.handler.context.runner;
        ready!(sockets.borrow_mut().get(self.handler.id).poll_read(cx, &mut buffer))
            .map_err(CloseReason::Lost)?;
        self.turn += buffer.filled().len();
        if let Some(decoder) = &mut self.decoder {
            decoder.feed(buffer.filled());
        }
        shard.borrow_mut().heard(self.handler.id);
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Waits for pending bytes, and writes as many bytes as the socket accepts. Also returns when the session
    /// may read the client's messages again.
    fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), CloseReason>> {
        let (runner, id) = (&self.handler.context.runner, self.handler.id);
        let mut shard = runner.shard.borrow_mut();
        shard.set_waker(id, cx.waker());
        if let Some(reason) = shard.take_closing(id) {
            return Poll::Ready(Err(reason));
        }
        let now = Instant::now();
        let may_read = shard.may_read(id);
        let bytes = shard.outgoing(id, now);
        if bytes.is_empty() {
            if let Some(reason) = shard.take_closing(id) {
                return Poll::Ready(Err(reason));
            }
            if shard.may_read(id) != may_read {
                return Poll::Ready(Ok(()));
            }
            let due = shard.due(id, now);
            if shard.is_turn_wanted() {
                runner.turn_wanted.notify_one();
            }
            drop(shard);
            // A flush is needed, because a TLS socket may buffer bytes that it has accepted.
            if let Poll::Ready(Err(error)) = runner.sockets.borrow_mut().get(id).poll_flush(cx) {
                return Poll::Ready(Err(CloseReason::Lost(error)));
            }
            return poll_flush_timer(&mut self.flush_timer, due, cx);
        }
        match runner.sockets.borrow_mut().get(id).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                if shard.written(id, count) {
                    runner.served.notify_one();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(CloseReason::Lost(error))),
            Poll::Pending => {
                shard.block(id);
                Poll::Pending
            }
        }
    }

    /// Reads what is left to read before the socket is closed. Returns the number of bytes, which is 0 if the
    /// session need not wait for more.
    fn poll_last_read(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<usize, CloseReason>> {
        match self.poll_read(cx) {
            // The client of a stream sends nothing, so it need not close first.
            Poll::Pending if self.decoder.is_none() => Poll::Ready(Ok(0)),
            read => read,
        }
    }

    /// Shuts down the writing side of the socket.
    fn poll_shut_down(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut sockets = self.context().runner.sockets.borrow_mut();
        sockets.get(self.handler.id).poll_shutdown(cx).map_err(CloseReason::Lost)
    }

    fn context(&self) -> &Context {
        &self.handler.context
    }
}

/// Returns `Ready` when the next flush of conflated events is due.
fn poll_flush_timer(
    flush_timer: &mut Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
    cx: &mut task::Context<'_>,
) -> Poll<Result<(), CloseReason>> {
    let Some(due) = due else {
        *flush_timer = None;
        return Poll::Pending;
    };
    let timer = flush_timer.get_or_insert_with(|| Box::pin(time::sleep_until(due)));
    if timer.deadline() != due {
        timer.as_mut().reset(due);
    }
    timer.as_mut().poll(cx).map(Ok)
}
