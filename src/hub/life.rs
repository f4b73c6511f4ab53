//! Signs of life: what each client has to do in time, and when to look whether it has.
//!
//! A client is pinged every so often. What proves that it lives: a byte from it, an update that its
//! socket took, or anything that its socket took after it had taken no more. Pings and heartbeats
//! prove nothing: the kernel takes them for a client that is long gone.

use std::time::Duration;

use tokio::time::Instant;

use super::subscriptions::ConnectionId;

/// Clients are looked at so many times within the shortest of the limits.
const LOOKS: u32 = 16;

/// But not more often than the one, nor less often than the other.
const LOOK_PERIOD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(250));

/// What a client has to do in time; zero switches a limit off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadlines {
    /// Time between pings.
    pub ping_interval: Duration,
    /// After a ping, a sign of life comes within this time.
    pub ping_timeout: Duration,
    /// A message that has begun is whole within this time.
    pub message: Duration,
    /// A token comes within this time.
    pub auth: Duration,
}

/// One client's deadlines.
#[derive(Debug, Default)]
pub struct Life {
    /// When it is pinged next.
    next_ping: Option<Instant>,
    /// When it was pinged, until a sign of life comes.
    pinged: Option<Instant>,
    /// How many pings it has not answered.
    unanswered: u32,
    /// By when the message that has begun is to be whole.
    message_due: Option<Instant>,
    /// By when it is to have shown a token.
    auth_due: Option<Instant>,
}

/// What is to be done about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// It is to be pinged.
    Ping,
    /// It is to be closed: it has not done this in time.
    Over(Overdue),
}

/// What a client has not done in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// Shown a token.
    Token,
    /// Sent the rest of a message.
    Message,
    /// Given a sign of life after a ping.
    SignOfLife,
}

/// When each client is to be looked at, by the connections' numbers.
#[derive(Debug, Default)]
pub struct Lookouts(Vec<Option<Instant>>);

impl Deadlines {
    /// How often to look at the clients whose time has come.
    #[must_use]
    pub fn look_period(&self) -> Duration {
        let limits = [self.ping_interval, self.ping_timeout, self.message, self.auth];
        let shortest = limits.into_iter().filter(|limit| !limit.is_zero()).min().unwrap_or(Duration::MAX);
        (shortest / LOOKS).clamp(LOOK_PERIOD.0, LOOK_PERIOD.1)
    }
}

impl Life {
    /// A client that begins now.
    #[must_use]
    pub fn new(now: Instant, deadlines: &Deadlines) -> Self {
        Self { next_ping: after(now, deadlines.ping_interval), ..Self::default() }
    }

    /// Says that it has to show a token from now on, or that it has.
    pub fn lock(&mut self, now: Instant, deadlines: &Deadlines, is_locked: bool) {
        self.auth_due = after(now, deadlines.auth).filter(|_| is_locked);
    }

    /// Says that a message of it has come in part, or that none has.
    pub fn message(&mut self, now: Instant, deadlines: &Deadlines, is_partial: bool) {
        self.message_due = after(now, deadlines.message).filter(|_| is_partial);
    }

    /// Gives the message that has begun, where one has, its whole time again.
    pub fn extend_message(&mut self, now: Instant, deadlines: &Deadlines) {
        if self.message_due.is_some() {
            self.message_due = after(now, deadlines.message);
        }
    }

    /// Says that a pong has come; returns whether it answers a ping.
    pub fn ponged(&mut self) -> bool {
        let is_answer = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        is_answer
    }

    /// Gives the client as much time more as the server stood still.
    pub fn postpone(&mut self, gap: Duration) {
        for due in [&mut self.pinged, &mut self.message_due, &mut self.auth_due].into_iter().flatten() {
            *due += gap;
        }
    }

    /// What is to be done about the client, of which signs of life have come since the last look or not.
    pub fn look(&mut self, now: Instant, deadlines: &Deadlines, is_alive: bool) -> Verdict {
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if is_over(self.auth_due) {
            return Verdict::Over(Overdue::Token);
        }
        if is_over(self.message_due) {
            return Verdict::Over(Overdue::Message);
        }
        if is_alive {
            self.pinged = None;
        }
        if is_over(self.pinged.and_then(|pinged| after(pinged, deadlines.ping_timeout))) {
            return Verdict::Over(Overdue::SignOfLife);
        }
        if is_over(self.next_ping) {
            self.next_ping = after(now, deadlines.ping_interval);
            self.pinged = self.pinged.or(Some(now));
            self.unanswered = self.unanswered.saturating_add(1);
            return Verdict::Ping;
        }
        Verdict::Fine
    }

    /// When to look again.
    #[must_use]
    pub fn next_look(&self, deadlines: &Deadlines) -> Option<Instant> {
        let gone = self.pinged.and_then(|pinged| after(pinged, deadlines.ping_timeout));
        [self.next_ping, gone, self.message_due, self.auth_due].into_iter().flatten().min()
    }
}

impl Lookouts {
    /// Sets when to look at a connection.
    pub fn set(&mut self, id: ConnectionId, when: Option<Instant>) {
        if self.0.len() <= id {
            self.0.resize(id + 1, None);
        }
        self.0[id] = when;
    }

    /// The next connection from a number on that is to be looked at.
    #[must_use]
    pub fn next_due(&self, from: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let after = self.0.iter().skip(from).position(|when| when.is_some_and(|when| when <= now))?;
        Some(from + after)
    }
}

/// The end of a limit; `None` where it is switched off.
fn after(from: Instant, limit: Duration) -> Option<Instant> {
    (!limit.is_zero()).then(|| from + limit)
}
