//! Deadlines: by when each client must act, and when the server checks each client.
//!
//! The server pings each client at an interval. After a ping, the client must give a sign of life within a
//! time limit. Any byte from the client is a sign of life.
//!
//! A client that has much to read answers a ping late. The client of an HTTP stream cannot answer a ping at
//! all. So TCP acknowledgements from the client's machine are a second sign of life. Acknowledgements count
//! if the client's socket accepted an update since the last check, is blocked, or carries a stream.
//!
//! The client's machine counts as gone if two conditions hold. First, no acknowledgement has arrived since
//! the ping. Second, the machine has left at least two TCP retransmissions or window probes unanswered. If
//! either condition does not hold, the machine counts as reachable.
//!
//! If a client's socket stays blocked, acknowledgements count as signs of life only for a limited number of
//! ping intervals. So a client may read slowly, but a client that has stopped reading is dropped. If the
//! server sends a client only pings and heartbeats, acknowledgements do not count as signs of life. Such a
//! client must answer the pings, because an acknowledgement does not prove that the client's program is
//! alive.
//!
//! The server reads the TCP state of a client's socket only while a ping is unanswered. So the server reads
//! this state about once in a ping interval. The TCP state cannot be read on a system other than Linux, or
//! for an in-memory socket. Without the TCP state, a client counts as alive if its socket accepted an update
//! since the last check. If the socket was blocked, any byte that it accepted counts as a sign of life.

use std::time::Duration;

use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::subscription_index::ConnectionId;

/// The server checks clients this many times within the shortest timeout.
const CHECKS: u32 = 16;

/// The shortest and the longest time between two checks of the clients.
const CHECK_PERIOD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(250));

/// A client's machine counts as reachable while fewer than this many TCP retransmissions or probes are
/// unanswered. If only one transmission is unanswered, its acknowledgement may still be on its way.
const UNANSWERED: u8 = 2;

/// If a client's machine is reachable, the client's socket may stay blocked for this many ping intervals.
///
/// The number is high because of slow clients. The socket of a client that reads 2 KB per second may accept
/// new bytes only every 30 s.
const BLOCKED_PINGS: u8 = 30;

/// The ping interval, and the time limits within which a client must act. A ping interval of zero switches
/// pings off. A time limit of zero means no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// The time between two pings to a client.
    pub ping_interval: Duration,
    /// The longest time between a ping and the client's next sign of life.
    pub ping_timeout: Duration,
    /// The longest time between the first and the last byte of a client's message.
    pub message: Duration,
    /// The longest time between the start of a connection and the arrival of the client's token.
    pub auth: Duration,
}

/// The deadlines of one client. What an idle client rarely has is boxed, because there are many idle clients.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// The time of the next ping to the client; `None` if pings are switched off.
    next_ping: Option<Instant>,
    /// The first ping since the client's last sign of life; `None` if there was no such ping, or if pings
    /// have no timeout.
    ping: Option<Box<Ping>>,
    /// How many pings have not been answered with a pong.
    unanswered: u32,
    /// How many pings were due while the socket was blocked. The number is reset when the client sends or
    /// reads something.
    blocked_pings: u8,
    /// By when the rest of a partial message must arrive; `None` if no such deadline is set.
    message_due: Option<Box<Instant>>,
    /// By when the client must show its token; `None` if no such deadline is set.
    auth_due: Option<Box<Instant>>,
}

/// A ping since which the client has given no sign of life.
#[derive(Clone, Copy, Debug)]
struct Ping {
    /// When the ping was sent.
    sent: Instant,
    /// By when the client must give its next sign of life. If the server stands still for a while, this
    /// deadline is postponed.
    due: Instant,
}

/// The signs of life that a client has given since the last check.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignsOfLife {
    /// Whether a byte came from the client.
    pub is_heard: bool,
    /// Whether the client's socket accepted an update. If the socket was blocked, any accepted byte counts
    /// like an update.
    pub is_reading: bool,
    /// Whether the client's socket accepts no more bytes for now.
    pub is_blocked: bool,
}

/// The result of a check of one client's deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The client missed no deadline, and no ping is due.
    Fine,
    /// The client is due for a ping.
    Ping,
    /// The client missed this deadline, so its connection must be closed.
    Overdue(Overdue),
}

/// A deadline that a client missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The client has not shown a token in time.
    Token,
    /// The client has not sent the rest of a message in time.
    Message,
    /// The client has not given a sign of life in time after a ping.
    SignOfLife,
}

/// The time at which each client is due for its next check, indexed by connection number.
#[derive(Debug, Default)]
pub struct CheckSchedule(Vec<Option<Instant>>);

impl Timeouts {
    /// Returns the time between two checks of the clients.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        let limits = [self.ping_interval, self.ping_timeout, self.message, self.auth];
        let shortest = limits.into_iter().filter(|limit| !limit.is_zero()).min().unwrap_or(Duration::MAX);
        (shortest / CHECKS).clamp(CHECK_PERIOD.0, CHECK_PERIOD.1)
    }
}

impl Deadlines {
    /// Returns the deadlines of a client that connects now.
    #[must_use]
    pub fn new(now: Instant, timeouts: &Timeouts) -> Self {
        Self { next_ping: deadline(now, timeouts.ping_interval), ..Self::default() }
    }

    /// Sets the deadline by which the client must show its token. If the client is authenticated, removes
    /// this deadline.
    pub fn set_authenticated(&mut self, now: Instant, timeouts: &Timeouts, is_authenticated: bool) {
        self.auth_due = deadline(now, timeouts.auth).filter(|_| !is_authenticated).map(Box::new);
    }

    /// Sets the deadline by which the rest of a partial message must arrive. If no message is partial,
    /// removes this deadline.
    pub fn set_message_partial(&mut self, now: Instant, timeouts: &Timeouts, is_partial: bool) {
        self.message_due = deadline(now, timeouts.message).filter(|_| is_partial).map(Box::new);
    }

    /// Restarts the time limit within which the rest of a partial message must arrive. Does nothing if no
    /// message is partial.
    pub fn extend_message(&mut self, now: Instant, timeouts: &Timeouts) {
        if let (Some(due), Some(later)) = (&mut self.message_due, deadline(now, timeouts.message)) {
            **due = later;
        }
    }

    /// Records a pong from the client; returns whether the pong answers a ping.
    pub fn ponged(&mut self) -> bool {
        let is_answer = self.unanswered > 0;
        self.unanswered = self.unanswered.saturating_sub(1);
        is_answer
    }

    /// Postpones the client's deadlines by `gap`, which is how long the server stood still.
    pub fn postpone(&mut self, gap: Duration) {
        let ping_due = self.ping.as_mut().map(|ping| &mut ping.due);
        for due in
            [ping_due, self.message_due.as_deref_mut(), self.auth_due.as_deref_mut()].into_iter().flatten()
        {
            *due += gap;
        }
    }

    /// Checks a client's deadlines. `signs` are the client's signs of life since the last check.
    /// `acknowledgements` reads the TCP state of the client's socket; it returns `None` if this state cannot
    /// be read.
    pub fn check(
        &mut self,
        now: Instant,
        timeouts: &Timeouts,
        signs: SignsOfLife,
        acknowledgements: impl FnOnce() -> Option<Acknowledgements>,
    ) -> Finding {
        let is_over = |due: Option<&Instant>| due.is_some_and(|due| *due <= now);
        if is_over(self.auth_due.as_deref()) {
            return Finding::Overdue(Overdue::Token);
        }
        if is_over(self.message_due.as_deref()) {
            return Finding::Overdue(Overdue::Message);
        }
        let is_due = is_over(self.ping_due());
        if self.is_alive(now, signs, is_due, acknowledgements) {
            self.ping = None;
        } else if is_due {
            return Finding::Overdue(Overdue::SignOfLife);
        }
        if is_over(self.next_ping.as_ref()) {
            self.next_ping = deadline(now, timeouts.ping_interval);
            let ping = deadline(now, timeouts.ping_timeout).map(|due| Box::new(Ping { sent: now, due }));
            self.ping = self.ping.take().or(ping);
            self.unanswered = self.unanswered.saturating_add(1);
            self.blocked_pings = self.blocked_pings.saturating_add(signs.is_blocked.into());
            return Finding::Ping;
        }
        Finding::Fine
    }

    /// Returns whether the client is known to be alive. Calls `acknowledgements` only if the acknowledgements
    /// can change the result.
    fn is_alive(
        &mut self,
        now: Instant,
        signs: SignsOfLife,
        is_due: bool,
        acknowledgements: impl FnOnce() -> Option<Acknowledgements>,
    ) -> bool {
        let is_reachable = match &self.ping {
            Some(ping) if !signs.is_heard && (signs.is_reading || signs.is_blocked && is_due) => {
                let since_ping = now.duration_since(ping.sent);
                acknowledgements().map(|found| found.unanswered < UNANSWERED || found.last < since_ping)
            }
            _ => None,
        };
        if signs.is_heard || signs.is_reading && is_reachable != Some(false) {
            self.blocked_pings = 0;
            return true;
        }
        is_reachable == Some(true) && self.blocked_pings < BLOCKED_PINGS
    }

    /// Returns the time at which the client is due for its next check; `None` if no check is due.
    #[must_use]
    pub fn next_check(&self) -> Option<Instant> {
        let due =
            [self.next_ping.as_ref(), self.ping_due(), self.message_due.as_deref(), self.auth_due.as_deref()];
        due.into_iter().flatten().min().copied()
    }

    /// Returns by when the client must give a sign of life after a ping; `None` if no such deadline is set.
    fn ping_due(&self) -> Option<&Instant> {
        self.ping.as_ref().map(|ping| &ping.due)
    }
}

impl CheckSchedule {
    /// Sets the time at which a connection is due for a check; `None` means that no check is due.
    pub fn set(&mut self, id: ConnectionId, when: Option<Instant>) {
        if self.0.len() <= id {
            self.0.resize(id + 1, None);
        }
        self.0[id] = when;
    }

    /// Returns the lowest number, from `from` upwards, of a connection that is due for a check.
    #[must_use]
    pub fn next_due(&self, from: ConnectionId, now: Instant) -> Option<ConnectionId> {
        let after = self.0.iter().skip(from).position(|when| when.is_some_and(|when| when <= now))?;
        Some(from + after)
    }
}

/// Returns the end of a timeout that begins at `from`; `None` if the timeout is switched off.
fn deadline(from: Instant, limit: Duration) -> Option<Instant> {
    (!limit.is_zero()).then(|| from + limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Timeouts = Timeouts {
        ping_interval: seconds(20),
        ping_timeout: seconds(10),
        message: Duration::ZERO,
        auth: Duration::ZERO,
    };
    const GONE: Finding = Finding::Overdue(Overdue::SignOfLife);
    const SILENT: SignsOfLife = SignsOfLife { is_heard: false, is_reading: false, is_blocked: false };
    const HEARD: SignsOfLife = SignsOfLife { is_heard: true, ..SILENT };
    const READING: SignsOfLife = SignsOfLife { is_reading: true, ..SILENT };
    const BLOCKED: SignsOfLife = SignsOfLife { is_blocked: true, ..SILENT };
    const FRESH: Acknowledgements = Acknowledgements { last: seconds(1), unanswered: 0 };
    const NONE_SINCE_THE_PING: Acknowledgements = Acknowledgements { last: seconds(10), unanswered: 2 };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Checks a client that was pinged 10 s ago, so that the ping's deadline is reached.
    fn check_when_due(signs: SignsOfLife, found: Option<Acknowledgements>) -> Finding {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(begin, &DEADLINES);
        assert_eq!(deadlines.check(begin + seconds(20), &DEADLINES, SILENT, || None), Finding::Ping);
        deadlines.check(begin + seconds(30), &DEADLINES, signs, || found)
    }

    #[test]
    fn a_byte_proves_that_a_client_lives_whatever_tcp_says() {
        assert_eq!(check_when_due(HEARD, Some(NONE_SINCE_THE_PING)), Finding::Fine);
        assert_eq!(check_when_due(HEARD, None), Finding::Fine);
    }

    #[test]
    fn an_update_that_the_socket_accepted_proves_nothing_if_the_machine_is_gone() {
        assert_eq!(check_when_due(READING, Some(NONE_SINCE_THE_PING)), GONE);
        assert_eq!(check_when_due(READING, Some(FRESH)), Finding::Fine);
        assert_eq!(check_when_due(READING, None), Finding::Fine);
    }

    #[test]
    fn a_client_whose_socket_is_blocked_stays_if_its_machine_is_reachable() {
        assert_eq!(check_when_due(BLOCKED, Some(NONE_SINCE_THE_PING)), GONE);
        assert_eq!(check_when_due(BLOCKED, Some(FRESH)), Finding::Fine);
        assert_eq!(check_when_due(BLOCKED, None), GONE);
    }

    #[test]
    fn a_client_that_gets_only_pings_must_answer_them() {
        assert_eq!(check_when_due(SILENT, Some(FRESH)), GONE);
    }

    #[test]
    fn a_machine_is_there_if_its_answer_may_be_on_its_way_or_came_after_the_ping() {
        let quiet_before = Acknowledgements { unanswered: 1, ..NONE_SINCE_THE_PING };
        let answered_since = Acknowledgements { last: seconds(9), ..NONE_SINCE_THE_PING };

        for there in [quiet_before, answered_since] {
            assert_eq!(check_when_due(READING, Some(there)), Finding::Fine);
            assert_eq!(check_when_due(BLOCKED, Some(there)), Finding::Fine);
        }
    }

    #[test]
    fn tcp_is_asked_only_while_a_ping_is_unanswered() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(begin, &DEADLINES);
        let never = || panic!("nothing is in doubt");

        assert_eq!(deadlines.check(begin + seconds(20), &DEADLINES, READING, never), Finding::Ping);
        assert_eq!(deadlines.check(begin + seconds(30), &DEADLINES, HEARD, never), Finding::Fine);
        assert_eq!(deadlines.check(begin + seconds(40), &DEADLINES, BLOCKED, never), Finding::Ping);
    }

    #[test]
    fn a_client_that_stopped_reading_is_dropped_in_the_end_but_one_that_reads_slowly_is_not() {
        let begin = Instant::now();
        let dropped_at = |period_of_reading: Option<u32>| {
            let mut deadlines = Deadlines::new(begin, &DEADLINES);
            (2..100).find(|round| {
                let is_reading = period_of_reading.is_some_and(|period| round % period == 0);
                let signs = SignsOfLife { is_reading, ..BLOCKED };
                deadlines.check(begin + *round * seconds(10), &DEADLINES, signs, || Some(FRESH)) == GONE
            })
        };

        assert_eq!(dropped_at(None), Some(2 * u32::from(BLOCKED_PINGS) + 1));
        assert_eq!(dropped_at(Some(50)), None);
    }

    #[test]
    fn a_standstill_of_the_server_postpones_the_deadlines_of_clients() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(begin, &DEADLINES);
        assert_eq!(deadlines.check(begin + seconds(20), &DEADLINES, SILENT, || None), Finding::Ping);

        deadlines.postpone(seconds(100));

        // The ping was 110 seconds ago. The acknowledgement arrived one second after the ping.
        let after_the_ping = Acknowledgements { last: seconds(109), unanswered: 2 };
        assert_eq!(deadlines.check(begin + seconds(129), &DEADLINES, BLOCKED, || None), Finding::Ping);
        assert_eq!(
            deadlines.check(begin + seconds(130), &DEADLINES, BLOCKED, || Some(after_the_ping)),
            Finding::Fine
        );
    }
}
