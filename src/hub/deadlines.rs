//! Signs of life: what each client has to do in time, and when to look whether it has.
//!
//! A client is pinged every so often, and has to give a sign of life in time. A byte from it is one. A client that has much
//! to read answers late, and a stream cannot answer; so if the socket took an update since the last look, or is blocked, or
//! is a stream's, TCP is asked whether the client's machine is there. The machine is gone if TCP has sent the same bytes
//! again at least twice, or has asked at least twice whether there is room, and no acknowledgement has arrived since the
//! ping; otherwise it is there, and that is a sign of life. For a socket that stays blocked it is one only for so many ping
//! intervals: a client may read slowly, but one that has stopped reading is dropped. A client that is sent nothing but pings
//! and heartbeats has to answer: that its machine acknowledges them does not prove that its program lives.
//!
//! TCP is asked only while a ping is unanswered, so once a ping interval. Where it cannot be asked (another system, a socket
//! in memory), an update that the socket took is a sign of life, and so is anything that it took after it was blocked.

use std::time::Duration;

use tcp_info::Acknowledgements;
use tokio::time::Instant;

use super::subscription_index::ConnectionId;

/// Clients are looked at so many times within the shortest of the limits.
const CHECKS: u32 = 16;

/// But not more often than the one, nor less often than the other.
const CHECK_PERIOD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(250));

/// A machine that has not answered TCP so many times in a row may be gone. Once is nothing: the answer may be on its way.
const UNANSWERED: u8 = 2;

/// A client whose machine is there may be blocked for so many ping intervals. They are many because a client that reads 2 KB
/// a second may make room only every half minute.
const BLOCKED_PINGS: u8 = 30;

/// What a client has to do in time; zero switches a limit off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// Time between pings.
    pub ping_interval: Duration,
    /// After a ping, a sign of life comes within this time.
    pub ping_timeout: Duration,
    /// A message that has begun is whole within this time.
    pub message: Duration,
    /// A token comes within this time.
    pub auth: Duration,
}

/// One client's timeouts.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// When it is pinged next.
    next_ping: Option<Instant>,
    /// The ping that it was sent, until a sign of life comes; none where it need not give one.
    ping: Option<Ping>,
    /// How many pings it has not answered.
    unanswered: u32,
    /// How many pings were due while its socket was blocked, since it took something last.
    blocked_pings: u8,
    /// By when the message that has begun is to be whole.
    message_due: Option<Instant>,
    /// By when it is to have shown a token.
    auth_due: Option<Instant>,
}

/// A ping that waits for a sign of life.
#[derive(Clone, Copy, Debug)]
struct Ping {
    /// When it was sent.
    sent: Instant,
    /// By when a sign of life is to have come: later by as much as the server stood still.
    due: Instant,
}

/// The signs of life that a client has given since it was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignsOfLife {
    /// A byte came from it.
    pub is_heard: bool,
    /// Its socket took an update, or anything after it had taken no more.
    pub is_taking: bool,
    /// Its socket takes no more for now.
    pub is_blocked: bool,
}

/// What is to be done about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
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
pub struct CheckSchedule(Vec<Option<Instant>>);

impl Timeouts {
    /// How often to look at the clients whose time has come.
    #[must_use]
    pub fn check_period(&self) -> Duration {
        let limits = [self.ping_interval, self.ping_timeout, self.message, self.auth];
        let shortest = limits.into_iter().filter(|limit| !limit.is_zero()).min().unwrap_or(Duration::MAX);
        (shortest / CHECKS).clamp(CHECK_PERIOD.0, CHECK_PERIOD.1)
    }
}

impl Deadlines {
    /// A client that begins now.
    #[must_use]
    pub fn new(now: Instant, timeouts: &Timeouts) -> Self {
        Self { next_ping: after(now, timeouts.ping_interval), ..Self::default() }
    }

    /// Says that it has to show a token from now on, or that it has.
    pub fn lock(&mut self, now: Instant, timeouts: &Timeouts, is_locked: bool) {
        self.auth_due = after(now, timeouts.auth).filter(|_| is_locked);
    }

    /// Says that a message of it has come in part, or that none has.
    pub fn message(&mut self, now: Instant, timeouts: &Timeouts, is_partial: bool) {
        self.message_due = after(now, timeouts.message).filter(|_| is_partial);
    }

    /// Gives the message that has begun, where one has, its whole time again.
    pub fn extend_message(&mut self, now: Instant, timeouts: &Timeouts) {
        if self.message_due.is_some() {
            self.message_due = after(now, timeouts.message);
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
        let ping_due = self.ping.as_mut().map(|ping| &mut ping.due);
        for due in [ping_due, self.message_due.as_mut(), self.auth_due.as_mut()].into_iter().flatten() {
            *due += gap;
        }
    }

    /// What is to be done about the client, which has given these signs of life since the last look. `acknowledgements` asks
    /// TCP, where that is possible.
    pub fn check(
        &mut self,
        now: Instant,
        timeouts: &Timeouts,
        signs: SignsOfLife,
        acknowledgements: impl FnOnce() -> Option<Acknowledgements>,
    ) -> Finding {
        let is_over = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if is_over(self.auth_due) {
            return Finding::Over(Overdue::Token);
        }
        if is_over(self.message_due) {
            return Finding::Over(Overdue::Message);
        }
        let is_due = is_over(self.ping.map(|ping| ping.due));
        if self.is_alive(now, signs, is_due, acknowledgements) {
            self.ping = None;
        } else if is_due {
            return Finding::Over(Overdue::SignOfLife);
        }
        if is_over(self.next_ping) {
            self.next_ping = after(now, timeouts.ping_interval);
            let ping = after(now, timeouts.ping_timeout).map(|due| Ping { sent: now, due });
            self.ping = self.ping.or(ping);
            self.unanswered = self.unanswered.saturating_add(1);
            self.blocked_pings = self.blocked_pings.saturating_add(signs.is_blocked.into());
            return Finding::Ping;
        }
        Finding::Fine
    }

    /// Whether it is proved that the client lives; asks TCP only where that decides.
    fn is_alive(
        &mut self,
        now: Instant,
        signs: SignsOfLife,
        is_due: bool,
        acknowledgements: impl FnOnce() -> Option<Acknowledgements>,
    ) -> bool {
        let is_there = match self.ping {
            Some(ping) if !signs.is_heard && (signs.is_taking || signs.is_blocked && is_due) => {
                let since_ping = now.duration_since(ping.sent);
                acknowledgements().map(|found| found.unanswered < UNANSWERED || found.last < since_ping)
            }
            _ => None,
        };
        if signs.is_heard || signs.is_taking && is_there != Some(false) {
            self.blocked_pings = 0;
            return true;
        }
        is_there == Some(true) && self.blocked_pings < BLOCKED_PINGS
    }

    /// When to look again.
    #[must_use]
    pub fn next_check(&self) -> Option<Instant> {
        [self.next_ping, self.ping.map(|ping| ping.due), self.message_due, self.auth_due]
            .into_iter()
            .flatten()
            .min()
    }
}

impl CheckSchedule {
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

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINES: Timeouts = Timeouts {
        ping_interval: seconds(20),
        ping_timeout: seconds(10),
        message: Duration::ZERO,
        auth: Duration::ZERO,
    };
    const GONE: Finding = Finding::Over(Overdue::SignOfLife);
    const SILENT: SignsOfLife = SignsOfLife { is_heard: false, is_taking: false, is_blocked: false };
    const HEARD: SignsOfLife = SignsOfLife { is_heard: true, ..SILENT };
    const TAKING: SignsOfLife = SignsOfLife { is_taking: true, ..SILENT };
    const BLOCKED: SignsOfLife = SignsOfLife { is_blocked: true, ..SILENT };
    const FRESH: Acknowledgements = Acknowledgements { last: seconds(1), unanswered: 0 };
    const NONE_SINCE_THE_PING: Acknowledgements = Acknowledgements { last: seconds(10), unanswered: 2 };

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Looks at a client that was pinged 10 s ago.
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
    fn an_update_that_the_socket_took_proves_nothing_where_the_machine_is_gone() {
        assert_eq!(check_when_due(TAKING, Some(NONE_SINCE_THE_PING)), GONE);
        assert_eq!(check_when_due(TAKING, Some(FRESH)), Finding::Fine);
        assert_eq!(check_when_due(TAKING, None), Finding::Fine);
    }

    #[test]
    fn a_client_whose_socket_is_blocked_stays_where_the_machine_is_known_to_be_there() {
        assert_eq!(check_when_due(BLOCKED, Some(NONE_SINCE_THE_PING)), GONE);
        assert_eq!(check_when_due(BLOCKED, Some(FRESH)), Finding::Fine);
        assert_eq!(check_when_due(BLOCKED, None), GONE);
    }

    #[test]
    fn a_client_that_is_sent_nothing_but_pings_has_to_answer_itself() {
        assert_eq!(check_when_due(SILENT, Some(FRESH)), GONE);
    }

    #[test]
    fn a_machine_is_there_while_its_answer_may_be_on_its_way_or_has_come_since_the_ping() {
        let quiet_before = Acknowledgements { unanswered: 1, ..NONE_SINCE_THE_PING };
        let answered_since = Acknowledgements { last: seconds(9), ..NONE_SINCE_THE_PING };

        for there in [quiet_before, answered_since] {
            assert_eq!(check_when_due(TAKING, Some(there)), Finding::Fine);
            assert_eq!(check_when_due(BLOCKED, Some(there)), Finding::Fine);
        }
    }

    #[test]
    fn tcp_is_asked_only_about_a_ping_without_an_answer() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(begin, &DEADLINES);
        let never = || panic!("nothing is in doubt");

        assert_eq!(deadlines.check(begin + seconds(20), &DEADLINES, TAKING, never), Finding::Ping);
        assert_eq!(deadlines.check(begin + seconds(30), &DEADLINES, HEARD, never), Finding::Fine);
        assert_eq!(deadlines.check(begin + seconds(40), &DEADLINES, BLOCKED, never), Finding::Ping);
    }

    #[test]
    fn a_client_that_has_stopped_reading_is_dropped_in_the_end_and_one_that_reads_slowly_is_not() {
        let begin = Instant::now();
        let dropped_at = |period_of_reading: Option<u32>| {
            let mut deadlines = Deadlines::new(begin, &DEADLINES);
            (2..100).find(|round| {
                let is_taking = period_of_reading.is_some_and(|period| round % period == 0);
                let signs = SignsOfLife { is_taking, ..BLOCKED };
                deadlines.check(begin + *round * seconds(10), &DEADLINES, signs, || Some(FRESH)) == GONE
            })
        };

        assert_eq!(dropped_at(None), Some(2 * u32::from(BLOCKED_PINGS) + 1));
        assert_eq!(dropped_at(Some(50)), None);
    }

    #[test]
    fn a_standstill_of_the_server_is_not_held_against_a_client() {
        let begin = Instant::now();
        let mut deadlines = Deadlines::new(begin, &DEADLINES);
        assert_eq!(deadlines.check(begin + seconds(20), &DEADLINES, SILENT, || None), Finding::Ping);

        deadlines.postpone(seconds(100));

        // A second after the ping, which was 110 seconds ago.
        let before_it = Acknowledgements { last: seconds(109), unanswered: 2 };
        assert_eq!(deadlines.check(begin + seconds(129), &DEADLINES, BLOCKED, || None), Finding::Ping);
        assert_eq!(
            deadlines.check(begin + seconds(130), &DEADLINES, BLOCKED, || Some(before_it)),
            Finding::Fine
        );
    }
}
