//! A session: one client's connection, from the upgrade to the close.
//!
//! It reads what the client says, hands commands to its shard and messages to the relay, and
//! writes what waits in the client's outbox: all of it in one write. What a client that keeps up
//! takes of a batch is not its matter: the shard's loop writes that. It ends in one place, with the
//! reason for which the connection closes.

mod client;
mod limits;

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::select;
use tokio::task::yield_now;
use tokio::time::{self, Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::auth::{self, Access};
use crate::counters::Limit;
use crate::encoding::Encoding;
use crate::hub::{ConnectionId, LocalShard, Relay, Socket};
use crate::wire::{self, CloseCode, CloseReason, DecodeError, Decoder, Stream};

use client::Client;

pub use limits::{Config, Limits, unless_zero};

/// How many bytes are read from a socket at a time. They lie on the stack of the reading call, not in the session.
const READ_BYTES: usize = 4096;

/// After so many bytes of a client the others of the thread have their turn: its flood is not one turn.
const TURN_BYTES: usize = 2 * READ_BYTES;

/// What a message costs beside its bytes, in bytes.
const MESSAGE_BYTES: usize = 128;

/// What all sessions of a thread share.
#[derive(Debug)]
pub struct Context {
    /// Their shard.
    pub local: Rc<LocalShard>,
    /// The way to clients of other shards.
    pub relay: Arc<Relay>,
    /// How clients are served.
    pub config: Config,
    /// What they may do.
    pub limits: Limits,
    /// The tokens.
    pub auth: auth::Config,
}

/// One client's connection.
#[derive(Debug)]
pub struct Session {
    inbound: Inbound,
    outbound: Outbound,
    client: Client,
}

#[derive(Debug)]
struct Inbound {
    context: Rc<Context>,
    id: ConnectionId,
    /// Puts together what the client sends; a client that can only listen sends nothing.
    decoder: Option<Decoder>,
    /// The message that has come in part, as the shard knows it.
    partial: Option<u64>,
    /// How many bytes have been read since the others had their turn.
    turn: usize,
}

#[derive(Debug)]
struct Outbound {
    local: Rc<LocalShard>,
    id: ConnectionId,
    /// Fires when what is held is due; there is one only while something is held.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// A session over this socket, in this encoding; `read` came with the handshake, `stream` is what the URL asks for,
    /// and `access` what the client may do.
    #[must_use]
    pub fn new(
        encoding: Encoding,
        socket: Socket,
        read: &[u8],
        stream: &Stream,
        access: Access,
        context: Rc<Context>,
    ) -> Self {
        let decoder = (encoding == Encoding::WebSocket).then(|| {
            let mut decoder = Decoder::new(context.limits.inbound());
            decoder.feed(read);
            decoder
        });
        let local = Rc::clone(&context.local);
        let client = Client::new(Rc::clone(&context), encoding, stream, access, socket);
        Self {
            inbound: Inbound { context, id: client.id, decoder, partial: None, turn: 0 },
            outbound: Outbound { local, id: client.id, alarm: None },
            client,
        }
    }

    /// Runs until the client leaves, misbehaves, falls behind, or `stop` fires.
    pub async fn run(&mut self, stop: CancellationToken) -> CloseReason {
        let mut stopped = pin!(stop.cancelled_owned());
        let reason = loop {
            let outcome = select! {
                biased;
                () = &mut stopped => Err(CloseReason::Server(CloseCode::GoingAway, "the server shuts down".into())),
                message = self.inbound.message() => match message {
                    // Boxed, as is the goodbye: their room is not every idle client's to have.
                    Ok(message) => Box::pin(self.client.on_message(message)).await,
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

    /// Says goodbye: what waits goes out, then the close frame, then the end of the stream.
    async fn close(&mut self, reason: &CloseReason) {
        let Some((code, text)) = reason.frame() else { return };
        self.client.context.local.shard.borrow_mut().close(self.client.id, code, text);
        let goodbye = async {
            while self.client.has_bytes() {
                self.outbound.write().await?;
            }
            self.outbound.shut_down().await?;
            // What the client still says is read away: unread bytes would reset the connection and take our words with them.
            loop {
                self.inbound.read().await?;
                self.inbound.forget();
            }
        };
        let ended: Result<Result<(), CloseReason>, _> =
            time::timeout(unless_zero(self.client.context.config.close_timeout), goodbye).await;
        // A client that is gone has been told what there was to tell.
        if ended.is_err() {
            self.client.counters().increment(Limit::CloseTimeout);
        }
    }
}

impl Inbound {
    /// The client's next message, once it may be read.
    ///
    /// Cancel safe: bytes that were read stay in the decoder.
    async fn message(&mut self) -> Result<wire::Inbound, CloseReason> {
        loop {
            self.allowed().await;
            if self.turn >= TURN_BYTES {
                // Not before: what is written meanwhile ends this wait, and is no turn of the others.
                yield_now().await;
                self.turn = 0;
            }
            if let Some(message) = self.decoded()? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    /// Waits until the next message may be read: a seek or a lag may come up while that is waited for.
    ///
    /// What changes it is written to the client, and wakes its session.
    async fn allowed(&self) {
        let may_read = || self.context.local.shard.borrow().may_read(self.id);
        poll_fn(|_| if may_read() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// The next message of what has been read, where it is whole.
    fn decoded(&mut self) -> Result<Option<wire::Inbound>, CloseReason> {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let outcome = decoder.message();
        let partial = decoder.partial();
        let message = outcome.inspect_err(|error| self.count(error))?;
        if message.is_some() {
            self.turn += MESSAGE_BYTES;
            // The time of the next one begins when it is waited for.
            self.note(partial.filter(|_| partial == self.partial));
        } else {
            self.note(partial);
        }
        Ok(message)
    }

    /// Counts the limit that a client is over.
    fn count(&self, error: &DecodeError) {
        let limit = match error {
            DecodeError::TooLong { .. } => Limit::MessageBytes,
            DecodeError::TooManyFragments { .. } => Limit::Fragments,
            DecodeError::Protocol(_) | DecodeError::Utf8 => return,
        };
        self.context.relay.counters().increment(limit);
    }

    /// Drops what has not become a message: nobody asks for it any more.
    fn forget(&mut self) {
        if let Some(decoder) = &mut self.decoder {
            decoder.forget();
        }
    }

    /// Tells the shard which message has come in part.
    fn note(&mut self, partial: Option<u64>) {
        if std::mem::replace(&mut self.partial, partial) != partial {
            self.context.local.shard.borrow_mut().message_begun(self.id, Instant::now(), partial.is_some());
        }
    }

    async fn read(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| {
            let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            let mut sockets = self.context.local.sockets.borrow_mut();
            ready!(sockets.get(self.id).poll_read(cx, &mut buffer)).map_err(CloseReason::Lost)?;
            self.turn += buffer.filled().len();
            if let Some(decoder) = &mut self.decoder {
                decoder.feed(buffer.filled());
            }
            self.context.local.shard.borrow_mut().heard(self.id);
            Poll::Ready(match buffer.filled() {
                [] => Err(CloseReason::Lost(io::ErrorKind::UnexpectedEof.into())),
                _ => Ok(()),
            })
        })
        .await
    }
}

impl Outbound {
    /// Waits until there is something for the client, and writes once what the socket takes of it; completes also
    /// where nothing is left to write before the client is heard again.
    ///
    /// Cancel safe: what was not written stays in the outbox.
    async fn write(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| self.poll_write(cx)).await
    }

    fn poll_write(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut shard = self.local.shard.borrow_mut();
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
                self.local.turn_wanted.notify_one();
            }
            drop(shard);
            // What a socket has taken may have to be pushed on.
            if let Poll::Ready(Err(error)) = self.local.sockets.borrow_mut().get(self.id).poll_flush(cx) {
                return Poll::Ready(Err(CloseReason::Lost(error)));
            }
            return self.poll_alarm(due, cx);
        }
        match self.local.sockets.borrow_mut().get(self.id).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                if shard.written(self.id, count) {
                    self.local.served.notify_one();
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

    /// Ends what the client reads.
    async fn shut_down(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| self.local.sockets.borrow_mut().get(self.id).poll_shutdown(cx))
            .await
            .map_err(CloseReason::Lost)
    }

    /// Completes when what is held is due.
    fn poll_alarm(
        &mut self,
        due: Option<Instant>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Result<(), CloseReason>> {
        let Some(due) = due else {
            self.alarm = None;
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(time::sleep_until(due)));
        if alarm.deadline() != due {
            alarm.as_mut().reset(due);
        }
        alarm.as_mut().poll(cx).map(Ok)
    }
}
