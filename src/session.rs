//! A session: one client's connection, from the upgrade to the close.
//!
//! It reads what the client says, hands commands to its shard and messages to the relay, and
//! writes what waits in the client's outbox: all of it in one write. What a client that keeps up
//! takes of a batch is not its matter: the shard's loop writes that. It ends in one place, with the
//! reason for which the connection closes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::select;
use tokio::time::{self, Instant, Sleep};
use tokio_util::sync::CancellationToken;

use crate::auth::{self, Access};
use crate::hub::{ConnectionId, Deadlines, Limiter, Relay, Seat, Socket, limiter};
use crate::market::Time;
use crate::tally::{Limit, Tally};
use crate::wire::{
    self, CloseCode, CloseReason, Command, Decoder, ErrorCode, InboundLimits, Message, Refusal, Reply,
    Request, RequestId, Spoken, Stream, Token,
};

/// How many bytes are read from a socket at a time. They lie on the stack of the reading call, not in the session.
const READ_BYTES: usize = 4096;

/// How a client is served (`[session]` in config.toml).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Time between heartbeats; one goes with an update up to an eighth of it early, where there is one.
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    /// Bytes of events and relayed messages that may wait for one client: an `every` client past them is closed with 4008,
    /// and so is any client that leaves so much of what its peers say.
    pub every_buffer: usize,
    /// How long a close may take; 0 for as long as it takes.
    #[serde(with = "humantime_serde")]
    pub close_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(5),
            every_buffer: 1024 * 1024,
            close_timeout: Duration::from_secs(2),
        }
    }
}

/// What clients may do (`[limits]` in config.toml); 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections to the server; one more is answered 503.
    pub connections: usize,
    /// Connections of one address (of an IPv6 network of 64 bits); one more is answered 429.
    pub per_address: usize,
    /// New connections a second of one address; one more is answered 429.
    pub new_per_second: u32,
    /// New connections that it may begin at once.
    pub new_burst: NonZeroU32,
    /// Whether the limits by address count loopback addresses as well.
    pub loopback: bool,
    /// The longest message that is read, in bytes; a longer one closes with 1009.
    pub message_bytes: usize,
    /// In how many frames a message may come, empty ones counted; one more closes with 1008.
    pub fragments: usize,
    /// Within what time a message that begins is to be whole; one that takes longer closes with 1008.
    #[serde(with = "humantime_serde")]
    pub message_timeout: Duration,
    /// Control frames a second of one connection; one more closes with 1008.
    pub control_rate: u32,
    /// Control frames that it may send at once.
    pub control_burst: NonZeroU32,
    /// Symbols of one connection; `*` counts as one.
    pub symbols: usize,
    /// Commands a second of one connection; one more is answered `rate_limited`.
    pub command_rate: u32,
    /// Commands that it may send at once.
    pub command_burst: NonZeroU32,
    /// Time between pings.
    #[serde(with = "humantime_serde")]
    pub ping_interval: Duration,
    /// A client is gone when for so long after a ping no byte came from it and its socket took no update.
    #[serde(with = "humantime_serde")]
    pub ping_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let nonzero = |n| NonZeroU32::new(n).expect("the defaults are not zero");
        Self {
            connections: 10_000,
            per_address: 256,
            new_per_second: 50,
            new_burst: nonzero(256),
            loopback: false,
            message_bytes: 64 * 1024,
            fragments: 64,
            message_timeout: Duration::from_secs(10),
            control_rate: 10,
            control_burst: nonzero(50),
            symbols: 1000,
            command_rate: 20,
            command_burst: nonzero(100),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// What a connection has to do in time, beside showing a token within `auth`.
    #[must_use]
    pub fn deadlines(&self, auth: Duration) -> Deadlines {
        Deadlines {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            message: self.message_timeout,
            auth,
        }
    }

    /// How long a client may be pinged in vain until it is gone; zero where it never is.
    #[must_use]
    pub fn silence(&self) -> Duration {
        let is_off = self.ping_interval.is_zero() || self.ping_timeout.is_zero();
        if is_off { Duration::ZERO } else { self.ping_interval + self.ping_timeout }
    }

    fn inbound(&self) -> InboundLimits {
        InboundLimits { message_bytes: self.message_bytes, fragments: self.fragments }
    }
}

/// What all sessions of a thread share.
#[derive(Debug)]
pub struct Host {
    /// Their shard.
    pub seat: Rc<Seat>,
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
    seat: Rc<Seat>,
    id: ConnectionId,
    decoder: Decoder,
    /// The message that has come in part, as the shard knows it.
    partial: Option<u64>,
}

#[derive(Debug)]
struct Outbound {
    seat: Rc<Seat>,
    id: ConnectionId,
    /// Fires when what is held is due; there is one only while something is held.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// The client's place in the shard, and its limits. Dropped, the shard forgets it.
#[derive(Debug)]
struct Client {
    host: Rc<Host>,
    id: ConnectionId,
    name: SmolStr,
    access: Access,
    /// What the URL asks for, until a token has been shown.
    asked: Option<Box<Command>>,
    controls: Option<Limiter>,
    commands: Option<Limiter>,
    messages: Option<Limiter>,
}

impl Session {
    /// A session over an upgraded socket; `read` came with the handshake, `stream` is what its URL asks for, and `access`
    /// what the client may do.
    #[must_use]
    pub fn new(socket: Socket, read: &[u8], stream: &Stream, access: Access, host: Rc<Host>) -> Self {
        let mut decoder = Decoder::new(host.limits.inbound());
        decoder.feed(read);
        let seat = Rc::clone(&host.seat);
        let client = Client::new(host, stream, access, socket);
        Self {
            inbound: Inbound { seat: Rc::clone(&seat), id: client.id, decoder, partial: None },
            outbound: Outbound { seat, id: client.id, alarm: None },
            client,
        }
    }

    /// Runs until the client leaves, misbehaves, falls behind, or `stop` fires.
    pub async fn run(&mut self, stop: CancellationToken) -> CloseReason {
        let mut stopped = pin!(stop.cancelled_owned());
        let reason = loop {
            let may_read = self.client.may_read();
            let outcome = select! {
                biased;
                () = &mut stopped => Err(CloseReason::Server(CloseCode::GoingAway, "the server shuts down".into())),
                message = self.inbound.message(), if may_read => match message {
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
        match &reason {
            CloseReason::Over(limit, _) => self.client.tally().struck(*limit),
            // The kernel has given up on the client's machine.
            CloseReason::Lost(error) if error.kind() == io::ErrorKind::TimedOut => {
                self.client.tally().struck(Limit::PingTimeout);
            }
            _ => {}
        }
        Box::pin(self.close(&reason)).await;
        reason
    }

    /// Says goodbye: what waits goes out, then the close frame, then the end of the stream.
    async fn close(&mut self, reason: &CloseReason) {
        let Some((code, text)) = reason.frame() else { return };
        self.client.host.seat.shard.borrow_mut().close(self.client.id, code, text);
        let goodbye = async {
            while self.client.has_bytes() {
                self.outbound.write().await?;
            }
            self.outbound.shut_down().await?;
            // What the client still says is read away: unread bytes would reset the connection and take our words with them.
            loop {
                self.inbound.read().await?;
                self.inbound.decoder.forget();
            }
        };
        let ended: Result<Result<(), CloseReason>, _> =
            time::timeout(unless_zero(self.client.host.config.close_timeout), goodbye).await;
        // A client that is gone has been told what there was to tell.
        if ended.is_err() {
            self.client.tally().struck(Limit::CloseTimeout);
        }
    }
}

/// A time limit, which zero switches off.
#[must_use]
pub const fn unless_zero(limit: Duration) -> Duration {
    if limit.is_zero() { Duration::MAX } else { limit }
}

impl Inbound {
    /// The client's next message.
    ///
    /// Cancel safe: bytes that were read stay in the decoder.
    async fn message(&mut self) -> Result<Message, CloseReason> {
        loop {
            let message = self.decoder.message()?;
            let partial = self.decoder.partial();
            if let Some(message) = message {
                // The time of the next one begins when it is waited for.
                self.note(partial.filter(|_| partial == self.partial));
                return Ok(message);
            }
            self.note(partial);
            self.read().await?;
        }
    }

    /// Tells the shard which message has come in part.
    fn note(&mut self, partial: Option<u64>) {
        if std::mem::replace(&mut self.partial, partial) != partial {
            self.seat.shard.borrow_mut().message_begun(self.id, Instant::now(), partial.is_some());
        }
    }

    async fn read(&mut self) -> Result<(), CloseReason> {
        poll_fn(|cx| {
            let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut bytes);
            let mut sockets = self.seat.sockets.borrow_mut();
            ready!(sockets.get(self.id).poll_read(cx, &mut buffer)).map_err(CloseReason::Lost)?;
            self.decoder.feed(buffer.filled());
            self.seat.shard.borrow_mut().heard(self.id);
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

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut shard = self.seat.shard.borrow_mut();
        shard.park(self.id, cx.waker());
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
            drop(shard);
            // What a socket has taken may have to be pushed on.
            if let Poll::Ready(Err(error)) = self.seat.sockets.borrow_mut().get(self.id).poll_flush(cx) {
                return Poll::Ready(Err(CloseReason::Lost(error)));
            }
            return self.poll_alarm(due, cx);
        }
        match self.seat.sockets.borrow_mut().get(self.id).poll_write(cx, bytes) {
            Poll::Ready(Ok(count)) => {
                if shard.written(self.id, count) {
                    self.seat.served.notify_one();
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
        poll_fn(|cx| self.seat.sockets.borrow_mut().get(self.id).poll_shutdown(cx))
            .await
            .map_err(CloseReason::Lost)
    }

    /// Completes when what is held is due.
    fn poll_alarm(&mut self, due: Option<Instant>, cx: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
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

impl Client {
    fn new(host: Rc<Host>, stream: &Stream, access: Access, socket: Socket) -> Self {
        let name = host.relay.join();
        let mut shard = host.seat.shard.borrow_mut();
        let id = shard.connect(Instant::now());
        host.seat.sockets.borrow_mut().insert(id, socket);
        shard.begin(id, stream.delivery, stream.interval);
        if access.is_locked() {
            shard.lock(id, Instant::now(), true);
        }
        drop(shard);
        let controls = limiter(host.limits.control_rate, host.limits.control_burst);
        let commands = limiter(host.limits.command_rate, host.limits.command_burst);
        let messages = limiter(host.relay.config().rate, host.relay.config().burst);
        let asked = stream.subscribe.clone().map(Box::new);
        let mut client = Self { host, id, name, access, asked, controls, commands, messages };
        client.begin();
        client
    }

    /// Does what the URL asks for, once that may be done.
    fn begin(&mut self) {
        if self.access.is_locked() {
            return;
        }
        if let Some(command) = self.asked.take() {
            self.obey(&Request { id: None, command: *command });
        }
    }

    /// Does what the client asks for, where it may.
    fn obey(&mut self, request: &Request) {
        let Request { id, command } = request;
        let checked = match command {
            Command::Auth { token } => self.authenticate(id.as_ref(), token),
            command => self.access.check(command),
        };
        match checked {
            Ok(()) => self.host.seat.shard.borrow_mut().handle(self.id, request, Time::now()),
            Err(refusal) => self.refuse(id.as_ref(), refusal),
        }
    }

    fn authenticate(&mut self, id: Option<&RequestId>, token: &Token) -> Result<(), Refusal> {
        if let Access::Granted(grant) = &self.access {
            let message = format!("this connection has shown the token of {}; open another one", grant.name);
            return Err(Refusal::new(ErrorCode::BadCommand, message));
        }
        self.access = self.host.auth.access(Some(token))?;
        let mut shard = self.host.seat.shard.borrow_mut();
        shard.lock(self.id, Instant::now(), false);
        if let Access::Granted(grant) = &self.access {
            shard.say(self.id, &Reply::authenticated(id, &grant.name));
        }
        drop(shard);
        self.begin();
        Ok(())
    }

    fn may_read(&self) -> bool {
        self.host.seat.shard.borrow().may_read(self.id)
    }

    fn has_bytes(&self) -> bool {
        self.host.seat.shard.borrow().has_bytes(self.id)
    }

    fn tally(&self) -> &Tally {
        self.host.relay.tally()
    }

    async fn on_message(&mut self, message: Message) -> Result<(), CloseReason> {
        let is_control = match &message {
            Message::Ping(_) => true,
            // As many pongs as it was sent pings are no more than its duty.
            Message::Pong => !self.host.seat.shard.borrow_mut().ponged(self.id),
            _ => false,
        };
        if is_control && is_over(self.controls.as_ref()) {
            let rate = self.host.limits.control_rate;
            let reason = format!("at most {rate} control frames a second");
            return Err(CloseReason::Over(Limit::ControlRate, reason.into()));
        }
        match message {
            Message::Text(text) => match wire::understand(&text) {
                Spoken::Message => self.relay(Message::Text(text)).await,
                Spoken::Command(Request { id, .. }) | Spoken::Refused(id, _)
                    if is_over(self.commands.as_ref()) =>
                {
                    self.tally().struck(Limit::CommandRate);
                    self.refuse(id.as_ref(), self.too_many_commands());
                }
                Spoken::Command(request) => self.obey(&request),
                Spoken::Refused(id, refusal) => self.refuse(id.as_ref(), refusal),
            },
            Message::Binary(_) => self.relay(message).await,
            Message::Ping(payload) => {
                self.host.seat.shard.borrow_mut().push(self.id, |out| wire::pong(out, &payload));
            }
            Message::Pong => {}
            Message::Close(code) => return Err(CloseReason::Client(code)),
        }
        Ok(())
    }

    fn too_many_commands(&self) -> Refusal {
        let rate = self.host.limits.command_rate;
        Refusal::new(
            ErrorCode::RateLimited,
            format_args!("at most {rate} commands a second; this one was not carried out"),
        )
    }

    async fn relay(&self, message: Message) {
        let checked = self.access.check_relay().and_then(|()| self.host.relay.check(&message));
        let sent = match checked.and_then(|()| self.check_message_rate()) {
            Ok(()) => self.host.relay.send(&self.name, message).await,
            refused => refused,
        };
        if let Err(refusal) = sent {
            self.refuse(None, refusal);
        }
    }

    fn check_message_rate(&self) -> Result<(), Refusal> {
        if !is_over(self.messages.as_ref()) {
            return Ok(());
        }
        self.tally().struck(Limit::RelayRate);
        let rate = self.host.relay.config().rate;
        let message = format!("at most {rate} messages a second are relayed; this one was not");
        Err(Refusal::new(ErrorCode::RateLimited, message))
    }

    fn refuse(&self, id: Option<&RequestId>, refusal: Refusal) {
        self.host.seat.shard.borrow_mut().refuse(self.id, id, refusal);
    }
}

fn is_over(limit: Option<&Limiter>) -> bool {
    limit.is_some_and(|limit| limit.check().is_err())
}

impl Drop for Client {
    fn drop(&mut self) {
        self.host.seat.shard.borrow_mut().disconnect(self.id);
        self.host.seat.sockets.borrow_mut().remove(self.id);
        self.host.seat.served.notify_one();
        self.host.relay.leave();
    }
}
