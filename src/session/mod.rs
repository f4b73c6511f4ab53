//! A session serves one client's WebSocket or NDJSON stream until the connection closes.
//!
//! The session passes the client's commands to the shard, and the client's messages to the relay. The session
//! also writes the bytes in the client's outbox to the socket. For a client that keeps up, the shard's runner
//! writes events directly to the socket, without the session.

mod config;
mod message_handler;

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::select;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{self, Instant, Sleep};
use tokio_util::sync::CancellationToken;

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
    /// The permissions of each admitted client. An admitted client has shown a token, or needs no token.
    pub admitted: RefCell<HashMap<ConnectionId, Access>>,
}

impl Context {
    /// Closes each client whose permissions are no longer valid, because the tokens have changed.
    pub fn close_revoked(&self) {
        let auth = self.auth.borrow();
        let mut shard = self.runner.shard.borrow_mut();
        let admitted = self.admitted.borrow();
        for (&id, _) in admitted.iter().filter(|(_, access)| !auth.is_current(access)) {
            let reason = "the tokens of the server have changed; connect again with a valid token";
            shard.ask_to_close(id, CloseReason::Server(CloseCode::Policy, reason.into()));
        }
    }
}

/// One client's connection.
#[derive(Debug)]
pub struct Session {
    inbound: Inbound,
    outbound: Outbound,
    handler: MessageHandler,
}

#[derive(Debug)]
struct Inbound {
    context: Rc<Context>,
    id: ConnectionId,
    /// Decodes the client's bytes; `None` for an NDJSON stream, because its client only receives.
    decoder: Option<Decoder>,
    /// The incomplete message that the session has reported to the shard: the message's number from
    /// [`Decoder::partial`], or `None` if the shard knows of no incomplete message.
    partial: Option<u64>,
    /// How many bytes the session has read since it last yielded to other tasks of the thread, plus
    /// `MESSAGE_BYTES` for each message.
    turn: usize,
}

#[derive(Debug)]
struct Outbound {
    runner: Rc<ShardRunner>,
    id: ConnectionId,
    /// The timer for the next flush of conflated events; `None` if no flush is pending.
    flush_timer: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// Starts a session over this socket. `read` contains the client's first bytes, which arrived together
    /// with the handshake. `parameters` are the parsed parameters of the URL.
    #[must_use]
    pub fn new(
        encoding: Encoding,
        socket: Socket,
        read: &[u8],
        parameters: &UrlParameters,
        access: Access,
        context: Rc<Context>,
    ) -> Self {
        let decoder = (encoding == Encoding::WebSocket).then(|| {
            let mut decoder = Decoder::new(context.limits.inbound());
            decoder.feed(read);
            decoder
        });
        let runner = Rc::clone(&context.runner);
        let handler = MessageHandler::new(Rc::clone(&context), encoding, parameters, access, socket);
        Self {
            inbound: Inbound { context, id: handler.id, decoder, partial: None, turn: 0 },
            outbound: Outbound { runner, id: handler.id, flush_timer: None },
            handler,
        }
    }

    /// Runs the session until the client leaves, violates the protocol or reads too slowly, or until `stop`
    /// is cancelled. Returns the close reason.
    pub async fn run(&mut self, stop: CancellationToken) -> CloseReason {
        let mut stopped = pin!(stop.cancelled_owned());
        let reason = loop {
            let outcome = select! {
                biased;
                () = &mut stopped => Err(CloseReason::Server(CloseCode::GoingAway, "the server shuts down".into())),
                message = self.inbound.message() => match message {
                    // This future and the close below are boxed, so that an idle session stays small.
                    Ok(message) => Box::pin(self.handler.on_message(message)).await,
                    Err(reason) => Err(reason),
                },
                written = self.outbound.write() => written,
            };
            if let Err(reason) = outcome {
                break reason;
            }
        };
        Box::pin(self.close(&reason)).await;
        reason
    }

    /// Closes the connection. Writes the pending bytes and the close frame, then shuts down the writing side
    /// of the socket.
    async fn close(&mut self, reason: &CloseReason) {
        let Some((code, text)) = reason.frame() else { return };
        self.handler.context.runner.shard.borrow_mut().close(self.handler.id, code, text);
        let closing = async {
            while self.handler.has_bytes() {
                self.outbound.write().await?;
            }
            self.outbound.shut_down().await?;
            // Incoming bytes are read and dropped. If bytes stayed unread, the operating system would reset
            // the connection. The client might then not get the close frame.
            loop {
                self.inbound.read().await?;
                self.inbound.forget();
            }
        };
        let ended: Result<Result<(), CloseReason>, _> =
            time::timeout(unless_zero(self.handler.context.config.close_timeout), closing).await;
        // The inner result is always an error, because the loop above ends only when the client closes its
        // side or is lost.
        if ended.is_err() {
            self.handler.counters().increment(Limit::CloseTimeout);
        }
    }
}

impl Inbound {
    /// Waits until the shard allows reading, then returns the client's next message.
    ///
    /// Cancel safe: if this future is dropped, the bytes that it has read stay in the decoder.
    async fn message(&mut self) -> Result<wire::Incoming, CloseReason> {
        loop {
            self.allowed().await;
            if self.turn >= TURN_BYTES {
                // The count is reset only after the yield, because a write can cancel this wait before other
                // tasks have run.
                yield_now().await;
                self.turn = 0;
            }
            if let Some(message) = self.decoded()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Waits until the shard allows the session to read.
    ///
    /// The returned future registers no waker. Reading is allowed again only after a write to the client, and
    /// that write wakes the session.
    async fn allowed(&self) {
        let may_read = || self.context.runner.shard.borrow().may_read(self.id);
        poll_fn(|_| if may_read() { Poll::Ready(()) } else { Poll::Pending }).await;
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
        self.context.relay.counters().increment(limit);
    }

    /// Drops the bytes of incomplete messages.
    fn forget(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.forget();
        }
    }

    /// Tells the shard whether a message is incomplete, because the shard enforces the message timeout.
    fn note(&mut self, partial: Option<u64>) {
        if std::mem::replace(&mut self.partial, partial) != partial {
            self.context.runner.shard.borrow_mut().set_message_partial(
                self.id,
                Instant::now(),
                partial.is_some(),
            );
        }
    }

    async fn read(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| {
            let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            let mut sockets = self.context.runner.sockets.borrow_mut();
            ready!(sockets.get(self.id).poll_read(cx, &mut buffer)).map_err(CloseReason::Lost)?;
            self.turn += buffer.filled().len();
            if let Some(decoder) = &mut self.decoder {
                decoder.feed(buffer.filled());
            }
            self.context.runner.shard.borrow_mut().heard(self.id);
            Poll::Ready(match buffer.filled() {
                [] => Err(CloseReason::Lost(io::ErrorKind::UnexpectedEof.into())),
                _ => Ok(()),
            })
        })
        .await
    }
}

impl Outbound {
    /// Waits for pending bytes, and writes as many bytes as the socket accepts. Returns without a write when
    /// the session may read the client's messages again.
    ///
    /// Cancel safe: if this future is dropped, the unwritten bytes stay in the outbox.
    async fn write(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| self.poll_write(cx)).await
    }

    fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut shard = self.runner.shard.borrow_mut();
        shard.set_waker(self.id, cx.waker());
        if let Some(reason) = shard.take_closing(self.id) {
            return Poll::Ready(Err(reason));
        }
        let now = Instant::now();
        let may_read = shard.may_read(self.id);
        let bytes = shard.outgoing(self.id, now);
        if bytes.is_empty() {
            if let Some(reason) = shard.take_closing(self.id) {
                return Poll::Ready(Err(reason));
            }
            if shard.may_read(self.id) != may_read {
                return Poll::Ready(Ok(()));
            }
            let due = shard.due(self.id, now);
            if shard.is_turn_wanted() {
                self.runner.turn_wanted.notify_one();
            }
            drop(shard);
            // A flush is needed, because a TLS socket may buffer bytes that it has accepted.
            if let Poll::Ready(Err(error)) = self.runner.sockets.borrow_mut().get(self.id).poll_flush(cx) {
                return Poll::Ready(Err(CloseReason::Lost(error)));
            }
            return self.poll_flush_timer(due, cx);
        }
        match self.runner.sockets.borrow_mut().get(self.id).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                if shard.written(self.id, count) {
                    self.runner.served.notify_one();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(CloseReason::Lost(error))),
            Poll::Pending => {
                shard.block(self.id);
                Poll::Pending
            }
        }
    }

    /// Shuts down the writing side of the socket.
    async fn shut_down(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| self.runner.sockets.borrow_mut().get(self.id).poll_shutdown(cx))
            .await
            .map_err(CloseReason::Lost)
    }

    /// Returns `Ready` when the next flush of conflated events is due.
    fn poll_flush_timer(
        &mut self,
        due: Option<Instant>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<(), CloseReason>> {
        let Some(due) = due else {
            self.flush_timer = None;
            return Poll::Pending;
        };
        let flush_timer = self.flush_timer.get_or_insert_with(|| Box::pin(time::sleep_until(due)));
        if flush_timer.deadline() != due {
            flush_timer.as_mut().reset(due);
        }
        flush_timer.as_mut().poll(cx).map(Ok)
    }
}
