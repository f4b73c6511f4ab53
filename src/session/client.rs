//! Handles what a client sends: checks permissions and rates, then carries out the command or relays the message.

use std::num::NonZeroU32;
use std::rc::Rc;

use smol_str::SmolStr;
use tokio::time::Instant;

use super::Context;
use crate::auth::Access;
use crate::counters::{Counters, Limit};
use crate::encoding::{Encoding, Value};
use crate::hub::{ConnectionId, Limiter, Socket, limiter};
use crate::market::Time;
use crate::wire::{
    self, CloseCode, CloseReason, Command, ErrorCode, Inbound, Message, Refusal, Reply, Request, RequestId,
    Spoken, Stream, Token,
};

/// A command counts once more for each so many symbols that it names: they are its work.
const SYMBOLS_A_COMMAND: usize = 100;

/// The client's place in the shard, and its limits. Dropped, the shard forgets it.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) context: Rc<Context>,
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
    pub(super) fn new(
        context: Rc<Context>,
        encoding: Encoding,
        stream: &Stream,
        access: Access,
        socket: Socket,
    ) -> Self {
        let name = context.relay.name();
        let mut shard = context.local.shard.borrow_mut();
        let id = shard.connect(encoding, Instant::now());
        context.local.sockets.borrow_mut().insert(id, socket);
        shard.begin(id, stream.delivery, stream.interval);
        if access.is_locked() {
            shard.lock(id, Instant::now(), true);
        } else {
            context.relay.join();
        }
        drop(shard);
        let controls = limiter(context.limits.control_rate, context.limits.control_burst);
        let commands = limiter(context.limits.command_rate, context.limits.command_burst);
        let messages = limiter(context.relay.config().rate, context.relay.config().burst);
        let asked = stream.subscribe.clone().map(Box::new);
        let mut client = Self { context, id, name, access, asked, controls, commands, messages };
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
            Ok(()) => self.context.local.shard.borrow_mut().handle(self.id, request, Time::now()),
            Err(refusal) => self.refuse(id.as_ref(), refusal),
        }
    }

    fn authenticate(&mut self, id: Option<&RequestId>, token: &Token) -> Result<(), Refusal> {
        if let Access::Granted(grant) = &self.access {
            let message = format!("this connection has shown the token of {}; open another one", grant.name);
            return Err(Refusal::new(ErrorCode::BadCommand, message));
        }
        self.access = self.context.auth.access(Some(token))?;
        self.context.relay.join();
        let mut shard = self.context.local.shard.borrow_mut();
        shard.lock(self.id, Instant::now(), false);
        if let Access::Granted(grant) = &self.access {
            shard.answer(self.id, &Value::Reply(&Reply::authenticated(id, &grant.name)));
        }
        drop(shard);
        self.begin();
        Ok(())
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.context.local.shard.borrow().has_bytes(self.id)
    }

    pub(super) fn counters(&self) -> &Counters {
        self.context.relay.counters()
    }

    /// Handles a message of the client.
    ///
    /// # Errors
    ///
    /// The connection ends.
    pub(super) async fn on_message(&mut self, inbound: Inbound) -> Result<(), CloseReason> {
        let is_control = match &inbound {
            Inbound::Ping(_) => true,
            // As many pongs as it was sent pings are no more than its duty.
            Inbound::Pong => !self.context.local.shard.borrow_mut().ponged(self.id),
            Inbound::Message(_) | Inbound::Close(_) => false,
        };
        if is_control && is_over(self.controls.as_ref()) {
            self.counters().increment(Limit::ControlRate);
            let reason = format!("at most {} control frames a second", self.context.limits.control_rate);
            return Err(CloseReason::Server(CloseCode::Policy, reason.into()));
        }
        match inbound {
            Inbound::Message(Message::Text(text)) => match wire::understand(&text) {
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
            Inbound::Message(message) => self.relay(message).await,
            Inbound::Ping(payload) => self.answer(&Value::Pong(&payload)),
            Inbound::Pong => {}
            Inbound::Close(code) => return Err(CloseReason::Client(code)),
        }
        Ok(())
    }

    /// Whether a command that names so many symbols is over the rate.
    fn is_over_command_rate(&self, symbols: usize) -> bool {
        let Some(limit) = &self.commands else { return false };
        let count = u32::try_from(symbols / SYMBOLS_A_COMMAND).unwrap_or(u32::MAX).saturating_add(1);
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN).min(self.context.limits.command_burst);
        let is_over = !matches!(limit.check_n(count), Ok(Ok(())));
        if is_over {
            self.counters().increment(Limit::CommandRate);
        }
        is_over
    }

    fn too_many_commands(&self) -> Refusal {
        let rate = self.context.limits.command_rate;
        Refusal::new(
            ErrorCode::RateLimited,
            format_args!("at most {rate} commands a second; this one was not carried out"),
        )
    }

    async fn relay(&self, message: Message) {
        let checked = self.access.check_relay().and_then(|()| self.context.relay.check(&message));
        let sent = match checked.and_then(|()| self.check_message_rate()) {
            Ok(()) => self.context.relay.send(&self.name, message).await,
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
        self.counters().increment(Limit::RelayRate);
        let rate = self.context.relay.config().rate;
        let message = format!("at most {rate} messages a second are relayed; this one was not");
        Err(Refusal::new(ErrorCode::RateLimited, message))
    }

    fn refuse(&self, id: Option<&RequestId>, refusal: Refusal) {
        self.answer(&Value::Reply(&Reply::error(id, refusal)));
    }

    fn answer(&self, value: &Value<'_>) {
        self.context.local.shard.borrow_mut().answer(self.id, value);
    }
}

fn is_over(limit: Option<&Limiter>) -> bool {
    limit.is_some_and(|limit| limit.check().is_err())
}

impl Drop for Client {
    fn drop(&mut self) {
        self.context.local.shard.borrow_mut().disconnect(self.id);
        self.context.local.sockets.borrow_mut().remove(self.id);
        self.context.local.served.notify_one();
        self.context.local.turn_wanted.notify_one();
        if !self.access.is_locked() {
            self.context.relay.leave();
        }
    }
}
