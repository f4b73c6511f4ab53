//! Handles a client's messages: checks permissions and rates, then executes the command or relays the
//! message.

use std::cell::OnceCell;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::Instant;

use super::{Context, Start};
use crate::auth::Access;
use crate::counters::{Counters, Limit};
use crate::encoding::Value;
use crate::hub::{ConnectionId, Limiter, PeerName, Socket, limiter};
use crate::market::Time;
use crate::wire::{
    self, CloseCode, CloseReason, Command, CommandId, CommandWithId, ErrorCode, ErrorReply, Incoming,
    Message, Owner, ParsedMessage, Reply, TokenHash,
};

/// A command counts once towards the command rate, and once more for every group of this many symbols. The
/// work of a command grows with the number of its symbols.
const SYMBOLS_A_COMMAND: usize = 100;

/// Handles the messages of one client. Creating a handler connects the client to the shard. Dropping the
/// handler disconnects the client.
#[derive(Debug)]
pub(super) struct MessageHandler {
    pub(super) context: Rc<Context>,
    pub(super) id: ConnectionId,
    name: PeerName,
    /// The subscribe command from the URL. `None` if the URL has no subscribe command, or if the command has
    /// been executed.
    url_command: Option<Box<Command>>,
    /// The rate limits of the client; created when the client sends its first message.
    limiters: OnceCell<Box<Limiters>>,
}

/// The rate limits of one client; `None` for a rate without a limit.
#[derive(Debug)]
struct Limiters {
    controls: Option<Limiter>,
    commands: Option<Limiter>,
    messages: Option<Limiter>,
}

impl MessageHandler {
    pub(super) fn new(context: Rc<Context>, start: Start, head: &[u8], socket: Socket) -> Self {
        let Start { encoding, parameters, access } = start;
        let name = context.relay.name();
        let mut shard = context.runner.shard.borrow_mut();
        let id = shard.connect(encoding, Instant::now());
        context.runner.sockets.borrow_mut().insert(id, socket);
        shard.push_head(id, head);
        shard.set_delivery(id, parameters.delivery, parameters.interval);
        if access.is_unauthenticated() {
            shard.set_authenticated(id, Instant::now(), false);
        }
        drop(shard);
        let url_command = parameters.subscribe.map(Box::new);
        let mut client = Self { context, id, name, url_command, limiters: OnceCell::new() };
        client.set_access(access);
        client.execute_url_command();
        client
    }

    /// Sets the client's permissions, and counts the client as a peer in the relay. Does nothing if the
    /// client must still show a token.
    fn set_access(&self, access: Access) {
        if access.is_unauthenticated() {
            return;
        }
        self.context.relay.join();
        let is_current = self.context.auth.borrow().is_current(&access);
        self.context.set_access(self.id, access);
        if !is_current {
            // The tokens have changed since the request of this client was checked.
            self.context.close_revoked();
        }
    }

    /// Executes the subscribe command from the URL, unless the client must show a token first.
    fn execute_url_command(&mut self) {
        if self.access().is_unauthenticated() {
            return;
        }
        if let Some(command) = self.url_command.take() {
            self.execute(&CommandWithId { id: None, command: *command });
        }
    }

    /// Executes a command if the client's permissions allow the command; otherwise sends an error reply.
    fn execute(&mut self, with_id: &CommandWithId) {
        let CommandWithId { id, command } = with_id;
        let checked = match command {
            Command::Auth { token } => self.authenticate(id.as_ref(), token),
            command => self.access().check(command),
        };
        match checked {
            Ok(()) => self.context.runner.shard.borrow_mut().execute(self.id, with_id, Time::now()),
            Err(error) => self.reply_error(id.as_ref(), error),
        }
    }

    fn authenticate(&mut self, id: Option<&CommandId>, token: &TokenHash) -> Result<(), ErrorReply> {
        if let Access::Granted(grant) = self.access() {
            let message =
                format!("this connection already showed the token of {}; open a new connection", grant.name);
            return Err(ErrorReply::new(ErrorCode::BadCommand, message));
        }
        let access = self.context.auth.borrow().access(Some(token))?;
        self.set_access(access);
        let mut shard = self.context.runner.shard.borrow_mut();
        shard.set_authenticated(self.id, Instant::now(), true);
        if let Access::Granted(grant) = self.access() {
            let owner = Owner { name: &grant.name, relay: grant.relay, control: grant.control };
            shard.answer(self.id, &Value::Reply(&Reply::authenticated(id, owner)));
        }
        drop(shard);
        self.execute_url_command();
        Ok(())
    }

    pub(super) fn has_bytes(&self) -> bool {
        self.context.runner.shard.borrow().has_bytes(self.id)
    }

    pub(super) fn counters(&self) -> &Counters {
        self.context.relay.counters()
    }

    /// Handles a message or a control frame.
    ///
    /// # Errors
    ///
    /// Fails with the reason why the connection must end.
    pub(super) async fn on_message(&mut self, inbound: Incoming) -> Result<(), CloseReason> {
        let is_control = match &inbound {
            Incoming::Ping(_) => true,
            // A pong that answers a ping does not count against the limit.
            Incoming::Pong => !self.context.runner.shard.borrow_mut().ponged(self.id),
            Incoming::Message(_) | Incoming::Close(_) => false,
        };
        if is_control && is_over(self.limiters().controls.as_ref()) {
            self.counters().increment(Limit::ControlRate);
            let reason = format!("at most {} control frames a second", self.context.limits.control_rate);
            return Err(CloseReason::Server(CloseCode::Policy, reason.into()));
        }
        match inbound {
            Incoming::Message(message) => match wire::parse_message(&message) {
                ParsedMessage::ForPeers => self.relay(message).await,
                ParsedMessage::Command(command) if self.is_over_command_rate(command.command.symbols()) => {
                    self.reply_error(command.id.as_ref(), self.too_many_commands());
                }
                ParsedMessage::Error(id, _) if self.is_over_command_rate(0) => {
                    self.reply_error(id.as_ref(), self.too_many_commands());
                }
                ParsedMessage::Command(command) => {
                    self.reach_cursor(&command.command).await?;
                    self.execute(&command);
                }
                ParsedMessage::Error(id, error) => self.reply_error(id.as_ref(), error),
            },
            Incoming::Ping(payload) => self.answer(&Value::Pong(&payload)),
            Incoming::Pong => {}
            Incoming::Close(code) => return Err(CloseReason::Client(code)),
        }
        Ok(())
    }

    /// Waits until this node of a cluster has reached the cursor of a command. The client may come from another
    /// node, which is ahead of this one.
    ///
    /// # Errors
    ///
    /// Fails with the reason to close if the node is cut off and cannot reach the cursor.
    async fn reach_cursor(&self, command: &Command) -> Result<(), CloseReason> {
        let Command::Subscribe { after: Some(cursor), .. } = command else { return Ok(()) };
        let bus = Arc::clone(self.context.runner.shard.borrow().bus());
        if bus.reach(&cursor.epoch, cursor.seq).await || bus.is_current() {
            return Ok(());
        }
        let reason = "this node is cut off from its cluster; connect to another";
        Err(CloseReason::Server(CloseCode::TryAgainLater, reason.into()))
    }

    /// Counts a command with this many symbols towards the command rate. Returns whether the command exceeds
    /// the maximum rate.
    fn is_over_command_rate(&self, symbols: usize) -> bool {
        let Some(limit) = &self.limiters().commands else { return false };
        let count = u32::try_from(symbols / SYMBOLS_A_COMMAND).unwrap_or(u32::MAX).saturating_add(1);
        let count = NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN).min(self.context.limits.command_burst);
        let is_over = !matches!(limit.check_n(count), Ok(Ok(())));
        if is_over {
            self.counters().increment(Limit::CommandRate);
        }
        is_over
    }

    fn too_many_commands(&self) -> ErrorReply {
        let rate = self.context.limits.command_rate;
        ErrorReply::new(
            ErrorCode::RateLimited,
            format_args!("at most {rate} commands a second; this one was not executed"),
        )
    }

    async fn relay(&self, message: Message) {
        let checked = self.access().check_relay().and_then(|()| self.context.relay.check(&message));
        let sent = match checked.and_then(|()| self.check_message_rate()) {
            Ok(()) => self.context.relay.send(self.name, message).await,
            error => error,
        };
        if let Err(error) = sent {
            self.reply_error(None, error);
        }
    }

    fn check_message_rate(&self) -> Result<(), ErrorReply> {
        if !is_over(self.limiters().messages.as_ref()) {
            return Ok(());
        }
        self.counters().increment(Limit::RelayRate);
        let rate = self.context.relay.config().rate;
        let message = format!("at most {rate} messages a second are relayed; this one was not");
        Err(ErrorReply::new(ErrorCode::RateLimited, message))
    }

    fn access(&self) -> Access {
        self.context.access(self.id)
    }

    fn limiters(&self) -> &Limiters {
        self.limiters.get_or_init(|| {
            let (limits, relay) = (&self.context.limits, self.context.relay.config());
            Box::new(Limiters {
                controls: limiter(limits.control_rate, limits.control_burst),
                commands: limiter(limits.command_rate, limits.command_burst),
                messages: limiter(relay.rate, relay.burst),
            })
        })
    }

    fn reply_error(&self, id: Option<&CommandId>, error: ErrorReply) {
        self.answer(&Value::Reply(&Reply::error(id, error)));
    }

    fn answer(&self, value: &Value<'_>) {
        self.context.runner.shard.borrow_mut().answer(self.id, value);
    }
}

fn is_over(limit: Option<&Limiter>) -> bool {
    limit.is_some_and(|limit| limit.check().is_err())
}

impl Drop for MessageHandler {
    fn drop(&mut self) {
        self.context.runner.shard.borrow_mut().disconnect(self.id);
        self.context.runner.sockets.borrow_mut().remove(self.id);
        self.context.runner.served.notify_one();
        self.context.runner.turn_wanted.notify_one();
        if !self.context.set_access(self.id, Access::Unauthenticated).is_unauthenticated() {
            self.context.relay.leave();
        }
    }
}
