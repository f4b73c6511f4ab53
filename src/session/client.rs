//! What becomes of what a client says: it is checked against what the client may do, and goes to its shard or to its peers.

use std::num::NonZeroU32;
use std::rc::Rc;

use smol_str::SmolStr;
use tokio::time::Instant;

use super::Host;
use crate::auth::Access;
use crate::hub::{ConnectionId, Limiter, Socket, limiter};
use crate::market::Time;
use crate::tally::{Limit, Tally};
use crate::wire::{
    self, CloseReason, Command, ErrorCode, Message, Refusal, Reply, Request, RequestId, Spoken, Stream, Token,
};

/// A command counts once more for each so many symbols that it names: they are its work.
const SYMBOLS_A_COMMAND: usize = 100;

/// The client's place in the shard, and its limits. Dropped, the shard forgets it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) host: Rc<Host>,
    pub(super) id: ConnectionId,
    name: SmolStr,
    access: Access,
    /// What the URL asks for, until a token has been shown.
    asked: Option<Box<Command>>,
    controls: Option<Limiter>,
    commands: Option<Limiter>,
    messages: Option<Limiter>,
}

impl Client {
    pub(super) fn new(host: Rc<Host>, stream: &Stream, access: Access, socket: Socket) -> Self {
        let name = host.relay.name();
        let mut shard = host.seat.shard.borrow_mut();
        let id = shard.connect(Instant::now());
        host.seat.sockets.borrow_mut().insert(id, socket);
        shard.begin(id, stream.delivery, stream.interval);
        if access.is_locked() {
            shard.lock(id, Instant::now(), true);
        } else {
            host.relay.join();
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
        self.host.relay.join();
        let mut shard = self.host.seat.shard.borrow_mut();
        shard.lock(self.id, Instant::now(), false);
        if let Access::Granted(grant) = &self.access {
            shard.say(self.id, &Reply::authenticated(id, &grant.name));
        }
        drop(shard);
        self.begin();
        Ok(())
    }

    pub(super) fn may_read(&self) -> bool {
        self.host.seat.shard.borrow().may_read(self.id)
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.host.seat.shard.borrow().has_bytes(self.id)
    }

    pub(super) fn tally(&self) -> &Tally {
        self.host.relay.tally()
    }

    pub(super) async fn on_message(&mut self, message: Message) -> Result<(), CloseReason> {
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
                Spoken::Command(request) if self.is_over_command_rate(request.command.symbols()) => {
                    self.refuse(request.id.as_ref(), self.too_many_commands());
                }
                Spoken::Refused(id, _) if self.is_over_command_rate(0) => {
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

    /// Whether a command that names so many symbols is over the rate.
    fn is_over_command_rate(&self, symbols: usize) -> bool {
        let Some(limit) = &self.commands else { return false };
        let count = u32::try_from(symbols / SYMBOLS_A_COMMAND).unwrap_or(u32::MAX).saturating_add(1);
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN).min(self.host.limits.command_burst);
        let is_over = !matches!(limit.check_n(count), Ok(Ok(())));
        if is_over {
            self.tally().struck(Limit::CommandRate);
        }
        is_over
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
        if !self.access.is_locked() {
            self.host.relay.leave();
        }
    }
}
